//! The complete interface of the plane, as plain data.

use escale_base::{PlaneError, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

/// A database: one server, or a primary and a standby, or a read-only copy of another database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSpec {
    /// Lower-case letters, digits and hyphens, at most 63: a directory on the host is named after it.
    pub name: String,
    /// Major version, for example 15.
    pub version: u32,
    /// One node, or two. The first one is the primary when the database is created; after that the plane
    /// records which one is.
    pub nodes: Vec<NodeSpec>,
    pub port: u16,
    /// Whether the servers run. `false` stops them and keeps their data.
    pub running: bool,
    /// With two nodes: whether a commit waits for the standby. Otherwise no failover is possible.
    pub synchronous: bool,
    pub admin: AdminRole,
    /// Created once, owned by the admin role.
    pub initial_database: Option<String>,
    /// Server settings with PostgreSQL's names and spelling.
    pub parameters: BTreeMap<String, String>,
    pub tls: Option<Tls>,
    /// The source of the first data: a snapshot of this plane, or an empty database.
    pub restore_from: Option<String>,
    /// With `restore_from`: what is replayed on the snapshot.
    pub recover: Option<Recovery>,
    /// Whether the servers keep their WAL in the plane's archive, for a [`Recovery`].
    pub archive: Option<Archive>,
    /// A third place that both nodes are probed from, with the address it connects from. A pair with nodes in namespaces
    /// fails over by itself only if there is one.
    pub witness: Option<Witness>,
    /// The database that this one is an asynchronous, read-only copy of. A later spec without it makes the copy an independent
    /// database; nothing makes it a copy again.
    pub source: Option<String>,
    /// The servers of the copies of this database.
    pub replicas: Vec<Replica>,
}

/// The server of a read-only copy: it may replicate from this database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// No node of the database, nor of another copy, has this name.
    pub node: String,
    pub address: IpAddr,
}

/// Replays the archive of a database on one of its snapshots, up to and with the last commit at this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The database whose archive is replayed.
    pub database: String,
    /// Not later than its [`ArchiveSeen::latest`], not earlier than the snapshot.
    pub until: Timestamp,
}

/// An archive of WAL. It lasts as long as its database; [`crate::Postgres::trim`] removes what no snapshot needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// A commit is archived at most this long after it. Without commits nothing is archived.
    pub timeout_secs: u32,
}

/// A place of no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    pub namespace: PathBuf,
    pub address: IpAddr,
}

/// A place where a server of the database runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Unique within the database; the same characters as the database's name.
    pub name: String,
    /// The network namespace to listen in; `None` is the daemon's own, where only loopback is allowed.
    pub namespace: Option<PathBuf>,
    pub address: IpAddr,
    pub zone: String,
}

/// The role of the database's owner. Never a superuser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRole {
    pub name: String,
    /// 8 to 128 printable ASCII characters.
    pub password: Secret<String>,
    /// A role without login that the admin becomes a member of; PostgreSQL's predefined roles for
    /// monitoring and for ending other sessions are granted to it.
    pub group: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM files; copied next to each node's data, readable by the server only.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Refuse connections without TLS.
    pub required: bool,
}

/// Settings that only the plane sets: those it needs to talk to a server, those that keep an
/// acknowledged row from being lost, and those that could run programs or read files of the host.
pub const RESERVED_PARAMETERS: &[&str] = &[
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "archive_timeout",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "dynamic_shared_memory_type",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "hot_standby",
    "ident_file",
    "include",
    "include_dir",
    "include_if_exists",
    "listen_addresses",
    "log_destination",
    "log_directory",
    "log_filename",
    "logging_collector",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "restore_command",
    "ssl",
    "ssl_cert_file",
    "ssl_key_file",
    "ssl_passphrase_command",
    "synchronous_commit",
    "synchronous_standby_names",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "wal_level",
    "wal_log_hints",
];

/// Role and database names that the plane or the server uses itself.
pub const RESERVED_ROLES: &[&str] = &[SUPERVISOR, REPLICATOR, "public", "none"];
/// Databases that every server has.
pub const RESERVED_DATABASES: &[&str] = &["postgres", "template0", "template1"];
/// The plane's superuser, which can log in over the local socket only.
pub const SUPERVISOR: &str = "supervisor";
/// The role of standbys.
pub const REPLICATOR: &str = "replicator";

