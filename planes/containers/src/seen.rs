//! What was observed: nothing here is ever what was merely asked for.

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
    /// Why it stops or stopped.
    pub stop: Option<StopReason>,
    pub containers: BTreeMap<String, ContainerSeen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some container was not yet started.
    Starting,
    /// All were started, and at least one runs.
    Running,
    /// The stop has begun, and at least one runs.
    Stopping,
    /// Nothing runs and nothing will.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The caller's own words.
    Asked(String),
    /// This essential container ended.
    EssentialExited(String),
    /// This container never became what another one waits for; the second says why.
    Dependency(String, String),
    /// All groups are stopped, as before the machine goes down.
    Halted,
    /// Its containers wrote more than they may.
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
    /// Its image is being unpacked and its processes prepared.
    Created,
    Running(Running),
    Exited(Exit),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Of its first process, as the host counts.
    pub pid: i32,
    pub started_at: Timestamp,
    /// The kernel's start time of that process, so that a pid used again is not taken for it.
    pub start_ticks: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub at: Timestamp,
    /// `None` when a signal ended it or it never ran.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// The kernel killed at least one of its processes for want of memory.
    pub oom: bool,
    pub reason: ExitReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// The process ended; code or signal say how.
    Ended,
    /// It could not be started; the text says why (no such program, not executable, a broken image…).
    NotStarted(String),
    /// The group was stopped before its turn came.
    Skipped,
    /// Its keeper was killed or the machine restarted; the text says which. The exit code is not known.
    Lost(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Health {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// Usage at one moment.
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
    /// Memory in use without what the kernel can drop at once (inactive file cache).
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
    /// Where to go on. Hand it back after the lines are safe, and each line is read exactly once.
    pub next: u64,
    /// Bytes between the cursor and the oldest that is still kept; 0 unless the reader was too slow.
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
    /// The line goes on in the next one of the same stream.
    pub partial: bool,
}

/// What a command in a container gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecOutput {
    pub code: i32,
    /// Cut at [`crate::limits::EXEC_OUTPUT_BYTES`] each.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}
