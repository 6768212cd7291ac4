//! The containers plane: runs groups of containers from OCI images, in a network namespace that it is given.
//!
//! Images are blobs in a directory; layers are unpacked once and stacked by overlayfs; a runc-compatible runtime
//! makes the containers; a small shim process stays with each, so that the daemon can die and another one take
//! over: same processes, same exit codes, no log line lost.
//!
//! It never pulls an image, never makes or changes a network, never restarts a container: who wants a new one
//! starts a new group. It never mounts anything where the host could see it.
//!
//! Start at [`spec`] for what it can be told, at [`Containers`] for what it does, at `plan.rs` for how a group
//! lives, at `shim.rs` for how one container does. [`Machine::open`] is the real one, [`Fake`] stands in for it.

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
mod shim;
mod shimlog;
pub mod spec;
mod storage;
mod store;
mod unpack;
mod user;
mod watcher;

pub use clear::clear;
pub use daemon_cgroup::DaemonCgroup;
pub use fake::{Behaviour, Fake};
pub use machine::{Machine, Settings, ShimCommand};
pub use overlay::probe as probe_overlay;
pub use quota::{Accounting, storage_accounting};
pub use runtime::{Kind, Runtime};
pub use seen::*;
pub use shim::shim_main;

use async_trait::async_trait;
use escale_base::PlaneError;
use spec::GroupSpec;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// What the plane does. Every operation may be repeated; none waits for a container to come up or end, except
/// `halt`, `remove` and `wipe`.
#[async_trait]
pub trait Containers: Send + Sync {
    /// Takes on a group. An error of the caller's (no such image, wrong platform, contradiction) comes at once;
    /// what goes wrong later is observed. The same group again changes nothing, another one of that id is refused.
    async fn start(&self, group: GroupSpec) -> Result<(), PlaneError>;

    /// Begins to stop it: stop signal, then SIGKILL, those that others depend on last. Logs and exits stay readable.
    async fn stop(&self, group: &str, reason: &str) -> Result<(), PlaneError>;

    /// Stops all groups at once, as before the machine goes down, and waits for their end: each container gets its stop
    /// signal and its own time to end, but no longer than `within`. They stay described, as after `stop`.
    async fn halt(&self, within: Duration) -> Result<(), PlaneError>;

    /// Kills what runs and forgets the group: volumes, logs, cgroup. One that is not there is no error.
    async fn remove(&self, group: &str) -> Result<(), PlaneError>;

    fn observe(&self, group: &str) -> Option<Arc<GroupSeen>>;

    fn list(&self) -> Snapshot;

    /// Wakes at each change; always holds the latest. Groups that ended stay in it until they are removed, so a
    /// slow reader misses no end.
    fn changes(&self) -> watch::Receiver<Snapshot>;

    /// Lines from `cursor` (0: the oldest) on; with `follow` waits until there is one or the container ended.
    async fn logs(
        &self,
        group: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
        follow: bool,
    ) -> Result<LogChunk, PlaneError>;

    /// The last lines there are, at most so many; long ones are cut. Of a container that ended nothing is missing.
    async fn tail(&self, group: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError>;

    async fn stats(&self, group: &str) -> Result<Stats, PlaneError>;

    /// Runs a command in a running container, with its user, environment and limits, and without input.
    /// What has not ended after `timeout` is killed, and that is an error.
    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, PlaneError>;

    /// Pulls a zone's plug: everything in it is killed, and nothing starts there until it is on again. Survives
    /// the daemon. Groups are not told why.
    async fn power(&self, zone: &str, on: bool) -> Result<(), PlaneError>;

    /// Removes everything this plane ever made; the host is as before.
    async fn wipe(&self) -> Result<(), PlaneError>;
}
