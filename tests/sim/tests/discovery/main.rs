//! Cloud Map with Route 53: its instances are record sets there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

mod types;

use escale_harness::{FakeEc2, Harness};
use escale_route53::Route53;
use escale_service::Caller;
use escale_servicediscovery::ServiceDiscovery;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn cloud() -> Harness {
    let route53 = Arc::new(Route53::new(Arc::new(escale_dns::FakeDns::new())));
    Harness::new(vec![Arc::new(ServiceDiscovery), route53])
}

pub(crate) fn vpc(cloud: &Harness) -> String {
    FakeEc2::vpc(cloud).to_string()
}

pub(crate) fn namespace(cloud: &Harness) -> String {
    let vpc = vpc(cloud);
    cloud.ok("CreatePrivateDnsNamespace", json!({"Name": "local", "Vpc": vpc}));
    cloud.text("ListNamespaces", json!({}), "/Namespaces/0/Id")
}

fn service(cloud: &Harness, namespace: &str, policy: &str, kinds: &[&str]) -> String {
    let records: Vec<Value> = kinds.iter().map(|kind| json!({"Type": kind, "TTL": 5})).collect();
    let dns = json!({"RoutingPolicy": policy, "DnsRecords": records});
    let health = json!({"FailureThreshold": 1});
    let input =
        json!({"Name": "Api", "NamespaceId": namespace, "DnsConfig": dns, "HealthCheckCustomConfig": health});
    cloud.text("CreateService", input, "/Service/Id")
}

pub(crate) fn instance(cloud: &Harness, service: &str, id: &str, attributes: Value) {
    let input = json!({"ServiceId": service, "InstanceId": id, "Attributes": attributes});
    cloud.ok("RegisterInstance", input);
}

fn route53(cloud: &Harness, operation: &str, input: Value) -> Result<Value, escale_base::AwsError> {
    cloud.cloud.call(&cloud.store, &Harness::root(), "route53", operation, input)
}

fn zone(cloud: &Harness) -> String {
    let zones = route53(cloud, "ListHostedZones", json!({})).unwrap();
    zones["HostedZones"][0]["Id"].as_str().unwrap().to_owned()
}

/// The record sets of the only zone, a line each, without its SOA and NS.
pub(crate) fn records(cloud: &Harness) -> Vec<String> {
    let listed = route53(cloud, "ListResourceRecordSets", json!({"HostedZoneId": zone(cloud)})).unwrap();
    let line = |set: &Value| {
        let text = |member: &str| set[member].as_str().unwrap_or("-").to_owned();
        let routing = match (&set["Weight"], &set["MultiValueAnswer"]) {
            (Value::Number(weight), _) => format!("w{weight}"),
            (_, Value::Bool(true)) => "multi".to_owned(),
            _ => "simple".to_owned(),
        };
        let value = set["ResourceRecords"][0]["Value"].as_str().unwrap();
        format!(
            "{} {} {} {routing} {} {value}",
            text("Name"),
            text("Type"),
            text("SetIdentifier"),
            set["TTL"]
        )
    };
    let sets = listed["ResourceRecordSets"].as_array().unwrap().iter();
    sets.filter(|set| !["SOA", "NS"].contains(&set["Type"].as_str().unwrap())).map(line).collect()
}

