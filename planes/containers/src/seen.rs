//! The observed state: it never contains what was only requested.

use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// All groups of a plane, by id, at one moment.
pub type Snapshot = Arc<BTreeMap<String, Arc<GroupSeen>>>;

#[derive(Clone, Debug, PartialEq)]
pub struct GroupSeen {
    pub id: String,
    pub zone: String,
    pub phase: Phase,
    /// Why it is stopping or has stopped.
    pub stop: Option<StopReason>,
    pub containers: BTreeMap<String, ContainerSeen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some container has not started yet.
    Starting,
    /// All containers have started, and at least one runs.
    Running,
    /// The stop has begun, and at least one container runs.
    Stopping,
    /// No container runs, and none will.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The caller's reason.
    Asked(String),
    /// This essential container ended.
    EssentialExited(String),
    /// The first container never satisfied a dependency of another one; the second text is the reason.
    Dependency(String, String),
    /// All groups are being stopped, as before a shutdown of the machine.
    Halted,
    /// Its containers wrote more than their limit.
    StorageFull { used_bytes: u64, limit_bytes: u64 },
}

#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSeen {
    pub state: State,
    pub health: Health,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It waits for other containers.
    Pending,
    /// Its image is being unpacked and its processes are being prepared.
    Created,
    Running(Running),
    Exited(Exit),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The pid of its first process, on the host.
    pub pid: i32,
    pub started_at: Timestamp,
    /// The kernel's start time of that process, which distinguishes it from a later process with the same pid.
    pub start_ticks: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub at: Timestamp,
    /// `None` when a signal ended it or it never ran.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// The kernel killed at least one of its processes for lack of memory.
    pub oom: bool,
    pub reason: ExitReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// The process ended; code or signal say how.
    Ended,
    /// It could not be started, for this reason (no such program, not executable, a broken image…).
    NotStarted(String),
    /// The group was stopped before this container started.
    Skipped,
    /// Its shim was killed or the machine was restarted; the text says which. The exit code is unknown.
    Lost(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Health {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// Resource usage at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub group: Usage,
    /// Running containers only.
    pub containers: BTreeMap<String, Usage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time since the start, in microseconds.
    pub cpu_us: u64,
    /// Memory in use without what the kernel can reclaim at once (inactive file cache).
    pub memory_bytes: u64,
    pub memory_limit_bytes: Option<u64>,
    pub pids: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A piece of a container's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogChunk {
    pub lines: Vec<LogLine>,
    /// The cursor of the next read. Pass it after the lines are stored safely, and each line is read exactly once.
    pub next: u64,
    /// Bytes between the cursor and the oldest byte that is still kept; 0 unless the reader was too slow.
    pub lost_bytes: u64,
    /// The container ended, and this was the last chunk.
    pub end: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub at: Timestamp,
    pub stream: Stream,
    /// Without the line end. Not always UTF-8.
    pub text: Vec<u8>,
    /// The line continues in the next entry of the same stream.
    pub partial: bool,
}

/// The result of a command in a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecOutput {
    pub code: i32,
    /// Cut at [`crate::limits::EXEC_OUTPUT_BYTES`] each.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}
