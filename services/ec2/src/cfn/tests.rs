//! Tests of updates and reading.

use crate::Ec2;
use escale_base::{Timestamp, wire::Value};
use escale_harness::{Harness, PropertyTable};
use escale_store::Row;
use escale_tables::{
    cloudformation::{Removal, ResourceState, Role, StackResource},
    ec2::{Group, GroupRule, Interface, InternetGateway, NatGateway, RouteTable, Subnet},
};
use serde_json::json;

mod acls;
mod dhcp;
mod ipv6;
mod peerings;
mod shared_rules;

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A table with a row for the tags.
fn table(type_name: &'static str, setup: fn() -> (Harness, Value)) -> PropertyTable<'static> {
    let (one, other) = (tags(&[("a", "1"), ("b", "2")]), tags(&[("a", "3"), ("c", "4")]));
    PropertyTable::new(type_name, setup).row("Tags", one, other)
}

fn cloud() -> (Harness, String) {
    let cloud = Harness::of(Ec2);
    let vpc = cloud.text("CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}), "/Vpc/VpcId");
    (cloud, vpc)
}

/// Gives a row an id that a table of properties can name.
fn rename<R: Row + Clone>(cloud: &Harness, id: &str, change: impl FnOnce(&mut R)) {
    cloud.write(|tx| {
        let mut row = (*tx.get::<R>(id).unwrap()).clone();
        tx.delete::<R>(id);
        change(&mut row);
        tx.put(row);
    });
}

fn subnet_in(cloud: &Harness, vpc: &str) -> String {
    cloud.text("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}), "/Subnet/SubnetId")
}

fn group_named(cloud: &Harness, vpc: &str, name: &str) {
    let input = json!({"VpcId": vpc, "GroupName": name, "Description": name});
    let id = cloud.text("CreateSecurityGroup", input, "/GroupId");
    rename::<Group>(cloud, &id, |group| group.id = format!("sg-{name}").into());
}

fn interface_named(cloud: &Harness, subnet: &str, name: &str) {
    let pointer = "/NetworkInterface/NetworkInterfaceId";
    let id = cloud.text("CreateNetworkInterface", json!({"SubnetId": subnet}), pointer);
    rename::<Interface>(cloud, &id, |interface| interface.id = format!("eni-{name}").into());
}

fn gateway_named(cloud: &Harness, name: &str) {
    let id = cloud.text("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
    rename::<InternetGateway>(cloud, &id, |gateway| gateway.id = format!("igw-{name}").into());
}

fn table_named(cloud: &Harness, vpc: &str, name: &str) {
    let id = cloud.text("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    rename::<RouteTable>(cloud, &id, |table| table.id = format!("rtb-{name}").into());
}

fn vpc() -> (Harness, Value) {
    (Harness::of(Ec2), json!({"CidrBlock": "10.1.0.0/16", "InstanceTenancy": "default"}))
}

fn subnet() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    (cloud, json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-3b"}))
}

fn interface() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        group_named(&cloud, &vpc, name);
    }
    let subnet = subnet_in(&cloud, &vpc);
    (cloud, json!({"SubnetId": subnet, "PrivateIpAddress": "10.0.1.9", "InterfaceType": "interface"}))
}

#[test]
fn networks_update_every_property() {
    table("AWS::EC2::VPC", vpc)
        .row("EnableDnsSupport", json!(true), json!(false))
        .row("EnableDnsSupport", json!(false), json!(null))
        .row("EnableDnsHostnames", json!(false), json!(true))
        .row("EnableDnsHostnames", json!(true), json!(null))
        .exempt(&[("InstanceTenancy", "only default is supported")])
        .check();
    table("AWS::EC2::Subnet", subnet)
        .row("MapPublicIpOnLaunch", json!(false), json!(true))
        .row("MapPublicIpOnLaunch", json!(true), json!(null))
        .exempt(&[("AssignIpv6AddressOnCreation", "in ipv6.rs"), ("Ipv6CidrBlock", "in ipv6.rs")])
        .check();
    table("AWS::EC2::NetworkInterface", interface)
        .row("Description", json!("one"), json!("two"))
        .row("Description", json!("one"), json!(null))
        .row("GroupSet", json!(["sg-one"]), json!(["sg-one", "sg-two"]))
        .row("GroupSet", json!(["sg-one"]), json!(null))
        .row("SourceDestCheck", json!(true), json!(false))
        .row("SourceDestCheck", json!(false), json!(null))
        .check();
}

#[test]
fn only_a_tenancy_other_than_default_replaces_a_vpc() {
    let kind = *Harness::of(Ec2).cloud.resource_type("AWS::EC2::VPC").unwrap();
    let of = |property: &str, before: &Value, after: &Value| {
        let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
        kind.replaces(&escale_service::PropertyChange { property, before, after })
    };
    let replaces = |before: Value, after: Value| of("InstanceTenancy", &before, &after);
    let with = |tenancy: &str| json!({"InstanceTenancy": tenancy});
    assert!(replaces(with("default"), with("dedicated")));
    assert!(!replaces(with("dedicated"), with("default")));
    assert!(!replaces(with("default"), json!({})));
    let tagged = json!({"InstanceTenancy": "dedicated", "Tags": tags(&[("a", "1")])});
    assert!(!of("Tags", &with("dedicated"), &tagged));
}

fn route_table() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    (cloud, json!({"VpcId": vpc}))
}

/// A route table with an attached Internet gateway, two interfaces and two NAT gateways as targets.
fn targets() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    gateway_named(&cloud, "one");
    cloud.ok("AttachInternetGateway", json!({"InternetGatewayId": "igw-one", "VpcId": vpc}));
    let subnet = subnet_in(&cloud, &vpc);
    for name in ["one", "two"] {
        interface_named(&cloud, &subnet, name);
        let allocation = cloud.text("AllocateAddress", json!({}), "/AllocationId");
        let input = json!({"SubnetId": subnet, "AllocationId": allocation});
        let id = cloud.text("CreateNatGateway", input, "/NatGateway/NatGatewayId");
        rename::<NatGateway>(&cloud, &id, |gateway| gateway.id = format!("nat-{name}").into());
    }
    peerings::two(&cloud, &vpc);
    table_named(&cloud, &vpc, "one");
    (cloud, json!({"RouteTableId": "rtb-one", "DestinationCidrBlock": "0.0.0.0/0"}))
}

fn endpoint() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    for name in ["one", "two", "three"] {
        table_named(&cloud, &vpc, name);
    }
    let service = "com.amazonaws.eu-west-3.s3";
    (cloud, json!({"VpcId": vpc, "ServiceName": service, "VpcEndpointType": "Gateway"}))
}

