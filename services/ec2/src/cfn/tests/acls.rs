//! Network ACLs.

use super::{cloud, subnet_in, table};
use escale_base::wire::Value;
use escale_harness::{Harness, PropertyTable};
use escale_tables::ec2::{NetworkAcl, NetworkAclAssociation};
use serde_json::json;

fn acl() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    (cloud, json!({"VpcId": vpc}))
}

fn acl_named(cloud: &Harness, vpc: &str, name: &str) {
    let id = cloud.text("CreateNetworkAcl", json!({"VpcId": vpc}), "/NetworkAcl/NetworkAclId");
    super::rename::<NetworkAcl>(cloud, &id, |acl| acl.id = format!("acl-{name}").into());
}

fn entry() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    acl_named(&cloud, &vpc, "one");
    let base = json!({"NetworkAclId": "acl-one", "RuleNumber": 100, "Protocol": -1, "RuleAction": "allow"});
    (cloud, base)
}

fn entry_with(members: Value) -> (Harness, Value) {
    let (cloud, mut base) = entry();
    base.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    (cloud, base)
}

#[test]
fn acls_update_every_property() {
    table("AWS::EC2::NetworkAcl", acl).check();
    let ports = |from: u16, to: u16| json!({"From": from, "To": to});
    PropertyTable::new("AWS::EC2::NetworkAclEntry", || {
        entry_with(json!({"CidrBlock": "10.0.0.0/8", "Protocol": 6, "PortRange": {"From": 1, "To": 2}}))
    })
    .row("CidrBlock", json!("10.0.0.0/8"), json!("0.0.0.0/0"))
    .row("PortRange", ports(80, 80), ports(1024, 65535))
    .row("RuleAction", json!("allow"), json!("deny"))
    .row("Protocol", json!(6), json!(17))
    .exempt(&[("Icmp", "of another protocol"), ("Ipv6CidrBlock", "instead of CidrBlock")])
    .check();
    PropertyTable::new("AWS::EC2::NetworkAclEntry", || {
        entry_with(json!({"Ipv6CidrBlock": "::/0", "Protocol": 58, "Icmp": {"Type": -1, "Code": -1}}))
    })
    .row("Ipv6CidrBlock", json!("::/0"), json!("2001:db8::/32"))
    .row("Icmp", json!({"Type": 128, "Code": 0}), json!({"Type": -1, "Code": -1}))
    .exempt(&[
        ("CidrBlock", "instead of Ipv6CidrBlock"),
        ("PortRange", "of another protocol"),
        ("Protocol", "in the first table"),
        ("RuleAction", "in the first table"),
    ])
    .check();
}

/// Many templates give the entry for all protocols a range of ports, which has no effect.
#[test]
fn ports_of_an_entry_for_all_protocols_are_no_drift() {
    let (cloud, base) = entry_with(json!({
        "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 0, "To": 65535}, "Icmp": {"Type": -1, "Code": -1},
    }));
    let entry = cloud.create_resource("AWS::EC2::NetworkAclEntry", base).unwrap();
    cloud.check_no_drift(&entry);
}

#[test]
fn rollback_of_a_replaced_association_restores_it() {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        acl_named(&cloud, &vpc, name);
    }
    let subnet = subnet_in(&cloud, &vpc);
    let with = |acl: &str| json!({"SubnetId": subnet, "NetworkAclId": acl});
    let create = |acl| cloud.create_resource("AWS::EC2::SubnetNetworkAclAssociation", with(acl)).unwrap();
    let (old, new) = (create("acl-one"), create("acl-two"));
    super::put_stack_row(&cloud, 0, super::Role::Kept, &old.created.physical_id, with("acl-one"));
    super::put_stack_row(&cloud, 1, super::Role::Orphan, &new.created.physical_id, with("acl-two"));
    cloud.delete_resource(&new).unwrap();
    assert_eq!((cloud.read_resource(&new), cloud.read_resource(&old)), (Value::Null, with("acl-one")));
}

#[test]
fn egress_is_part_of_what_identifies_an_entry() {
    let (cloud, base) = entry_with(json!({"CidrBlock": "0.0.0.0/0"}));
    let mut outbound = base.clone();
    outbound["Egress"] = json!(true);
    let inbound = cloud.create_resource("AWS::EC2::NetworkAclEntry", base.clone()).unwrap();
    let other = cloud.create_resource("AWS::EC2::NetworkAclEntry", outbound.clone()).unwrap();
    let error = cloud.create_resource("AWS::EC2::NetworkAclEntry", base.clone()).err().unwrap();
    assert_eq!(error.code, "NetworkAclEntryAlreadyExists");
    cloud.delete_resource(&inbound).unwrap();
    assert_eq!(cloud.read_resource(&inbound), Value::Null);
    assert_eq!(cloud.read_resource(&other), outbound);
    cloud.delete_resource(&inbound).unwrap();
}

/// The order of a stack's update: the new association exists before the old one is deleted.
#[test]
fn association_is_replaced_and_its_deletion_returns_to_the_default_acl() {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        acl_named(&cloud, &vpc, name);
    }
    let subnet = subnet_in(&cloud, &vpc);
    let with = |acl: &str| json!({"SubnetId": subnet, "NetworkAclId": acl});
    let create = |acl| cloud.create_resource("AWS::EC2::SubnetNetworkAclAssociation", with(acl)).unwrap();
    let old = create("acl-one");
    assert_eq!(cloud.read_resource(&old), with("acl-one"));
    let new = create("acl-two");
    cloud.delete_resource(&old).unwrap();
    assert_eq!((cloud.read_resource(&old), cloud.read_resource(&new)), (Value::Null, with("acl-two")));
    let error = cloud.error("DeleteNetworkAcl", json!({"NetworkAclId": "acl-two"}));
    assert_eq!(error.code, "DependencyViolation");
    cloud.delete_resource(&new).unwrap();
    let row = cloud.store.read().get::<NetworkAclAssociation>(&subnet).unwrap();
    assert_eq!(row.acl.as_str(), vpc.replacen("vpc-", "acl-", 1));
    for name in ["acl-one", "acl-two"] {
        cloud.ok("DeleteNetworkAcl", json!({"NetworkAclId": name}));
    }
}
