//! Requests, answers and connections of load balancers, and the health of their targets.
//!
//! Sources: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html>

use super::{
    batch::{Batch, Name},
    counters::Counters,
};
use crate::choices::StandardUnit;
use escale_metrics::{Distribution, Summary};
use escale_proxy::{Histogram, ListenerCount, NodeCounts, Proxies, TargetCount};
use escale_store::{Image, Store};
use escale_tables::elbv2::{BalancerKind, LoadBalancer, Target, TargetHealth, TargetSeen};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn read(store: &Store, proxies: &dyn Proxies, counters: &mut Counters, batch: &mut Batch) {
    let balancers: Vec<_> = store.read().scan::<LoadBalancer>().collect();
    for balancer in balancers {
        // One that is not served yet has no counters, and one whose plane does not answer has no values.
        let Ok(Some(nodes)) = proxies.counts(&balancer.arn).await else { continue };
        let hosts = hosts(&store.read(), &nodes);
        Reading { balancer: &balancer, counters, batch }.report(&nodes, &hosts);
    }
}

/// The last part of an ARN, which is the dimension: `app/shop/50dc6c495c0c9188`, `targetgroup/web/943f017f100becff`.
fn dimension(arn: &str) -> &str {
    let resource = arn.rsplit(':').next().unwrap_or(arn);
    resource.strip_prefix("loadbalancer/").unwrap_or(resource)
}

/// Healthy and unhealthy targets.
#[derive(Clone, Copy, Default)]
struct Hosts {
    healthy: u32,
    unhealthy: u32,
}

/// By target group and zone. Targets outside of the VPC have no zone, and are counted under an empty one.
type AllHosts = BTreeMap<(String, String), Hosts>;

fn hosts(image: &Image, nodes: &[NodeCounts]) -> AllHosts {
    let groups: BTreeSet<&str> = nodes.iter().flat_map(|n| &n.targets).map(|t| t.group.as_str()).collect();
    let mut all = AllHosts::new();
    for seen in image.scan::<TargetSeen>().filter(|seen| groups.contains(seen.group.as_str())) {
        let target = image.get::<Target>(&Target::key_of(&seen.group, seen.ip, seen.port));
        let zone = target.and_then(|t| t.zone.as_ref().map(ToString::to_string)).unwrap_or_default();
        let hosts = all.entry((seen.group.to_string(), zone)).or_default();
        match seen.health {
            TargetHealth::Healthy => hosts.healthy += 1,
            TargetHealth::Unused
            | TargetHealth::Initial
            | TargetHealth::InitialFailing(_)
            | TargetHealth::Draining => {}
            _ => hosts.unhealthy += 1,
        }
    }
    all
}

struct Reading<'a> {
    balancer: &'a LoadBalancer,
    counters: &'a mut Counters,
    batch: &'a mut Batch,
}

