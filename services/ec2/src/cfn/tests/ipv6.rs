//! IPv6 blocks, routes and rules, which are stored and shown only.

use super::{cloud, group, subnet_in, table, table_named, tags};
use escale_base::wire::Value;
use escale_harness::{Harness, PropertyTable};
use escale_tables::ec2::{EgressOnlyInternetGateway, Vpc};
use serde_json::json;

/// A VPC with the block 2001:db8:1000:1000::/56.
fn with_block() -> (Harness, String) {
    let (cloud, vpc) = cloud();
    let input = json!({"VpcId": vpc, "AmazonProvidedIpv6CidrBlock": true});
    let pointer = "/Ipv6CidrBlockAssociation/Ipv6CidrBlock";
    assert_eq!(cloud.text("AssociateVpcCidrBlock", input, pointer), "2001:db8:1000:1000::/56");
    (cloud, vpc)
}

fn subnet() -> (Harness, Value) {
    let (cloud, vpc) = with_block();
    (cloud, json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24", "Ipv6CidrBlock": "2001:db8:1000:1000::/64"}))
}

fn gateway() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    (cloud, json!({"VpcId": vpc}))
}

fn outbound_named(cloud: &Harness, vpc: &str, name: &str) {
    let pointer = "/EgressOnlyInternetGateway/EgressOnlyInternetGatewayId";
    let id = cloud.text("CreateEgressOnlyInternetGateway", json!({"VpcId": vpc}), pointer);
    let renamed = format!("eigw-{name}");
    super::rename::<EgressOnlyInternetGateway>(cloud, &id, |gateway| gateway.id = renamed.into());
}

fn route() -> (Harness, Value) {
    let (cloud, vpc) = with_block();
    table_named(&cloud, &vpc, "one");
    for name in ["one", "two"] {
        outbound_named(&cloud, &vpc, name);
    }
    (cloud, json!({"RouteTableId": "rtb-one", "DestinationIpv6CidrBlock": "::/0"}))
}

#[test]
fn ipv6_updates_every_property() {
    table("AWS::EC2::Subnet", subnet)
        .row("Ipv6CidrBlock", json!("2001:db8:1000:1000::/64"), json!("2001:db8:1000:1001::/64"))
        .row("AssignIpv6AddressOnCreation", json!(true), json!(false))
        .row("AssignIpv6AddressOnCreation", json!(true), json!(null))
        .row("MapPublicIpOnLaunch", json!(false), json!(true))
        .check();
    table("AWS::EC2::EgressOnlyInternetGateway", gateway).check();
    PropertyTable::new("AWS::EC2::Route", route)
        .row("EgressOnlyInternetGatewayId", json!("eigw-one"), json!("eigw-two"))
        .exempt(&[
            ("GatewayId", "instead of EgressOnlyInternetGatewayId"),
            ("NatGatewayId", "instead of EgressOnlyInternetGatewayId"),
            ("NetworkInterfaceId", "instead of EgressOnlyInternetGatewayId"),
            ("VpcPeeringConnectionId", "instead of EgressOnlyInternetGatewayId"),
        ])
        .check();
    let (a, b) = (
        json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv6": "::/0"}),
        |kind: i32| json!({"IpProtocol": "icmpv6", "FromPort": kind, "ToPort": -1, "CidrIpv6": "2001:db8::/32"}),
    );
    table("AWS::EC2::SecurityGroup", group)
        .row("SecurityGroupIngress", json!([a]), json!([a, b(-1)]))
        .row("SecurityGroupEgress", json!([b(128)]), json!([a]))
        .check();
}

/// In the order of a stack: the VPC's attributes are read before and after the block is associated.
#[test]
fn block_of_a_vpc_is_an_attribute_of_the_vpc_and_its_subnets() {
    let cloud = cloud().0;
    let kind = |name: &str| *cloud.cloud.resource_type(name).unwrap();
    let attribute = |name: &str, resource: &escale_harness::Resource| {
        (kind(name).current)(&cloud.store.read(), &resource.created, "Ipv6CidrBlocks")
    };
    let vpc = cloud.create_resource("AWS::EC2::VPC", json!({"CidrBlock": "10.1.0.0/16"})).unwrap();
    assert_eq!(attribute("AWS::EC2::VPC", &vpc), Some(json!([])));
    let id = vpc.created.physical_id.as_str();
    let properties = json!({"VpcId": id, "AmazonProvidedIpv6CidrBlock": true});
    let block = cloud.create_resource("AWS::EC2::VPCCidrBlock", properties.clone()).unwrap();
    assert_eq!(cloud.read_resource(&block), properties);
    assert_eq!(attribute("AWS::EC2::VPC", &vpc), Some(json!(["2001:db8:1000:1000::/56"])));
    let base = json!({"VpcId": id, "CidrBlock": "10.1.1.0/24", "Ipv6CidrBlock": "2001:db8:1000:10ff::/64"});
    let subnet = cloud.create_resource("AWS::EC2::Subnet", base).unwrap();
    assert_eq!(attribute("AWS::EC2::Subnet", &subnet), Some(json!(["2001:db8:1000:10ff::/64"])));
    let current = (kind("AWS::EC2::Subnet").current)(&cloud.store.read(), &subnet.created, "Ipv6CidrBlock");
    assert_eq!(current, Some(json!("2001:db8:1000:10ff::/64")));
    assert_eq!((kind("AWS::EC2::VPC").current)(&cloud.store.read(), &vpc.created, "VpcId"), None);

    let error = cloud.delete_resource(&block).err().unwrap();
    assert_eq!(error.code, "DependencyViolation");
    cloud.delete_resource(&subnet).unwrap();
    cloud.delete_resource(&block).unwrap();
    assert_eq!(cloud.read_resource(&block), Value::Null);
    cloud.delete_resource(&block).unwrap();
    cloud.delete_resource(&vpc).unwrap();
}

