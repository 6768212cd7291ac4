//! Database instances.

use crate::{
    Fingerprint,
    ec2::{GroupId, InterfaceId, SubnetId, VpcId},
    row,
};
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// The wish for an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// The user's identifier, in lower case.
    pub id: String,
    /// `db-` and 26 characters. In lower case it is the database's name in the plane.
    pub resource_id: String,
    pub major: u32,
    /// The requested version, such as `15.4`.
    pub engine_version: String,
    pub credentials: Credentials,
    pub db_name: Option<String>,
    pub port: u16,
    pub multi_az: bool,
    pub subnet_group: String,
    pub vpc: VpcId,
    pub security_groups: Vec<GroupId>,
    /// RDS's own group beside the user's groups. It lets the two nodes reach each other, and no other host.
    pub replication_group: Option<GroupId>,
    pub parameter_group: String,
    /// One node, or two in different zones. The first is the primary at creation; later `InstanceSeen` has the primary.
    pub nodes: Vec<Node>,
    /// Removed nodes. The plane must stop them before their interfaces can be deleted.
    pub leaving: Vec<Node>,
    pub running: bool,
    /// When a stopped instance was stopped.
    #[serde(default)]
    pub stopped: Option<Timestamp>,
    /// The plane's name of the snapshot with the initial data.
    pub restore_from: Option<String>,
    /// What is replayed on that snapshot.
    #[serde(default)]
    pub recover: Option<Recover>,
    /// The source of a read replica, until its promotion is complete.
    #[serde(default)]
    pub replica_of: Option<ReplicaOf>,
    pub reboot: Option<Reboot>,
    /// When the user wants a pending minor upgrade.
    #[serde(default)]
    pub upgrade: Option<OptIn>,
    pub deletion: Option<Deletion>,
    pub deletion_protection: bool,
    /// How many days automated snapshots are kept. With 0 there are none.
    pub backup_retention_days: i32,
    pub copy_tags_to_snapshot: bool,
    pub recorded: Recorded,
    /// Counts changes that the plane has to enact.
    pub revision: u64,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Instance, "rds_instance", |r| r.id.clone());

impl Instance {
    /// The name of its database in the plane: the resource id, which is never used twice.
    pub fn database(&self) -> String {
        self.resource_id.to_ascii_lowercase()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplicaOf {
    /// The plane's name of the source's database. It stays the same when the source is renamed.
    pub database: String,
    /// The source's replication group, which lets the replica reach it.
    pub group: GroupId,
    /// When the promotion was requested.
    pub promotion: Option<Timestamp>,
}

/// A restoration to a point in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recover {
    /// The plane's name of the database whose WAL is replayed.
    pub database: String,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    pub username: String,
    pub password: Secret<String>,
    /// The secret that RDS created for the password.
    pub secret_arn: Option<String>,
}

/// A server of the database and its network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub zone: String,
    pub subnet: SubnetId,
    pub interface: InterfaceId,
    pub address: Ipv4Addr,
}

escale_base::choice! {
    /// When a pending maintenance action is applied.
    pub enum OptIn { Immediate = "immediate", NextMaintenance = "next-maintenance", Undo = "undo-opt-in" }
}

/// A release that a server runs although a newer one is installed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outdated {
    pub runs: String,
    pub installed: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reboot {
    pub asked: Timestamp,
    /// For a failover: the node that must no longer be the primary.
    pub failover_from: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub asked: Timestamp,
    /// The identifier of the final snapshot.
    pub final_snapshot: Option<String>,
}

/// Parameters that are stored and returned without effect. The service's `recorded.rs` has the reason for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub class: String,
    pub allocated_storage_gb: i32,
    pub max_allocated_storage_gb: Option<i32>,
    pub storage_type: String,
    pub iops: Option<i32>,
    pub storage_throughput: Option<i32>,
    pub storage_encrypted: bool,
    pub kms_key_id: Option<String>,
    pub backup_window: String,
    pub maintenance_window: String,
    pub auto_minor_version_upgrade: bool,
    pub ca_certificate: String,
    pub option_group: Option<String>,
    #[serde(default)]
    pub performance_insights: bool,
    #[serde(default)]
    pub log_exports: Vec<LogExport>,
    #[serde(default)]
    pub lifecycle_support: LifecycleSupport,
    /// The key of the secret of a managed password.
    #[serde(default)]
    pub secret_kms_key_id: Option<String>,
}

escale_base::choice! {
    /// Whether AWS supports the version beyond its end of life.
    #[derive(Default)]
    pub enum LifecycleSupport {
        #[default]
        Extended = "open-source-rds-extended-support",
        Standard = "open-source-rds-extended-support-disabled",
    }
}

escale_base::choice! {
    /// A log of PostgreSQL that AWS can export to CloudWatch Logs.
    /// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html>
    pub enum LogExport {
        Postgresql = "postgresql",
        Upgrade = "upgrade",
        IamDbAuthError = "iam-db-auth-error",
    }
}

/// The observed state of an instance. Without a row, it never existed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSeen {
    pub id: String,
    /// The fingerprint of the last enacted wish. `None` if there is none yet.
    pub enacted: Option<String>,
    /// The plane's current primary node.
    pub primary: String,
    /// Whether the primary accepts writes.
    pub writable: bool,
    pub nodes: Vec<NodeSeen>,
    pub replication: Replication,
    /// Parameters that wait for a reboot.
    pub pending_restart: Vec<String>,
    /// When the last completed reboot was requested.
    pub rebooted: Option<Timestamp>,
    /// Why the last step failed. Cleared by the next successful step.
    pub error: Option<String>,
    /// The wish that it failed for, if that wish was complete. A newer wish may succeed.
    #[serde(default)]
    pub failed: Option<Fingerprint>,
    /// Whether the plane probes both nodes, so that the instance fails over by itself. False for instances of earlier versions.
    #[serde(default)]
    pub watched: bool,
    /// The plane's count of failovers. An observation of an earlier epoch is outdated.
    #[serde(default)]
    pub epoch: u64,
    /// Every commit up to this time can be restored.
    #[serde(default)]
    pub restorable: Option<Timestamp>,
    /// When the primary last failed to archive its WAL, if it still fails.
    #[serde(default)]
    pub archive_fails: Option<Timestamp>,
    /// The size of the primary's own WAL, rounded up to 16 MiB.
    #[serde(default)]
    pub wal_bytes: Option<u64>,
    #[serde(default)]
    pub outdated: Option<Outdated>,
    /// The release that an upgrade under way leads to.
    #[serde(default)]
    pub upgrading: Option<String>,
    /// `None` for an independent instance.
    #[serde(default)]
    pub follows: Option<Follows>,
    /// When this row last changed.
    pub at: Timestamp,
}
row!(InstanceSeen, "rds_instance_seen", |r| r.id.clone());

/// How a read replica follows its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Follows {
    /// Whether it receives the source's transaction logs.
    pub streams: bool,
    /// The node of the source that it was last pointed to.
    pub node: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSeen {
    pub name: String,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Primary,
    Standby,
    Unresponsive,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replication {
    /// The database has only one node.
    None,
    /// The standby has every acknowledged commit.
    Protected,
    /// The standby is catching up. Commits do not wait for it yet, or it is not yet confirmed that they do.
    CatchingUp,
    /// The standby failed, and commits no longer wait for it.
    Degraded,
}
