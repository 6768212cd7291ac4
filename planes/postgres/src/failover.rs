//! Failover and restart: planned changes of the server that accepts writes.
//!
//! No acknowledged row is lost, because a standby is promoted only if the record says `Protected`. It says
//! so only while commits wait for the standby, and is changed before they stop waiting. Two primaries never
//! acknowledge writes: the record names the new one before it is promoted, its promotion ends the connection that the old one
//! waits for, and the old one's settings, which only `disarm` with the record's epoch changes, make it wait forever. So a
//! failover need not reach the old primary, which may be frozen or cut off; it is killed nevertheless, as soon as possible.

use crate::{
    conf,
    plane::Inner,
    process::{self, Process},
    record::{Record, replace_if},
    session::Session,
    spec::*,
    steps::until,
};
use escale_base::{PlaneError, Timestamp, error::Context};
use rustix::process::Signal;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// A standby that has not answered after this time cannot take over.
const STANDBY_ANSWERS: Duration = Duration::from_secs(1);
/// A server that still recovers after this time is asked again. A repetition has no effect on a promotion that has begun.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const RECOVERS: &str = "select pg_is_in_recovery()";
/// Promotion replays WAL that the standby has received and not yet applied.
const PROMOTION: Duration = Duration::from_secs(60);

/// Writing the primary's settings; its disk has just committed a heartbeat.
const DISARM: Duration = Duration::from_secs(2);

impl Inner {
    pub(crate) async fn failover(&self, database: &str, away_from: &str) -> Result<Failover, PlaneError> {
        let begun = Instant::now();
        let mut record = self.record(database)?;
        record.node(away_from)?;
        let mut fenced_ms = 0;
        if record.primary == away_from {
            if record.standby().is_none() {
                let what = format!("cannot fail over database '{database}': it has no standby");
                return Err(PlaneError::asked(what));
            }
            let session = self.hand_over(database, &mut record, Reason::Requested, None).await?;
            fenced_ms = ms(begun);
            self.promote(database, &mut record, Some(session), false).await?;
        } else {
            self.promote(database, &mut record, None, true).await?;
        }
        Ok(Failover { fenced_ms, promoted_ms: ms(begun) })
    }

    /// Replaces a primary that the observers have lost, if it still is the one of this epoch. `session`: one on its standby, if it is open.
    pub(crate) async fn replace_primary(
        &self,
        database: &str,
        epoch: u64,
        reason: Reason,
        session: Option<Session>,
    ) -> Result<(), PlaneError> {
        let _one = self.seize(database).await;
        let mut record = self.record(database)?;
        let is_wanted = record.running && !record.deleting && !self.is_planned(database);
        if record.epoch != epoch || record.protection != Protection::Protected || !is_wanted {
            return Ok(());
        }
        tracing::warn!(database, primary = record.primary, ?reason, "the primary is lost and is replaced");
        let session = self.hand_over(database, &mut record, reason, session).await?;
        self.promote(database, &mut record, Some(session), false).await
    }

    /// Records the standby as the primary. Returns a session on it.
    async fn hand_over(
        &self,
        database: &str,
        record: &mut Record,
        reason: Reason,
        prepared: Option<Session>,
    ) -> Result<Session, PlaneError> {
        let started = self.config.clock.now();
        let standby = record.standby().map(|n| n.name.clone()).unwrap_or_default();
        // The state may become `Protected` again, so the caller may retry.
        if record.protection != Protection::Protected {
            let why = format!("standby '{standby}' was not in sync, so acknowledged rows would be lost");
            let what = format!("cannot fail over database '{database}': {why}");
            return Err(PlaneError::asked(what).retry(true));
        }
        // Before the record names it: without a working standby the database would be down afterwards.
        let answer = async {
            let session = match prepared {
                Some(session) => session,
                None => self.session(database, &standby, record.port).await?,
            };
            let recovers = session.value::<bool>(RECOVERS).await?;
            Ok::<_, PlaneError>(Some(session).filter(|_| recovers))
        };
        let session = tokio::time::timeout(STANDBY_ANSWERS, answer).await;
        let Ok(Ok(Some(session))) = session else {
            let what = format!("standby '{standby}' of database '{database}' does not answer");
            return Err(PlaneError::machine(what));
        };
        record.hand_over(&standby, reason, started);
        record.save(&self.dir(database))?;
        Ok(session)
    }

