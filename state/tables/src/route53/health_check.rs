//! Health checks, and whether they are healthy.

use super::CallerReference;
use crate::{
    cloudwatch::{AlarmName, AlarmSeen, StateValue},
    row,
};
use escale_base::{Tag, Timestamp, Wire};
use escale_store::Image;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

escale_base::name! {
    /// A UUID.
    HealthCheckId;
    /// The name of an endpoint's host.
    EndpointName;
}

escale_base::choice! {
    /// What a health check observes.
    pub enum HealthCheckType {
        Http = "HTTP", Https = "HTTPS", HttpStrMatch = "HTTP_STR_MATCH", HttpsStrMatch = "HTTPS_STR_MATCH", Tcp = "TCP",
        Calculated = "CALCULATED", CloudwatchMetric = "CLOUDWATCH_METRIC",
    }
}

escale_base::choice! {
    /// The status of a check whose alarm has no data.
    pub enum InsufficientDataHealthStatus {
        Healthy = "Healthy", Unhealthy = "Unhealthy", LastKnownStatus = "LastKnownStatus",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub id: HealthCheckId,
    pub caller_reference: CallerReference,
    pub config: HealthCheckConfig,
    /// Counts the updates, from 1.
    pub version: u64,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(HealthCheck, "route53_health_check", |r| r.id.to_string());

/// The configuration as the API has it. Members of other types of checks are `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct HealthCheckConfig {
    #[wire("IPAddress")]
    pub ip_address: Option<Ipv4Addr>,
    pub port: Option<u16>,
    #[wire("Type")]
    pub kind: HealthCheckType,
    pub resource_path: Option<String>,
    pub fully_qualified_domain_name: Option<EndpointName>,
    pub search_string: Option<String>,
    /// Seconds.
    pub request_interval: Option<u32>,
    pub failure_threshold: Option<u32>,
    /// Never true: it is refused.
    pub measure_latency: Option<bool>,
    pub inverted: Option<bool>,
    pub disabled: Option<bool>,
    pub health_threshold: Option<u32>,
    pub child_health_checks: Option<Vec<HealthCheckId>>,
    #[wire("EnableSNI")]
    pub enable_sni: Option<bool>,
    pub alarm_identifier: Option<AlarmIdentifier>,
    pub insufficient_data_health_status: Option<InsufficientDataHealthStatus>,
}

impl HealthCheckConfig {
    pub fn is_inverted(&self) -> bool {
        self.inverted == Some(true)
    }

    pub fn is_disabled(&self) -> bool {
        self.disabled == Some(true)
    }

    pub fn children(&self) -> &[HealthCheckId] {
        self.child_health_checks.as_deref().unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct AlarmIdentifier {
    pub region: String,
    pub name: AlarmName,
}

/// The observed health of an endpoint, or the last state that a check's alarm had with enough data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheckSeen {
    pub id: HealthCheckId,
    /// The version of the configuration that was checked last.
    pub version: u64,
    pub healthy: bool,
    /// The last results in a row that contradict `healthy`.
    pub against: u32,
    pub last: Option<Checked>,
    pub last_failure: Option<Checked>,
}
row!(HealthCheckSeen, "route53_health_check_seen", |r| r.id.to_string());

impl HealthCheckSeen {
    /// A check is healthy until there are enough results.
    pub fn new(id: HealthCheckId) -> HealthCheckSeen {
        HealthCheckSeen { id, version: 0, healthy: true, against: 0, last: None, last_failure: None }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    pub at: Timestamp,
    /// In AWS's form: `Success: HTTP Status Code 200, OK`.
    pub status: String,
}

/// Calculated checks may have calculated ones as children; a longer chain counts as healthy.
const DEPTH: usize = 8;

/// Whether the health check is healthy, inversion included. One that does not exist is: its record sets are answered.
///
/// Source: <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>
pub fn is_healthy(image: &Image, id: &str) -> bool {
    at_depth(image, id, 0)
}

/// How many of a calculated check's children are healthy.
pub fn healthy_children(image: &Image, config: &HealthCheckConfig) -> usize {
    children_at_depth(image, config, 0)
}

fn at_depth(image: &Image, id: &str, depth: usize) -> bool {
    let Some(check) = image.get::<HealthCheck>(id) else { return true };
    let config = &check.config;
    if depth == DEPTH {
        return true;
    }
    // A disabled check is healthy, and an inverted one then unhealthy: so traffic can be taken away without a failure.
    (config.is_disabled() || observed(image, &check, depth)) != config.is_inverted()
}

fn observed(image: &Image, check: &HealthCheck, depth: usize) -> bool {
    let config = &check.config;
    let last = || image.get::<HealthCheckSeen>(&check.id).is_none_or(|seen| seen.healthy);
    match config.kind {
        HealthCheckType::Calculated => {
            let wanted = config.health_threshold.map_or(usize::MAX, |n| n as usize);
            children_at_depth(image, config, depth) >= wanted
        }
        HealthCheckType::CloudwatchMetric => match alarm_is_ok(image, config) {
            Some(is_ok) => is_ok,
            None => match config.insufficient_data_health_status {
                Some(InsufficientDataHealthStatus::Healthy) => true,
                Some(InsufficientDataHealthStatus::Unhealthy) => false,
                Some(InsufficientDataHealthStatus::LastKnownStatus) | None => last(),
            },
        },
        HealthCheckType::Http
        | HealthCheckType::Https
        | HealthCheckType::HttpStrMatch
        | HealthCheckType::HttpsStrMatch
        | HealthCheckType::Tcp => last(),
    }
}

fn children_at_depth(image: &Image, config: &HealthCheckConfig, depth: usize) -> usize {
    config.children().iter().filter(|id| at_depth(image, id, depth + 1)).count()
}

/// Whether the check's alarm is in the state OK; `None` if the alarm has too little data, or does not exist.
pub fn alarm_is_ok(image: &Image, config: &HealthCheckConfig) -> Option<bool> {
    let alarm = config.alarm_identifier.as_ref()?;
    match image.get::<AlarmSeen>(alarm.name.as_str())?.state {
        StateValue::Ok => Some(true),
        StateValue::Alarm => Some(false),
        StateValue::InsufficientData => None,
    }
}