#[test]
fn instances_are_record_sets_of_the_zone() {
    for (policy, kinds, attributes, expected) in [
        (
            "MULTIVALUE",
            &["A"][..],
            json!({"AWS_INSTANCE_IPV4": "10.0.0.1"}),
            &["api.local. A i-1 multi 5 10.0.0.1"][..],
        ),
        (
            "WEIGHTED",
            &["A", "AAAA"],
            json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_IPV6": "fd00::1"}),
            &["api.local. A i-1 w1 5 10.0.0.1", "api.local. AAAA i-1 w1 5 fd00::1"],
        ),
        (
            "MULTIVALUE",
            &["SRV"],
            json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "8080"}),
            &["api.local. SRV i-1 multi 5 1 1 8080 i-1.api.local.", "i-1.api.local. A - simple 5 10.0.0.1"],
        ),
        (
            "WEIGHTED",
            &["CNAME"],
            json!({"AWS_INSTANCE_CNAME": "example.com"}),
            &["api.local. CNAME i-1 w1 5 example.com"],
        ),
    ] {
        let cloud = cloud();
        let namespace = namespace(&cloud);
        let service = service(&cloud, &namespace, policy, kinds);
        instance(&cloud, &service, "i-1", attributes.clone());
        assert_eq!(records(&cloud), expected, "{policy} {kinds:?}");
        // A repeated registration changes nothing, another address replaces the record.
        instance(&cloud, &service, "i-1", attributes.clone());
        assert_eq!(records(&cloud), expected, "{policy} {kinds:?}");
        let input = json!({"ServiceId": service, "InstanceId": "i-1"});
        assert_eq!(cloud.ok("GetInstance", input.clone())["Instance"]["Attributes"], attributes);
        cloud.ok("DeregisterInstance", input.clone());
        assert_eq!(records(&cloud), Vec::<String>::new(), "{policy} {kinds:?}");
        assert_eq!(cloud.error("DeregisterInstance", input).code, "InstanceNotFound");
        cloud.ok("DeleteService", json!({"Id": service}));
        cloud.ok("DeleteNamespace", json!({"Id": namespace}));
        assert_eq!(route53(&cloud, "ListHostedZones", json!({})).unwrap()["HostedZones"], json!([]));
    }
}

#[test]
fn unhealthy_instances_leave_dns_unless_all_are() {
    let cloud = cloud();
    let service = service(&cloud, &namespace(&cloud), "MULTIVALUE", &["A"]);
    for n in 1..=2 {
        instance(&cloud, &service, &format!("i-{n}"), json!({"AWS_INSTANCE_IPV4": format!("10.0.0.{n}")}));
    }
    let report = |id: &str, status: &str| {
        let input = json!({"ServiceId": service, "InstanceId": id, "Status": status});
        cloud.ok("UpdateInstanceCustomHealthStatus", input);
    };
    let one = "api.local. A i-1 multi 5 10.0.0.1".to_owned();
    let two = "api.local. A i-2 multi 5 10.0.0.2".to_owned();
    let discovered = |filter: &str| {
        let input = json!({"NamespaceName": "local", "ServiceName": "api", "HealthStatus": filter});
        cloud.ok("DiscoverInstances", input)["Instances"].as_array().unwrap().len()
    };
    assert_eq!(records(&cloud), [one.clone(), two.clone()]);
    report("i-1", "UNHEALTHY");
    assert_eq!(records(&cloud), std::slice::from_ref(&two));
    // Registered again, as a client does that renews its registration: the reported health stays.
    instance(&cloud, &service, "i-1", json!({"AWS_INSTANCE_IPV4": "10.0.0.1"}));
    assert_eq!(records(&cloud), std::slice::from_ref(&two));
    let counts = ["HEALTHY", "UNHEALTHY", "ALL", "HEALTHY_OR_ELSE_ALL"].map(discovered);
    assert_eq!(counts, [1, 1, 2, 1]);
    report("i-2", "UNHEALTHY");
    assert_eq!(records(&cloud), [one.clone(), two.clone()]);
    let counts = ["HEALTHY", "UNHEALTHY", "ALL", "HEALTHY_OR_ELSE_ALL"].map(discovered);
    assert_eq!(counts, [0, 2, 2, 2]);
    report("i-1", "HEALTHY");
    assert_eq!(records(&cloud), [one]);
}

#[test]
fn many_instances_change_in_parts() {
    let cloud = cloud();
    let service = service(&cloud, &namespace(&cloud), "MULTIVALUE", &["A"]);
    for n in 0..250 {
        let attributes =
            json!({"AWS_INSTANCE_IPV4": format!("10.0.1.{n}"), "AWS_INIT_HEALTH_STATUS": "UNHEALTHY"});
        instance(&cloud, &service, &format!("i-{n}"), attributes);
    }
    let input = json!({"ServiceId": service, "InstanceId": "i-7", "Status": "HEALTHY"});
    cloud.ok("UpdateInstanceCustomHealthStatus", input);
    assert_eq!(records(&cloud), ["api.local. A i-7 multi 5 10.0.1.7"]);
}

