//! What a spec's rules and groups mean for the requests of a node.

use crate::{
    counters::ListenerCounters,
    spec::{Action, BalancerSpec, GroupSpec, ListenerSpec, TargetSpec, Weighted},
    sticky::Jar,
    table::{Forward, Group, Port, Step, Table},
};
use escale_tls::Terminator;
use http::{HeaderName, HeaderValue};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

pub(crate) fn used_groups(spec: &BalancerSpec) -> BTreeSet<&str> {
    let actions = spec.listeners.iter().flat_map(|l| l.rules.iter().map(|r| &r.action).chain([&l.default]));
    actions
        .flat_map(|action| match action {
            Action::Forward(to) => to.groups.iter().map(|w| w.group.as_str()).collect(),
            Action::Relay(relay) => vec![relay.group.as_str()],
            Action::Redirect(_) | Action::Fixed(_) => Vec::new(),
        })
        .collect()
}

/// A target in a zone without a node is not used at all.
pub(crate) fn may_send(spec: &BalancerSpec, group: &GroupSpec, target: &TargetSpec, from_zone: &str) -> bool {
    match &target.zone {
        None => true,
        Some(zone) if group.cross_zone => spec.nodes.iter().any(|n| n.zone == *zone),
        Some(zone) => zone == from_zone,
    }
}

pub(crate) fn table(spec: &BalancerSpec, jar: Arc<Jar>, ports: HashMap<u16, Port>) -> Table {
    let attributes = spec.attributes.clone();
    Table {
        idle: Duration::from_millis(attributes.idle_timeout_ms),
        // The spec was checked, so both are valid.
        server: HeaderValue::from_str(&attributes.server_name)
            .unwrap_or_else(|_| HeaderValue::from_static("balancer")),
        trace_header: attributes.trace_header.as_ref().and_then(|n| HeaderName::try_from(n).ok()),
        attributes,
        jar,
        ports,
    }
}

pub(crate) fn port(
    listener: &ListenerSpec,
    groups: &HashMap<&str, Arc<Group>>,
    tls: Option<Terminator>,
    counters: Arc<ListenerCounters>,
) -> Port {
    let step = |action: &Action| match action {
        Action::Forward(to) => {
            let group = |w: &Weighted| Some((w.weight, groups.get(w.group.as_str())?.clone()));
            Step::Forward(Forward {
                groups: to.groups.iter().filter_map(group).collect(),
                sticky_s: to.sticky_s,
            })
        }
        Action::Redirect(redirect) => Step::Redirect(redirect.clone()),
        Action::Fixed(fixed) => Step::Fixed(fixed.clone()),
        Action::Relay(relay) => match groups.get(relay.group.as_str()) {
            Some(group) => Step::Relay(relay.clone(), group.clone()),
            // The spec was checked, so the group exists.
            None => Step::Forward(Forward { groups: Vec::new(), sticky_s: None }),
        },
    };
    let mut rules: Vec<_> = listener.rules.iter().collect();
    rules.sort_by_key(|r| r.priority);
    Port {
        rules: rules.into_iter().map(|r| (r.priority, r.conditions.clone(), step(&r.action))).collect(),
        default: step(&listener.default),
        tls,
        counters,
    }
}

pub(crate) fn is_relay(action: &Action) -> bool {
    matches!(action, Action::Relay(_))
}
