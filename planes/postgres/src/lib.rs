//! PostgreSQL servers from installed binaries: a single one, or a primary and a synchronous standby in two
//! places, with fenced failover, read-only copies, snapshots, an archive of WAL and restore to a point in time.
//!
//! It is declarative: [`Postgres::ensure`] takes the desired state ([`DatabaseSpec`]), compares it with the actual
//! state, and takes idempotent [`Step`]s until both agree; it may be dropped or the daemon killed anywhere.
//! Servers are processes of their own that outlive the daemon; another instance on the same state directory
//! finds them and continues. A pair fails over by itself when its primary is lost (`observer.rs`), but only while the plane
//! runs: without a daemon, nothing does. It never turns fsync off, never promotes a standby that may lack an acknowledged
//! row, and makes no network: the caller provides namespaces and addresses.
//!
//! Start at [`DatabaseSpec`], then `plan.rs` (the next step, pure), `steps.rs` (how steps are taken), `verdict.rs` (which
//! server is lost, pure), `failover.rs` (how a primary is replaced), `replica.rs` (how a copy follows its source), `wal.rs` and
//! `recovery.rs` (the archive).

mod answer;
mod archive;
mod binaries;
mod conf;
mod failover;
mod fake;
mod heartbeat;
mod observer;
mod plan;
mod plane;
mod process;
mod protection;
mod record;
mod recovery;
mod replica;
mod scram;
mod seen;
mod server_log;
mod session;
mod shared_memory;
mod spec;
mod steps;
mod storage;
mod supervise;
mod turns;
mod upgrade;
mod usage;
mod verdict;
mod wal;

pub use binaries::Installed;
pub use fake::{FakePostgres, Fault};
pub use plan::Step;
pub use plane::Config;
pub use spec::*;
pub use usage::Usage;

use crate::{plane::Inner, steps::remove_dir};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp, error::Context, limits::PLANE_EVENTS};
use nix::fcntl::{Flock, FlockArg};
use std::{fs::File, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// Runs databases. All calls may be repeated; calls on one database run one after the other.
#[async_trait]
pub trait Postgres: Send + Sync {
    /// Takes at most one step towards the spec and returns it; `None` when the database matches the spec.
    async fn step(&self, spec: &DatabaseSpec) -> Result<Option<Step>, PlaneError>;

    /// Takes steps until the database matches the spec.
    async fn ensure(&self, spec: &DatabaseSpec) -> Result<(), PlaneError> {
        while self.step(spec).await?.is_some() {}
        Ok(())
    }

    /// Whether the primary matches the spec, whatever the state of its standby.
    async fn primary_matches(&self, spec: &DatabaseSpec) -> Result<bool, PlaneError>;

    /// `None` when the database does not exist.
    async fn observe(&self, name: &str) -> Result<Option<Observed>, PlaneError>;

    /// What the primary or the copy uses; `None` while a primary does not accept writes, and when the database does not exist.
    async fn usage(&self, name: &str) -> Result<Option<Usage>, PlaneError>;

    /// Names of all databases, in order.
    async fn list(&self) -> Result<Vec<String>, PlaneError>;

    /// Makes the other node the primary. Only completes an earlier failover when `away_from` is no longer the primary.
    /// Refused when the standby was not in sync. The next `ensure` makes the old primary a standby.
    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover, PlaneError>;

    /// Restarts every server that was started before `asked_at`.
    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<(), PlaneError>;

    /// Makes a consistent copy. If a snapshot of that name exists, it is returned.
    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<Snapshot, PlaneError>;

    async fn snapshots(&self) -> Result<Vec<Snapshot>, PlaneError>;

    async fn delete_snapshot(&self, snapshot: &str) -> Result<(), PlaneError>;

    /// Makes a copy of a snapshot, which does not depend on it. If one of that name exists, it is returned.
    async fn copy_snapshot(&self, from: &str, to: &str) -> Result<Snapshot, PlaneError>;

    /// Takes the next step of an upgrade to the installed minor release: the standby first, then a failover; a single server is
    /// restarted. Between two steps the database must be [ensured](Postgres::ensure). False when every server runs it.
    async fn upgrade(&self, name: &str) -> Result<bool, PlaneError>;

    /// The lines of a node's log after a place, at most about so many bytes. Without a place, those of the last hour.
    async fn log(
        &self,
        name: &str,
        node: &str,
        after: Option<LogPlace>,
        most_bytes: usize,
    ) -> Result<LogChunk, PlaneError>;

    /// Removes the archived WAL that only recoveries from snapshots older than this one need; all of it if there is none.
    async fn trim(&self, name: &str, oldest_snapshot: Option<&str>) -> Result<(), PlaneError>;

    /// Ends the servers and removes the data, after a final snapshot if a name is given.
    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<(), PlaneError>;

    /// Ends and removes everything that the plane ever made.
    async fn wipe(&self) -> Result<(), PlaneError>;
}

/// The plane on real servers.
pub struct PostgresPlane {
    inner: Arc<Inner>,
    supervision: JoinHandle<()>,
    /// Locked, because two daemons on one state directory would undo each other's work.
    _one: Flock<File>,
}

impl Drop for PostgresPlane {
    fn drop(&mut self) {
        self.supervision.abort();
    }
}

impl PostgresPlane {
    /// Adopts the servers of an earlier instance from the state directory. Must be called within a runtime.
    /// Events wait in the receiver; drop it to receive none.
    pub fn open(config: Config) -> Result<(PostgresPlane, mpsc::Receiver<Event>), PlaneError> {
        let (sender, events) = mpsc::channel(PLANE_EVENTS);
        let inner = Arc::new(Inner::new(config, sender)?);
        let path = inner.config.state.join("lock");
        let file = File::create(&path).machine(|| format!("create {}", path.display()))?;
        let one = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            let what = format!(
                "{} is in use by another daemon; stop that daemon first",
                inner.config.state.display()
            );
            PlaneError::machine(what).because(errno)
        })?;
        let supervision = tokio::spawn(supervise::run(inner.clone()));
        Ok((PostgresPlane { inner, supervision, _one: one }, events))
    }

    /// Stops every server temporarily, as before a shutdown of the machine; no state is lost. Databases run in parallel, in each
    /// of them the primary first: its fast shutdown sends its standby everything. A server that has not ended in time is killed,
    /// and recovers from its WAL at its next start.
    pub async fn halt(&self, within: Duration) -> Result<(), PlaneError> {
        // Nothing fails over while the servers stop.
        let planned: Vec<_> = self.inner.names()?.iter().map(|n| self.inner.plan_downtime(n)).collect();
        let mut stops = JoinSet::new();
        for name in self.inner.names()? {
            let inner = self.inner.clone();
            stops.spawn(async move { inner.halt(&name, within).await });
        }
        let mut result = Ok(());
        while let Some(stopped) = stops.join_next().await {
            let stopped =
                stopped.unwrap_or_else(|e| Err(PlaneError::plane("cannot stop a database").because(e)));
            // All databases are stopped before the first error is returned.
            result = result.and(stopped);
        }
        drop(planned);
        result
    }

    /// Runs `initdb` of a version in advance, so that the first database need not wait for it.
    pub fn prepare(&self, version: u32) -> impl Future<Output = ()> + Send + use<> {
        let inner = self.inner.clone();
        async move {
            if let Err(error) = inner.template(version).await {
                // Creating the first database tries again and reports the error.
                tracing::info!(%error, version, "initdb in advance failed; creating the first database will try again");
            }
        }
    }
}