impl DatabaseSpec {
    /// Whether the spec is valid; the error names the fault.
    pub fn check(&self) -> Result<(), PlaneError> {
        let bad = |what: String| Err(PlaneError::asked(format!("database '{}': {what}", self.name)));
        check_name("database", &self.name)?;
        if !(1..=2).contains(&self.nodes.len()) {
            return bad(format!("{} nodes given; one or two are supported", self.nodes.len()));
        }
        for node in &self.nodes {
            check_name("node", &node.name)?;
            if node.namespace.is_none() && !node.address.is_loopback() {
                return bad(format!(
                    "node '{}' has no namespace, so its address must be loopback",
                    node.name
                ));
            }
        }
        if let [a, b] = &self.nodes[..]
            && (a.name == b.name || (a.address == b.address && a.namespace == b.namespace))
        {
            return bad("its two nodes share a name or an address".into());
        }
        for replica in &self.replicas {
            check_name("node", &replica.node)?;
            if self.node(&replica.node).is_some() {
                return bad(format!("'{}' is the name of a node and of a replica", replica.node));
            }
        }
        if self.source.is_some() {
            self.check_replica()?;
        }
        for (key, value) in &self.parameters {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if key.is_empty() || !key.chars().all(plain) || value.contains(['\n', '\r', '\0']) {
                return bad(format!("parameter '{key}' has an invalid name or a line break in its value"));
            }
            let lower = key.to_ascii_lowercase();
            if RESERVED_PARAMETERS.contains(&lower.as_str()) {
                return bad(format!("parameter '{key}' is managed by Escale and cannot be set"));
            }
            if lower.ends_with("_preload_libraries") && value.contains('/') {
                return bad(format!(
                    "parameter '{key}' accepts names of installed libraries only, not paths"
                ));
            }
        }
        let roles = [Some(&self.admin.name), self.admin.group.as_ref()];
        for role in roles.into_iter().flatten().chain(&self.initial_database) {
            check_identifier(&self.name, role)?;
        }
        if let Some(name) =
            self.initial_database.as_ref().filter(|n| RESERVED_DATABASES.contains(&n.as_str()))
        {
            return bad(format!(
                "'{name}' is the name of a database that every server already has; choose another name"
            ));
        }
        if self.recover.is_some() && self.restore_from.is_none() {
            return bad("a recovery needs a snapshot to begin with".into());
        }
        let password = self.admin.password.reveal();
        if !(8..=128).contains(&password.len()) || !password.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return bad("the admin's password must be 8 to 128 printable ASCII characters".into());
        }
        Ok(())
    }

    /// What a read-only copy cannot have.
    fn check_replica(&self) -> Result<(), PlaneError> {
        let wrong = match self {
            s if s.source.as_ref() == Some(&s.name) => "it cannot be a replica of itself",
            s if s.nodes.len() != 1 => "a replica has one node",
            s if s.restore_from.is_some() => {
                "a replica begins with the data of its source, not with a snapshot"
            }
            s if s.archive.is_some() => "a replica has no archive; its source has one",
            s if !s.replicas.is_empty() => "a replica of a replica is not supported",
            _ => return Ok(()),
        };
        Err(PlaneError::asked(format!("database '{}': {wrong}", self.name)))
    }

    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// The node that is not `name`.
    pub fn other(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|n| n.name != name)
    }
}

/// Checks a name that becomes a directory on the host.
pub fn check_name(kind: &str, name: &str) -> Result<(), PlaneError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(fits) || name.starts_with('-') {
        let rule = "1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen";
        return Err(PlaneError::asked(format!("'{name}' cannot name a {kind}; use {rule}")));
    }
    Ok(())
}

fn check_identifier(database: &str, name: &str) -> Result<(), PlaneError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || name.len() > 63 || !name.bytes().all(plain) {
        let rule = "a letter or underscore, then letters, digits or underscores, at most 63 characters";
        return Err(PlaneError::asked(format!(
            "database '{database}': '{name}' is not a valid SQL name; use {rule}"
        )));
    }
    if RESERVED_ROLES.contains(&name.to_ascii_lowercase().as_str()) || name.starts_with("pg_") {
        return Err(PlaneError::asked(format!("database '{database}': the name '{name}' is reserved")));
    }
    Ok(())
}

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
