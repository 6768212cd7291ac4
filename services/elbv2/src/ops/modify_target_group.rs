//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html>

use crate::{Error, choices::Protocol, error::invalid, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{HealthCheck, TargetProtocol, TargetVersion};
use std::ops::Range;

pub(crate) struct ModifyTargetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    target_group_arn: String,
    health_check_protocol: Option<Protocol>,
    health_check_port: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u32>,
    health_check_timeout_seconds: Option<u32>,
    healthy_threshold_count: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    matcher: Option<shapes::MatcherShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    target_groups: Vec<shapes::GroupShape>,
}

impl Operation for ModifyTargetGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.target_group_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut group = (*rules::target_group(cx, &input.target_group_arn)?).clone();
        let health = Health {
            protocol: input.health_check_protocol,
            port: input.health_check_port,
            enabled: input.health_check_enabled,
            path: input.health_check_path,
            interval_secs: input.health_check_interval_seconds,
            timeout_secs: input.health_check_timeout_seconds,
            healthy_threshold: input.healthy_threshold_count,
            unhealthy_threshold: input.unhealthy_threshold_count,
            matcher: input.matcher,
        };
        group.health = health.over((group.protocol, group.version), group.health)?;
        let shape = shapes::group(cx.tx, &group);
        cx.tx.put(group);
        Ok(Output { target_groups: vec![shape] })
    }
}

/// The health check settings of a request.
pub(super) struct Health {
    pub protocol: Option<Protocol>,
    pub port: Option<String>,
    pub enabled: Option<bool>,
    pub path: Option<String>,
    pub interval_secs: Option<u32>,
    pub timeout_secs: Option<u32>,
    pub healthy_threshold: Option<u32>,
    pub unhealthy_threshold: Option<u32>,
    pub matcher: Option<shapes::MatcherShape>,
}

impl Health {
    /// Applies the settings to `old`, which is of a group with this protocol, and checks the result.
    pub(super) fn over(
        self,
        (group, version): (TargetProtocol, TargetVersion),
        old: HealthCheck,
    ) -> Result<HealthCheck, Error> {
        let protocol = match self.protocol {
            None => old.protocol,
            Some(Protocol::Http) => TargetProtocol::Http,
            Some(Protocol::Https) => TargetProtocol::Https,
            Some(Protocol::Tcp) if group == TargetProtocol::Tcp => TargetProtocol::Tcp,
            Some(other) => {
                return Err(invalid(format!(
                    "Health check protocol '{other}' is not supported for target groups with the protocol '{group}'"
                )));
            }
        };
        if protocol == TargetProtocol::Tcp && (self.path.is_some() || self.matcher.is_some()) {
            return Err(invalid("A health check of the protocol TCP has no path and no matcher"));
        }
        if self.enabled == Some(false) {
            let message = "Health check enabled must be true for target groups with target type 'ip'";
            return Err(invalid(message));
        }
        let port = match self.port.as_deref() {
            None => old.port,
            Some("traffic-port") => None,
            Some(text) => {
                let port = text.parse::<u16>().ok().filter(|p| *p > 0);
                Some(port.ok_or_else(|| invalid(format!("Health check port '{text}' is not valid")))?)
            }
        };
        let new = HealthCheck {
            protocol,
            path: self.path.unwrap_or(old.path),
            port,
            interval_secs: between("interval", self.interval_secs.unwrap_or(old.interval_secs), 5, 300)?,
            timeout_secs: between("timeout", self.timeout_secs.unwrap_or(old.timeout_secs), 2, 120)?,
            healthy_threshold: between(
                "healthy threshold",
                self.healthy_threshold.unwrap_or(old.healthy_threshold),
                2,
                10,
            )?,
            unhealthy_threshold: between(
                "unhealthy threshold",
                self.unhealthy_threshold.unwrap_or(old.unhealthy_threshold),
                2,
                10,
            )?,
            matcher: matcher(self.matcher, version, old.matcher)?,
        };
        if new.timeout_secs >= new.interval_secs {
            return Err(invalid("Health check timeout must be smaller than the interval"));
        }
        if !new.path.starts_with('/') || new.path.len() > 1024 {
            return Err(invalid(format!("Health check path '{}' must begin with a '/'", new.path)));
        }
        Ok(new)
    }
}

fn between(what: &str, value: u32, low: u32, high: u32) -> Result<u32, Error> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(invalid(format!("Health check {what} '{value}' must be between {low} and {high}")))
}

/// The codes of a successful check: of HTTP, or of gRPC.
fn matcher(
    asked: Option<shapes::MatcherShape>,
    version: TargetVersion,
    old: String,
) -> Result<String, Error> {
    let Some(asked) = asked else { return Ok(old) };
    let (kind, other, code, all) = match version {
        TargetVersion::Grpc => ("GRPC", asked.http_code, asked.grpc_code, 0..100),
        TargetVersion::Http1 | TargetVersion::Http2 => ("HTTP", asked.grpc_code, asked.http_code, 200..500),
    };
    if other.is_some() {
        return Err(invalid(format!(
            "The health check matcher of a target group with the protocol version '{version}' must have {kind} codes only"
        )));
    }
    let code = code.unwrap_or(old);
    if !is_matcher(&code, &all) {
        return Err(invalid(format!(
            "Health check matcher {kind} code '{code}' must be within {}-{}",
            all.start,
            all.end - 1
        )));
    }
    Ok(code)
}

/// `200`, `200-299`, `200,301`
fn is_matcher(text: &str, all: &Range<u16>) -> bool {
    let status = |s: &str| s.parse::<u16>().ok().filter(|s| all.contains(s));
    text.split(',').all(|part| match part.split_once('-') {
        Some((low, high)) => status(low).zip(status(high)).is_some_and(|(low, high)| low <= high),
        None => status(part).is_some(),
    })
}
