//! Hosted zones, their record sets and changes, and the state that the DNS plane serves.

mod change;
mod health_check;
mod record_set;
mod served;
mod zone;

pub use change::{Change, ChangeCounter, ChangeId};
pub use health_check::{
    AlarmIdentifier, Checked, CloudWatchRegion, EndpointName, HealthCheck, HealthCheckConfig, HealthCheckId,
    HealthCheckSeen, HealthCheckType, InsufficientDataHealthStatus, alarm_is_ok, healthy_children,
    is_healthy,
};
pub use record_set::{Failover, RecordData, RecordSet, RecordType, Routing};
pub use served::{DnsApplied, DnsPlace, DnsServer, RunId};
pub use zone::{CallerReference, CanonicalName, HostedZone, HostedZoneId};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Change>(),
    TableDef::of::<ChangeCounter>(),
    TableDef::of::<DnsApplied>(),
    TableDef::of::<DnsServer>(),
    TableDef::of::<HealthCheck>(),
    TableDef::of::<HealthCheckSeen>(),
    TableDef::of::<HostedZone>(),
    TableDef::of::<RecordSet>(),
];