#[test]
fn routes_update_every_property() {
    table("AWS::EC2::RouteTable", route_table).check();
    PropertyTable::new("AWS::EC2::Route", targets)
        .row("NetworkInterfaceId", json!("eni-one"), json!("eni-two"))
        .row("NatGatewayId", json!("nat-one"), json!("nat-two"))
        .row("VpcPeeringConnectionId", json!("pcx-one"), json!("pcx-two"))
        .exempt(&[
            ("GatewayId", "tested below: a VPC has only one Internet gateway"),
            ("EgressOnlyInternetGatewayId", "in ipv6.rs"),
        ])
        .check();
    let policy = |sid: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
        ]})
    };
    table("AWS::EC2::VPCEndpoint", endpoint)
        .row("RouteTableIds", json!(["rtb-one", "rtb-two"]), json!(["rtb-two", "rtb-three"]))
        .row("RouteTableIds", json!(["rtb-one"]), json!(null))
        .row("PolicyDocument", policy("one"), policy("two"))
        .row("PolicyDocument", policy("one"), json!(null))
        .exempt(&[("IpAddressType", "only ipv4 is supported"), ("PrivateDnsEnabled", "it must be false")])
        .check();
}

#[test]
fn route_changes_the_kind_of_its_target() {
    let (cloud, base) = targets();
    let with = |property: &str, id: &str| {
        let mut all = base.clone();
        all[property] = id.into();
        all
    };
    let mut route = cloud.create_resource("AWS::EC2::Route", with("GatewayId", "igw-one")).unwrap();
    assert_eq!(cloud.read_resource(&route), with("GatewayId", "igw-one"));
    cloud.update_resource(&mut route, with("NatGatewayId", "nat-one")).unwrap();
    assert_eq!(cloud.read_resource(&route), with("NatGatewayId", "nat-one"));
    cloud.update_resource(&mut route, with("GatewayId", "igw-one")).unwrap();
    assert_eq!(cloud.read_resource(&route), with("GatewayId", "igw-one"));
}

