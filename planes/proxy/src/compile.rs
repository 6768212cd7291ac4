//! Validates a spec before anything is changed.

use crate::spec::{
    Action, BalancerSpec, Condition, Forward, GroupSpec, HealthCheck, ListenerSpec, Probe, Sticky, Version,
};
use escale_base::PlaneError;
use escale_tls::Terminator;
use http::{HeaderName, HeaderValue};
use std::{collections::BTreeSet, hash::Hash};

/// The error names the first invalid part of `spec`. The real plane and the fake both call it first.
pub fn check(spec: &BalancerSpec) -> Result<(), PlaneError> {
    let at = format!("balancer '{}'", spec.name);
    unique(&at, "node", spec.nodes.iter().map(|n| &n.node))?;
    unique(&at, "listener port", spec.listeners.iter().map(|l| l.port))?;
    unique(&at, "group", spec.groups.iter().map(|g| &g.name))?;
    let attributes = &spec.attributes;
    if attributes.idle_timeout_ms == 0 {
        return wrong(&at, "the idle timeout is 0 ms; it must be at least 1");
    }
    if HeaderValue::from_str(&attributes.server_name).is_err() {
        return wrong(&at, "the server name has characters that are not allowed in a header");
    }
    let of_tls = attributes.tls_headers.iter().flat_map(|(version, suite)| [version, suite]);
    let named = attributes.trace_header.iter().chain(of_tls);
    if let Some(name) = named.into_iter().find(|n| HeaderName::try_from(*n).is_err()) {
        return wrong(&at, &format!("'{name}' is not a valid header name"));
    }
    for group in &spec.groups {
        check_group(&format!("{at}, group '{}'", group.name), group)?;
    }
    let groups: BTreeSet<&str> = spec.groups.iter().map(|g| g.name.as_str()).collect();
    for listener in &spec.listeners {
        check_listener(&format!("{at}, listener {}", listener.port), listener, &groups)?;
    }
    Ok(())
}

fn check_group(at: &str, group: &GroupSpec) -> Result<(), PlaneError> {
    unique(at, "target", group.targets.iter().map(|t| t.addr))?;
    let HealthCheck { interval_ms, timeout_ms, healthy_threshold, unhealthy_threshold, .. } = group.health;
    if interval_ms == 0 || timeout_ms == 0 || healthy_threshold == 0 || unhealthy_threshold == 0 {
        return wrong(at, "interval, timeout and thresholds of the health check must be at least 1");
    }
    if let Some(Sticky::Application { cookie, .. }) = &group.sticky
        && HeaderName::try_from(cookie).is_err()
    {
        return wrong(at, &format!("'{cookie}' is not a valid name of a cookie"));
    }
    if let Probe::Http { path, matcher, headers, transport } = &group.health.protocol {
        Matcher::parse(matcher, transport.version).map_err(|e| PlaneError::asked(format!("{at}: {e}")))?;
        if !path.starts_with('/') || http::uri::PathAndQuery::try_from(path.as_str()).is_err() {
            return wrong(
                at,
                &format!("'{path}' is not a valid path for a health check; it must begin with '/'"),
            );
        }
        for (name, value) in headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::from_str(value).is_err() {
                return wrong(at, &format!("'{name}: {value}' is not a valid header for a health check"));
            }
        }
    }
    Ok(())
}

fn check_listener(at: &str, listener: &ListenerSpec, groups: &BTreeSet<&str>) -> Result<(), PlaneError> {
    if let (Action::Relay(_), [rule, ..]) = (&listener.default, &listener.rules[..]) {
        return wrong(at, &format!("it relays TCP, which has no rules; remove rule {}", rule.priority));
    }
    if let Some(tls) = &listener.tls {
        Terminator::new(tls).map_err(|error| PlaneError::asked(format!("{at}: {error}")))?;
    }
    unique(at, "rule priority", listener.rules.iter().map(|r| r.priority))?;
    check_action(&format!("{at}, default action"), &listener.default, groups)?;
    for rule in &listener.rules {
        let at = format!("{at}, rule {}", rule.priority);
        if matches!(rule.action, Action::Relay(_)) {
            return wrong(&at, "only the default action of a listener can relay TCP");
        }
        check_action(&at, &rule.action, groups)?;
        for condition in &rule.conditions {
            let values = match condition {
                Condition::Path(v) | Condition::Host(v) | Condition::Method(v) => v.len(),
                Condition::Header { name, values } => {
                    if HeaderName::try_from(name).is_err() {
                        return wrong(&at, &format!("'{name}' is not a valid header name"));
                    }
                    values.len()
                }
                Condition::Query(v) => v.len(),
                Condition::Source(v) => v.len(),
            };
            if values == 0 {
                return wrong(
                    &at,
                    "a condition without values never matches; add a value or remove the condition",
                );
            }
        }
    }
    Ok(())
}

