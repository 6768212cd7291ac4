//! What differs between application and network load balancers: protocols, names, actions and the nodes that DNS returns.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html>

use crate::{Error, attributes, choices::Protocol, error::invalid, rules};
use escale_base::AwsError;
use escale_store::Image;
use escale_tables::ec2::InterfaceId;
use escale_tables::elbv2::{
    Action, BalancerKind, HealthCheck, LoadBalancer, Node, NodeFault, Target, TargetGroup, TargetGroupArn,
    TargetHealth, TargetProtocol, TargetSeen, TargetVersion,
};
use std::collections::BTreeSet;

/// The part of ARNs that names the kind.
pub(crate) fn arn_part(kind: BalancerKind) -> &'static str {
    match kind {
        BalancerKind::Application => "app",
        BalancerKind::Network => "net",
    }
}

/// The kind of a listener's load balancer, from the listener's ARN.
pub(crate) fn kind_of_listener(arn: &str) -> BalancerKind {
    if arn.contains(":listener/net/") { BalancerKind::Network } else { BalancerKind::Application }
}

/// Checks the protocol of a listener; whether it is TLS.
pub(crate) fn has_tls(kind: BalancerKind, protocol: Protocol) -> Result<bool, Error> {
    match (kind, protocol) {
        (BalancerKind::Application, Protocol::Http) | (BalancerKind::Network, Protocol::Tcp) => Ok(false),
        (BalancerKind::Application, Protocol::Https) => Ok(true),
        (BalancerKind::Network, Protocol::Http | Protocol::Https) | (BalancerKind::Application, _) => {
            Err(Error::UnsupportedProtocol(format!(
                "Protocol '{protocol}' is not supported by {kind} load balancers"
            )))
        }
        (BalancerKind::Network, other) => {
            Err(AwsError::not_supported(format_args!("A listener of the protocol {other}"))
                .hint("Use TCP.")
                .into())
        }
    }
}

/// A listener of a network load balancer forwards to one group, and has no other action.
pub(crate) fn check_action(kind: BalancerKind, action: &Action) -> Result<(), Error> {
    match (kind, action) {
        (BalancerKind::Application, _) => Ok(()),
        (BalancerKind::Network, Action::Forward(groups)) if groups.len() == 1 => Ok(()),
        (BalancerKind::Network, Action::Forward(_) | Action::StickyForward { .. }) => {
            Err(AwsError::not_supported("A listener of a network load balancer with several target groups")
                .hint("Use one target group.")
                .into())
        }
        (BalancerKind::Network, Action::Redirect(_) | Action::Fixed(_)) => {
            Err(invalid("A listener of a network load balancer has no other action than 'forward'"))
        }
    }
}

/// Whether listeners of this kind forward to target groups of the protocol.
pub(crate) fn forwards_to(kind: BalancerKind, protocol: TargetProtocol) -> bool {
    protocol.is_http() == (kind == BalancerKind::Application)
}

/// AWS's defaults for target groups of the protocol.
pub(crate) fn default_check(protocol: TargetProtocol, version: TargetVersion) -> HealthCheck {
    let http = HealthCheck {
        protocol,
        path: "/".into(),
        port: None,
        interval_secs: 30,
        timeout_secs: 5,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: "200".into(),
    };
    match protocol {
        TargetProtocol::Http | TargetProtocol::Https if version == TargetVersion::Grpc => {
            HealthCheck { path: "/AWS.ALB/healthcheck".into(), matcher: "12".into(), ..http }
        }
        TargetProtocol::Http | TargetProtocol::Https => http,
        TargetProtocol::Tcp => HealthCheck { timeout_secs: 10, matcher: "200-399".into(), ..http },
    }
}

/// Whether a node sends to targets in other zones. The other value of the group's attribute is
/// `use_load_balancer_configuration`.
pub(crate) fn is_cross_zone(balancer: &LoadBalancer, group: &TargetGroup) -> bool {
    const KEY: &str = "load_balancing.cross_zone.enabled";
    match attributes::get(attributes::of_group(group.protocol), &group.attributes, KEY) {
        "true" => true,
        "false" => false,
        _ => attributes::get(attributes::of_balancer(balancer.kind), &balancer.attributes, KEY) == "true",
    }
}