impl Reading<'_> {
    fn report(&mut self, nodes: &[NodeCounts], hosts: &AllHosts) {
        for node in nodes {
            for listener in &node.listeners {
                self.listener(node, listener);
            }
            for target in &node.targets {
                self.target(node, target);
            }
        }
        self.hosts(hosts);
        if self.balancer.kind == BalancerKind::Application {
            self.requests_per_target(nodes, hosts);
        }
    }

    fn name<'n>(&self, name: &'n str, unit: StandardUnit) -> Name<'n> {
        let space = match self.balancer.kind {
            BalancerKind::Application => "AWS/ApplicationELB",
            BalancerKind::Network => "AWS/NetworkELB",
        };
        Name { space, name, unit }
    }

    fn since(&mut self, key: String, value: u64) -> f64 {
        let key = format!("{}/{key}", self.balancer.arn);
        self.counters.since(key, value, self.balancer.created, self.batch.pass.now) as f64
    }

    /// A sum over the minute. AWS reports no zeros.
    fn sum(&mut self, name: &str, unit: StandardUnit, value: f64, zone: &str, group: Option<&str>) {
        if value > 0.0 {
            self.report_for(name, unit, &Summary::of(value), zone, group);
        }
    }

    fn report_for(
        &mut self,
        name: &str,
        unit: StandardUnit,
        summary: &Summary,
        zone: &str,
        group: Option<&str>,
    ) {
        let (lb, az) = (("LoadBalancer", dimension(&self.balancer.arn)), ("AvailabilityZone", zone));
        let (of_lb, of_zone): (&[_], &[_]) = (&[lb], &[lb, az]);
        let name = self.name(name, unit);
        self.batch.minute(name, &[of_lb, of_zone], summary);
        if let Some(group) = group {
            let tg = ("TargetGroup", dimension(group));
            let (of_group, of_both): (&[_], &[_]) = (&[lb, tg], &[lb, tg, az]);
            self.batch.minute(name, &[of_group, of_both], summary);
        }
    }

    fn listener(&mut self, node: &NodeCounts, listener: &ListenerCount) {
        let key = |what: &str| format!("{}/{}/{what}", node.node, listener.port);
        let zone = node.zone.as_str();
        let new = self.since(key("new"), listener.new_connections);
        let bytes =
            self.since(key("in"), listener.received_bytes) + self.since(key("out"), listener.sent_bytes);
        let (count, active) = (StandardUnit::Count, listener.active_connections as f64);
        let (of_active, of_new) = match self.balancer.kind {
            BalancerKind::Application => ("ActiveConnectionCount", "NewConnectionCount"),
            BalancerKind::Network => ("ActiveFlowCount", "NewFlowCount"),
        };
        self.sum(of_active, count, active, zone, None);
        self.sum(of_new, count, new, zone, None);
        self.sum("ProcessedBytes", StandardUnit::Bytes, bytes, zone, None);
        if self.balancer.kind == BalancerKind::Network {
            return;
        }
        for (name, what, value) in [
            ("HTTPCode_ELB_3XX_Count", "own3", listener.own.s3xx),
            ("HTTPCode_ELB_4XX_Count", "own4", listener.own.s4xx),
            ("HTTPCode_ELB_5XX_Count", "own5", listener.own.s5xx),
            ("HTTP_Redirect_Count", "redirects", listener.redirects),
            ("HTTP_Fixed_Response_Count", "fixed", listener.fixed),
        ] {
            let value = self.since(key(what), value);
            self.sum(name, count, value, zone, None);
        }
    }

    fn target(&mut self, node: &NodeCounts, target: &TargetCount) {
        if self.balancer.kind == BalancerKind::Network {
            return;
        }
        let key = |what: &str| format!("{}/{}/{}/{what}", node.node, target.group, target.addr);
        let (zone, group, count) = (node.zone.as_str(), Some(target.group.as_str()), StandardUnit::Count);
        for (name, what, value) in [
            ("RequestCount", "requests", target.requests),
            ("HTTPCode_Target_2XX_Count", "s2", target.outcomes.s2xx),
            ("HTTPCode_Target_3XX_Count", "s3", target.outcomes.s3xx),
            ("HTTPCode_Target_4XX_Count", "s4", target.outcomes.s4xx),
            ("HTTPCode_Target_5XX_Count", "s5", target.outcomes.s5xx),
            ("TargetConnectionErrorCount", "errors", target.connection_errors),
        ] {
            let value = self.since(key(what), value);
            self.sum(name, count, value, zone, group);
        }
        let sum_us = self.since(key("sum_us"), target.latency.sum_us);
        let buckets = target.latency.buckets.iter().enumerate();
        let new: Vec<(usize, f64)> = buckets
            .map(|(i, n)| (i, self.since(key(&format!("b{i}")), *n)))
            .filter(|(_, n)| *n > 0.0)
            .collect();
        if let Some(summary) = latency(&new, sum_us / 1e6) {
            self.report_for("TargetResponseTime", StandardUnit::Seconds, &summary, zone, group);
        }
    }

    fn hosts(&mut self, hosts: &AllHosts) {
        let mut groups: BTreeMap<&str, Hosts> = BTreeMap::new();
        let lb = ("LoadBalancer", dimension(&self.balancer.arn));
        for ((group, zone), hosts) in hosts {
            let total = groups.entry(group).or_default();
            total.healthy += hosts.healthy;
            total.unhealthy += hosts.unhealthy;
            if !zone.is_empty() {
                let labels = [("TargetGroup", dimension(group)), lb, ("AvailabilityZone", zone)];
                self.host_counts(&labels, *hosts);
            }
        }
        for (group, hosts) in groups {
            self.host_counts(&[("TargetGroup", dimension(group)), lb], hosts);
        }
    }

    fn host_counts(&mut self, labels: &[(&str, &str)], hosts: Hosts) {
        for (name, value) in [("HealthyHostCount", hosts.healthy), ("UnHealthyHostCount", hosts.unhealthy)] {
            let name = self.name(name, StandardUnit::Count);
            self.batch.minute(name, &[labels], &Summary::of(f64::from(value)));
        }
    }

    /// Requests of a group divided by its healthy targets. Without a healthy target, AWS has no value.
    fn requests_per_target(&mut self, nodes: &[NodeCounts], hosts: &AllHosts) {
        let mut requests: BTreeMap<&str, f64> = BTreeMap::new();
        for (node, target) in nodes.iter().flat_map(|n| n.targets.iter().map(move |t| (n, t))) {
            let key = format!("per/{}/{}/{}", node.node, target.group, target.addr);
            *requests.entry(&target.group).or_default() += self.since(key, target.requests);
        }
        for (group, requests) in requests {
            let healthy: u32 = hosts.iter().filter(|((g, _), _)| g == group).map(|(_, h)| h.healthy).sum();
            if healthy == 0 {
                continue;
            }
            let (tg, lb) =
                (("TargetGroup", dimension(group)), ("LoadBalancer", dimension(&self.balancer.arn)));
            let (of_group, of_both): (&[_], &[_]) = (&[tg], &[tg, lb]);
            let name = self.name("RequestCountPerTarget", StandardUnit::None);
            self.batch.minute(name, &[of_group, of_both], &Summary::of(requests / f64::from(healthy)));
        }
    }
}

