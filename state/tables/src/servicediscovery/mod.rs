//! Cloud Map: namespaces, services, instances, and the operations that clients poll.

mod instance;
mod namespace;
mod operation;
mod service;

pub use instance::{CustomHealthStatus, Instance, InstanceId};
pub use namespace::{Namespace, NamespaceDns, NamespaceId, NamespaceName, NamespaceType};
pub use operation::{Operation, OperationId, OperationTarget, OperationType};
pub use service::{
    DiscoveryService, DiscoveryServiceId, DiscoveryServiceName, DnsConfig, DnsRecord, DnsRecordType,
    RoutingPolicy, ServiceType,
};

use escale_base::ids;
use escale_store::TableDef;

escale_base::name! {
    /// The client's mark for one request, which its retries share.
    CreatorRequestId;
}

pub const TABLES: &[TableDef] = &[
    TableDef::of::<DiscoveryService>(),
    TableDef::of::<Instance>(),
    TableDef::of::<Namespace>(),
    TableDef::of::<Operation>(),
];

/// Sixteen random letters and digits, as the ids of namespaces and services end.
fn random_suffix() -> String {
    ids::random_hex(16)
}
