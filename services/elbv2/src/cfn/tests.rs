//! Tests of the resource types.

use super::*;
use crate::{Elbv2, ops::create_listener::CreateListener};
use escale_base::Secret;
use escale_harness::{FakeEc2, Harness, PropertyTable, Resource};
use escale_tables::{
    acm::{Certificate, KeyAlgorithm, Material, Origin},
    ec2::{Group, GroupId, Interface, Subnet, Vpc, VpcId},
    elbv2::{ListenerTls, LoadBalancer, Target},
};
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc};

const BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
const LISTENER_CERTIFICATE: &str = "AWS::ElasticLoadBalancingV2::ListenerCertificate";
const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";
const RULE: &str = "AWS::ElasticLoadBalancingV2::ListenerRule";

/// A cloud with a VPC, the subnets `subnet-a` to `subnet-c`, and the security groups `sg-one` and `sg-two`.
fn cloud() -> (Harness, VpcId) {
    let harness = Harness::new(vec![Arc::new(Elbv2), Arc::new(FakeEc2)]);
    let vpc = FakeEc2::vpc(&harness);
    for letter in ["a", "b", "c"] {
        let id = FakeEc2::subnet(&harness, &vpc, letter);
        harness.write(|tx| {
            let subnet = tx.get::<Subnet>(id.as_str()).unwrap();
            tx.delete::<Subnet>(id.as_str());
            tx.put(Subnet { id: format!("subnet-{letter}").into(), ..(*subnet).clone() });
        });
    }
    for name in ["one", "two"] {
        let id = GroupId(format!("sg-{name}"));
        let (vpc, name, description) = (vpc.clone(), name.to_owned(), String::new());
        harness.write(|tx| tx.put(Group { id, vpc, name, description, tags: vec![] }));
    }
    (harness, vpc)
}

fn balancer() -> (Harness, Value) {
    (
        cloud().0,
        json!({"Name": "web", "Scheme": "internal", "Type": "application", "Subnets": ["subnet-a", "subnet-b"]}),
    )
}