#[test]
fn subnets_get_blocks_of_their_vpc_only() {
    let (cloud, vpc) = with_block();
    let subnet = subnet_in(&cloud, &vpc);
    let associate = |block: &str| json!({"SubnetId": subnet, "Ipv6CidrBlock": block});
    for (block, code) in [
        ("2001:db8:1::/64", "InvalidSubnet.Range"),
        ("2001:db8::/65", "InvalidSubnet.Range"),
        ("2001:db8::/40", "InvalidSubnet.Range"),
        ("10.0.0.0/24", "InvalidParameterValue"),
    ] {
        assert_eq!(cloud.error("AssociateSubnetCidrBlock", associate(block)).code, code, "{block}");
    }
    let made = cloud
        .create_resource("AWS::EC2::SubnetCidrBlock", associate("2001:db8:1000:1004::/62"))
        .err()
        .unwrap();
    assert_eq!(made.code, "InvalidSubnet.Range");
    let made =
        cloud.create_resource("AWS::EC2::SubnetCidrBlock", associate("2001:db8:1000:1008::/60")).unwrap();
    assert_eq!(cloud.read_resource(&made), associate("2001:db8:1000:1000::/60"));
    let input = json!({"VpcId": vpc, "CidrBlock": "10.0.2.0/24", "Ipv6CidrBlock": "2001:db8:1000:1001::/64"});
    assert_eq!(cloud.error("CreateSubnet", input).code, "InvalidSubnet.Conflict");
    let flag = json!({"SubnetId": subnet, "AssignIpv6AddressOnCreation": {"Value": true}});
    cloud.ok("ModifySubnetAttribute", flag.clone());
    let shown = cloud.ok("DescribeSubnets", json!({}))["Subnets"][0].clone();
    assert_eq!(shown["AssignIpv6AddressOnCreation"], true);
    assert_eq!(shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"], "2001:db8:1000:1000::/60");
    cloud.delete_resource(&made).unwrap();
    assert_eq!(cloud.error("ModifySubnetAttribute", flag).code, "InvalidParameterValue");
    // The next VPC gets another block.
    let second = json!({"CidrBlock": "10.9.0.0/16", "AmazonProvidedIpv6CidrBlock": true});
    let pointer = "/Vpc/Ipv6CidrBlockAssociationSet/0/Ipv6CidrBlock";
    assert_eq!(cloud.text("CreateVpc", second, pointer), "2001:db8:1000:1100::/56");
    let again = json!({"VpcId": vpc, "AmazonProvidedIpv6CidrBlock": true});
    assert_eq!(cloud.error("AssociateVpcCidrBlock", again).code, "NotImplemented");
    let primary = vpc.replacen("vpc-", "vpc-cidr-assoc-", 1);
    let error = cloud.error("DisassociateVpcCidrBlock", json!({"AssociationId": primary}));
    assert_eq!(error.code, "OperationNotPermitted");
}

#[test]
fn egress_only_gateway_is_a_target_of_ipv6_routes_only() {
    let (cloud, base) = route();
    let with = |more: Value| {
        let mut all = base.clone();
        all["EgressOnlyInternetGatewayId"] = "eigw-one".into();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let route = cloud.create_resource("AWS::EC2::Route", with(json!({}))).unwrap();
    let mut ipv4 = with(json!({"DestinationCidrBlock": "0.0.0.0/0"}));
    let both = cloud.error("CreateRoute", ipv4.clone());
    assert_eq!(both.code, "InvalidParameterCombination");
    ipv4.as_object_mut().unwrap().remove("DestinationIpv6CidrBlock");
    assert_eq!(cloud.error("CreateRoute", ipv4).code, "InvalidParameterValue");
    let local = with(json!({"DestinationIpv6CidrBlock": "2001:db8:1000:1000::/56"}));
    assert_eq!(cloud.error("CreateRoute", local).code, "InvalidParameterValue");
    let shown = cloud.ok("DescribeRouteTables", json!({"RouteTableIds": ["rtb-one"]}));
    let routes = shown["RouteTables"][0]["Routes"].as_array().unwrap().clone();
    let ipv6: Vec<_> = routes.iter().filter_map(|r| r["DestinationIpv6CidrBlock"].as_str()).collect();
    assert_eq!(ipv6, ["2001:db8:1000:1000::/56", "::/0"]);
    let vpc = cloud.store.read().scan::<Vpc>().next().unwrap().id.to_string();
    cloud.delete_resource(&route).unwrap();
    assert_eq!(cloud.read_resource(&route), Value::Null);
    cloud.ok("DeleteRouteTable", json!({"RouteTableId": "rtb-one"}));
    assert_eq!(cloud.error("DeleteVpc", json!({"VpcId": vpc})).code, "DependencyViolation");
    let tagged = json!({"Resources": ["eigw-one"], "Tags": tags(&[("a", "1")])});
    cloud.ok("CreateTags", tagged);
}