/// The nodes that DNS returns. One is left out if its listeners are closed, or if a target group has no healthy target that the node
/// may send to or that it can reach. If no node is complete, all are returned: an attempt is better than no address.
///
/// Source: `target_group_health.dns_failover` in
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html>
pub(crate) fn is_answered(image: &Image, balancer: &LoadBalancer) -> impl Fn(&Node) -> bool + use<> {
    let used = rules::groups_of(image, balancer);
    let healthy: Vec<Zones> = used.iter().filter_map(|arn| zones(image, balancer, arn)).collect();
    // A group without any healthy target says nothing about the nodes.
    let is_known = |zones: &&Zones| !matches!(zones, Zones::Some(some) if some.is_empty());
    let has_targets = |zone: &str| {
        healthy.iter().filter(is_known).all(|zones| match zones {
            Zones::All => true,
            Zones::Some(zones) => zones.contains(zone),
        })
    };
    let fault_of = |node: &Node| image.get::<NodeFault>(node.interface.as_str());
    let lacks =
        |node: &Node, group| fault_of(node).is_some_and(|fault| fault.without_targets.contains(group));
    let is_broken = |node: &Node| {
        let is_alone = |group| lacks(node, group) && !balancer.nodes.iter().all(|other| lacks(other, group));
        fault_of(node).is_some_and(|fault| fault.is_closed) || used.iter().any(is_alone)
    };
    let complete: BTreeSet<InterfaceId> = balancer
        .nodes
        .iter()
        .filter(|node| has_targets(&node.zone) && !is_broken(node))
        .map(|node| node.interface.clone())
        .collect();
    move |node| complete.is_empty() || complete.contains(&node.interface)
}

enum Zones {
    All,
    Some(BTreeSet<String>),
}

