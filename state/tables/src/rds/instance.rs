//! Database instances.

use crate::{
    ec2::{GroupId, InterfaceId, SubnetId, VpcId},
    row,
};
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// An instance as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// The user's identifier, in lower case.
    pub id: String,
    /// `db-` and 26 characters: in lower case the database's name in the plane.
    pub resource_id: String,
    pub major: u32,
    /// As asked for, `15.4`.
    pub engine_version: String,
    pub credentials: Credentials,
    pub db_name: Option<String>,
    pub port: u16,
    pub multi_az: bool,
    pub subnet_group: String,
    pub vpc: VpcId,
    pub security_groups: Vec<GroupId>,
    /// Lets its two nodes talk to each other, and nobody else: RDS's own, beside the user's groups.
    pub replication_group: Option<GroupId>,
    pub parameter_group: String,
    /// One, or two in different zones. The first one is the primary at creation; after that `InstanceSeen` knows.
    pub nodes: Vec<Node>,
    /// Nodes that the plane has to give up before their interfaces go.
    pub leaving: Vec<Node>,
    pub running: bool,
    /// The plane's name of the snapshot that the first data comes from.
    pub restore_from: Option<String>,
    pub reboot: Option<Reboot>,
    pub deletion: Option<Deletion>,
    pub deletion_protection: bool,
    /// Days that automated snapshots are kept; 0 makes none.
    pub backup_retention_days: i32,
    pub copy_tags_to_snapshot: bool,
    pub recorded: Recorded,
    /// Counts changes that the plane has to enact.
    pub revision: u64,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Instance, "rds_instance", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    pub username: String,
    pub password: Secret<String>,
    /// The secret that RDS made for the password.
    pub secret_arn: Option<String>,
}

/// A server of the database and its place in the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub zone: String,
    pub subnet: SubnetId,
    pub interface: InterfaceId,
    pub address: Ipv4Addr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reboot {
    pub asked: Timestamp,
    /// With failover: the node that shall no longer be the primary.
    pub failover_from: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub asked: Timestamp,
    /// The identifier of the last snapshot.
    pub final_snapshot: Option<String>,
}

/// Kept and shown; `recorded.rs` of the service says why each has no effect.
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
}

escale_base::choice! {
    /// A log that AWS can send to CloudWatch Logs, of the engine PostgreSQL.
    /// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html>
    pub enum LogExport {
        Postgresql = "postgresql",
        Upgrade = "upgrade",
        IamDbAuthError = "iam-db-auth-error",
    }
}

/// An instance as it was last seen. No row: it was never there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSeen {
    pub id: String,
    /// Fingerprint of the wish that the plane last brought about; `None`: none yet.
    pub enacted: Option<String>,
    /// The node that the plane holds for the primary.
    pub primary: String,
    /// Whether that one takes writes.
    pub writable: bool,
    pub nodes: Vec<NodeSeen>,
    pub replication: Replication,
    /// Parameters that wait for a reboot.
    pub pending_restart: Vec<String>,
    /// The wish's reboot that was done last.
    pub rebooted: Option<Timestamp>,
    /// Why the last step did not come about, until one does.
    pub error: Option<String>,
    /// Since when it looks like this.
    pub at: Timestamp,
}
row!(InstanceSeen, "rds_instance_seen", |r| r.id.clone());

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
    /// There is one node.
    None,
    /// Every acknowledged row is on the standby.
    Protected,
    /// The standby is on its way; commits do not wait for it, or it is not proven yet.
    CatchingUp,
    /// The standby is gone and commits no longer wait for it.
    Degraded,
}
