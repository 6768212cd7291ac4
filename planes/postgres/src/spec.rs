//! The complete interface of the plane, as plain data.

pub use crate::seen::*;
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
