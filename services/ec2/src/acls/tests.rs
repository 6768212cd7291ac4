//! The operations on network ACLs.

use crate::testing::FakeCloud;
use escale_base::wire::Value;
use serde_json::json;

fn with(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

fn entry(acl: &str, more: Value) -> Value {
    let base = json!({
        "NetworkAclId": acl, "RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": false,
        "CidrBlock": "0.0.0.0/0",
    });
    with(base, more)
}

fn acl_in(cloud: &FakeCloud, vpc: &str) -> String {
    cloud.text("CreateNetworkAcl", json!({"VpcId": vpc}), "/NetworkAcl/NetworkAclId")
}

#[test]
fn new_acl_denies_all_and_entries_are_in_order() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let acl = acl_in(&cloud, &vpc);
    for (number, more) in [
        (200, json!({"Protocol": "6", "PortRange": {"From": 443, "To": 443}})),
        (100, json!({"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": -1}, "CidrBlock": "10.1.2.3/16"})),
    ] {
        cloud.ok("CreateNetworkAclEntry", entry(&acl, with(more, json!({"RuleNumber": number}))));
    }
    let shown = cloud.ok("DescribeNetworkAcls", json!({"NetworkAclIds": [acl]}))["NetworkAcls"][0].clone();
    let last = |egress: bool| {
        json!({"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": "deny",
            "RuleNumber": 32767})
    };
    assert_eq!(shown["IsDefault"], false);
    assert_eq!(
        shown["Entries"],
        json!([
            last(true),
            {"CidrBlock": "10.1.0.0/16", "Egress": false, "Protocol": "1", "RuleAction": "allow",
                "RuleNumber": 100, "IcmpTypeCode": {"Type": -1, "Code": -1}},
            {"CidrBlock": "0.0.0.0/0", "Egress": false, "Protocol": "6", "RuleAction": "allow",
                "RuleNumber": 200, "PortRange": {"From": 443, "To": 443}},
            last(false),
        ])
    );
}

#[test]
fn filters_select_acls() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let acl = acl_in(&cloud, &vpc);
    let more = json!({"Protocol": "6", "PortRange": {"From": 22, "To": 23}, "RuleAction": "deny"});
    cloud.ok("CreateNetworkAclEntry", entry(&acl, more));
    let default = vpc.replacen("vpc-", "acl-", 1);
    for (name, value, expected) in [
        ("default", "true", &default),
        ("default", "false", &acl),
        ("association.subnet-id", subnet.as_str(), &default),
        ("entry.protocol", "tcp", &acl),
        ("entry.port-range.from", "22", &acl),
        ("entry.rule-action", "allow", &default),
    ] {
        let input = json!({"Filters": [{"Name": name, "Values": [value]}]});
        let found = cloud.ok("DescribeNetworkAcls", input)["NetworkAcls"].clone();
        let ids: Vec<_> = found.as_array().unwrap().iter().map(|a| a["NetworkAclId"].clone()).collect();
        assert_eq!(ids, [json!(expected)], "{name}={value}");
    }
    let wrong = json!({"Filters": [{"Name": "entry.colour", "Values": ["red"]}]});
    assert_eq!(cloud.error("DescribeNetworkAcls", wrong).code, "InvalidParameterValue");
}

#[test]
fn refuses_invalid_entries() {
    let cloud = FakeCloud::new();
    let acl = acl_in(&cloud, &cloud.vpc());
    let ports = |from: i32, to: i32| json!({"Protocol": "6", "PortRange": {"From": from, "To": to}});
    for (more, code) in [
        (json!({"RuleNumber": 0}), "InvalidParameterValue"),
        (json!({"RuleNumber": 32767}), "InvalidParameterValue"),
        (json!({"CidrBlock": "10.0.0.0/33"}), "InvalidParameterValue"),
        (json!({"CidrBlock": null}), "MissingParameter"),
        (json!({"Ipv6CidrBlock": "::/0"}), "InvalidParameterCombination"),
        (json!({"Protocol": "tcp"}), "InvalidParameterValue"),
        (json!({"Protocol": "256"}), "InvalidParameterValue"),
        (json!({"Protocol": "6"}), "MissingParameter"),
        (ports(2, 1), "InvalidParameterValue"),
        (ports(0, 65536), "InvalidParameterValue"),
        (json!({"Protocol": "1"}), "MissingParameter"),
        (json!({"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": 3}}), "InvalidParameterValue"),
        (json!({"NetworkAclId": "acl-0"}), "InvalidNetworkAclID.NotFound"),
    ] {
        let mut input = entry(&acl, more.clone());
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(cloud.error("CreateNetworkAclEntry", input).code, code, "{more}");
    }
    let missing = json!({"NetworkAclId": acl, "RuleNumber": 7, "Egress": true});
    assert_eq!(cloud.error("DeleteNetworkAclEntry", missing).code, "InvalidNetworkAclEntry.NotFound");
    let error = cloud.error("ReplaceNetworkAclEntry", entry(&acl, json!({})));
    assert_eq!(error.code, "InvalidNetworkAclEntry.NotFound");
    // One of the 20 is the last entry.
    for number in 1..20 {
        cloud.ok("CreateNetworkAclEntry", entry(&acl, json!({"RuleNumber": number})));
    }
    let error = cloud.error("CreateNetworkAclEntry", entry(&acl, json!({"RuleNumber": 20})));
    assert_eq!(error.code, "NetworkAclEntryLimitExceeded");
    cloud.ok("CreateNetworkAclEntry", entry(&acl, json!({"RuleNumber": 20, "Egress": true})));
}

#[test]
fn default_acl_lives_with_its_vpc() {
    let cloud = FakeCloud::new();
    let (vpc, other) = (cloud.vpc(), cloud.vpc());
    let default = vpc.replacen("vpc-", "acl-", 1);
    let error = cloud.error("DeleteNetworkAcl", json!({"NetworkAclId": default}));
    assert_eq!(error.code, "InvalidParameterValue");
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let association = subnet.replacen("subnet-", "aclassoc-", 1);
    let replace = |acl: &str| json!({"AssociationId": association, "NetworkAclId": acl});
    let foreign = acl_in(&cloud, &other);
    assert_eq!(cloud.error("ReplaceNetworkAclAssociation", replace(&foreign)).code, "InvalidParameter");
    let own = acl_in(&cloud, &vpc);
    cloud.ok("ReplaceNetworkAclAssociation", replace(&own));
    // The id of the association has changed.
    assert_eq!(
        cloud.error("ReplaceNetworkAclAssociation", replace(&own)).code,
        "InvalidAssociationID.NotFound"
    );
    cloud.ok("DeleteSubnet", json!({"SubnetId": subnet}));
    assert_eq!(cloud.error("DeleteVpc", json!({"VpcId": vpc})).code, "DependencyViolation");
    cloud.ok("DeleteNetworkAcl", json!({"NetworkAclId": own}));
    cloud.ok("DeleteVpc", json!({"VpcId": vpc}));
    assert_eq!(
        cloud.error("DescribeNetworkAcls", json!({"NetworkAclIds": [default]})).code,
        "InvalidNetworkAclID.NotFound"
    );
}
