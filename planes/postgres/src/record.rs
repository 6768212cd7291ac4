//! The state that must survive the daemon: one file per database, replaced atomically and fsynced.
//!
//! It contains only what cannot be observed: which node is the primary, whether the standby may be promoted,
//! which node's data must be rebuilt, and the secrets between the two servers.

use crate::{binaries::RunAs, spec::Protection};
use escale_base::{PlaneError, error::Context};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
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
    pub(crate) nodes: Vec<NodeRecord>,
    /// Whether the roles and the initial database exist.
    pub(crate) bootstrapped: bool,
    /// Verifier of the admin's password that was last set.
    pub(crate) admin_verifier: Option<String>,
    /// The standby's password for replication. Random; never leaves the host.
    pub(crate) replicator_password: escale_base::Secret<String>,
    /// Being deleted: its servers end first, then the directory is removed.
    pub(crate) deleting: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) namespace: Option<PathBuf>,
}

impl Record {
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
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).plane(|| format!("understand {}", path.display()))
        }
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
    let next = path.with_extension("next");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(bytes)?;
    if let Some(user) = owner {
        fchown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    // Content before name, name before directory: after a power failure there is the old file or the complete new one.
    file.sync_all()?;
    std::fs::rename(&next, path)?;
    sync_parent(path)
}

pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
