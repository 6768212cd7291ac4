//! Probes: one connection from one place to one server, kept open, that asks in each beat.
//!
//! The primary is asked to commit a row on its own disk, the standby only to answer. A question that is not answered stays
//! open for some beats before the connection is given up, so that a stuck server does not collect sessions.

use crate::{
    process::in_namespace,
    spec::REPLICATOR,
    verdict::{Heard, Silence},
};
use escale_base::{PlaneError, Secret, error::Context};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpSocket, sync::watch, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, NoTls, error::SqlState};

/// A new connection takes some milliseconds; the kernel repeats a lost packet of it after one second.
const CONNECT: Duration = Duration::from_secs(1);
/// After this time without an answer the connection is made anew: the network may have come back, with the connection lost.
const ANSWER: Duration = Duration::from_secs(3);

/// Creates the table of the heartbeats. Idempotent; run by the supervisor on the primary. The role may read the statistics,
/// because the position of a standby is visible to no other role.
pub(crate) fn table() -> String {
    format!(
        "create schema if not exists supervisor; \
         create table if not exists supervisor.heartbeat (observer text primary key, beat int8 not null); \
         insert into supervisor.heartbeat values ('{}', 0), ('{}', 0) on conflict do nothing; \
         grant usage on schema supervisor to {REPLICATOR}; \
         grant select, update on supervisor.heartbeat to {REPLICATOR}; \
         grant pg_read_all_stats to {REPLICATOR};",
        OBSERVERS[0], OBSERVERS[1]
    )
}

/// Each observer has a row of its own, so that none waits for the other's lock.
pub(crate) const OBSERVERS: [&str; 2] = ["standby", "witness"];

/// `committed locally` is set for the session: a heartbeat must not wait for the standby, which may be the broken part.
const OPTIONS: &str = "-c synchronous_commit=local -c default_transaction_read_only=off -c statement_timeout=0 \
     -c lock_timeout=0 -c idle_session_timeout=0";
const OPTIONS_13: &str = "-c synchronous_commit=local -c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0";

const COMMIT: &str = "update supervisor.heartbeat set beat = beat + 1 where observer = $1 returning \
     pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8, \
     (select pg_wal_lsn_diff(flush_lsn, '0/0')::int8 from pg_stat_replication \
      where application_name = $2 and state = 'streaming' limit 1)";

/// A place to probe from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct From {
    pub(crate) namespace: Option<PathBuf>,
    /// The source address; `None` lets the kernel choose it.
    pub(crate) address: Option<IpAddr>,
}

/// A server to probe.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) version: u32,
    pub(crate) address: SocketAddr,
    pub(crate) password: Secret<String>,
    pub(crate) from: From,
    /// For a primary: the observer's name, and the node that is the standby.
    pub(crate) commits: Option<(&'static str, String)>,
}

