//! The resource types `AWS::ServiceDiscovery::*`.

use crate::{cloud, instance, namespace, vpc};
use escale_harness::{Harness, PropertyTable};
use serde_json::{Value, json};

const PRIVATE: &str = "AWS::ServiceDiscovery::PrivateDnsNamespace";
const HTTP: &str = "AWS::ServiceDiscovery::HttpNamespace";
const SERVICE: &str = "AWS::ServiceDiscovery::Service";
const INSTANCE: &str = "AWS::ServiceDiscovery::Instance";

fn service(cloud: &Harness) -> String {
    let properties = json!({
        "Name": "api", "NamespaceId": namespace(cloud),
        "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": "5"}]},
    });
    cloud.create_resource(SERVICE, properties).unwrap().created.physical_id
}

#[test]
fn updates_every_property() {
    PropertyTable::new(PRIVATE, || {
        let cloud = cloud();
        let vpc = vpc(&cloud);
        (cloud, json!({"Name": "local", "Vpc": vpc}))
    })
    .row("Description", json!("one"), json!("two"))
    .row("Description", json!("one"), json!(null))
    .row("Tags", json!([{"Key": "a", "Value": "1"}]), json!([{"Key": "b", "Value": "2"}]))
    .row(
        "Properties",
        json!({"DnsProperties": {"SOA": {"TTL": 30}}}),
        json!({"DnsProperties": {"SOA": {"TTL": 60}}}),
    )
    .hidden(|_, resource| json!({"Vpc": resource.properties["Vpc"]}))
    .check();
    PropertyTable::new(HTTP, || (cloud(), json!({"Name": "local"})))
        .row("Description", json!("one"), json!("two"))
        .row("Description", json!("one"), json!(null))
        .row("Tags", json!([{"Key": "a", "Value": "1"}]), json!(null))
        .check();
    PropertyTable::new(SERVICE, || {
        let cloud = cloud();
        let namespace = namespace(&cloud);
        (cloud, json!({"Name": "api", "NamespaceId": namespace}))
    })
    .row("Description", json!("one"), json!("two"))
    .row("Description", json!("one"), json!(null))
    .row("Tags", json!([{"Key": "a", "Value": "1"}]), json!(null))
    .row("ServiceAttributes", json!({"a": "1", "b": "2"}), json!({"a": "3"}))
    .row("ServiceAttributes", json!({"a": "1"}), json!(null))
    .exempt(&[("DnsConfig", "read adds the namespace and the policy: see the next test")])
    .check();
    PropertyTable::new(INSTANCE, || {
        let cloud = cloud();
        let service = service(&cloud);
        (cloud, json!({"ServiceId": service, "InstanceId": "one"}))
    })
    .row(
        "InstanceAttributes",
        json!({"AWS_INSTANCE_IPV4": "10.0.0.1"}),
        json!({"AWS_INSTANCE_IPV4": "10.0.0.2", "color": "blue"}),
    )
    .check();
}

#[test]
fn changed_records_of_a_service_reach_its_instances() {
    let cloud = cloud();
    let namespace = namespace(&cloud);
    let with = |ttl: i64| {
        json!({
            "Name": "api",
            "DnsConfig": {"NamespaceId": namespace, "RoutingPolicy": "WEIGHTED", "DnsRecords": [{"Type": "A", "TTL": ttl}]},
        })
    };
    let mut resource = cloud.create_resource(SERVICE, with(5)).unwrap();
    let id = resource.created.physical_id.clone();
    instance(&cloud, &id, "one", json!({"AWS_INSTANCE_IPV4": "10.0.0.1"}));
    cloud.update_resource(&mut resource, with(50)).unwrap();
    let shown = &cloud.read_resource(&resource)["DnsConfig"];
    assert_eq!(shown["DnsRecords"], json!([{"Type": "A", "TTL": 50}]));
    assert_eq!(shown["RoutingPolicy"], "WEIGHTED");
    assert_eq!(crate::records(&cloud), ["api.local. A one w1 50 10.0.0.1"]);
    // A service with instances is not deleted.
    assert_eq!(cloud.delete_resource(&resource).unwrap_err().code, "ResourceInUse");
}

#[test]
fn resources_are_deleted_also_if_they_are_gone() {
    let cloud = cloud();
    let vpc = vpc(&cloud);
    let namespace = cloud.create_resource(PRIVATE, json!({"Name": "local", "Vpc": vpc})).unwrap();
    assert!(namespace.created.attributes["HostedZoneId"].as_str().unwrap().starts_with('Z'));
    let id = &namespace.created.physical_id;
    let service = json!({"NamespaceId": id, "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 5}]}});
    let service = cloud.create_resource(SERVICE, service).unwrap();
    let attributes = json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": 80});
    let instance = json!({"ServiceId": service.created.physical_id, "InstanceAttributes": attributes});
    let instance = cloud.create_resource(INSTANCE, instance).unwrap();
    assert_eq!(cloud.read_resource(&instance)["InstanceAttributes"]["AWS_INSTANCE_PORT"], "80");
    for resource in [&instance, &service, &namespace] {
        cloud.delete_resource(resource).unwrap();
        cloud.delete_resource(resource).unwrap();
        assert_eq!(cloud.read_resource(resource), Value::Null);
    }
}
