//! Snapshots: wishes and observations.

use crate::{ec2::VpcId, row};
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    pub enum SnapshotKind { Manual = "manual", Automated = "automated" }
}

/// The wish for a snapshot, with the data of its instance that a restoration needs after the instance was deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    /// The snapshot's name in the plane.
    pub copy: String,
    pub kind: SnapshotKind,
    pub instance: String,
    pub resource_id: String,
    pub engine_version: String,
    pub master_username: String,
    pub master_password: Secret<String>,
    pub db_name: Option<String>,
    pub port: u16,
    pub vpc: VpcId,
    pub zone: String,
    pub allocated_storage_gb: i32,
    pub storage_type: String,
    pub encrypted: bool,
    pub instance_created: Timestamp,
    /// For a copy: the plane's name of the snapshot that it is made of, and when that one was taken.
    #[serde(default)]
    pub copy_of: Option<CopyOf>,
    /// The deletion was requested. The plane's copy is removed first, then the row.
    pub deleted: bool,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Snapshot, "rds_snapshot", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyOf {
    pub copy: String,
    pub taken: Timestamp,
}

/// The snapshot is complete and safely on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotSeen {
    pub id: String,
    pub size_bytes: u64,
    pub at: Timestamp,
}
row!(SnapshotSeen, "rds_snapshot_seen", |r| r.id.clone());