/// As a rollback does: the successor is deleted, and the stack knows the subnet's association by its old id.
#[test]
fn rollback_of_a_replaced_association_restores_it() {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        table_named(&cloud, &vpc, name);
    }
    let subnet = subnet_in(&cloud, &vpc);
    let with = |table: &str| json!({"SubnetId": subnet, "RouteTableId": table});
    let create = |table| cloud.create_resource("AWS::EC2::SubnetRouteTableAssociation", with(table)).unwrap();
    let (old, new) = (create("rtb-one"), create("rtb-two"));
    put_stack_row(&cloud, 0, Role::Kept, &old.created.physical_id, with("rtb-one"));
    put_stack_row(&cloud, 1, Role::Orphan, &new.created.physical_id, with("rtb-two"));
    cloud.delete_resource(&new).unwrap();
    assert_eq!((cloud.read_resource(&new), cloud.read_resource(&old)), (Value::Null, with("rtb-one")));
    cloud.delete_resource(&new).unwrap();
    // Without a successor, the subnet gets the main table.
    cloud.delete_resource(&old).unwrap();
    assert_eq!(cloud.store.read().get::<Subnet>(&subnet).unwrap().route_table, None);
}

/// Writes the row of one of two resources with the same logical id.
fn put_stack_row(cloud: &Harness, version: u32, role: Role, id: &str, properties: Value) {
    let row = StackResource {
        version,
        role,
        physical_id: Some(id.into()),
        properties: properties.as_object().unwrap().clone(),
        ..stack_resource("AWS::EC2::Any")
    };
    cloud.write(|tx| tx.put(row));
}

fn stack_resource(type_name: &str) -> StackResource {
    StackResource {
        stack: "uuid".into(),
        logical_id: "Rule".into(),
        version: 0,
        role: Role::Kept,
        type_name: type_name.into(),
        place: 0,
        needs: Default::default(),
        removal: Removal::Delete,
        replaced: Removal::Delete,
        state: ResourceState::Created,
        pending: false,
        applied: 1,
        since: Timestamp(0),
        reason: None,
        waiting_for: None,
        physical_id: None,
        attributes: Default::default(),
        private: Default::default(),
        properties: Default::default(),
        tags: Vec::new(),
    }
}

/// The order of a stack's update: the new association exists before the old one is deleted.
#[test]
fn association_with_another_table_replaces_the_old_one() {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        table_named(&cloud, &vpc, name);
    }
    let subnet = subnet_in(&cloud, &vpc);
    let with = |table: &str| json!({"SubnetId": subnet, "RouteTableId": table});
    let create = |table| cloud.create_resource("AWS::EC2::SubnetRouteTableAssociation", with(table)).unwrap();
    let old = create("rtb-one");
    assert_eq!(cloud.read_resource(&old), with("rtb-one"));
    assert_eq!(create("rtb-one").created, old.created);
    let new = create("rtb-two");
    cloud.delete_resource(&old).unwrap();
    assert_eq!((cloud.read_resource(&old), cloud.read_resource(&new)), (Value::Null, with("rtb-two")));
    let row = cloud.store.read().get::<Subnet>(&subnet).unwrap();
    assert_eq!(row.route_table.as_ref().map(|id| id.as_str()), Some("rtb-two"));
}

fn gateway() -> (Harness, Value) {
    (Harness::of(Ec2), json!({}))
}

fn attachment() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        gateway_named(&cloud, name);
    }
    (cloud, json!({"VpcId": vpc}))
}

fn address() -> (Harness, Value) {
    (Harness::of(Ec2), json!({"NetworkBorderGroup": "eu-west-3", "Domain": "vpc"}))
}

fn nat() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    let gateway = cloud.text("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
    cloud.ok("AttachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    let allocation = cloud.text("AllocateAddress", json!({}), "/AllocationId");
    let subnet = subnet_in(&cloud, &vpc);
    (cloud, json!({"AllocationId": allocation, "SubnetId": subnet, "ConnectivityType": "public"}))
}

#[test]
fn gateways_update_every_property() {
    table("AWS::EC2::InternetGateway", gateway).check();
    PropertyTable::new("AWS::EC2::VPCGatewayAttachment", attachment)
        .row("InternetGatewayId", json!("igw-one"), json!("igw-two"))
        .check();
    table("AWS::EC2::EIP", address).exempt(&[("Domain", "only vpc is supported")]).check();
    table("AWS::EC2::NatGateway", nat).check();
}

#[test]
fn association_of_an_address_is_read() {
    let (cloud, base) = nat();
    let input = json!({"SubnetId": base["SubnetId"]});
    let pointer = "/NetworkInterface/NetworkInterfaceId";
    let interface = cloud.text("CreateNetworkInterface", input, pointer);
    let properties = json!({"AllocationId": base["AllocationId"], "NetworkInterfaceId": interface});
    let made = cloud.create_resource("AWS::EC2::EIPAssociation", properties.clone()).unwrap();
    let seen = cloud.read_resource(&made);
    assert_eq!(
        (&seen["AllocationId"], &seen["NetworkInterfaceId"]),
        (&properties["AllocationId"], &json!(interface))
    );
    cloud.delete_resource(&made).unwrap();
    assert_eq!(cloud.read_resource(&made), Value::Null);
}

fn group() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    for name in ["one", "two"] {
        group_named(&cloud, &vpc, name);
    }
    (cloud, json!({"VpcId": vpc, "GroupName": "web", "GroupDescription": "of the web"}))
}

