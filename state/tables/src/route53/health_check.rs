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

escale_base::choice! {
    /// The regions of alarms.
    pub enum CloudWatchRegion {
        UsEast1 = "us-east-1", UsEast2 = "us-east-2", UsWest1 = "us-west-1", UsWest2 = "us-west-2",
        CaCentral1 = "ca-central-1", EuCentral1 = "eu-central-1", EuCentral2 = "eu-central-2", EuWest1 = "eu-west-1",
        EuWest2 = "eu-west-2", EuWest3 = "eu-west-3", ApEast1 = "ap-east-1", MeSouth1 = "me-south-1",
        MeCentral1 = "me-central-1", ApSouth1 = "ap-south-1", ApSouth2 = "ap-south-2",
        ApSoutheast1 = "ap-southeast-1", ApSoutheast2 = "ap-southeast-2", ApSoutheast3 = "ap-southeast-3",
        ApNortheast1 = "ap-northeast-1", ApNortheast2 = "ap-northeast-2", ApNortheast3 = "ap-northeast-3",
        EuNorth1 = "eu-north-1", SaEast1 = "sa-east-1", CnNorthwest1 = "cn-northwest-1", CnNorth1 = "cn-north-1",
        AfSouth1 = "af-south-1", EuSouth1 = "eu-south-1", EuSouth2 = "eu-south-2", UsGovWest1 = "us-gov-west-1",
        UsGovEast1 = "us-gov-east-1", UsIsoEast1 = "us-iso-east-1", UsIsoWest1 = "us-iso-west-1",
        UsIsobEast1 = "us-isob-east-1", ApSoutheast4 = "ap-southeast-4", IlCentral1 = "il-central-1",
        CaWest1 = "ca-west-1", ApSoutheast5 = "ap-southeast-5", MxCentral1 = "mx-central-1",
        UsIsofSouth1 = "us-isof-south-1", UsIsofEast1 = "us-isof-east-1", ApSoutheast7 = "ap-southeast-7",
        ApEast2 = "ap-east-2", EuIsoeWest1 = "eu-isoe-west-1", ApSoutheast6 = "ap-southeast-6",
        UsIsobWest1 = "us-isob-west-1", EuscDeEast1 = "eusc-de-east-1",
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
    pub region: CloudWatchRegion,
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
