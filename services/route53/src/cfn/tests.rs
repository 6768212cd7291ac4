//! Tests of the types' updates.

use crate::Route53;
use escale_base::wire::Value;
use escale_dns::DnsPlane;
use escale_harness::{FakeEc2, Harness, PropertyTable};
use escale_service::PropertyChange;
use serde_json::json;
use std::sync::Arc;

fn cloud() -> Harness {
    Harness::of(Route53::new(Arc::new(DnsPlane::new())))
}

fn zone(cloud: &Harness) -> String {
    cloud
        .create_resource("AWS::Route53::HostedZone", json!({"Name": "example.com"}))
        .unwrap()
        .created
        .physical_id
}

fn shop(zone: &str) -> Value {
    json!({"HostedZoneId": zone, "Name": "Shop.example.com.", "Type": "A", "TTL": "60", "ResourceRecords": ["192.0.2.1"]})
}

/// The names and types of the record sets, without those that every zone has.
fn names(cloud: &Harness, zone: &str) -> Vec<(String, String)> {
    let listed = cloud.ok("ListResourceRecordSets", json!({"HostedZoneId": zone}));
    let sets = listed["ResourceRecordSets"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named = sets.iter().map(|set| (text(&set["Name"]), text(&set["Type"])));
    named.filter(|(_, kind)| !["NS", "SOA"].contains(&kind.as_str())).collect()
}

#[test]
fn updates_change_every_property() {
    let cloud = cloud();
    let zone = zone(&cloud);
    let vpcs = [FakeEc2::vpc(&cloud), FakeEc2::vpc(&cloud)];
    let region = &cloud.cloud.config.region;
    let vpc = |at: usize| json!({"VPCId": vpcs[at], "VPCRegion": region});
    let target = json!({"HostedZoneId": zone, "Name": "target.example.com", "Type": "A", "TTL": "60", "ResourceRecords": ["192.0.2.9"]});
    cloud.create_resource("AWS::Route53::RecordSet", target).unwrap();
    let alias = json!({"HostedZoneId": zone, "DNSName": "Target.example.com", "EvaluateTargetHealth": false});
    let check = json!({"HealthCheckConfig": {"Type": "TCP", "IPAddress": "198.18.0.9", "Port": 80}});
    let check = cloud.create_resource("AWS::Route53::HealthCheck", check).unwrap().created.physical_id;
    let simple =
        |name: &str, value: &str| json!({"Name": name, "Type": "A", "TTL": "60", "ResourceRecords": [value]});
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    for case in [
        PropertyTable::on(
            "AWS::Route53::HostedZone",
            &cloud,
            json!({
                "Name": "Private.example", "HostedZoneConfig": {"Comment": "c"}, "VPCs": [vpc(0)], "HostedZoneTags": tags,
            }),
        )
        .changes(vec![
            json!({"HostedZoneConfig": {"Comment": "other"}}),
            json!({"HostedZoneConfig": null}),
            json!({"VPCs": [vpc(1)]}),
            json!({"VPCs": [vpc(0), vpc(1)]}),
            json!({"HostedZoneTags": [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
            json!({"HostedZoneTags": null}),
        ]),
        PropertyTable::on(
            "AWS::Route53::RecordSet",
            &cloud,
            json!({
                "HostedZoneName": "example.com", "Name": "www.example.com", "Type": "A", "TTL": "300", "Comment": "c",
                "ResourceRecords": ["192.0.2.1"], "SetIdentifier": "one", "Weight": 10,
            }),
        )
        .changes(vec![
            json!({"Type": "AAAA", "ResourceRecords": ["2001:db8::1"]}),
            json!({"AliasTarget": alias, "TTL": null, "ResourceRecords": null}),
            json!({"MultiValueAnswer": true, "Weight": null}),
            json!({"TTL": "60"}),
            json!({"ResourceRecords": ["192.0.2.2", "192.0.2.3"]}),
            json!({"Weight": 20}),
            json!({"Weight": null, "Failover": "PRIMARY"}),
            json!({"HealthCheckId": check}),
            json!({"SetIdentifier": "two"}),
            json!({"Comment": "other"}),
            json!({"Comment": null}),
        ])
        .write_only(&["Comment"]),
        PropertyTable::on(
            "AWS::Route53::RecordSetGroup",
            &cloud,
            json!({
                "HostedZoneId": zone, "Comment": "c", "RecordSets": [simple("a.example.com", "192.0.2.1"), simple("b.example.com", "192.0.2.1")],
            }),
        )
        .changes(vec![
            json!({"RecordSets": [simple("b.example.com", "192.0.2.2"), simple("c.example.com", "192.0.2.1")]}),
            json!({"RecordSets": [{"Name": "a.example.com", "Type": "A", "AliasTarget": alias}]}),
            json!({"Comment": "other"}),
        ])
        .write_only(&["Comment"]),
    ] {
        case.check();
    }
}

#[test]
fn updates_change_every_property_of_a_health_check() {
    let cloud = cloud();
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    PropertyTable::on(
        "AWS::Route53::HealthCheck",
        &cloud,
        json!({
            "HealthCheckConfig": {"Type": "HTTP", "IPAddress": "198.18.0.9", "Port": 80, "ResourcePath": "/up", "RequestInterval": 10, "FailureThreshold": 2, "Inverted": false, "MeasureLatency": false},
            "HealthCheckTags": tags,
        }),
    )
    .changes(vec![
        json!({"HealthCheckConfig": {"Type": "HTTP", "IPAddress": "198.18.0.8", "Port": 81, "ResourcePath": "/other", "RequestInterval": 10, "FailureThreshold": 5, "Inverted": true, "MeasureLatency": false}}),
        json!({"HealthCheckTags": [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": "4"}]}),
        json!({"HealthCheckTags": null}),
    ])
    .check();
}

#[test]
fn changed_type_leaves_no_old_record_set() {
    let cloud = cloud();
    let zone = zone(&cloud);
    let mut resource = cloud.create_resource("AWS::Route53::RecordSet", shop(&zone)).unwrap();
    assert_eq!(cloud.read_resource(&resource)["Name"], "Shop.example.com.");
    let mut after = shop(&zone);
    after["Type"] = "TXT".into();
    after["ResourceRecords"] = json!(["\"text\""]);
    cloud.update_resource(&mut resource, after).unwrap();
    assert_eq!(names(&cloud, &zone), [("shop.example.com.".to_owned(), "TXT".to_owned())]);
}

#[test]
fn update_does_not_overwrite_a_foreign_record_set() {
    let cloud = cloud();
    let zone = zone(&cloud);
    let mut resource = cloud.create_resource("AWS::Route53::RecordSet", shop(&zone)).unwrap();
    let mut other = shop(&zone);
    other["Type"] = "AAAA".into();
    other["ResourceRecords"] = json!(["2001:db8::1"]);
    cloud.create_resource("AWS::Route53::RecordSet", other.clone()).unwrap();
    let error = cloud.update_resource(&mut resource, other).unwrap_err();
    assert!(error.message.contains("already exists"), "{error}");
}

#[test]
fn name_of_a_record_set_is_its_physical_id() {
    let cloud = cloud();
    let kind = cloud.cloud.resource_type("AWS::Route53::RecordSet").unwrap();
    let (before, after) = (json!({"Name": "a", "TTL": "1"}), json!({"Name": "b", "TTL": "2"}));
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let replaces = |property| kind.replaces(&PropertyChange { property, before, after });
    assert_eq!((replaces("Name"), replaces("TTL")), (true, false));
}