#[async_trait]
impl Postgres for PostgresPlane {
    async fn step(&self, spec: &DatabaseSpec) -> Result<Option<Step>, PlaneError> {
        spec.check()?;
        self.inner.exclusively(&spec.name, Box::pin(self.inner.step(spec))).await
    }

    async fn primary_matches(&self, spec: &DatabaseSpec) -> Result<bool, PlaneError> {
        self.inner.primary_matches(spec).await
    }

    async fn observe(&self, name: &str) -> Result<Option<Observed>, PlaneError> {
        self.inner.observe(name).await
    }

    async fn usage(&self, name: &str) -> Result<Option<Usage>, PlaneError> {
        self.inner.usage(name).await
    }

    async fn list(&self) -> Result<Vec<String>, PlaneError> {
        self.inner.names()
    }

    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover, PlaneError> {
        self.inner.exclusively(name, self.inner.failover(name, away_from)).await
    }

    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<(), PlaneError> {
        let restart = async {
            let _planned = self.inner.plan_downtime(name);
            self.inner.restart(name, asked_at).await
        };
        self.inner.exclusively(name, restart).await
    }

    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<Snapshot, PlaneError> {
        self.inner.exclusively(name, self.inner.snapshot(name, snapshot)).await
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>, PlaneError> {
        self.inner.snapshots()
    }

    async fn delete_snapshot(&self, snapshot: &str) -> Result<(), PlaneError> {
        check_name("snapshot", snapshot)?;
        remove_dir(&self.inner.snapshot_dir(snapshot))
    }

    async fn copy_snapshot(&self, from: &str, to: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", from)?;
        self.inner.copy_snapshot(from, to).await
    }

    async fn upgrade(&self, name: &str) -> Result<bool, PlaneError> {
        self.inner.exclusively(name, self.inner.upgrade(name)).await
    }

    async fn log(
        &self,
        name: &str,
        node: &str,
        after: Option<LogPlace>,
        most_bytes: usize,
    ) -> Result<LogChunk, PlaneError> {
        self.inner.log(name, node, after, most_bytes).await
    }

    async fn trim(&self, name: &str, oldest_snapshot: Option<&str>) -> Result<(), PlaneError> {
        check_name("database", name)?;
        self.inner.trim(name, oldest_snapshot).await
    }

    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<(), PlaneError> {
        check_name("database", name)?;
        let _one = self.inner.lock(name).await;
        let Some(mut record) = record::Record::load(&self.inner.dir(name))? else { return Ok(()) };
        if let Some(snapshot) = final_snapshot
            && !record.deleting
        {
            self.inner.snapshot(name, snapshot).await?;
        }
        // After the snapshot: from here on a repeated call only removes what is left.
        record.deleting = true;
        record.save(&self.inner.dir(name))?;
        for node in &record.nodes {
            self.inner.fence(name, &node.name).await?;
            self.inner.fence_recoveries(name, &node.name).await?;
            remove_dir(&self.inner.node_dir(name, &node.name))?;
        }
        self.inner.remove_archive(name)?;
        remove_dir(&self.inner.dir(name))
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        let _no_template = self.inner.lock("").await;
        for name in self.inner.names()? {
            let _one = self.inner.lock(&name).await;
            // Not recorded first, unlike a deletion: on a full disk that would fail, and an interrupted wipe is simply repeated.
            for node in plane::names_in(&self.inner.dir(&name))? {
                self.inner.fence(&name, &node).await?;
                self.inner.fence_recoveries(&name, &node).await?;
            }
            remove_dir(&self.inner.dir(&name))?;
        }
        let state = &self.inner.config.state;
        for dir in plane::FOLDERS {
            remove_dir(&state.join(dir))?;
            plane::make_dir(&state.join(dir), None, 0o711)?;
        }
        Ok(())
    }
}
