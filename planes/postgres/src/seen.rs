//! What the plane observes.

use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

/// The observed state of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub name: String,
    pub version: u32,
    /// The node that the plane treats as the primary, whether or not it is running.
    pub primary: String,
    pub protection: Protection,
    /// Counts failovers.
    pub epoch: u64,
    /// Whether the plane probes the database's nodes, so that it fails over by itself.
    pub watched: bool,
    pub nodes: Vec<NodeSeen>,
    /// `None` while there is no archive, or nothing is known of it yet.
    pub archive: Option<ArchiveSeen>,
    /// The release that a server would run if it were started now.
    pub installed: Option<Release>,
    /// `None` when it is an independent database.
    pub source: Option<Following>,
}

/// How a read-only copy follows its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    pub database: String,
    /// Whether it receives the source's WAL.
    pub streams: bool,
    /// How old its data is: zero when it has replayed everything that it received, else the age of the last commit that it has replayed.
    /// `None` while it does not answer.
    pub lag_ms: Option<u64>,
}

/// A release: its major and minor number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl std::str::FromStr for Release {
    type Err = ();

    /// `15.14`, with or without a packager's words behind it.
    fn from_str(text: &str) -> Result<Release, ()> {
        let number = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let (major, minor) = number.split_once('.').ok_or(())?;
        Ok(Release(major.parse().map_err(|_| ())?, minor.parse().map_err(|_| ())?))
    }
}

/// A place in a server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlace {
    pub file: String,
    pub offset: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// As the server wrote it; `None` if its prefix has another form.
    pub at: Option<Timestamp>,
    pub text: String,
}

/// Lines of a server's log, and the place after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    pub lines: Vec<LogLine>,
    pub next: LogPlace,
}

/// The observed state of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSeen {
    /// Every commit up to this time can be restored. `None` before the first snapshot.
    pub latest: Option<Timestamp>,
    /// When the primary last failed to archive a file, if it has not succeeded since, or when the archive was given up.
    pub failing_since: Option<Timestamp>,
    /// The size of the primary's own WAL, which grows while it cannot archive.
    pub waiting_bytes: u64,
}

impl Observed {
    pub fn node(&self, name: &str) -> Option<&NodeSeen> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// Whether a node's server runs an older release than the installed one.
    pub fn is_outdated(&self, node: &str) -> bool {
        let runs = self.node(node).and_then(|n| n.release);
        runs.zip(self.installed).is_some_and(|(runs, installed)| runs < installed)
    }

    /// The primary, if it accepts writes.
    pub fn writable(&self) -> Option<&NodeSeen> {
        self.node(&self.primary).filter(|n| n.role == NodeRole::Primary)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSeen {
    pub name: String,
    pub zone: String,
    pub role: NodeRole,
    pub pid: Option<u32>,
    /// When the running server was started.
    pub ready_since: Option<Timestamp>,
    /// The standby's state as its primary sees it; `None` on a primary.
    pub replication: Option<Replication>,
    pub timeline: Option<u32>,
    /// The release that the running server is of.
    pub release: Option<Release>,
    /// Settings that need a restart to take effect.
    pub pending_restart: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRole {
    Primary,
    Standby,
    /// The process exists and does not answer (yet).
    Unresponsive,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    pub state: ReplicationState,
    /// WAL that the primary has written and the standby has not flushed. Unknown while disconnected.
    pub lag_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationState {
    /// Commits wait for it.
    Sync,
    /// It is streaming; commits do not wait for it.
    Async,
    CatchingUp,
    Disconnected,
}

/// Whether every acknowledged row is on the standby too. Stored: it decides whether a promotion is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// No: commits do not wait. A failover would lose rows and is refused.
    Alone,
    /// Commits are being made to wait; not proven yet.
    Arming,
    /// Yes.
    Protected,
}

/// Why the primary was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// [`crate::Postgres::failover`] was called.
    Requested,
    /// Its port is closed: the server has ended or cannot start.
    Unhealthy,
    /// No connection to it can be made.
    Unreachable,
    /// It answers nothing on an open connection, or commits nothing: it, its disk or its network is stuck.
    Unresponsive,
}

/// The result of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// From the call to the record of the new primary; from then on the old one can acknowledge nothing. In milliseconds.
    pub fenced_ms: u64,
    /// From the call to the new primary taking writes, in milliseconds.
    pub promoted_ms: u64,
}

/// A finished copy of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    pub database: String,
    pub version: u32,
    pub taken: Timestamp,
    pub size_bytes: u64,
}

/// An observation of the plane. [`Event::Degraded`] and [`Event::FailedOver`] are also its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    NodeStarted {
        database: String,
        node: String,
        pid: u32,
    },
    NodeDied {
        database: String,
        node: String,
        pid: u32,
    },
    /// The process is alive and does not answer.
    NodeUnresponsive {
        database: String,
        node: String,
    },
    /// The standby was gone for longer than the grace period; commits no longer wait for it.
    Degraded {
        database: String,
        standby: String,
    },
    Protected {
        database: String,
        standby: String,
    },
    /// The primary cannot archive its WAL, and keeps it: its disk fills up. It tries again.
    ArchiveFails {
        database: String,
        waiting_bytes: u64,
    },
    /// The disk is nearly full of WAL that cannot be archived. From now on it is dropped, until the next snapshot: nothing in between can be
    /// restored.
    ArchiveGivenUp {
        database: String,
        waiting_bytes: u64,
    },
    ArchiveWorks {
        database: String,
    },
    /// The new primary accepts writes.
    FailedOver {
        database: String,
        from: String,
        to: String,
        epoch: u64,
        reason: Reason,
        started: Timestamp,
        finished: Timestamp,
        /// The failover was interrupted by a crash of the daemon, and completed by a later one.
        resumed: bool,
    },
}
