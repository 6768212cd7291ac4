//! Failover and restart: planned changes of the server that accepts writes.
//!
//! No acknowledged row is lost, because a standby is promoted only if the record says `Protected`. It says
//! so only while commits wait for the standby, and is changed before they stop waiting. Two primaries never
//! accept writes: the old one is proven dead before the record names the new one; if it were started
//! after that, its settings would still make its commits wait for a standby that never connects.

use crate::{
    plane::Inner,
    process::{self, Process},
    record::Record,
    spec::*,
    steps::{mark, until},
};
use escale_base::{PlaneError, Timestamp, error::Context};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Promotion replays WAL that the standby has received and not yet applied.
const PROMOTION: Duration = Duration::from_secs(60);

impl Inner {
    pub(crate) async fn failover(&self, database: &str, away_from: &str) -> Result<Failover, PlaneError> {
        let begun = Instant::now();
        let mut record = self.record(database)?;
        record.node(away_from)?;
        if record.primary == away_from {
            let refuse =
                |why: String| PlaneError::asked(format!("cannot fail over database '{database}': {why}"));
            let standby = record.standby().map(|n| n.name.clone());
            let standby = standby.ok_or_else(|| refuse("it has no standby".into()))?;
            // The state may become `Protected` again, so the caller may retry.
            if record.protection != Protection::Protected {
                let why = format!("standby '{standby}' was not in sync, so acknowledged rows would be lost");
                return Err(refuse(why).retry(true));
            }
            // Before the primary is killed: without a working standby the database would be down afterwards.
            if self.ask(database, &standby, record.port).await.is_none_or(|a| !a.in_recovery) {
                return Err(PlaneError::machine(format!(
                    "standby '{standby}' of '{database}' does not answer"
                )));
            }
            let left = process::kill(&self.data(database, away_from)).await?;
            drop(left.remove_later());
            // Only after the old primary is proven dead; a crash before the save leaves it the primary, and it is started again.
            record.primary = standby.clone();
            record.protection = Protection::Alone;
            record.epoch += 1;
            // The old primary may have WAL that never reached the standby.
            mark(&mut record.rebuild, away_from);
            record.save(&self.dir(database))?;
            let (database, from) = (database.to_owned(), away_from.to_owned());
            self.report(Event::FailedOver { database, from, to: standby }).await;
        }
        let fenced_ms = ms(begun);
        self.promote(database, &record).await?;
        Ok(Failover { fenced_ms, promoted_ms: ms(begun) })
    }

    /// Promotes the recorded primary if it is still in recovery. The promote file and SIGUSR1 are what `pg_ctl promote` uses;
    /// this way there is no polling.
    pub(crate) async fn promote(&self, database: &str, record: &Record) -> Result<(), PlaneError> {
        let node = record.primary.as_str();
        let data = self.data(database, node);
        let what = || format!("promote node '{node}' of database '{database}'");
        let server = Process::server_of(&data)
            .ok_or_else(|| PlaneError::machine(what()).because("its server is not running"))?;
        let session = self.session(database, node, record.port).await?;
        if session.value::<bool>("select pg_is_in_recovery()").await? {
            if let Some(other) = record.standby() {
                // Also in a call that is repeated after a crash: two primaries must never accept writes.
                let left = process::kill(&self.data(database, &other.name)).await?;
                drop(left.remove_later());
            }
            let file = data.join("promote");
            std::fs::write(&file, b"").machine(what)?;
            let owner = (Some(self.user.uid.as_raw()), Some(self.user.gid.as_raw()));
            std::os::unix::fs::chown(&file, owner.0, owner.1).machine(what)?;
            server.signal(Signal::USR1);
        }
        let recovering = "select pg_is_in_recovery()";
        let writes = until!(PROMOTION, session.value::<bool>(recovering).await.ok().filter(|r| !r));
        writes.map(|_| ()).ok_or_else(|| PlaneError::machine(what()).because("it is still replaying WAL"))
    }

    /// Restarts every server that was started before `asked_at`, so that the call may be repeated. The
    /// standby comes first: it must run with limits at least as high as its primary's.
    pub(crate) async fn restart(&self, database: &str, asked_at: Timestamp) -> Result<(), PlaneError> {
        let record = self.record(database)?;
        let standby = record.standby().map(|n| n.name.clone());
        for node in standby.iter().chain([&record.primary]) {
            let observed = self.observe(database).await?;
            let seen = observed.as_ref().and_then(|o| o.node(node));
            if seen.is_some_and(|n| n.ready_since.is_some_and(|at| at < asked_at)) {
                self.stop(database, node).await?;
                self.start(database, &record, node).await?;
            }
        }
        Ok(())
    }
}

fn ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