pub(crate) struct Prober {
    heard: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    answer: Option<Heard>,
    silence: Silence,
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Prober {
    pub(crate) fn start(target: Target, beats: watch::Receiver<u64>) -> Prober {
        let heard = Arc::<Mutex<State>>::default();
        let task = tokio::spawn(probe(target, beats, Arc::clone(&heard)));
        Prober { heard, task }
    }

    /// The answer since the last call.
    pub(crate) fn take(&self) -> Heard {
        let mut state = lock(&self.heard);
        state.answer.take().unwrap_or(Heard::Silent(state.silence))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn probe(target: Target, mut beats: watch::Receiver<u64>, heard: Arc<Mutex<State>>) {
    while beats.changed().await.is_ok() {
        match timeout(CONNECT, connect(&target)).await {
            Ok(Ok((client, connection))) => {
                let _connection = AbortOnDrop(connection);
                lock(&heard).silence = Silence::Stalled;
                while let Some(answer) = ask(&client, &target).await {
                    lock(&heard).answer = Some(answer);
                    if beats.changed().await.is_err() {
                        return;
                    }
                }
            }
            Ok(Err(Refusal::Lives)) => lock(&heard).answer = Some(Heard::Answered),
            Ok(Err(Refusal::Closed)) => lock(&heard).silence = Silence::Refused,
            Ok(Err(Refusal::Other)) | Err(_) => lock(&heard).silence = Silence::Unreachable,
        }
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

enum Refusal {
    /// The server answered with an error of its own.
    Lives,
    Closed,
    Other,
}

async fn connect(target: &Target) -> Result<(Client, JoinHandle<()>), Refusal> {
    let socket = socket(&target.from, target.address.is_ipv4()).map_err(|e| {
        tracing::debug!("cannot open a socket for a probe: {e}");
        Refusal::Other
    })?;
    let stream = socket.connect(target.address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::ConnectionReset => Refusal::Closed,
        _ => Refusal::Other,
    })?;
    // A question is one small packet, and it must not wait for the answer to the last one.
    let _ = stream.set_nodelay(true);
    let mut config = tokio_postgres::Config::new();
    config
        .user(REPLICATOR)
        .password(target.password.reveal())
        .dbname("postgres")
        .application_name("heartbeat");
    config.options(if target.version >= 14 { OPTIONS } else { OPTIONS_13 });
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|e| refusal(&e))?;
    let connection = tokio::spawn(async move {
        if let Err(e) = connection.await {
            tracing::debug!("a probe's connection ended: {e}");
        }
    });
    Ok((client, connection))
}

fn socket(from: &From, v4: bool) -> Result<TcpSocket, PlaneError> {
    let what = || "open a socket for a probe".to_owned();
    in_namespace(from.namespace.as_deref(), || {
        let socket = if v4 { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.machine(what)?;
        if let Some(address) = from.address {
            socket.bind(SocketAddr::new(address, 0)).machine(what)?;
        }
        Ok(socket)
    })
}

/// A server that is starting, shutting down or recovering accepts no client: it is not an answer.
fn refusal(error: &tokio_postgres::Error) -> Refusal {
    match error.code() {
        Some(&(SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN)) => {
            Refusal::Closed
        }
        Some(_) => Refusal::Lives,
        None => Refusal::Closed,
    }
}

/// `None`: the connection is of no use any more.
async fn ask(client: &Client, target: &Target) -> Option<Heard> {
    let answer = async {
        match &target.commits {
            None => client.simple_query("select 1").await.map(|_| None),
            Some((observer, standby)) => client.query(COMMIT, &[observer, standby]).await.map(|rows| {
                let row = rows.first()?;
                Some((row.try_get::<_, i64>(0).ok()?, row.try_get::<_, Option<i64>>(1).ok()?))
            }),
        }
    };
    match timeout(ANSWER, answer).await {
        Ok(Ok(Some((end, flushed)))) => {
            Some(Heard::Committed { end: end.unsigned_abs(), flushed: flushed.map(i64::unsigned_abs) })
        }
        Ok(Ok(None)) => Some(Heard::Answered),
        Ok(Err(e)) if e.is_closed() || !matches!(refusal(&e), Refusal::Lives) => None,
        Ok(Err(e)) => {
            tracing::debug!("a heartbeat was refused: {e}");
            Some(Heard::Answered)
        }
        Err(_) => None,
    }
}

/// Whether this machine flushes small files in time: the control for a primary or a standby that seems not to.
#[derive(Default)]
pub(crate) struct DiskControl {
    running: Option<JoinHandle<std::io::Result<()>>>,
    /// For how many beats the running flush has been waited for.
    beats: u32,
}

impl DiskControl {
    /// Called in each beat; starts a flush if one is worth it. True while a flush takes longer than a beat.
    pub(crate) async fn is_slow(&mut self, dir: &Path, wanted: bool) -> bool {
        if let Some(done) = self.running.take_if(|running| running.is_finished()) {
            let _ = done.await;
            self.beats = 0;
        }
        if self.running.is_some() {
            self.beats += 1;
        } else if wanted {
            let file = dir.join("control");
            self.running = Some(tokio::task::spawn_blocking(move || flush(&file)));
        }
        self.beats > 1
    }
}

fn flush(path: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    file.write_all(b"flushed while a server is suspected\n")?;
    file.sync_all()
}
