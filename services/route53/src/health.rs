//! The rules of health checks' configurations.
//!
//! Source: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html>

use crate::{
    Error,
    checker::{Endpoint, HttpCheck},
};
use escale_base::{Arn, AwsError};
use escale_service::Config;
use escale_store::Image;
use escale_tables::route53::{
    self, HealthCheck, HealthCheckConfig, HealthCheckId, HealthCheckSeen, HealthCheckType,
};
use std::{net::Ipv4Addr, sync::Arc};

const CHILDREN: usize = 255;

pub(crate) fn find(image: &Image, id: &str) -> Result<Arc<HealthCheck>, Error> {
    image.get::<HealthCheck>(id).ok_or(Error::NoHealthCheck)
}

/// The check's ARN for authorization.
pub(crate) fn arn(id: &str) -> String {
    Arn::new("route53", "", "", format!("healthcheck/{id}")).to_string()
}

/// Adds AWS's defaults and checks the rest.
pub(crate) fn completed(
    image: &Image,
    cloud: &Config,
    id: &HealthCheckId,
    mut config: HealthCheckConfig,
) -> Result<HealthCheckConfig, Error> {
    if config.measure_latency == Some(true) {
        let refused = AwsError::not_supported("MeasureLatency of a health check");
        return Err(refused.hint("Set MeasureLatency to false.").into());
    }
    config.measure_latency = is_endpoint(config.kind).then_some(false);
    config.inverted = Some(config.is_inverted());
    config.disabled = Some(config.is_disabled());
    match config.kind {
        HealthCheckType::Calculated => calculated(image, id, &config)?,
        HealthCheckType::CloudwatchMetric => alarm(cloud, &config)?,
        HealthCheckType::Http
        | HealthCheckType::Https
        | HealthCheckType::HttpStrMatch
        | HealthCheckType::HttpsStrMatch
        | HealthCheckType::Tcp => endpoint_config(&mut config)?,
    }
    Ok(config)
}

fn invalid(what: impl Into<String>) -> Error {
    Error::InvalidInput(format!("Invalid parameter : {}", what.into()))
}

/// Refuses members that belong to another type: they would have no effect.
fn only(config: &HealthCheckConfig, unused: &[(&str, bool)]) -> Result<(), Error> {
    match unused.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => {
            Err(invalid(format!("{name} is not allowed for a health check of type {}.", config.kind)))
        }
        None => Ok(()),
    }
}