#[test]
fn the_zone_is_changed_by_this_service_only() {
    let cloud = cloud();
    namespace(&cloud);
    let zone = zone(&cloud);
    let set = json!({"Name": "a.local", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "10.0.0.1"}]});
    let batch = json!({"Changes": [{"Action": "CREATE", "ResourceRecordSet": set}]});
    for (operation, input) in [
        ("ChangeResourceRecordSets", json!({"HostedZoneId": zone, "ChangeBatch": batch})),
        ("DeleteHostedZone", json!({"Id": zone})),
        ("UpdateHostedZoneComment", json!({"Id": zone, "Comment": "mine"})),
    ] {
        let error = route53(&cloud, operation, input).unwrap_err();
        assert_eq!(error.code, "AccessDenied", "{operation}");
        assert!(error.message.contains("servicediscovery.amazonaws.com"), "{error}");
    }
    let linked = &route53(&cloud, "GetHostedZone", json!({"Id": zone})).unwrap()["HostedZone"];
    assert_eq!(linked["LinkedService"]["ServicePrincipal"], "servicediscovery.amazonaws.com");
}

#[test]
fn refuses_requests_that_aws_refuses() {
    let cloud = cloud();
    let namespace = namespace(&cloud);
    let service = service(&cloud, &namespace, "MULTIVALUE", &["A", "SRV"]);
    cloud.ok("CreateHttpNamespace", json!({"Name": "plain"}));
    let http = json!({"Filters": [{"Name": "TYPE", "Values": ["HTTP"]}]});
    let http = cloud.text("ListNamespaces", http, "/Namespaces/0/Id");
    let register = |id: &str, attributes: Value| json!({"ServiceId": service, "InstanceId": id, "Attributes": attributes});
    let dns = |policy: &str, kinds: &[&str]| {
        let records: Vec<Value> = kinds.iter().map(|kind| json!({"Type": kind, "TTL": 5})).collect();
        json!({"RoutingPolicy": policy, "DnsRecords": records})
    };
    let create = |namespace: &str, name: &str, dns: Value| json!({"NamespaceId": namespace, "Name": name, "DnsConfig": dns});
    let address = json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "80"});
    for (operation, input, code) in [
        ("CreatePrivateDnsNamespace", json!({"Name": "b", "Vpc": "vpc-0"}), "InvalidInput"),
        ("CreateHttpNamespace", json!({"Name": "plain"}), "NamespaceAlreadyExists"),
        ("DeleteNamespace", json!({"Id": namespace}), "ResourceInUse"),
        ("DeleteNamespace", json!({"Id": "ns-0"}), "NamespaceNotFound"),
        (
            "UpdateHttpNamespace",
            json!({"Id": namespace, "Namespace": {"Description": "d"}}),
            "NamespaceNotFound",
        ),
        ("CreateService", create(&namespace, "API", dns("MULTIVALUE", &["A"])), "ServiceAlreadyExists"),
        ("CreateService", create("ns-0", "b", dns("MULTIVALUE", &["A"])), "NamespaceNotFound"),
        ("CreateService", create(&http, "b", dns("MULTIVALUE", &["A"])), "InvalidInput"),
        ("CreateService", create(&namespace, "b", dns("MULTIVALUE", &["CNAME"])), "InvalidInput"),
        ("CreateService", create(&namespace, "b", dns("WEIGHTED", &["CNAME", "A"])), "InvalidInput"),
        ("CreateService", create(&namespace, "b", dns("WEIGHTED", &["A", "A"])), "InvalidInput"),
        (
            "CreateService",
            json!({"NamespaceId": namespace, "Name": "b", "HealthCheckConfig": {"Type": "TCP"}}),
            "NotImplemented",
        ),
        ("RegisterInstance", register("i", json!({"AWS_INSTANCE_IPV4": "10.0.0.1"})), "InvalidInput"),
        ("RegisterInstance", register("i", json!({"AWS_INSTANCE_PORT": "80"})), "InvalidInput"),
        (
            "RegisterInstance",
            register("i", json!({"AWS_INSTANCE_IPV4": "10.0.0", "AWS_INSTANCE_PORT": "80"})),
            "InvalidInput",
        ),
        (
            "RegisterInstance",
            register("i", json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "x"})),
            "InvalidInput",
        ),
        ("RegisterInstance", register("a/b", address.clone()), "InvalidInput"),
        ("RegisterInstance", register("i", json!({"AWS_EC2_INSTANCE_ID": "i-1"})), "NotImplemented"),
        ("RegisterInstance", register("i", json!({"x": "y".repeat(6000)})), "InvalidInput"),
        ("DiscoverInstances", json!({"NamespaceName": "none", "ServiceName": "api"}), "NamespaceNotFound"),
        ("DiscoverInstances", json!({"NamespaceName": "local", "ServiceName": "none"}), "ServiceNotFound"),
        ("GetOperation", json!({"OperationId": "none"}), "OperationNotFound"),
        ("TagResource", json!({"ResourceARN": "arn:aws:x", "Tags": []}), "ResourceNotFoundException"),
    ] {
        assert_eq!(cloud.error(operation, input.clone()).code, code, "{operation} {input}");
    }
    // Nothing of a refused registration is left.
    assert_eq!(records(&cloud), Vec::<String>::new());
    instance(&cloud, &service, "i", address);
    assert_eq!(cloud.error("DeleteService", json!({"Id": service})).code, "ResourceInUse");
}

