//! Attributes of load balancers and target groups: AWS's keys, their defaults, and the enacted values.

use crate::{Error, error::invalid};
use escale_base::{AwsError, Wire};
use escale_tables::elbv2::{BalancerKind, TargetProtocol};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Wire)]
pub(crate) struct Attribute {
    pub key: String,
    pub value: Option<String>,
}

pub(crate) struct Known {
    key: &'static str,
    default: &'static str,
    allowed: Allowed,
}

enum Allowed {
    Bool,
    Between(u32, u32),
    /// 0 switches it off.
    ZeroOrBetween(u32, u32),
    OneOf(&'static [&'static str]),
    /// The name of a cookie of an application.
    CookieName,
    /// Checked with the other attributes.
    Text,
    /// AWS has other values, which are not enacted.
    DefaultOnly,
}

const fn known(key: &'static str, default: &'static str, allowed: Allowed) -> Known {
    Known { key, default, allowed }
}

use Allowed::{Between, Bool, CookieName, DefaultOnly, OneOf, Text, ZeroOrBetween};

pub(crate) fn of_balancer(kind: BalancerKind) -> &'static [Known] {
    match kind {
        BalancerKind::Application => BALANCER,
        BalancerKind::Network => NETWORK_BALANCER,
    }
}

pub(crate) fn of_group(protocol: TargetProtocol) -> &'static [Known] {
    match protocol {
        TargetProtocol::Http | TargetProtocol::Https => GROUP,
        TargetProtocol::Tcp => TCP_GROUP,
    }
}

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>
const BALANCER: &[Known] = &[
    known("access_logs.s3.enabled", "false", Bool),
    known("access_logs.s3.bucket", "", Text),
    known("access_logs.s3.prefix", "", Text),
    known("client_keep_alive.seconds", "3600", Between(60, 604_800)),
    known("connection_logs.s3.enabled", "false", DefaultOnly),
    known("connection_logs.s3.bucket", "", DefaultOnly),
    known("connection_logs.s3.prefix", "", DefaultOnly),
    known("deletion_protection.enabled", "false", Bool),
    known("idle_timeout.timeout_seconds", "60", Between(1, 4000)),
    known("load_balancing.cross_zone.enabled", "true", DefaultOnly),
    known("routing.http.desync_mitigation_mode", "defensive", DefaultOnly),
    known("routing.http.drop_invalid_header_fields.enabled", "false", Bool),
    known("routing.http.preserve_host_header.enabled", "false", Bool),
    known("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Bool),
    known("routing.http.xff_client_port.enabled", "false", Bool),
    known("routing.http.xff_header_processing.mode", "append", OneOf(&["append", "preserve", "remove"])),
    known("routing.http2.enabled", "true", Bool),
    known("waf.fail_open.enabled", "false", DefaultOnly),
    known("zonal_shift.config.enabled", "false", DefaultOnly),
];

const NETWORK_BALANCER: &[Known] = &[
    known("access_logs.s3.enabled", "false", DefaultOnly),
    known("access_logs.s3.bucket", "", DefaultOnly),
    known("access_logs.s3.prefix", "", DefaultOnly),
    known("deletion_protection.enabled", "false", Bool),
    known("dns_record.client_routing_policy", "any_availability_zone", DefaultOnly),
    known("load_balancing.cross_zone.enabled", "false", Bool),
    known("secondary_ips.auto_assigned.per_subnet", "0", DefaultOnly),
    known("zonal_shift.config.enabled", "false", DefaultOnly),
];

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>
const TCP_GROUP: &[Known] = &[
    known("deregistration_delay.timeout_seconds", "300", Between(0, 3600)),
    known("deregistration_delay.connection_termination.enabled", "false", Bool),
    known("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", OneOf(CROSS_ZONE)),
    // AWS's default for targets of the type `ip`.
    known("preserve_client_ip.enabled", "false", DefaultOnly),
    known("proxy_protocol_v2.enabled", "false", DefaultOnly),
    known("stickiness.enabled", "false", DefaultOnly),
    known("stickiness.type", "source_ip", DefaultOnly),
    known("target_group_health.dns_failover.minimum_healthy_targets.count", "1", DefaultOnly),
    known("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", DefaultOnly),
    known("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", DefaultOnly),
    known(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        DefaultOnly,
    ),
    known("target_health_state.unhealthy.connection_termination.enabled", "true", Bool),
    known("target_health_state.unhealthy.draining_interval_seconds", "0", DefaultOnly),
];

/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>
const GROUP: &[Known] = &[
    known("deregistration_delay.timeout_seconds", "300", Between(0, 3600)),
    known("stickiness.enabled", "false", Bool),
    known("stickiness.type", "lb_cookie", OneOf(&["lb_cookie", "app_cookie"])),
    known("stickiness.lb_cookie.duration_seconds", "86400", Between(1, 604_800)),
    known("stickiness.app_cookie.cookie_name", "", CookieName),
    known("stickiness.app_cookie.duration_seconds", "86400", Between(1, 604_800)),
    known("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", OneOf(CROSS_ZONE)),
    known(
        "load_balancing.algorithm.type",
        "round_robin",
        OneOf(&["round_robin", "least_outstanding_requests"]),
    ),
    known("load_balancing.algorithm.anomaly_mitigation", "off", DefaultOnly),
    known("slow_start.duration_seconds", "0", ZeroOrBetween(30, 900)),
    known("target_group_health.dns_failover.minimum_healthy_targets.count", "1", DefaultOnly),
    known("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", DefaultOnly),
    known("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", DefaultOnly),
    known(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        DefaultOnly,
    ),
];

const CROSS_ZONE: &[&str] = &["use_load_balancer_configuration", "true", "false"];

/// Checks `changes` and applies them to `attributes`.
pub(crate) fn set(
    all: &[Known],
    attributes: &mut BTreeMap<String, String>,
    changes: Vec<Attribute>,
) -> Result<(), Error> {
    for Attribute { key, value } in changes {
        let value = value.unwrap_or_default();
        let Some(known) = all.iter().find(|k| k.key == key) else {
            return Err(invalid(format!("The attribute key '{key}' is unknown or not supported")));
        };
        let good = match &known.allowed {
            Allowed::Bool => value == "true" || value == "false",
            Allowed::Between(low, high) => value.parse::<u32>().is_ok_and(|n| (*low..=*high).contains(&n)),
            Allowed::ZeroOrBetween(low, high) => {
                value.parse::<u32>().is_ok_and(|n| n == 0 || (*low..=*high).contains(&n))
            }
            Allowed::OneOf(words) => words.contains(&value.as_str()),
            Allowed::Text => true,
            Allowed::CookieName => is_cookie_name(&value),
            Allowed::DefaultOnly if value == known.default => true,
            Allowed::DefaultOnly => {
                return Err(AwsError::not_supported(format_args!(
                    "The value '{value}' of the attribute '{key}'"
                ))
                .hint(format_args!("Use '{}'.", known.default))
                .into());
            }
        };
        if !good {
            return Err(invalid(format!("The value '{value}' is not valid for the attribute '{key}'")));
        }
        attributes.insert(key, value);
    }
    let is = |key, value| get(all, attributes, key) == value;
    let needs_name = is("stickiness.enabled", "true") && is("stickiness.type", "app_cookie");
    if is("load_balancing.algorithm.type", "least_outstanding_requests")
        && !is("slow_start.duration_seconds", "0")
    {
        return Err(invalid(
            "The attribute 'slow_start.duration_seconds' must be 0 for the algorithm 'least_outstanding_requests'",
        ));
    }
    if needs_name && is("stickiness.app_cookie.cookie_name", "") {
        return Err(invalid(
            "The attribute 'stickiness.app_cookie.cookie_name' is required for the type 'app_cookie'",
        ));
    }
    Ok(())
}

/// AWS refuses names that begin like those of its own cookies. RFC 6265 allows the characters of a token.
fn is_cookie_name(name: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let own = ["AWSALB", "AWSALBAPP", "AWSALBTG"].iter().any(|own| name.starts_with(own));
    name.len() <= 64 && name.chars().all(is_token) && !own
}

/// All attributes; those that were never set have their defaults.
pub(crate) fn show(all: &[Known], attributes: &BTreeMap<String, String>) -> Vec<Attribute> {
    let show =
        |k: &Known| Attribute { key: k.key.to_owned(), value: Some(get(all, attributes, k.key).to_owned()) };
    all.iter().map(show).collect()
}

pub(crate) fn get<'a>(all: &'a [Known], attributes: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    attributes.get(key).map_or_else(|| default(all, key), String::as_str)
}