fn mapped_balancer() -> (Harness, Value) {
    (cloud().0, json!({"Name": "web"}))
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn attributes(pairs: &[(&str, &str)]) -> Value {
    tags(pairs)
}

#[test]
fn balancer_updates_every_property() {
    PropertyTable::new(BALANCER, balancer)
        .row("Subnets", json!(["subnet-a", "subnet-b"]), json!(["subnet-b", "subnet-c"]))
        .row("SecurityGroups", json!(["sg-one"]), json!(["sg-two", "sg-one"]))
        .row("SecurityGroups", json!(["sg-one"]), json!(null))
        .row("Tags", tags(&[("a", "1"), ("b", "2")]), tags(&[("a", "3"), ("c", "4")]))
        .row(
            "LoadBalancerAttributes",
            attributes(&[("idle_timeout.timeout_seconds", "90"), ("deletion_protection.enabled", "true")]),
            attributes(&[("idle_timeout.timeout_seconds", "60")]),
        )
        .row(
            "LoadBalancerAttributes",
            attributes(&[("routing.http.drop_invalid_header_fields.enabled", "true")]),
            json!(null),
        )
        .exempt(&[
            ("IpAddressType", "only ipv4 is supported"),
            ("SubnetMappings", "tested below: a template has either Subnets or SubnetMappings"),
        ])
        .check();
    let mappings = |ids: [&str; 2]| ids.map(|id| json!({"SubnetId": id})).into_iter().collect::<Value>();
    PropertyTable::new(BALANCER, mapped_balancer)
        .row("SubnetMappings", mappings(["subnet-a", "subnet-b"]), mappings(["subnet-c", "subnet-b"]))
        .exempt(&[
            ("IpAddressType", "as above"),
            ("LoadBalancerAttributes", "as above"),
            ("SecurityGroups", "as above"),
            ("Subnets", "as above"),
            ("Tags", "as above"),
        ])
        .check();
}

#[test]
fn balancer_refuses_other_address_types() {
    let (harness, base) = balancer();
    let mut made = harness.create_resource(BALANCER, base.clone()).unwrap();
    let with = |kind: &str| {
        let mut other = base.clone();
        other["IpAddressType"] = kind.into();
        other
    };
    harness.update_resource(&mut made, with("ipv4")).unwrap();
    assert_eq!(harness.update_resource(&mut made, with("dualstack")).unwrap_err().code, "NotImplemented");
}

/// A node in a subnet that remains keeps its addresses, so that clients stay connected.
#[test]
fn balancer_keeps_nodes_and_gives_new_ones_the_new_groups() {
    let (harness, base) = balancer();
    let mut made = harness.create_resource(BALANCER, base.clone()).unwrap();
    let nodes = |made: &Resource| {
        harness.store.read().get::<LoadBalancer>(&made.created.physical_id).unwrap().nodes.clone()
    };
    let before = nodes(&made);
    let mut other = base;
    other["Subnets"] = json!(["subnet-b", "subnet-c"]);
    other["SecurityGroups"] = json!(["sg-two"]);
    harness.update_resource(&mut made, other).unwrap();
    let after = nodes(&made);
    assert_eq!(after[0], before[1]);
    assert_eq!(made.created.attributes["SecurityGroups"], json!(["sg-two"]));
    for node in after {
        let interface = harness.store.read().get::<Interface>(node.interface.as_str()).unwrap();
        assert_eq!(interface.groups, [GroupId("sg-two".into())], "{}", node.zone);
    }
}

fn group() -> (Harness, Value) {
    let (harness, vpc) = cloud();
    let base = json!({"Name": "web", "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "VpcId": vpc});
    (harness, base)
}

fn grpc_group() -> (Harness, Value) {
    let (harness, mut base) = group();
    base["ProtocolVersion"] = "GRPC".into();
    (harness, base)
}

#[test]
fn group_updates_every_property() {
    let target = |last: u8, port: u16| json!({"Id": Ipv4Addr::new(10, 0, 0, last), "Port": port});
    PropertyTable::new(GROUP, group)
        .row("HealthCheckIntervalSeconds", json!(10), json!(20))
        .row("HealthCheckIntervalSeconds", json!(10), json!(null))
        .row("HealthCheckPath", json!("/one"), json!("/two"))
        .row("HealthCheckPath", json!("/one"), json!(null))
        .row("HealthCheckPort", json!("81"), json!("traffic-port"))
        .row("HealthCheckPort", json!("81"), json!(null))
        .row("HealthCheckTimeoutSeconds", json!(3), json!(4))
        .row("HealthCheckTimeoutSeconds", json!(3), json!(null))
        .row("HealthyThresholdCount", json!(3), json!(4))
        .row("HealthyThresholdCount", json!(3), json!(null))
        .row("UnhealthyThresholdCount", json!(3), json!(4))
        .row("UnhealthyThresholdCount", json!(3), json!(null))
        .row("Matcher", json!({"HttpCode": "200-299"}), json!({"HttpCode": "204"}))
        .row("Matcher", json!({"HttpCode": "200-299"}), json!(null))
        .row("Tags", tags(&[("a", "1"), ("b", "2")]), tags(&[("a", "3"), ("c", "4")]))
        .row(
            "TargetGroupAttributes",
            attributes(&[("deregistration_delay.timeout_seconds", "5")]),
            attributes(&[("load_balancing.algorithm.type", "least_outstanding_requests")]),
        )
        .row("Targets", json!([target(9, 80), target(9, 81)]), json!([target(9, 80), target(10, 82)]))
        .row("Targets", json!([target(9, 80)]), json!(null))
        .row("HealthCheckProtocol", json!("HTTPS"), json!("HTTP"))
        .row(
            "TargetGroupAttributes",
            attributes(&[("stickiness.enabled", "true"), ("stickiness.lb_cookie.duration_seconds", "60")]),
            attributes(&[("stickiness.enabled", "false")]),
        )
        .exempt(&[("HealthCheckEnabled", "it must be true in groups of addresses")])
        .check();
    PropertyTable::new(GROUP, grpc_group)
        .row("Matcher", json!({"GrpcCode": "0-5"}), json!({"GrpcCode": "12"}))
        .row("Matcher", json!({"GrpcCode": "0"}), json!(null))
        .row("HealthCheckPath", json!("/one"), json!(null))
        .exempt(&[
            ("HealthCheckEnabled", "as above"),
            ("HealthCheckIntervalSeconds", "as above"),
            ("HealthCheckPort", "as above"),
            ("HealthCheckProtocol", "as above"),
            ("HealthCheckTimeoutSeconds", "as above"),
            ("HealthyThresholdCount", "as above"),
            ("Tags", "as above"),
            ("TargetGroupAttributes", "as above"),
            ("Targets", "as above"),
            ("UnhealthyThresholdCount", "as above"),
        ])
        .check();
}

/// Each of the two values alone would contradict the old value of the other.
#[test]
fn group_gets_all_health_check_settings_at_once() {
    let (harness, base) = group();
    let with = |interval: u32, timeout: u32| {
        let mut all = base.clone();
        all["HealthCheckIntervalSeconds"] = interval.into();
        all["HealthCheckTimeoutSeconds"] = timeout.into();
        all
    };
    let mut made = harness.create_resource(GROUP, with(10, 9)).unwrap();
    harness.update_resource(&mut made, with(100, 90)).unwrap();
    harness.update_resource(&mut made, with(6, 5)).unwrap();
}

#[test]
fn group_keeps_targets_of_others() {
    let (harness, base) = group();
    let with = |ids: &[&str]| {
        let mut all = base.clone();
        all["Targets"] = ids.iter().map(|id| json!({"Id": id})).collect();
        all
    };
    let mut made = harness.create_resource(GROUP, with(&["10.0.0.9"])).unwrap();
    let arn = &made.created.physical_id.clone();
    for target in [json!({"Id": "10.0.0.9", "Port": 99}), json!({"Id": "10.0.0.20"})] {
        harness.ok("RegisterTargets", json!({"TargetGroupArn": arn, "Targets": [target]}));
    }
    harness.update_resource(&mut made, with(&["10.0.0.10"])).unwrap();
    let mut left: Vec<String> =
        harness.store.read().scan::<Target>().map(|t| format!("{}:{}", t.ip, t.port)).collect();
    left.sort();
    assert_eq!(left, ["10.0.0.10:80", "10.0.0.20:80", "10.0.0.9:99"]);
}

/// A listener's properties in a cloud with a balancer and the target groups `one` and `two`.
fn listener() -> (Harness, Value) {
    let (harness, vpc) = cloud();
    let input = json!({"Name": "web", "Scheme": "internal", "Subnets": ["subnet-a", "subnet-b"]});
    let arn = harness.text("CreateLoadBalancer", input, "/LoadBalancers/0/LoadBalancerArn");
    target_group(&harness, &vpc, "one");
    (harness, json!({"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 80, "DefaultActions": fixed("404")}))
}

fn target_group(harness: &Harness, vpc: &VpcId, name: &str) -> String {
    let input = json!({"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip"});
    harness.text("CreateTargetGroup", input, "/TargetGroups/0/TargetGroupArn")
}

fn fixed(status: &str) -> Value {
    json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}])
}

#[test]
fn listener_updates_every_property() {
    let redirect = json!([{"Type": "redirect", "RedirectConfig": {"Path": "/x", "StatusCode": "HTTP_302"}}]);
    PropertyTable::new(LISTENER, listener)
        .row("DefaultActions", fixed("404"), fixed("503"))
        .row("DefaultActions", fixed("404"), redirect)
        .row("Port", json!(80), json!(81))
        .exempt(&[
            ("Protocol", "tested below, with the certificate that it needs"),
            ("Certificates", "tested below"),
            ("SslPolicy", "tested below"),
        ])
        .check();
}

/// All in one request: no client meets a listener with the new port and the old action.
#[test]
fn listener_forwards_to_another_group_in_one_step() {
    let (harness, base) = listener();
    let vpc = harness.store.read().scan::<Vpc>().next().unwrap().id.clone();
    let (one, two) = (target_group(&harness, &vpc, "one"), target_group(&harness, &vpc, "two"));
    let with = |arn: &str, port: u16| {
        let mut all = base.clone();
        all["DefaultActions"] = json!([{"Type": "forward", "TargetGroupArn": arn}]);
        all["Port"] = port.into();
        all
    };
    let mut made = harness.create_resource(LISTENER, with(&one, 80)).unwrap();
    harness.update_resource(&mut made, with(&two, 81)).unwrap();
    let seen = harness.read_resource(&made);
    assert_eq!((&seen["DefaultActions"][0]["TargetGroupArn"], &seen["Port"]), (&json!(two), &json!(81)));
    let without_port = json!({"LoadBalancerArn": base["LoadBalancerArn"], "DefaultActions": fixed("404")});
    let error = harness.update_resource(&mut made, without_port).unwrap_err();
    assert_eq!(error.message, "Port must be specified");
    harness.delete_resource(&made).unwrap();
    assert_eq!(harness.read_resource(&made), Value::Null);
}

/// Imports a certificate into the region; its ARN.
fn certificate(harness: &Harness, name: &str) -> String {
    let arn = format!("arn:aws:acm:{}:000000000000:certificate/{name}", harness.cloud.config.region);
    let now = harness.clock.now();
    let material = Material {
        certificate_pem: format!("certificate of {name}"),
        chain_pem: String::new(),
        key_pem: Secret::new("key".to_owned()),
        not_before: now,
        not_after: now.plus_ms(1_000_000),
    };
    let row = Certificate {
        arn: arn.as_str().into(),
        domain: name.to_owned(),
        names: vec![name.to_owned()],
        key: KeyAlgorithm::P256,
        origin: Origin::Imported { material, at: now },
        tags: Vec::new(),
        created: now,
    };
    harness.write(|tx| tx.put(row));
    arn
}

#[test]
fn listener_updates_its_tls() {
    let (harness, base) = listener();
    let (one, two) = (certificate(&harness, "one.test"), certificate(&harness, "two.test"));
    let with = |protocol: &str, arn: Option<&str>, policy: Option<&str>| {
        let mut all = base.clone();
        all["Protocol"] = protocol.into();
        if let Some(arn) = arn {
            all["Certificates"] = json!([{"CertificateArn": arn}]);
        }
        if let Some(policy) = policy {
            all["SslPolicy"] = policy.into();
        }
        all
    };
    let newest = "ELBSecurityPolicy-TLS13-1-3-2021-06";
    let mut made = harness.create_resource(LISTENER, base.clone()).unwrap();
    for after in [
        with("HTTPS", Some(&one), None),
        with("HTTPS", Some(&two), Some(newest)),
        with("HTTPS", Some(&one), None),
        with("HTTP", None, None),
        with("HTTPS", Some(&two), Some(newest)),
    ] {
        harness.update_resource(&mut made, after.clone()).unwrap();
        let seen = harness.read_resource(&made);
        for name in ["Protocol", "Certificates"] {
            assert_eq!(seen.get(name), after.get(name), "{name} of {after}");
        }
        // A listener that the template gives no policy shows the default one, as any template that names it expects.
        let default = (after["Protocol"] == "HTTPS").then(|| json!(crate::ssl_policies::DEFAULT));
        assert_eq!(seen.get("SslPolicy"), after.get("SslPolicy").or(default.as_ref()), "of {after}");
    }
    harness.delete_resource(&made).unwrap();
    assert_eq!(harness.store.read().scan::<ListenerTls>().count(), 0);
}

#[test]
fn listener_certificates_are_added_and_removed() {
    let (harness, mut base) = listener();
    let arns = ["one.test", "two.test", "three.test"].map(|name| certificate(&harness, name));
    base["Protocol"] = "HTTPS".into();
    base["Certificates"] = json!([{"CertificateArn": arns[0]}]);
    let listener = harness.create_resource(LISTENER, base).unwrap().created.physical_id;
    let with = |arns: &[&String]| -> Value {
        let certificates: Value = arns.iter().map(|arn| json!({"CertificateArn": arn})).collect();
        json!({"ListenerArn": listener, "Certificates": certificates})
    };
    let mut made = harness.create_resource(LISTENER_CERTIFICATE, with(&[&arns[1]])).unwrap();
    let shown = || {
        let answer = harness.ok("DescribeListenerCertificates", json!({"ListenerArn": listener}));
        answer["Certificates"].as_array().unwrap().len()
    };
    assert_eq!(shown(), 2);
    for after in [with(&[&arns[2]]), with(&[&arns[1], &arns[2]])] {
        harness.update_resource(&mut made, after.clone()).unwrap();
        assert_eq!(harness.read_resource(&made), after);
    }
    harness.delete_resource(&made).unwrap();
    assert_eq!((shown(), harness.read_resource(&made)), (1, Value::Null));
    let error = harness.error("RemoveListenerCertificates", with(&[&arns[0]]));
    assert_eq!(error.code, "OperationNotPermitted");
    let error = harness
        .error("AddListenerCertificates", with(&[&"arn:aws:acm:us-east-1:0:certificate/x".to_owned()]));
    assert_eq!(error.code, "CertificateNotFound");
}

fn rule() -> (Harness, Value) {
    let (harness, properties) = listener();
    let arn = harness.text("CreateListener", properties, "/Listeners/0/ListenerArn");
    let base =
        json!({"ListenerArn": arn, "Priority": 1, "Actions": fixed("404"), "Conditions": paths(&["/a"])});
    (harness, base)
}

fn paths(values: &[&str]) -> Value {
    json!([{"Field": "path-pattern", "PathPatternConfig": {"Values": values}}])
}

#[test]
fn rule_updates_every_property() {
    let header =
        json!([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x", "Values": ["1"]}}]);
    PropertyTable::new(RULE, rule)
        .row("Actions", fixed("404"), fixed("503"))
        .row("Conditions", paths(&["/a"]), paths(&["/a", "/b"]))
        .row("Conditions", paths(&["/a"]), header)
        .row("Priority", json!(1), json!(2))
        .exempt(&[("ListenerArn", "it is write-only")])
        .check();
}

#[test]
fn order_of_a_single_action_is_no_drift() {
    let (harness, mut base) = rule();
    base["Actions"] = fixed("404");
    base["Actions"][0]["Order"] = 1.into();
    harness.check_no_drift(&harness.create_resource(RULE, base).unwrap());
}

#[test]
fn rule_changes_the_stickiness_of_its_groups() {
    let (harness, mut base) = rule();
    let vpc = harness.store.read().scan::<Vpc>().next().unwrap().id.clone();
    let arns = ["two", "three"].map(|name| target_group(&harness, &vpc, name));
    let mut forward = |sticky: Value| {
        let groups = arns.clone().map(|arn| json!({"TargetGroupArn": arn, "Weight": 1}));
        let config = json!({"TargetGroups": groups, "TargetGroupStickinessConfig": sticky});
        base["Actions"] = json!([{"Type": "forward", "ForwardConfig": config}]);
        base.clone()
    };
    let sticky = |secs: u32| json!({"Enabled": true, "DurationSeconds": secs});
    let mut made = harness.create_resource(RULE, forward(sticky(60))).unwrap();
    for after in [sticky(90), json!({"Enabled": false}), sticky(60)] {
        harness.update_resource(&mut made, forward(after.clone())).unwrap();
        let seen = harness.read_resource(&made);
        assert_eq!(seen["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"], after);
    }
    let error = harness.update_resource(&mut made, forward(sticky(604_801))).unwrap_err();
    assert_eq!(error.code, "ValidationError");
}

#[test]
fn deleted_resources_are_not_read() {
    for (name, setup) in
        [(BALANCER, balancer as fn() -> _), (GROUP, group), (LISTENER, listener), (RULE, rule)]
    {
        let (harness, base) = setup();
        let made = harness.create_resource(name, base).unwrap();
        harness.delete_resource(&made).unwrap();
        assert_eq!(harness.read_resource(&made), Value::Null, "{name}");
    }
}

/// The API has ports and status codes as numbers in some places and as strings in others; templates use either in both.
#[test]
fn coerces_actions_to_the_types_of_the_api() {
    let written = json!({
        "LoadBalancerArn": "arn:aws:x", "Port": "80", "Protocol": "HTTP",
        "DefaultActions": [
            {"Type": "redirect", "Order": "1", "RedirectConfig": {"Port": 443, "StatusCode": "HTTP_301"}},
            {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": 404}},
        ],
    });
    let schema = escale_schema::schema("AWS::ElasticLoadBalancingV2::Listener").unwrap();
    let values = schema.coerce(written.as_object().unwrap()).unwrap();
    let props = Props { values: &values, stack_name: "shop", logical_id: "Web", stack_tags: &[] };
    let input = props.input_without::<CreateListener>(&[]).read().unwrap().write();
    let config = |at: usize, name: &str| input["DefaultActions"][at][name].clone();
    assert_eq!(input["Port"], 80);
    assert_eq!(config(0, "Order"), 1);
    assert_eq!(config(0, "RedirectConfig")["Port"], "443");
    assert_eq!(config(1, "FixedResponseConfig")["StatusCode"], "404");
}
