//! A few connections to PostgreSQL. A broken one is dropped; a new one resolves the name again, and so
//! finds the database after a failover.

use shop_common::{variable, variable_or};
use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_postgres::{Client, Config, NoTls, Row, types::ToSql};

/// Two tasks with four each leave a small instance connections for people.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between two attempts while the database is not available yet.
const PAUSE: Duration = Duration::from_millis(200);

pub struct Pool {
    config: Config,
    idle: Mutex<Vec<Client>>,
    permits: Semaphore,
    ready: AtomicBool,
}

#[derive(Debug)]
pub enum Error {
    Postgres(tokio_postgres::Error),
    Timeout,
    NoRow,
}

impl Pool {
    /// From `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER`, `DB_PASSWORD`.
    pub fn from_environment() -> Result<Pool, String> {
        let mut config = Config::new();
        config
            .host(variable("DB_HOST")?)
            .port(variable_or("DB_PORT", 5432)?)
            .dbname(variable("DB_NAME")?)
            .user(variable("DB_USER")?)
            .password(variable("DB_PASSWORD")?)
            .application_name("shop-backend")
            .connect_timeout(CONNECT_TIMEOUT);
        Ok(Pool {
            config,
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(CONNECTIONS),
            ready: AtomicBool::new(false),
        })
    }

    /// Runs `sql` as soon as the database accepts it; the pool is ready afterwards.
    pub async fn prepare(&self, sql: &str) {
        let mut last = String::new();
        loop {
            match self.try_prepare(sql).await {
                Ok(()) => break,
                Err(e) => {
                    let text = e.to_string();
                    if text != last {
                        println!("waiting for the database: {text}");
                        last = text;
                    }
                }
            }
            sleep(PAUSE).await;
        }
        self.ready.store(true, Ordering::Release);
        println!("the database is ready");
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Timeout)?;
        let client = self.client().await?;
        // on a timeout the connection is dropped, so that no other query waits behind the one that hangs
        let rows = timeout(QUERY_TIMEOUT, client.query(sql, values)).await.map_err(|_| Error::Timeout)??;
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(client);
        }
        Ok(rows)
    }

    async fn try_prepare(&self, sql: &str) -> Result<(), Error> {
        let client = self.client().await?;
        timeout(QUERY_TIMEOUT, client.batch_execute(sql)).await.map_err(|_| Error::Timeout)??;
        Ok(())
    }

    async fn client(&self) -> Result<Client, Error> {
        while let Some(client) = self.idle.lock().ok().and_then(|mut idle| idle.pop()) {
            if !client.is_closed() {
                return Ok(client);
            }
        }
        let connect = timeout(CONNECT_TIMEOUT * 2, self.config.connect(NoTls));
        let (client, connection) = connect.await.map_err(|_| Error::Timeout)??;
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                eprintln!("database connection: {e}");
            }
        });
        Ok(client)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(e: tokio_postgres::Error) -> Error {
        Error::Postgres(e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Postgres(e) => {
                write!(f, "{e}")?;
                std::error::Error::source(e).map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Error::Timeout => f.write_str("no answer in time"),
            Error::NoRow => f.write_str("no row came back"),
        }
    }
}