/// Where the group has healthy targets; `None` if it is gone.
fn zones(image: &Image, balancer: &LoadBalancer, arn: &TargetGroupArn) -> Option<Zones> {
    let group = image.get::<TargetGroup>(arn)?;
    let prefix = format!("{arn}/");
    let is_healthy = |target: &Target| {
        let key = Target::key_of(&target.group, target.ip, target.port);
        image.get::<TargetSeen>(&key).is_some_and(|seen| seen.health == TargetHealth::Healthy)
    };
    let healthy = image.prefix::<Target>(&prefix).filter(|target| is_healthy(target));
    let zones: Vec<Option<String>> = healthy.map(|t| t.zone.as_ref().map(ToString::to_string)).collect();
    // A target outside of the VPC is in no zone, so every node sends to it.
    let is_everywhere = is_cross_zone(balancer, &group) && !zones.is_empty() || zones.contains(&None);
    Some(if is_everywhere { Zones::All } else { Zones::Some(zones.into_iter().flatten().collect()) })
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use escale_base::Timestamp;
    use escale_proxy::spec::{Action, Probe};
    use escale_tables::elbv2::{LoadBalancer, NodeFault, Target, TargetHealth, TargetSeen};
    use serde_json::{Value, json};

    struct Net {
        cloud: FakeCloud,
        arn: String,
        group: String,
    }

    impl Net {
        fn new() -> Net {
            let cloud = FakeCloud::new();
            let subnets = json!([cloud.subnet("a"), cloud.subnet("b")]);
            let input = json!({"Name": "net", "Type": "network", "Scheme": "internal", "Subnets": subnets});
            let arn = cloud.text("CreateLoadBalancer", input, "/LoadBalancers/0/LoadBalancerArn");
            let input =
                json!({"Name": "g", "Protocol": "TCP", "Port": 9, "VpcId": cloud.vpc, "TargetType": "ip"});
            let group = cloud.text("CreateTargetGroup", input, "/TargetGroups/0/TargetGroupArn");
            let forward = json!([{"Type": "forward", "TargetGroupArn": group}]);
            cloud.ok(
                "CreateListener",
                json!({"LoadBalancerArn": arn, "Protocol": "TCP", "Port": 90, "DefaultActions": forward}),
            );
            Net { cloud, arn, group }
        }

        fn balancer(&self) -> LoadBalancer {
            (*self.cloud.store.read().get::<LoadBalancer>(&self.arn).unwrap()).clone()
        }

        /// A target in the zone of a node.
        fn target(&self, node: usize, health: TargetHealth) {
            let node = &self.balancer().nodes[node];
            let (group, ip, port) = (self.group.as_str(), node.private_ip, 9);
            self.cloud.write(|tx| {
                let zone = Some(node.zone.clone());
                tx.put(Target { group: group.into(), ip, port, zone, draining: None });
                tx.put(TargetSeen { group: group.into(), ip, port, health, at: Timestamp(0) });
            });
        }

        fn answered(&self) -> Vec<bool> {
            let balancer = self.balancer();
            let is_answered = super::is_answered(&self.cloud.store.read(), &balancer);
            balancer.nodes.iter().map(is_answered).collect()
        }

        fn set(&self, operation: &str, member: &str, key: &str, value: &str) {
            let arn = if member == "LoadBalancerArn" { &self.arn } else { &self.group };
            self.cloud.ok(operation, json!({member: arn, "Attributes": [{"Key": key, "Value": value}]}));
        }
    }

    #[test]
    fn dns_returns_the_zones_with_healthy_targets() {
        let net = Net::new();
        assert_eq!(net.answered(), [true, true], "no target at all");
        net.target(0, TargetHealth::Healthy);
        assert_eq!(net.answered(), [true, false]);
        net.target(1, TargetHealth::Refused);
        assert_eq!(net.answered(), [true, false]);
        net.target(0, TargetHealth::TimedOut);
        assert_eq!(net.answered(), [true, true], "none is healthy");
        net.target(1, TargetHealth::Healthy);
        assert_eq!(net.answered(), [false, true]);
        const KEY: &str = "load_balancing.cross_zone.enabled";
        net.set("ModifyLoadBalancerAttributes", "LoadBalancerArn", KEY, "true");
        assert_eq!(net.answered(), [true, true], "nodes send to both zones");
        net.set("ModifyTargetGroupAttributes", "TargetGroupArn", KEY, "false");
        assert_eq!(net.answered(), [false, true]);
    }

    #[test]
    fn dns_leaves_out_a_node_that_cannot_serve() {
        let net = Net::new();
        let fault = |node: usize, groups: &[&str], is_closed| {
            let interface = net.balancer().nodes[node].interface.clone();
            let without_targets = groups.iter().map(|group| (*group).into()).collect();
            let load_balancer = net.arn.as_str().into();
            net.cloud.write(|tx| tx.put(NodeFault { interface, load_balancer, without_targets, is_closed }));
        };
        fault(0, &[&net.group], false);
        assert_eq!(net.answered(), [false, true]);
        fault(1, &[&net.group], false);
        assert_eq!(net.answered(), [true, true], "none reaches a target");
        fault(1, &["a group that no listener uses"], true);
        assert_eq!(net.answered(), [true, true], "the other one is closed");
        fault(0, &[], false);
        assert_eq!(net.answered(), [true, false]);
    }

    #[test]
    fn plane_relays_tcp_with_the_attributes() {
        let net = Net::new();
        let spec = || crate::reconcile::spec_of(&net.cloud.store.read(), &net.balancer());
        let relay = |spec: &escale_proxy::BalancerSpec| match &spec.listeners[0].default {
            Action::Relay(relay) => (relay.end_after_drain, relay.end_when_unhealthy),
            other => panic!("{other:?}"),
        };
        let first = spec();
        assert_eq!(relay(&first), (false, true));
        assert_eq!((first.attributes.idle_timeout_ms, first.groups[0].cross_zone), (350_000, false));
        assert_eq!(first.groups[0].health.protocol, Probe::Tcp);
        let set = |key, value| net.set("ModifyTargetGroupAttributes", "TargetGroupArn", key, value);
        set("deregistration_delay.connection_termination.enabled", "true");
        set("target_health_state.unhealthy.connection_termination.enabled", "false");
        let check =
            json!({"TargetGroupArn": net.group, "HealthCheckProtocol": "HTTP", "HealthCheckPath": "/up"});
        let shown = net.cloud.ok("ModifyTargetGroup", check)["TargetGroups"][0].clone();
        assert_eq!(
            (&shown["HealthCheckPath"], &shown["Matcher"]["HttpCode"]),
            (&json!("/up"), &json!("200-399"))
        );
        let second = spec();
        assert_eq!(relay(&second), (true, false));
        assert!(matches!(&second.groups[0].health.protocol, Probe::Http { path, .. } if path == "/up"));
    }

    #[test]
    fn has_no_security_groups_unless_created_with_some() {
        let net = Net::new();
        let shown = net.cloud.ok("DescribeLoadBalancers", json!({}))["LoadBalancers"][0].clone();
        assert_eq!((&shown["Type"], &shown["SecurityGroups"]), (&json!("network"), &Value::Null));
        assert!(net.arn.contains(":loadbalancer/net/net/"));
        let name = shown["DNSName"].as_str().unwrap();
        assert!(name.starts_with("net-") && name.ends_with(".elb.escale.internal"), "{name}");
        for (change, code) in [
            (json!({"HealthCheckPath": "/x"}), "ValidationError"),
            (json!({"HealthCheckProtocol": "UDP"}), "ValidationError"),
        ] {
            let mut input = json!({"TargetGroupArn": net.group});
            input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(net.cloud.error("ModifyTargetGroup", input).code, code, "{change}");
        }
        let https = json!({"TargetGroupArn": net.group, "HealthCheckProtocol": "HTTPS"});
        let group = net.cloud.ok("ModifyTargetGroup", https)["TargetGroups"][0].clone();
        assert_eq!(group["HealthCheckProtocol"], "HTTPS");
    }
}