/// The response times of the new requests, in seconds. A bucket's values count as its middle.
fn latency(buckets: &[(usize, f64)], sum: f64) -> Option<Summary> {
    let (first, last) = (buckets.first()?, buckets.last()?);
    let seconds = |us: u64| us as f64 / 1e6;
    let middle = |i: usize| (seconds(Histogram::lower_us(i)) + seconds(Histogram::lower_us(i + 1))) / 2.0;
    let distribution = Distribution::from_counts(buckets.iter().map(|(i, n)| (middle(*i), *n)));
    Some(Summary {
        count: distribution.count(),
        sum,
        min: seconds(Histogram::lower_us(first.0)),
        max: seconds(Histogram::lower_us(last.0 + 1)),
        distribution: Some(distribution),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Pass, *};
    use escale_base::Timestamp;

    #[test]
    fn dimensions_are_the_ends_of_arns() {
        let arn =
            "arn:aws:elasticloadbalancing:eu-west-3:000000000000:loadbalancer/app/shop/50dc6c495c0c9188";
        assert_eq!(dimension(arn), "app/shop/50dc6c495c0c9188");
        let arn = "arn:aws:elasticloadbalancing:eu-west-3:000000000000:targetgroup/web/943f017f100becff";
        assert_eq!(dimension(arn), "targetgroup/web/943f017f100becff");
    }

    #[test]
    fn response_times_have_percentiles() {
        let bucket = |us| (0..).find(|i| Histogram::lower_us(i + 1) > us).unwrap();
        let summary = latency(&[(bucket(10_000), 99.0), (bucket(2_000_000), 1.0)], 2.99).unwrap();
        let p50 = summary.distribution.as_ref().unwrap().quantile(0.5).unwrap();
        assert!((p50 / 0.01 - 1.0).abs() < 0.15, "{p50}");
        assert!(summary.max >= 2.0 && summary.count == 100.0);
        assert!(latency(&[], 0.0).is_none());
    }

    #[test]
    fn reports_counts_of_the_last_minute() {
        let balancer = LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:r:0:loadbalancer/app/shop/1".into(),
            kind: BalancerKind::Application,
            name: "shop".into(),
            dns_name: "shop".into(),
            scheme: escale_tables::elbv2::Scheme::Internal,
            vpc: "vpc-1".into(),
            groups: vec![],
            nodes: vec![],
            attributes: BTreeMap::new(),
            cookie_key: None,
            tags: vec![],
            created: Timestamp(500),
        };
        let target = |requests| TargetCount {
            group: "arn:aws:elasticloadbalancing:r:0:targetgroup/web/2".into(),
            addr: "10.0.0.1:80".parse().unwrap(),
            requests,
            outcomes: escale_proxy::Outcomes { s2xx: requests, ..Default::default() },
            connection_errors: 0,
            outstanding: 0,
            latency: Histogram::default(),
        };
        let node = |requests| NodeCounts {
            node: "n".into(),
            zone: "a".into(),
            listeners: vec![],
            targets: vec![target(requests)],
        };
        let mut hosts = AllHosts::new();
        hosts.insert((target(0).group, "a".into()), Hosts { healthy: 2, unhealthy: 1 });
        let mut counters = Counters::new(Timestamp(100));
        let mut values = |requests| {
            let mut batch = Batch::new(Pass::new(Timestamp(120_000), 1), false);
            let mut reading = Reading { balancer: &balancer, counters: &mut counters, batch: &mut batch };
            reading.report(&[node(requests)], &hosts);
            batch.values()
        };
        values(100);
        let second = values(130);
        let of = |name: &str| second.iter().filter(|(n, _)| n.starts_with(name)).cloned().collect::<Vec<_>>();
        let (lb, tg) = ("LoadBalancer=app/shop/1", "TargetGroup=targetgroup/web/2");
        assert_eq!(
            of("RequestCount "),
            [
                (format!("RequestCount {lb}"), 30.0),
                (format!("RequestCount AvailabilityZone=a,{lb}"), 30.0),
                (format!("RequestCount {lb},{tg}"), 30.0),
                (format!("RequestCount AvailabilityZone=a,{lb},{tg}"), 30.0),
            ]
        );
        assert_eq!(of("RequestCountPerTarget")[0], (format!("RequestCountPerTarget {tg}"), 15.0));
        assert_eq!(of("HTTPCode_Target_2XX_Count")[0].1, 30.0);
        assert_eq!(of("HTTPCode_Target_5XX_Count"), [], "AWS reports no zeros");
        assert_eq!(of("UnHealthyHostCount").len(), 2);
        // The process that counts was started again.
        assert!(values(7).contains(&(format!("RequestCount {lb}"), 7.0)));
    }
}