#[test]
fn an_operation_is_complete_once_dns_serves_its_change() {
    use escale_tables::route53::DnsApplied;
    let cloud = cloud();
    let vpc = vpc(&cloud);
    let id = cloud.text("CreatePrivateDnsNamespace", json!({"Name": "local", "Vpc": vpc}), "/OperationId");
    let status = || cloud.text("GetOperation", json!({"OperationId": id}), "/Operation/Status");
    assert_eq!(status(), "PENDING");
    cloud.write(|tx| {
        tx.put(DnsApplied {
            run: "r".into(),
            fingerprint: "f".into(),
            sequence: 99,
            networks: Default::default(),
            at: escale_base::Timestamp(0),
        });
    });
    assert_eq!(status(), "SUCCESS");
    let filter = json!({"Filters": [{"Name": "TYPE", "Values": ["CREATE_NAMESPACE"]}]});
    assert_eq!(cloud.ok("ListOperations", filter)["Operations"].as_array().unwrap().len(), 1);
}

/// As on AWS, the caller needs Route 53's permissions, too.
#[test]
fn creating_a_namespace_needs_the_permission_of_route_53() {
    let cloud = cloud();
    let caller = Caller::service("test");
    let cx_needs = |operation: &str, input: Value| {
        let entry = cloud.cloud.entry("servicediscovery", operation).unwrap();
        let escale_service::Kind::Sync(handler) = &entry.kind else { panic!("{operation} is a stream") };
        let needs = cloud.cloud.transact(&cloud.store, &caller, |cx| (handler.needs)(&input, cx));
        needs
            .unwrap_or_else(|error| panic!("{}", error.0))
            .also
            .iter()
            .map(|also| also.action)
            .collect::<Vec<_>>()
    };
    let namespace = namespace(&cloud);
    let service = service(&cloud, &namespace, "MULTIVALUE", &["A"]);
    for (operation, input, expected) in [
        (
            "CreatePrivateDnsNamespace",
            json!({"Name": "n", "Vpc": "vpc-1"}),
            &["route53:CreateHostedZone", "ec2:DescribeVpcs"][..],
        ),
        ("DeleteNamespace", json!({"Id": namespace}), &["route53:DeleteHostedZone"]),
        (
            "RegisterInstance",
            json!({"ServiceId": service, "InstanceId": "i", "Attributes": {}}),
            &["route53:ChangeResourceRecordSets"],
        ),
        (
            "DeregisterInstance",
            json!({"ServiceId": service, "InstanceId": "i"}),
            &["route53:ChangeResourceRecordSets"],
        ),
    ] {
        assert_eq!(cx_needs(operation, input), expected, "{operation}");
    }
}
