//! Databases: wishes, observations and events.

mod endpoint;
mod engine;
mod event;
mod instance;
mod log_cursor;
mod parameter_group;
mod snapshot;
mod subnet_group;

pub use endpoint::RdsEndpoint;
pub use engine::EngineSeen;
pub use event::{Event, SourceType};
pub use instance::{
    Credentials, Deletion, Follows, Instance, InstanceSeen, LifecycleSupport, LogExport, Node, NodeSeen,
    OptIn, Outdated, Reboot, Recorded, Recover, ReplicaOf, Replication, Role,
};
pub use log_cursor::RdsLogCursor;
pub use parameter_group::ParameterGroup;
pub use snapshot::{CopyOf, Snapshot, SnapshotKind, SnapshotSeen};
pub use subnet_group::SubnetGroup;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<EngineSeen>(),
    TableDef::of::<Event>(),
    TableDef::of::<Instance>(),
    TableDef::of::<InstanceSeen>(),
    TableDef::of::<ParameterGroup>(),
    TableDef::of::<RdsEndpoint>(),
    TableDef::of::<RdsLogCursor>(),
    TableDef::of::<Snapshot>(),
    TableDef::of::<SnapshotSeen>(),
    TableDef::of::<SubnetGroup>(),
];