fn check_action(at: &str, action: &Action, groups: &BTreeSet<&str>) -> Result<(), PlaneError> {
    match action {
        Action::Forward(Forward { groups: weighted, .. }) => {
            if weighted.is_empty() {
                return wrong(at, "it forwards to no group");
            }
            match weighted.iter().find(|w| !groups.contains(w.group.as_str())) {
                Some(w) => {
                    wrong(at, &format!("it forwards to group '{}', which is not in the spec", w.group))
                }
                None => Ok(()),
            }
        }
        Action::Relay(relay) if groups.contains(relay.group.as_str()) => Ok(()),
        Action::Relay(relay) => {
            wrong(at, &format!("it relays to group '{}', which is not in the spec", relay.group))
        }
        Action::Redirect(redirect) => {
            let parts = [&redirect.protocol, &redirect.host, &redirect.port, &redirect.path, &redirect.query];
            match parts.iter().find(|part| HeaderValue::from_str(part).is_err()) {
                Some(part) => wrong(at, &format!("'{part}' is not allowed in a Location header")),
                None => Ok(()),
            }
        }
        Action::Fixed(fixed) => {
            if !(200..600).contains(&fixed.status) {
                return wrong(
                    at,
                    &format!("{} is not a valid status for a fixed response (200 to 599)", fixed.status),
                );
            }
            match HeaderValue::from_str(&fixed.content_type) {
                Err(_) => wrong(at, &format!("'{}' is not a valid content type", fixed.content_type)),
                Ok(_) => Ok(()),
            }
        }
    }
}

fn wrong(at: &str, what: &str) -> Result<(), PlaneError> {
    Err(PlaneError::asked(format!("{at}: {what}")))
}

fn unique<T: Eq + Hash + std::fmt::Display>(
    at: &str,
    what: &str,
    items: impl Iterator<Item = T>,
) -> Result<(), PlaneError> {
    let mut known = std::collections::HashSet::new();
    for item in items {
        if known.contains(&item) {
            return wrong(at, &format!("{what} {item} is listed twice"));
        }
        known.insert(item);
    }
    Ok(())
}

/// The statuses that count as success of a health check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matcher(Vec<(u16, u16)>);

impl Matcher {
    pub(crate) fn parse(text: &str, version: Version) -> Result<Matcher, String> {
        let all = if version == Version::Grpc { 0..100 } else { 100..600 };
        let status = |s: &str| s.trim().parse::<u16>().ok().filter(|s| all.contains(s));
        let part = |part: &str| match part.split_once('-') {
            Some((low, high)) => Some((status(low)?, status(high)?)).filter(|(low, high)| low <= high),
            None => status(part).map(|s| (s, s)),
        };
        let parts: Option<Vec<(u16, u16)>> = text.split(',').map(part).collect();
        parts
            .map(Matcher)
            .ok_or_else(|| format!("'{text}' is not a list of statuses; write it as 200, 200-299 or 200,301"))
    }

    pub(crate) fn takes(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_expected_statuses_of_health_checks() {
        let takes = |text: &str, status| Matcher::parse(text, Version::Http1).map(|m| m.takes(status));
        assert_eq!(takes("200", 200), Ok(true));
        assert_eq!(takes("200", 201), Ok(false));
        assert_eq!(takes("200-299", 299), Ok(true));
        assert_eq!(takes("200, 301", 301), Ok(true));
        let grpc = |text: &str, status| Matcher::parse(text, Version::Grpc).map(|m| m.takes(status));
        assert_eq!((grpc("0-5", 0), grpc("12", 0)), (Ok(true), Ok(false)));
        assert!(grpc("100", 0).is_err());
        for bad in ["", "2xx", "299-200", "99", "200,"] {
            assert!(Matcher::parse(bad, Version::Http1).is_err(), "{bad}");
        }
    }
}
