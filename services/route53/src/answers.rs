//! Decides which of several record sets with one name and type are answered, by their health. Pure.
//!
//! Source: <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html>

use crate::names;
use escale_store::Image;
use escale_tables::{
    elbv2::{Listener, LoadBalancer, Rule, Target, TargetGroupArn, TargetHealth, TargetSeen},
    route53::{self, Failover, HostedZone, RecordData, RecordSet, Routing},
};
use std::{collections::BTreeSet, sync::Arc};

/// An alias can have an alias as its target. As many links as the DNS plane follows.
const LINKS: usize = escale_base::limits::dns::ALIAS_LINKS;

/// The sets of the group that are answered: the healthy ones, or all if none is healthy. With failover it is one.
pub(crate) fn of<'a>(image: &Image, group: &'a [Arc<RecordSet>]) -> Vec<&'a RecordSet> {
    let all = || group.iter().map(|set| &**set);
    let healthy: Vec<&RecordSet> = all().filter(|set| is_healthy(image, set, 0)).collect();
    match group.first().map(|set| &set.routing) {
        None => Vec::new(),
        // A single set is always answered.
        Some(Routing::Simple) => all().collect(),
        Some(Routing::Weighted { .. } | Routing::Multivalue { .. }) if healthy.is_empty() => all().collect(),
        Some(Routing::Weighted { .. } | Routing::Multivalue { .. }) => healthy,
        // Without a healthy one, the primary.
        Some(Routing::Failover { .. }) => {
            let first = |sets: Vec<&'a RecordSet>| sets.into_iter().min_by_key(|set| !is_primary(set));
            first(healthy).or_else(|| first(all().collect())).into_iter().collect()
        }
    }
}

fn is_primary(set: &RecordSet) -> bool {
    matches!(set.routing, Routing::Failover { failover: Failover::Primary, .. })
}

/// Whether a set is healthy: by its health check and, for an alias that evaluates it, by its target. A set without either is.
fn is_healthy(image: &Image, set: &RecordSet, links: usize) -> bool {
    let by_check = set.health_check.as_ref().is_none_or(|id| route53::is_healthy(image, id));
    by_check
        && match &set.data {
            RecordData::Alias { target, zone, evaluate_target_health: true } if links < LINKS => {
                match image.get::<HostedZone>(zone) {
                    Some(zone) => any_set_is_healthy(image, &zone, target, set, links + 1),
                    None => balancer_of(image, target).is_none_or(|balancer| has_targets(image, &balancer)),
                }
            }
            _ => true,
        }
}

/// Whether the name has a healthy set of the same type.
fn any_set_is_healthy(
    image: &Image,
    zone: &HostedZone,
    target: &str,
    alias: &RecordSet,
    links: usize,
) -> bool {
    let key = format!("{}/{}/{}/", zone.id, RecordSet::reversed(target), alias.kind);
    let mut sets = image.prefix::<RecordSet>(&key).peekable();
    // A wildcard answers a name without sets. It has no health of its own here.
    sets.peek().is_none() || sets.any(|set| is_healthy(image, &set, links))
}

fn balancer_of(image: &Image, target: &str) -> Option<Arc<LoadBalancer>> {
    let name = names::for_plane(target);
    let name = name.trim_end_matches('.');
    image.scan::<LoadBalancer>().find(|balancer| balancer.dns_name.as_str().eq_ignore_ascii_case(name))
}

/// Whether every target group of the load balancer has a healthy target. A group without targets is unhealthy.
///
/// Source: `EvaluateTargetHealth` in <https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>
fn has_targets(image: &Image, balancer: &LoadBalancer) -> bool {
    let listeners = image.scan::<Listener>().filter(|l| l.load_balancer == balancer.arn);
    let mut groups: BTreeSet<TargetGroupArn> = BTreeSet::new();
    for listener in listeners {
        let rules = image.scan::<Rule>().filter(|rule| rule.listener == listener.arn);
        let of_rules = rules.flat_map(|rule| rule.action.groups().to_vec());
        let all = of_rules.chain(listener.default.groups().iter().cloned());
        groups.extend(all.map(|(arn, _)| arn));
    }
    let is_healthy = |target: &Arc<Target>| {
        let key = Target::key_of(&target.group, target.ip, target.port);
        let seen = image.get::<TargetSeen>(&key);
        target.draining.is_none() && seen.is_some_and(|seen| seen.health == TargetHealth::Healthy)
    };
    let any = |arn: &TargetGroupArn| image.prefix::<Target>(&format!("{arn}/")).any(|t| is_healthy(&t));
    groups.iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_store::Store;
    use escale_tables::route53::{HealthCheckSeen, RecordType};

    fn set(id: &str, routing: impl Fn(String) -> Routing, check: &str) -> Arc<RecordSet> {
        Arc::new(RecordSet {
            zone: "Z1".into(),
            name: "www.example.com.".into(),
            kind: RecordType::A,
            data: RecordData::Values { ttl_secs: 1, values: vec!["192.0.2.1".into()] },
            routing: routing(id.to_owned()),
            health_check: (!check.is_empty()).then(|| check.into()),
        })
    }

    fn weighted(weight: u8) -> impl Fn(String) -> Routing {
        move |set_identifier| Routing::Weighted { set_identifier, weight }
    }

    fn multivalue(set_identifier: String) -> Routing {
        Routing::Multivalue { set_identifier }
    }

    fn failover(failover: Failover) -> impl Fn(String) -> Routing {
        move |set_identifier| Routing::Failover { set_identifier, failover }
    }

    /// The sets that are answered while these checks are unhealthy.
    fn answered(group: &[Arc<RecordSet>], unhealthy: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        store
            .write(|tx| {
                for id in ["a", "b"] {
                    tx.put(crate::health::tests::check(id));
                    let healthy = !unhealthy.contains(&id);
                    tx.put(HealthCheckSeen { healthy, ..HealthCheckSeen::new(id.into()) });
                }
                Ok::<_, escale_store::StoreError>(())
            })
            .unwrap();
        let image = store.read();
        of(&image, group).iter().map(|set| set.routing.set_identifier().unwrap_or("-")).collect()
    }

    #[test]
    fn unhealthy_sets_are_left_out_unless_all_are_unhealthy() {
        let (primary, secondary) = (failover(Failover::Primary), failover(Failover::Secondary));
        let many = [set("1", multivalue, "a"), set("2", multivalue, "b"), set("3", multivalue, "")];
        let two = [set("1", multivalue, "a"), set("2", multivalue, "b")];
        let weights = [set("1", weighted(9), "a"), set("2", weighted(1), "b")];
        let reserve = [set("1", weighted(9), "a"), set("2", weighted(0), "b")];
        let checked = [set("1", &primary, "a"), set("2", &secondary, "b")];
        let unchecked = [set("1", &primary, "a"), set("2", &secondary, "")];
        let simple = [set("", |_| Routing::Simple, "a")];
        for (group, unhealthy, expected) in [
            (&many[..], &[][..], "123"),
            (&many, &["a"], "23"),
            (&many, &["a", "b"], "3"),
            (&two, &["a", "b"], "12"),
            (&weights, &["a"], "2"),
            (&weights, &["a", "b"], "12"),
            (&reserve, &["a"], "2"),
            (&checked, &[], "1"),
            (&checked, &["b"], "1"),
            (&checked, &["a"], "2"),
            (&checked, &["a", "b"], "1"),
            (&unchecked, &["a"], "2"),
            (&simple, &["a"], "-"),
        ] {
            assert_eq!(answered(group, unhealthy), expected, "{unhealthy:?} {group:#?}");
        }
    }
}
