//! Synchronous replication begins: commits wait for the standby, and a failover may rely on it.

use crate::{
    plane::Inner,
    record::Record,
    session::{Session, literal},
    spec::*,
    steps::{STREAM, sync_filesystem, until},
};
use escale_base::{PlaneError, error::Context};
use std::time::Duration;

/// A healthy standby flushes within milliseconds. Meanwhile the database is locked.
const FLUSH: Duration = Duration::from_secs(2);

impl Inner {
    /// From the next step on commits wait for the standby. One whose disk is stuck streams, too, so it must first flush what the primary
    /// writes now: else every attempt would hold up all commits until the observers give the standby up again.
    pub(crate) async fn arm(&self, database: &str, record: &mut Record) -> Result<(), PlaneError> {
        let Some(standby) = record.standby().map(|n| n.name.clone()) else { return Ok(()) };
        let session = self.session(database, &record.primary, record.port).await?;
        let end: String = session.value("select pg_logical_emit_message(false, 'escale', '')::text").await?;
        let sql = flushed(&standby, &end);
        let flushes = until!(FLUSH, session.rows(&sql, &[]).await.ok().filter(|rows| !rows.is_empty()));
        flushes.ok_or_else(|| {
            PlaneError::machine(format!(
                "standby '{standby}' of database '{database}' writes nothing to its disk"
            ))
            .because("its disk does not answer, or it has much to catch up with")
        })?;
        record.protection = Protection::Arming;
        record.save(&self.dir(database))
    }

    /// The settings make commits wait for the standby; a failover may rely on that only once it is certain:
    /// - a session that was forked after the reload has the setting, so the postmaster has passed the
    ///   reload on to all its children, including the checkpointer;
    /// - the checkpointer applies settings before it serves a request, and it is the process that makes commits wait:
    ///   after two checkpoints (it may have been between the two at the first one) it has applied them;
    /// - rows committed before that are on the standby's disk once it has flushed the end of WAL.
    pub(crate) async fn prove(&self, database: &str, record: &mut Record) -> Result<(), PlaneError> {
        let Some(standby) = record.standby().map(|n| n.name.clone()) else { return Ok(()) };
        let state = self.config.state.clone();
        let durable = tokio::task::spawn_blocking(move || sync_filesystem(&state));
        let late =
            || PlaneError::machine(format!("standby '{standby}' of database '{database}' is not in sync"));
        let session =
            until!(STREAM, self.session_that_waits(database, record, &standby).await).ok_or_else(late)?;
        session.run("checkpoint").await?;
        session.run("checkpoint").await?;
        durable.await.plane(|| "sync the copy to disk".into())??;
        let end: String = session.value("select pg_current_wal_insert_lsn()::text").await?;
        let sql = format!("{} and sync_state = 'sync'", flushed(&standby, &end));
        until!(STREAM, session.rows(&sql, &[]).await.ok().filter(|rows| !rows.is_empty()))
            .ok_or_else(late)?;
        record.protection = Protection::Protected;
        record.save(&self.dir(database))?;
        self.report(Event::Protected { database: database.to_owned(), standby }).await;
        Ok(())
    }

    /// A new session, if it started with the setting.
    async fn session_that_waits(&self, database: &str, record: &Record, standby: &str) -> Option<Session> {
        let session = self.session(database, &record.primary, record.port).await.ok()?;
        let names: String =
            session.value("select current_setting('synchronous_standby_names')").await.ok()?;
        names.contains(&format!("\"{standby}\"")).then_some(session)
    }
}

/// A row if the standby has flushed the WAL up to `end`.
fn flushed(standby: &str, end: &str) -> String {
    format!(
        "select from pg_stat_replication where application_name = {} and state = 'streaming' and flush_lsn >= {}::pg_lsn",
        literal(standby),
        literal(end)
    )
}