    /// Promotes the recorded primary if it is still in recovery, and kills the old one. The promote file and SIGUSR1 are what
    /// `pg_ctl promote` uses; this way there is no polling.
    pub(crate) async fn promote(
        &self,
        database: &str,
        record: &mut Record,
        session: Option<Session>,
        resumed: bool,
    ) -> Result<(), PlaneError> {
        let node = record.primary.clone();
        let data = self.data(database, &node);
        let what = || format!("promote node '{node}' of database '{database}'");
        let server = Process::server_of(&data).ok_or_else(|| {
            PlaneError::machine(format!("cannot {}", what())).because("its server is not running")
        })?;
        let session = match session {
            Some(session) => session,
            None => self.session(database, &node, record.port).await?,
        };
        let recovers = session.value::<bool>(RECOVERS).await?;
        if recovers {
            self.ask_to_promote(&server, &data).machine(what)?;
        }
        if let Some(old) = record.standby().filter(|n| record.rebuild.contains(&n.name)) {
            process::condemn(self.data(database, &old.name));
        }
        if recovers {
            self.await_promotion(database, record, &server, session).await?;
        }
        if let Some(moved) = record.moving.take() {
            record.save(&self.dir(database))?;
            let finished = self.config.clock.now();
            let (database, from, to) = (database.to_owned(), moved.from, node.clone());
            let (epoch, reason, started) = (record.epoch, moved.reason, moved.started);
            let event = Event::FailedOver { database, from, to, epoch, reason, started, finished, resumed };
            self.report(event).await;
        }
        Ok(())
    }

    /// The file has its owner before it has its name: the server may look for it, and remove it, at any time.
    fn ask_to_promote(&self, server: &Process, data: &Path) -> std::io::Result<()> {
        let (next, file) = (data.join("promote.next"), data.join("promote"));
        std::fs::write(&next, b"")?;
        std::os::unix::fs::chown(&next, Some(self.user.uid.as_raw()), Some(self.user.gid.as_raw()))?;
        std::fs::rename(&next, &file)?;
        server.signal(Signal::USR1);
        Ok(())
    }

    /// Waits until the new primary accepts writes. A session that breaks meanwhile is opened again, and a request that the server
    /// has not taken is repeated; a server that ends is an error at once. The caller holds the database's lock.
    async fn await_promotion(
        &self,
        database: &str,
        record: &Record,
        server: &Process,
        session: Session,
    ) -> Result<(), PlaneError> {
        let node = &record.primary;
        let cannot = |why: &str| {
            let what = format!("cannot promote node '{node}' of database '{database}'");
            PlaneError::machine(what).because(why)
        };
        let (mut session, mut asked) = (Some(session), Instant::now());
        let promoted = until!(PROMOTION, {
            let answer = match &session {
                Some(open) => open.value::<bool>(RECOVERS).await,
                None => match self.session(database, node, record.port).await {
                    Ok(open) => session.insert(open).value::<bool>(RECOVERS).await,
                    Err(error) => Err(error),
                },
            };
            match answer {
                Ok(false) => Some(true),
                _ if !server.lives() => Some(false),
                Ok(true) => {
                    if asked.elapsed() > ASK_AGAIN {
                        tracing::warn!(
                            database,
                            node,
                            "the standby is still recovering and is asked to promote again"
                        );
                        let data = self.data(database, node);
                        self.ask_to_promote(server, &data).machine(|| format!("promote node '{node}'"))?;
                        asked = Instant::now();
                    }
                    None
                }
                Err(error) => {
                    tracing::warn!(database, node, %error, "the session on the promoted server is opened again");
                    session = None;
                    None
                }
            }
        });
        match promoted {
            Some(true) => Ok(()),
            Some(false) => Err(cannot("its server has ended")),
            None => Err(cannot("it is still replaying WAL")),
        }
    }

    /// Records first that the standby may no longer be promoted; only then do commits stop waiting.
    pub(crate) async fn disarm(&self, database: &str, record: &mut Record) -> Result<(), PlaneError> {
        let dir = self.dir(database);
        record.protection = Protection::Alone;
        record.save(&dir)?;
        let (epoch, node, user) = (record.epoch, self.node_dir(database, &record.primary), self.user.clone());
        // On another thread, because the disk may be stuck. It may then get here after a failover: a primary of an earlier
        // epoch waits for its standby forever.
        let written = tokio::task::spawn_blocking(move || {
            let path = node.join("postgresql.conf");
            let text = std::fs::read_to_string(&path).machine(|| format!("read {}", path.display()))?;
            let is_current = || {
                let now = Record::load(&dir).ok().flatten();
                now.is_some_and(|r| r.epoch == epoch && r.protection == Protection::Alone)
            };
            replace_if(&path, conf::alone(&text).as_bytes(), Some(&user), is_current)
                .machine(|| format!("write {}", path.display()))?;
            if let Some(server) = Process::server_of(&node.join("data")) {
                server.signal(Signal::HUP);
            }
            Ok(())
        });
        let written = tokio::time::timeout(DISARM, written).await;
        let late = || {
            PlaneError::machine(format!("the settings of database '{database}' could not be written in time"))
        };
        written.map_err(|_| late())?.plane(|| "write the settings of the primary".into())?
    }

    /// Lets the primary go on without its standby, which flushes nothing, if it still is the one of this epoch.
    pub(crate) async fn give_up_standby(&self, database: &str, epoch: u64) -> Result<(), PlaneError> {
        let _one = self.seize(database).await;
        let mut record = self.record(database)?;
        let Some(standby) = record.standby().map(|n| n.name.clone()) else { return Ok(()) };
        if record.epoch != epoch || record.protection == Protection::Alone || self.is_planned(database) {
            return Ok(());
        }
        self.disarm(database, &mut record).await?;
        self.report(Event::Degraded { database: database.to_owned(), standby }).await;
        Ok(())
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
