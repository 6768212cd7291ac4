//! The state that must survive the daemon: one file per database, replaced atomically and fsynced.
//!
//! It contains only what cannot be observed: which node is the primary, whether the standby may be promoted,
//! which node's data must be rebuilt, and the secrets between the two servers.

use crate::{
    binaries::RunAs,
    spec::{Archive, DatabaseSpec, NodeSpec, Protection, Reason, Witness},
};
use escale_base::{PlaneError, Timestamp, error::Context};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) port: u16,
    pub(crate) primary: String,
    pub(crate) protection: Protection,
    pub(crate) epoch: u64,
    /// Nodes whose data diverged from the primary's: to be rewound or copied again.
    pub(crate) rebuild: Vec<String>,
    /// Those of them whose data is of no use: to be copied again, not rewound.
    #[serde(default)]
    pub(crate) copy: Vec<String>,
    pub(crate) nodes: Vec<NodeRecord>,
    /// Whether the roles and the initial database exist.
    pub(crate) bootstrapped: bool,
    /// Verifier of the admin's password that was last set.
    pub(crate) admin_verifier: Option<String>,
    /// The standby's password for replication. Random; never leaves the host.
    pub(crate) replicator_password: escale_base::Secret<String>,
    /// Being deleted: its servers end first, then the directory is removed.
    pub(crate) deleting: bool,
    /// Whether the servers should run. A stopped database never fails over.
    #[serde(default = "yes")]
    pub(crate) running: bool,
    /// Whether the table of the heartbeats exists.
    #[serde(default)]
    pub(crate) heartbeat: bool,
    #[serde(default)]
    pub(crate) witness: Option<Witness>,
    /// The last start of the primary failed. Its standby is then started without it, since it may have to take over.
    #[serde(default)]
    pub(crate) unstartable: bool,
    #[serde(default)]
    pub(crate) archive: Option<Archive>,
    /// A failover whose new primary does not accept writes yet.
    #[serde(default)]
    pub(crate) moving: Option<Moving>,
    /// The database that this one is a read-only copy of, until its promotion is complete.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// How many servers and copies can replicate at a time. It needs a restart, so databases of earlier versions keep theirs.
    #[serde(default = "few")]
    pub(crate) senders: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moving {
    pub(crate) from: String,
    pub(crate) reason: Reason,
    pub(crate) started: Timestamp,
}

fn few() -> u32 {
    8
}

/// Fifteen copies, a standby, and a tool or two for each that is being made.
const SENDERS: u32 = 32;

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) namespace: Option<PathBuf>,
    /// Unknown in records of earlier versions.
    #[serde(default)]
    pub(crate) address: Option<IpAddr>,
}

impl From<&NodeSpec> for NodeRecord {
    fn from(node: &NodeSpec) -> NodeRecord {
        NodeRecord {
            name: node.name.clone(),
            zone: node.zone.clone(),
            namespace: node.namespace.clone(),
            address: Some(node.address),
        }
    }
}

impl Record {
    /// The record of a database that has no data yet.
    pub(crate) fn new(spec: &DatabaseSpec, replicator_password: escale_base::Secret<String>) -> Record {
        Record {
            version: spec.version,
            port: spec.port,
            primary: spec.nodes[0].name.clone(),
            protection: Protection::Alone,
            epoch: 0,
            rebuild: vec![],
            copy: vec![],
            nodes: spec.nodes.iter().map(NodeRecord::from).collect(),
            bootstrapped: false,
            admin_verifier: None,
            replicator_password,
            deleting: false,
            running: true,
            heartbeat: false,
            witness: spec.witness.clone(),
            unstartable: false,
            archive: spec.archive,
            moving: None,
            source: spec.source.clone(),
            senders: SENDERS,
        }
    }

    /// Makes the standby the primary. Saved before anything is promoted, this is the fence: only a primary of this epoch may
    /// ever acknowledge a commit without its standby (see `disarm`).
    pub(crate) fn hand_over(&mut self, to: &str, reason: Reason, started: Timestamp) {
        let from = std::mem::replace(&mut self.primary, to.to_owned());
        self.protection = Protection::Alone;
        self.epoch += 1;
        self.unstartable = false;
        // The old primary may have WAL that never reached the standby.
        crate::steps::mark(&mut self.rebuild, &from);
        self.moving = Some(Moving { from, reason, started });
    }

    /// Whether the record has everything that the probes of a pair need.
    pub(crate) fn is_watched(&self) -> bool {
        self.heartbeat
            && self.nodes.len() == 2
            && self
                .nodes
                .iter()
                .all(|n| n.address.is_some() && (n.namespace.is_none() || self.witness.is_some()))
    }

    /// `None` when the database does not exist.
    pub(crate) fn load(dir: &Path) -> Result<Option<Record>, PlaneError> {
        read_json(&dir.join("record.json"))
    }

    /// The node that is not the primary.
    pub(crate) fn standby(&self) -> Option<&NodeRecord> {
        self.nodes.iter().find(|n| n.name != self.primary)
    }

    pub(crate) fn node(&self, name: &str) -> Result<&NodeRecord, PlaneError> {
        let found = self.nodes.iter().find(|n| n.name == name);
        found.ok_or_else(|| PlaneError::asked(format!("the database has no node '{name}'")))
    }

    pub(crate) fn save(&self, dir: &Path) -> Result<(), PlaneError> {
        write_json(&dir.join("record.json"), self)
    }
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, PlaneError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).plane(|| format!("parse {}", path.display())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).machine(|| format!("read {}", path.display())),
    }
}

/// When this returns, the new content survives a power failure.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), PlaneError> {
    let bytes = serde_json::to_vec_pretty(value).plane(|| format!("write {}", path.display()))?;
    replace(path, &bytes, None).machine(|| format!("write {}", path.display()))
}

/// Replaces a file atomically; readable only by `owner` (by the daemon if there is none).
pub(crate) fn replace(path: &Path, bytes: &[u8], owner: Option<&RunAs>) -> std::io::Result<()> {
    replace_if(path, bytes, owner, || true)
}

/// As [`replace`], if `still` holds when the new content is on the disk.
pub(crate) fn replace_if(
    path: &Path,
    bytes: &[u8],
    owner: Option<&RunAs>,
    still: impl FnOnce() -> bool,
) -> std::io::Result<()> {
    let next = path.with_extension("next");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(bytes)?;
    if let Some(user) = owner {
        fchown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    // Content before name, name before directory: after a power failure there is the old file or the complete new one.
    file.sync_all()?;
    if !still() {
        return Ok(());
    }
    std::fs::rename(&next, path)?;
    sync_parent(path)
}

pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