pub(crate) fn default(all: &[Known], key: &str) -> &'static str {
    all.iter().find(|k| k.key == key).map_or("", |k| k.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_enacted_values_only() {
        let code = |all: &[Known], key: &str, value: &str| {
            let change = vec![Attribute { key: key.into(), value: Some(value.into()) }];
            match set(all, &mut BTreeMap::new(), change) {
                Ok(()) => "ok".to_owned(),
                Err(e) => AwsError::from(e).code,
            }
        };
        for (key, value, expected) in [
            ("idle_timeout.timeout_seconds", "4000", "ok"),
            ("idle_timeout.timeout_seconds", "4001", "ValidationError"),
            ("deletion_protection.enabled", "yes", "ValidationError"),
            ("access_logs.s3.enabled", "false", "ok"),
            ("access_logs.s3.enabled", "true", "ok"),
            ("connection_logs.s3.enabled", "true", "NotImplemented"),
            ("no.such.key", "1", "ValidationError"),
        ] {
            assert_eq!(code(BALANCER, key, value), expected, "{key}={value}");
        }
        for (key, value, expected) in [
            ("stickiness.enabled", "true", "ok"),
            ("stickiness.type", "app_cookie", "ok"),
            ("stickiness.type", "source_ip", "ValidationError"),
            ("stickiness.lb_cookie.duration_seconds", "604800", "ok"),
            ("stickiness.lb_cookie.duration_seconds", "0", "ValidationError"),
            ("stickiness.app_cookie.cookie_name", "JSESSIONID", "ok"),
            ("stickiness.app_cookie.cookie_name", "AWSALBX", "ValidationError"),
            ("stickiness.app_cookie.cookie_name", "a;b", "ValidationError"),
        ] {
            assert_eq!(code(GROUP, key, value), expected, "{key}={value}");
        }
        let both = [("stickiness.enabled", "true"), ("stickiness.type", "app_cookie")]
            .map(|(key, value)| Attribute { key: key.into(), value: Some(value.into()) });
        assert!(set(GROUP, &mut BTreeMap::new(), both.to_vec()).is_err(), "without a name");
        for (key, value, expected) in [
            ("deregistration_delay.connection_termination.enabled", "true", "ok"),
            ("target_health_state.unhealthy.connection_termination.enabled", "false", "ok"),
            ("preserve_client_ip.enabled", "true", "NotImplemented"),
            ("proxy_protocol_v2.enabled", "true", "NotImplemented"),
            ("slow_start.duration_seconds", "0", "ValidationError"),
        ] {
            assert_eq!(code(TCP_GROUP, key, value), expected, "{key}={value}");
        }
        assert_eq!(code(NETWORK_BALANCER, "load_balancing.cross_zone.enabled", "true"), "ok");
        assert_eq!(code(NETWORK_BALANCER, "idle_timeout.timeout_seconds", "60"), "ValidationError");
        assert_eq!(code(GROUP, "deregistration_delay.timeout_seconds", "30"), "ok");
    }
}
