//! SQL as the supervisor, over a server's local socket. Every wait has a time limit.

use crate::spec::SUPERVISOR;
use escale_base::{PlaneError, error::Context};
use std::{fs::File, os::fd::AsRawFd, path::Path, time::Duration};
use tokio::{net::UnixStream, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, NoTls, Row, types::ToSql};

/// A server that has not answered the supervisor after this time counts as unresponsive.
const ANSWER: Duration = Duration::from_secs(3);
/// The supervisor's longest statement: a checkpoint of a busy server.
const STATEMENT: Duration = Duration::from_secs(60);

pub(crate) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Session {
    /// `sockets` is the node's socket directory. It is reached through its file descriptor, because the
    /// path of a socket is limited to 107 bytes.
    pub(crate) async fn open(sockets: &Path, port: u16, database: &str) -> Result<Session, PlaneError> {
        let what = || format!("connect to {}/.s.PGSQL.{port}", sockets.display());
        // Kept open until the connection is made: the path below refers to it.
        let dir = File::open(sockets).machine(what)?;
        let path = format!("/proc/self/fd/{}/.s.PGSQL.{port}", dir.as_raw_fd());
        // The supervisor's own writes must not wait for a standby, which may be the broken part.
        let mut config = tokio_postgres::Config::new();
        config.user(SUPERVISOR).dbname(database).application_name(SUPERVISOR);
        config.options("-c synchronous_commit=local -c statement_timeout=60s -c lock_timeout=10s");
        let connect = async {
            let stream = UnixStream::connect(&path).await.machine(what)?;
            config.connect_raw(stream, NoTls).await.map_err(|e| explain(what(), e))
        };
        let (client, connection) = timeout(ANSWER, connect)
            .await
            .map_err(|_| PlaneError::machine(what()).because("no answer"))??;
        let connection = tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!("supervisor's session ended: {e}");
            }
        });
        Ok(Session { client, connection })
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<(), PlaneError> {
        let what = || format!("run '{}'", head(sql));
        let done = timeout(STATEMENT, self.client.batch_execute(sql)).await;
        done.map_err(|_| PlaneError::machine(what()).because("no answer"))?.map_err(|e| explain(what(), e))
    }

    pub(crate) async fn rows(&self, sql: &str, args: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PlaneError> {
        let what = || format!("run '{}'", head(sql));
        let done = timeout(ANSWER, self.client.query(sql, args)).await;
        done.map_err(|_| PlaneError::machine(what()).because("no answer"))?.map_err(|e| explain(what(), e))
    }

    /// The first column of the only row.
    pub(crate) async fn value<T>(&self, sql: &str) -> Result<T, PlaneError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let rows = self.rows(sql, &[]).await?;
        let row = rows.first().ok_or_else(|| PlaneError::plane(format!("'{sql}' returned no row")))?;
        row.try_get(0).plane(|| format!("read the answer of '{sql}'"))
    }
}

/// tokio-postgres says only "db error"; the server's message is in the source.
fn explain(what: String, error: tokio_postgres::Error) -> PlaneError {
    match error.as_db_error() {
        Some(db) => PlaneError::machine(format!("{what}: {} ({})", db.message(), db.code().code())),
        None => PlaneError::machine(what).because(error),
    }
}

/// The beginning of a statement, for a log: verifiers and the like are at the end.
fn head(sql: &str) -> &str {
    sql.char_indices().nth(60).map_or(sql, |(at, _)| &sql[..at])
}

/// `"name"`; names were checked before, and are quoted nevertheless.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