fn of_endpoint(config: &HealthCheckConfig) -> [(&'static str, bool); 8] {
    [
        ("IPAddress", config.ip_address.is_some()),
        ("Port", config.port.is_some()),
        ("ResourcePath", config.resource_path.is_some()),
        ("FullyQualifiedDomainName", config.fully_qualified_domain_name.is_some()),
        ("SearchString", config.search_string.is_some()),
        ("RequestInterval", config.request_interval.is_some()),
        ("FailureThreshold", config.failure_threshold.is_some()),
        ("EnableSNI", config.enable_sni.is_some()),
    ]
}

fn of_calculated(config: &HealthCheckConfig) -> [(&'static str, bool); 2] {
    [
        ("HealthThreshold", config.health_threshold.is_some()),
        ("ChildHealthChecks", !config.children().is_empty()),
    ]
}

fn of_alarm(config: &HealthCheckConfig) -> [(&'static str, bool); 2] {
    [
        ("AlarmIdentifier", config.alarm_identifier.is_some()),
        ("InsufficientDataHealthStatus", config.insufficient_data_health_status.is_some()),
    ]
}

fn calculated(image: &Image, id: &HealthCheckId, config: &HealthCheckConfig) -> Result<(), Error> {
    only(config, &of_endpoint(config))?;
    only(config, &of_alarm(config))?;
    let children = config.children();
    if config.health_threshold.is_none() {
        return Err(invalid("HealthThreshold is required for a health check of type CALCULATED."));
    }
    if children.len() > CHILDREN {
        return Err(invalid(format!(
            "A calculated health check has at most {CHILDREN} child health checks."
        )));
    }
    for child in children {
        find(image, child)?;
        if reaches(image, child, id, 0) {
            return Err(invalid(format!(
                "The child health check {child} is calculated from this health check."
            )));
        }
    }
    Ok(())
}

/// Whether the check, or one that it is calculated from, is `id`.
fn reaches(image: &Image, from: &HealthCheckId, id: &HealthCheckId, depth: usize) -> bool {
    let Some(check) = image.get::<HealthCheck>(from) else { return false };
    // Deeper than the health is evaluated.
    from == id
        || depth > 8
        || check.config.children().iter().any(|child| reaches(image, child, id, depth + 1))
}

fn alarm(cloud: &Config, config: &HealthCheckConfig) -> Result<(), Error> {
    only(config, &of_endpoint(config))?;
    only(config, &of_calculated(config))?;
    let alarm = config.alarm_identifier.as_ref();
    let alarm = alarm.ok_or_else(|| {
        invalid("AlarmIdentifier is required for a health check of type CLOUDWATCH_METRIC.")
    })?;
    if alarm.region.as_str() != cloud.region {
        let refused = AwsError::not_supported(format_args!("An alarm of the region {}", alarm.region));
        return Err(refused.hint(format_args!("Use the region {}.", cloud.region)).into());
    }
    Ok(())
}

fn endpoint_config(config: &mut HealthCheckConfig) -> Result<(), Error> {
    only(config, &of_calculated(config))?;
    only(config, &of_alarm(config))?;
    let (tls, search) = (is_tls(config.kind), is_search(config.kind));
    if config.kind == HealthCheckType::Tcp {
        only(config, &[("ResourcePath", config.resource_path.is_some())])?;
    }
    only(
        config,
        &[
            ("SearchString", config.search_string.is_some() && !search),
            ("EnableSNI", config.enable_sni.is_some() && !tls),
        ],
    )?;
    if search && config.search_string.as_ref().is_none_or(String::is_empty) {
        return Err(invalid(format!("SearchString is required for a health check of type {}.", config.kind)));
    }
    if config.ip_address.is_none() && config.fully_qualified_domain_name.is_none() {
        return Err(invalid("A health check needs an IPAddress or a FullyQualifiedDomainName."));
    }
    if let Some(address) = config.ip_address.filter(is_private) {
        return Err(invalid(format!(
            "The IP address {address} is private, local or of a group; health checkers cannot reach it."
        )));
    }
    let default_port = match config.kind {
        HealthCheckType::Tcp => return_port(config.port)?,
        _ if tls => 443,
        _ => 80,
    };
    config.port = Some(config.port.unwrap_or(default_port));
    if config.kind != HealthCheckType::Tcp {
        let path = config.resource_path.take().unwrap_or_default();
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        if http::uri::PathAndQuery::try_from(path.as_str()).is_err() {
            return Err(invalid(format!("The ResourcePath '{path}' is not a valid path.")));
        }
        config.resource_path = Some(path);
    }
    let interval = *config.request_interval.get_or_insert(30);
    if !matches!(interval, 10 | 30) {
        return Err(invalid(format!("RequestInterval must be 10 or 30; it is {interval}.")));
    }
    config.failure_threshold.get_or_insert(3);
    config.enable_sni = tls.then(|| config.enable_sni.unwrap_or(true));
    Ok(())
}

fn return_port(port: Option<u16>) -> Result<u16, Error> {
    port.ok_or_else(|| invalid("Port is required for a health check of type TCP."))
}

/// Addresses that AWS refuses. Those of the cloud's own Internet (198.18.0.0/15) are allowed.
fn is_private(address: &Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified()
        || address.is_broadcast()
}

fn is_tls(kind: HealthCheckType) -> bool {
    matches!(kind, HealthCheckType::Https | HealthCheckType::HttpsStrMatch)
}

fn is_search(kind: HealthCheckType) -> bool {
    matches!(kind, HealthCheckType::HttpStrMatch | HealthCheckType::HttpsStrMatch)
}

fn is_endpoint(kind: HealthCheckType) -> bool {
    !matches!(kind, HealthCheckType::Calculated | HealthCheckType::CloudwatchMetric)
}

/// What to connect to; `None` for a check of another kind or a disabled one.
pub(crate) fn endpoint(check: &HealthCheck) -> Option<Endpoint> {
    let config = &check.config;
    if config.is_disabled() || !is_endpoint(config.kind) {
        return None;
    }
    let http = (config.kind != HealthCheckType::Tcp).then(|| HttpCheck {
        tls: is_tls(config.kind),
        sni: config.enable_sni.unwrap_or(false),
        path: config.resource_path.clone().unwrap_or_else(|| "/".to_owned()),
        search: config.search_string.clone(),
        user_agent: format!(
            "Amazon-Route53-Health-Check-Service (ref {}; report http://amzn.to/1vsZADi)",
            check.id
        ),
    });
    Some(Endpoint {
        address: config.ip_address,
        name: config.fully_qualified_domain_name.as_ref().map(ToString::to_string),
        port: config.port?,
        http,
    })
}

/// The status in the words of a report.
pub(crate) fn report(image: &Image, check: &HealthCheck) -> Option<String> {
    let config = &check.config;
    let word = |is_ok: bool| if is_ok { "Success" } else { "Failure" };
    match config.kind {
        HealthCheckType::Calculated => {
            let (healthy, wanted) = (route53::healthy_children(image, config), config.health_threshold?);
            let of = config.children().len();
            let word = word(healthy >= wanted as usize);
            Some(format!(
                "{word}: {healthy} of {of} child health checks are healthy, the threshold is {wanted}"
            ))
        }
        HealthCheckType::CloudwatchMetric => {
            let name = &config.alarm_identifier.as_ref()?.name;
            let state = match route53::alarm_is_ok(image, config) {
                Some(true) => "OK",
                Some(false) => "ALARM",
                None => "INSUFFICIENT_DATA",
            };
            let is_ok = route53::is_healthy(image, &check.id) != config.is_inverted();
            Some(format!("{}: the alarm {name} is in the state {state}", word(is_ok)))
        }
        _ => Some(image.get::<HealthCheckSeen>(&check.id)?.last.as_ref()?.status.clone()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use escale_base::{Timestamp, Wire};
    use escale_store::Store;
    use serde_json::json;

    pub(crate) fn check(id: &str) -> HealthCheck {
        let config = json!({"Type": "TCP", "IPAddress": "198.18.0.9", "Port": 80});
        HealthCheck {
            id: id.into(),
            caller_reference: id.into(),
            config: HealthCheckConfig::read(&config).unwrap(),
            version: 1,
            tags: Vec::new(),
            created: Timestamp(0),
        }
    }

    #[test]
    fn configurations_are_completed_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let image = store.read();
        let cloud = Config::default();
        let alarm = json!({"Region": cloud.region, "Name": "errors"});
        for (config, expected) in [
            (json!({"Type": "HTTP", "IPAddress": "198.18.0.9"}), "ok 80 / 30 3"),
            (
                json!({"Type": "HTTPS", "FullyQualifiedDomainName": "x.example", "ResourcePath": "up"}),
                "ok 443 /up 30 3",
            ),
            (
                json!({"Type": "TCP", "IPAddress": "198.18.0.9", "Port": 5, "RequestInterval": 10}),
                "ok 5 - 10 3",
            ),
            (json!({"Type": "TCP", "IPAddress": "198.18.0.9"}), "Port is required"),
            (json!({"Type": "HTTP"}), "needs an IPAddress"),
            (json!({"Type": "HTTP", "IPAddress": "10.0.0.1"}), "is private"),
            (json!({"Type": "HTTP", "IPAddress": "198.18.0.9", "RequestInterval": 20}), "must be 10 or 30"),
            (
                json!({"Type": "HTTP", "IPAddress": "198.18.0.9", "SearchString": "x"}),
                "SearchString is not allowed",
            ),
            (json!({"Type": "HTTP_STR_MATCH", "IPAddress": "198.18.0.9"}), "SearchString is required"),
            (json!({"Type": "HTTP", "IPAddress": "198.18.0.9", "MeasureLatency": true}), "MeasureLatency"),
            (
                json!({"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["x"]}),
                "health check exists",
            ),
            (json!({"Type": "CALCULATED", "HealthThreshold": 0, "Port": 1}), "Port is not allowed"),
            (json!({"Type": "CLOUDWATCH_METRIC"}), "AlarmIdentifier is required"),
            (json!({"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": alarm}), "ok"),
        ] {
            let read = HealthCheckConfig::read(&config).unwrap();
            let shown = match completed(&image, &cloud, &"id".into(), read) {
                Ok(c) => format!(
                    "ok {:?} {} {:?} {:?}",
                    c.port.unwrap_or(0),
                    c.resource_path.as_deref().unwrap_or("-"),
                    c.request_interval.unwrap_or(0),
                    c.failure_threshold.unwrap_or(0)
                ),
                Err(error) => error.to_string(),
            };
            assert!(shown.contains(expected), "{config}: {shown}");
        }
    }
}