fn tcp(port: u16, cidr: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr})
}

fn described(mut rule: Value, text: &str) -> Value {
    rule["Description"] = text.into();
    rule
}

fn standalone(peer: &str) -> (Harness, Value) {
    let (cloud, _) = group();
    let mut base = json!({"GroupId": "sg-one", "IpProtocol": "tcp", "FromPort": 80, "ToPort": 81});
    base[peer] = "sg-two".into();
    (cloud, base)
}

#[test]
fn security_groups_update_every_property() {
    let from = |group: &str| json!({"IpProtocol": "-1", "SourceSecurityGroupId": group});
    let to = |group: &str| json!({"IpProtocol": "udp", "FromPort": 1, "ToPort": 2, "DestinationSecurityGroupId": group});
    let (a, b) = (tcp(80, "10.0.0.0/8"), tcp(443, "10.0.0.0/8"));
    table("AWS::EC2::SecurityGroup", group)
        .row("SecurityGroupIngress", json!([a, from("sg-one")]), json!([b, a, from("sg-two")]))
        .row("SecurityGroupIngress", json!([described(a.clone(), "x")]), json!([described(a.clone(), "y")]))
        .row("SecurityGroupIngress", json!([a]), json!(null))
        .row("SecurityGroupEgress", json!([a, to("sg-one")]), json!([b, to("sg-one"), to("sg-two")]))
        .row("SecurityGroupEgress", json!([a]), json!(null))
        .check();
    PropertyTable::new("AWS::EC2::SecurityGroupIngress", || standalone("SourceSecurityGroupId"))
        .row("Description", json!("one"), json!("two"))
        .row("Description", json!("one"), json!(null))
        .check();
    PropertyTable::new("AWS::EC2::SecurityGroupEgress", || standalone("DestinationSecurityGroupId"))
        .row("Description", json!("one"), json!("two"))
        .row("Description", json!("one"), json!(null))
        .check();
}

/// The ids of a group's rules, in one direction.
fn rule_ids(cloud: &Harness, group: &str, egress: bool) -> Vec<String> {
    let image = cloud.store.read();
    let rules = image.scan::<GroupRule>().filter(|r| r.group.as_str() == group && r.egress == egress);
    rules.map(|r| r.id.to_string()).collect()
}

/// Templates of AWS have a rule both in the list of its group and as a resource of its own.
#[test]
fn group_keeps_the_rules_of_both_templates_and_of_others() {
    let (cloud, base) = group();
    let with = |rules: Value| {
        let mut all = base.clone();
        all["SecurityGroupIngress"] = rules;
        all
    };
    let (a, b) = (tcp(80, "10.0.0.0/8"), tcp(443, "10.0.0.0/8"));
    let mut made = cloud.create_resource("AWS::EC2::SecurityGroup", with(json!([a]))).unwrap();
    let id = made.created.physical_id.clone();
    let kept = rule_ids(&cloud, &id, false);
    let other =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]);
    cloud.ok("AuthorizeSecurityGroupIngress", json!({"GroupId": id, "IpPermissions": other}));
    cloud.update_resource(&mut made, with(json!([b, described(a.clone(), "web")]))).unwrap();
    let rules = rule_ids(&cloud, &id, false);
    assert!(rules.contains(&kept[0]) && rules.len() == 3, "{rules:?} without {kept:?}");
    cloud.update_resource(&mut made, with(json!([b]))).unwrap();
    assert_eq!(rule_ids(&cloud, &id, false).len(), 2);
    // Without a rule in the template, the default rule returns.
    let egress = |rules: Value| {
        let mut all = with(json!([b]));
        all["SecurityGroupEgress"] = rules;
        all
    };
    cloud.update_resource(&mut made, egress(json!([a]))).unwrap();
    assert_eq!(cloud.read_resource(&made)["SecurityGroupEgress"], json!([a]));
    cloud.update_resource(&mut made, egress(json!([]))).unwrap();
    let seen = cloud.read_resource(&made);
    assert_eq!(seen["SecurityGroupEgress"], json!([{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]));
}

