//! The containers plane: runs groups of containers from OCI images, in a network namespace that the caller provides.
//!
//! Images are blobs in a directory; layers are unpacked once and stacked by overlayfs; a runc-compatible runtime
//! makes the containers; a small shim process stays with each, so that the daemon can die and another one can adopt
//! them: same processes, same exit codes, no log line lost.
//!
//! It never pulls an image, never makes or changes a network, and never restarts a container: to replace one, the caller
//! starts a new group. It never mounts anything where the host could see it.
//!
//! Start at [`spec`] for the interface, at [`Containers`] for the operations, at `plan.rs` for the life of a group,
//! at `shim.rs` for the life of a container. [`Machine::open`] is the real plane, [`Fake`] the one for tests.

mod bundle;
mod caps;
mod cgroup;
mod clear;
mod daemon_cgroup;
mod driver;
mod engine;
mod exec;
mod fake;
mod health;
mod host;
mod image;
mod layers;
pub mod limits;
mod logs;
mod machine;
mod overlay;
mod plan;
mod quota;
mod runtime;
mod seccomp;
mod seen;
mod session;
mod shim;
mod shimlog;
pub mod spec;
mod storage;
mod store;
mod unpack;
mod user;
mod volumes;
mod watcher;

pub use clear::clear;
pub use daemon_cgroup::DaemonCgroup;
pub use fake::{Behaviour, Fake};
pub use machine::{Machine, Settings, ShimCommand};
pub use overlay::probe as probe_overlay;
pub use quota::{Accounting, storage_accounting};
pub use runtime::{Kind, Runtime};
pub use seen::*;
pub use session::{
    Session, SessionEvent, SessionInput, SessionOutput, SessionSpec, Terminal, TerminalSize, attach,
};
pub use shim::shim_main;

use async_trait::async_trait;
use escale_base::PlaneError;
use spec::GroupSpec;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The containers plane. Every operation may be repeated; none waits for a container to start or end, except
/// `halt`, `remove` and `wipe`.
#[async_trait]
pub trait Containers: Send + Sync {
    /// Accepts a group. An error of the caller's (missing image, wrong platform, contradiction) is returned at once;
    /// later failures are observed. The same group again changes nothing; a different one with that id is refused.
    async fn start(&self, group: GroupSpec) -> Result<(), PlaneError>;

    /// Begins to stop a group: stop signal, then SIGKILL, dependencies after their dependents. Logs and exits stay readable.
    async fn stop(&self, group: &str, reason: &str) -> Result<(), PlaneError>;

    /// Stops all groups at once, as before a shutdown of the machine, and waits for their end: each container gets its stop
    /// signal and its own stop timeout, but no longer than `within`. They remain observable, as after `stop`.
    async fn halt(&self, within: Duration) -> Result<(), PlaneError>;

    /// Kills the containers and deletes the group: volumes, logs, cgroup. A group that does not exist is no error.
    async fn remove(&self, group: &str) -> Result<(), PlaneError>;

    fn observe(&self, group: &str) -> Option<Arc<GroupSeen>>;

    fn list(&self) -> Snapshot;

    /// Wakes at each change; always holds the latest state. Ended groups stay in it until they are removed, so a
    /// slow reader misses no end.
    fn changes(&self) -> watch::Receiver<Snapshot>;

    /// Lines from `cursor` (0: the oldest) on; with `follow` waits until there is one or the container has ended.
    async fn logs(
        &self,
        group: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
        follow: bool,
    ) -> Result<LogChunk, PlaneError>;

    /// The last lines, at most so many; long ones are cut. Complete for a container that has ended.
    async fn tail(&self, group: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError>;

    async fn stats(&self, group: &str) -> Result<Stats, PlaneError>;

    /// Runs a command in a running container, with its user, environment and limits, and without input.
    /// A command that runs longer than `timeout` is killed, and that is an error.
    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, PlaneError>;

    /// Runs a command in a running container, with input and optionally on a terminal, until it ends or the session is dropped.
    /// Survives the daemon. A process that cannot open the plane uses [`attach`].
    async fn session(&self, group: &str, container: &str, spec: &SessionSpec) -> Result<Session, PlaneError>;

    /// Switches a zone off or on: off kills everything in it, and nothing starts there until it is on again. Survives
    /// the daemon. The exits of its containers do not name the cause.
    async fn power(&self, zone: &str, on: bool) -> Result<(), PlaneError>;

    /// Removes everything that this plane ever made on the host.
    async fn wipe(&self) -> Result<(), PlaneError>;
}
