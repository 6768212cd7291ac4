//! Statuses, from the rows of this service and of Route 53.

use crate::choices::{HealthStatus, OperationStatus};
use escale_store::Image;
use escale_tables::{
    route53::{Change, DnsApplied},
    servicediscovery::{CustomHealthStatus, DiscoveryService, Instance, Operation},
};

/// An operation is complete once DNS answers with its change. A change without a row was purged, so it is in sync.
pub(crate) fn operation(image: &Image, operation: &Operation) -> OperationStatus {
    let change = operation.change.as_ref().and_then(|id| image.get::<Change>(id));
    let applied = image.get::<DnsApplied>(DnsApplied::KEY).map_or(0, |applied| applied.sequence);
    match change {
        Some(change) if change.sequence > applied => OperationStatus::Pending,
        _ => OperationStatus::Success,
    }
}

/// As on AWS, the health of instances that nobody checks is not known, and DNS answers with them.
pub(crate) fn health(service: &DiscoveryService, instance: &Instance) -> HealthStatus {
    match instance.health {
        _ if !service.custom_health => HealthStatus::Unknown,
        Some(CustomHealthStatus::Unhealthy) => HealthStatus::Unhealthy,
        Some(CustomHealthStatus::Healthy) | None => HealthStatus::Healthy,
    }
}