/// A template may have some rules in the group's list and others as resources of their own.
#[test]
fn rule_that_is_a_resource_is_not_read_with_its_group() {
    let (cloud, mut base) = group();
    base["SecurityGroupIngress"] = json!([tcp(80, "10.0.0.0/8")]);
    let made = cloud.create_resource("AWS::EC2::SecurityGroup", base).unwrap();
    let mut rule = tcp(443, "10.0.0.0/8");
    rule["GroupId"] = made.created.physical_id.as_str().into();
    let rule = cloud.create_resource("AWS::EC2::SecurityGroupIngress", rule).unwrap();
    let count = || cloud.read_resource(&made)["SecurityGroupIngress"].as_array().unwrap().len();
    assert_eq!(count(), 2, "no stack has the second rule");
    let physical_id = Some(rule.created.physical_id.into());
    let row = StackResource { physical_id, ..stack_resource("AWS::EC2::SecurityGroupIngress") };
    cloud.write(|tx| tx.put(row));
    assert_eq!(count(), 1);
}

/// Old and new rules together may exceed the quota.
#[test]
fn group_replaces_all_rules_of_a_full_group() {
    let (cloud, base) = group();
    let with = |first: u16| {
        let mut all = base.clone();
        all["SecurityGroupIngress"] = (first..first + 60).map(|port| tcp(port, "10.0.0.0/8")).collect();
        all
    };
    let mut made = cloud.create_resource("AWS::EC2::SecurityGroup", with(100)).unwrap();
    cloud.update_resource(&mut made, with(200)).unwrap();
    assert_eq!(rule_ids(&cloud, &made.created.physical_id, false).len(), 60);
}

#[test]
fn deleted_resources_are_not_read() {
    type Setup = fn() -> (Harness, Value);
    let setups: [(&str, Setup); 9] = [
        ("AWS::EC2::VPC", vpc),
        ("AWS::EC2::Subnet", subnet),
        ("AWS::EC2::NetworkInterface", interface),
        ("AWS::EC2::RouteTable", route_table),
        ("AWS::EC2::VPCEndpoint", endpoint),
        ("AWS::EC2::InternetGateway", gateway),
        ("AWS::EC2::EIP", address),
        ("AWS::EC2::NatGateway", nat),
        ("AWS::EC2::SecurityGroup", group),
    ];
    for (name, setup) in setups {
        let (cloud, base) = setup();
        let made = cloud.create_resource(name, base).unwrap();
        cloud.delete_resource(&made).unwrap();
        assert_eq!(cloud.read_resource(&made), Value::Null, "{name}");
    }
}

/// The forms that AWS's schemas name in `propertyTransform`.
#[test]
fn other_spellings_of_rules_and_blocks_are_no_drift() {
    let (cloud, vpc) = cloud();
    let group = json!({
        "GroupDescription": "d", "VpcId": vpc,
        "SecurityGroupIngress": [
            {"IpProtocol": "TCP", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/8"},
            {"IpProtocol": "17", "FromPort": 53, "ToPort": 53, "CidrIp": "10.0.0.0/8"},
            {"IpProtocol": "-1", "FromPort": 0, "ToPort": 65535, "CidrIp": "10.1.0.0/16"},
        ],
        "SecurityGroupEgress": [{"IpProtocol": "Udp", "FromPort": 1, "ToPort": 2, "CidrIp": "10.0.0.0/8"}],
    });
    let made = cloud.create_resource("AWS::EC2::SecurityGroup", group).unwrap();
    cloud.check_no_drift(&made);
    let rule = json!({
        "GroupId": made.created.physical_id, "IpProtocol": "6", "FromPort": 443, "ToPort": 443, "CidrIp": "10.2.0.0/16",
    });
    cloud.check_no_drift(&cloud.create_resource("AWS::EC2::SecurityGroupIngress", rule).unwrap());
    let subnet = json!({"VpcId": vpc, "CidrBlock": "10.0.2.0/20"});
    cloud.check_no_drift(&cloud.create_resource("AWS::EC2::Subnet", subnet).unwrap());
}
