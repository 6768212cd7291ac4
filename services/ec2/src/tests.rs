//! Tests of behaviour that several operations share.

use crate::testing::FakeCloud;
use serde_json::json;

#[test]
fn vpc_is_created_and_deleted_with_its_main_route_table_and_default_group() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let tables = cloud.ok("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}));
    assert_eq!(tables["RouteTables"][0]["Associations"][0]["Main"], true);
    assert_eq!(tables["RouteTables"][0]["Routes"][0]["GatewayId"], "local");
    let groups = cloud.ok("DescribeSecurityGroups", json!({}));
    let group = &groups["SecurityGroups"][0];
    assert_eq!(group["GroupName"], "default");
    assert_eq!(group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], group["GroupId"]);
    assert_eq!(group["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"], "0.0.0.0/0");
    assert_eq!(cloud.error("DeleteSecurityGroup", json!({"GroupId": group["GroupId"]})).code, "CannotDelete");
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    assert_eq!(cloud.error("DeleteVpc", json!({"VpcId": vpc})).code, "DependencyViolation");
    cloud.ok("DeleteSubnet", json!({"SubnetId": subnet}));
    cloud.ok("DeleteVpc", json!({"VpcId": vpc}));
    for (operation, list) in
        [("DescribeRouteTables", "RouteTables"), ("DescribeSecurityGroups", "SecurityGroups")]
    {
        assert_eq!(cloud.ok(operation, json!({}))[list], json!([]));
    }
    assert_eq!(cloud.ok("DescribeSecurityGroupRules", json!({}))["SecurityGroupRules"], json!([]));
}

#[test]
fn rejects_invalid_vpc_and_subnet_blocks() {
    let cloud = FakeCloud::new();
    for (cidr, code) in [
        ("10.0.0.0/15", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("10.0.0.0", "InvalidParameterValue"),
        ("198.18.0.0/16", "InvalidParameterValue"),
        ("169.254.0.0/16", "InvalidParameterValue"),
    ] {
        assert_eq!(cloud.error("CreateVpc", json!({"CidrBlock": cidr})).code, code, "{cidr}");
    }
    let vpc = cloud.vpc();
    cloud.subnet(&vpc, "10.0.1.0/24");
    for (cidr, code) in [
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.2.0/29", "InvalidSubnet.Range"),
        ("10.0.1.128/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/16", "InvalidSubnet.Conflict"),
    ] {
        assert_eq!(
            cloud.error("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": cidr})).code,
            code,
            "{cidr}"
        );
    }
    let zone = json!({"VpcId": vpc, "CidrBlock": "10.0.2.0/24", "AvailabilityZone": "us-east-1a"});
    assert_eq!(cloud.error("CreateSubnet", zone).code, "InvalidParameterValue");
}

#[test]
fn assigns_private_addresses_until_the_subnet_is_full() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/28");
    let with = |ip: &str| json!({"SubnetId": subnet, "PrivateIpAddress": ip});
    for (ip, code) in [
        ("10.0.1.3", "InvalidParameterValue"),
        ("10.0.1.15", "InvalidParameterValue"),
        ("10.0.2.5", "InvalidParameterValue"),
    ] {
        assert_eq!(cloud.error("CreateNetworkInterface", with(ip)).code, code, "{ip}");
    }
    cloud.ok("CreateNetworkInterface", with("10.0.1.4"));
    assert_eq!(cloud.error("CreateNetworkInterface", with("10.0.1.4")).code, "InvalidIPAddress.InUse");
    // A /28 has 16 addresses, of which AWS reserves five. One is taken already.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let created = cloud.ok("CreateNetworkInterface", json!({"SubnetId": subnet}));
        seen.insert(created["NetworkInterface"]["PrivateIpAddress"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 10);
    let full = cloud.error("CreateNetworkInterface", json!({"SubnetId": subnet})).code;
    assert_eq!(full, "InsufficientFreeAddressesInSubnet");
    let left = cloud.ok("DescribeSubnets", json!({}));
    assert_eq!(left["Subnets"][0]["AvailableIpAddressCount"], 0);
    assert_eq!(cloud.error("DeleteSubnet", json!({"SubnetId": subnet})).code, "DependencyViolation");
}

#[test]
fn only_services_delete_resources_that_a_service_created() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let input = json!({"SubnetId": subnet, "InterfaceType": "nat_gateway", "Description": "NAT"});
    let refused = cloud.error("CreateNetworkInterface", input.clone()).code;
    assert_eq!(refused, "NotImplemented", "only services choose the type");
    let created = cloud.ok_for_ecs("CreateNetworkInterface", input);
    let id = &created["NetworkInterface"]["NetworkInterfaceId"];
    assert_eq!(created["NetworkInterface"]["RequesterId"], "ecs.amazonaws.com");
    assert_eq!(created["NetworkInterface"]["Status"], "pending");
    let delete = json!({"NetworkInterfaceId": id});
    assert_eq!(cloud.error("DeleteNetworkInterface", delete.clone()).code, "InvalidNetworkInterface.InUse");
    cloud.ok_for_ecs("DeleteNetworkInterface", delete.clone());
    assert_eq!(cloud.error("DeleteNetworkInterface", delete).code, "InvalidNetworkInterfaceID.NotFound");
    let address = cloud.ok_for_ecs("AllocateAddress", json!({}));
    let release = json!({"AllocationId": address["AllocationId"]});
    assert_eq!(cloud.error("ReleaseAddress", release.clone()).code, "OperationNotPermitted");
    cloud.ok_for_ecs("ReleaseAddress", release);
}

#[test]
fn elastic_ip_replaces_the_automatic_address_and_prevents_detachment() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let interface = cloud.interface(&subnet);
    let first = cloud.ok("AllocateAddress", json!({"Domain": "vpc"}));
    let second = cloud.ok("AllocateAddress", json!({}));
    assert_eq!(first["PublicIp"], "198.18.1.0");
    assert_eq!(second["PublicIp"], "198.18.1.1");
    let associate =
        |a: &serde_json::Value| json!({"AllocationId": a["AllocationId"], "NetworkInterfaceId": interface});
    assert_eq!(cloud.error("AssociateAddress", associate(&first)).code, "Gateway.NotAttached");
    let gateway = cloud.internet(&vpc);
    let own = json!({"NetworkInterfaceId": interface, "AssociatePublicIpAddress": true});
    cloud.ok("ModifyNetworkInterfaceAttribute", own);
    let shown =
        || cloud.ok("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"][0]["Association"].clone();
    assert_eq!(shown()["PublicIp"], "198.18.1.2");
    let association = cloud.text("AssociateAddress", associate(&first), "/AssociationId");
    assert_eq!(shown()["PublicIp"], "198.18.1.0", "an Elastic IP address replaces the automatic one");
    assert_eq!(cloud.error("AssociateAddress", associate(&second)).code, "Resource.AlreadyAssociated");
    let release = json!({"AllocationId": first["AllocationId"]});
    assert_eq!(cloud.error("ReleaseAddress", release.clone()).code, "InvalidIPAddress.InUse");
    let detach = json!({"InternetGatewayId": gateway, "VpcId": vpc});
    assert_eq!(cloud.error("DetachInternetGateway", detach.clone()).code, "DependencyViolation");
    cloud.ok("DisassociateAddress", json!({"AssociationId": association}));
    cloud.ok("ReleaseAddress", release);
    cloud.ok("DetachInternetGateway", detach);
    assert_eq!(cloud.ok("AllocateAddress", json!({}))["PublicIp"], "198.18.1.0");
}

#[test]
fn routes_and_associations_are_validated() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let table = cloud.text("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let gateway = cloud.text("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    assert_eq!(
        cloud.error("CreateRoute", route.clone()).code,
        "InvalidParameter",
        "the gateway is not attached to this VPC"
    );
    cloud.ok("AttachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    cloud.ok("CreateRoute", route.clone());
    assert_eq!(cloud.error("CreateRoute", route.clone()).code, "RouteAlreadyExists");
    let local = json!({"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": gateway});
    assert_eq!(cloud.error("CreateRoute", local).code, "InvalidParameterValue");
    let pair = json!({"RouteTableId": table, "SubnetId": subnet});
    let association = cloud.text("AssociateRouteTable", pair.clone(), "/AssociationId");
    assert_eq!(cloud.error("AssociateRouteTable", pair).code, "Resource.AlreadyAssociated");
    assert_eq!(cloud.error("DeleteRouteTable", json!({"RouteTableId": table})).code, "DependencyViolation");
    cloud.ok("DetachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    let shown = cloud.ok("DescribeRouteTables", json!({"RouteTableIds": [table]}));
    assert_eq!(shown["RouteTables"][0]["Routes"][1]["State"], "blackhole");
    cloud.ok("DisassociateRouteTable", json!({"AssociationId": association}));
    cloud.ok("DeleteRoute", json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}));
    cloud.ok("DeleteRouteTable", json!({"RouteTableId": table}));
}

#[test]
fn security_group_rules_are_validated() {
    let cloud = FakeCloud::new();
    let (vpc, other_vpc) = (cloud.vpc(), cloud.vpc());
    let group = |vpc: &str, name: &str| {
        let input = json!({"GroupName": name, "Description": "d", "VpcId": vpc});
        cloud.text("CreateSecurityGroup", input, "/GroupId")
    };
    let (web, app, far) = (group(&vpc, "web"), group(&vpc, "app"), group(&other_vpc, "web"));
    let twice = json!({"GroupName": "web", "Description": "d", "VpcId": vpc});
    assert_eq!(cloud.error("CreateSecurityGroup", twice).code, "InvalidGroup.Duplicate");
    let rule = |group: &str, from: &str| {
        json!({"GroupId": group, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "UserIdGroupPairs": [{"GroupId": from}]}]})
    };
    let created = cloud.ok("AuthorizeSecurityGroupIngress", rule(&app, &web));
    assert_eq!(created["SecurityGroupRules"][0]["ReferencedGroupInfo"]["GroupId"], web);
    assert_eq!(
        cloud.error("AuthorizeSecurityGroupIngress", rule(&app, &web)).code,
        "InvalidPermission.Duplicate"
    );
    assert_eq!(cloud.error("AuthorizeSecurityGroupIngress", rule(&app, &far)).code, "InvalidParameter");
    assert_eq!(
        cloud.error("AuthorizeSecurityGroupIngress", rule(&app, "sg-0")).code,
        "InvalidGroup.NotFound"
    );
    assert_eq!(cloud.error("DeleteSecurityGroup", json!({"GroupId": web})).code, "DependencyViolation");
    cloud.ok("RevokeSecurityGroupIngress", rule(&app, &web));
    assert_eq!(
        cloud.error("RevokeSecurityGroupIngress", rule(&app, &web)).code,
        "InvalidPermission.NotFound"
    );
    cloud.ok("DeleteSecurityGroup", json!({"GroupId": web}));
    let flood: Vec<_> = (0..61).map(|i| json!({"CidrIp": format!("10.0.{i}.0/24")})).collect();
    let flood = json!({"GroupId": app, "IpPermissions": [{"IpProtocol": "-1", "IpRanges": flood}]});
    assert_eq!(
        cloud.error("AuthorizeSecurityGroupIngress", flood).code,
        "RulesPerSecurityGroupLimitExceeded"
    );
    let six = json!({"GroupId": app, "IpPermissions": [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]});
    let rules = cloud.ok("AuthorizeSecurityGroupIngress", six.clone())["SecurityGroupRules"].clone();
    assert_eq!((&rules[0]["CidrIpv6"], &rules[0]["CidrIpv4"]), (&json!("::/0"), &json!(null)));
    assert_eq!(cloud.error("AuthorizeSecurityGroupIngress", six.clone()).code, "InvalidPermission.Duplicate");
    let shown = cloud.ok("DescribeSecurityGroups", json!({"GroupIds": [app]}))["SecurityGroups"][0].clone();
    let ranges = shown["IpPermissions"].as_array().unwrap().iter().find(|p| p["IpProtocol"] == "-1").unwrap();
    assert_eq!(ranges["Ipv6Ranges"], json!([{"CidrIpv6": "::/0"}]));
    cloud.ok("RevokeSecurityGroupIngress", six);
}

#[test]
fn nat_gateway_keeps_its_address_until_it_is_deleted() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    cloud.internet(&vpc);
    let allocation = cloud.text("AllocateAddress", json!({}), "/AllocationId");
    let input = json!({"SubnetId": subnet, "AllocationId": allocation});
    let id = cloud.text("CreateNatGateway", input.clone(), "/NatGateway/NatGatewayId");
    let second = cloud.text("CreateNatGateway", input, "/NatGateway/NatGatewayId");
    let failed =
        cloud.ok("DescribeNatGateways", json!({"NatGatewayIds": [second]}))["NatGateways"][0].clone();
    assert_eq!(failed["FailureCode"], "Resource.AlreadyAssociated");
    let message = format!("Elastic IP address {allocation} is already associated");
    assert_eq!(failed["FailureMessage"], message);
    let interface = cloud.ok("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"][0].clone();
    assert_eq!(interface["InterfaceType"], "nat_gateway");
    assert_eq!(interface["Association"]["AllocationId"], allocation);
    let disassociate = json!({"AssociationId": interface["Association"]["AssociationId"]});
    assert_eq!(cloud.error("DisassociateAddress", disassociate).code, "OperationNotPermitted");
    cloud.ok("DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(cloud.error("DeleteNatGateway", json!({"NatGatewayId": id})).code, "NatGatewayNotFound");
    cloud.ok("ReleaseAddress", json!({"AllocationId": allocation}));
}

#[test]
fn nat_gateway_without_an_internet_gateway_fails() {
    let cloud = FakeCloud::new();
    let vpc = cloud.vpc();
    let subnet = cloud.subnet(&vpc, "10.0.1.0/24");
    let allocation = cloud.text("AllocateAddress", json!({}), "/AllocationId");
    let created = cloud.ok("CreateNatGateway", json!({"SubnetId": subnet, "AllocationId": allocation}));
    assert_eq!(created["NatGateway"]["State"], "pending");
    assert!(created["NatGateway"].get("FailureCode").is_none_or(serde_json::Value::is_null));
    let id = created["NatGateway"]["NatGatewayId"].as_str().unwrap();
    let shown = || cloud.ok("DescribeNatGateways", json!({}))["NatGateways"].clone();
    let failed = shown()[0].clone();
    assert_eq!((&failed["State"], &failed["FailureCode"]), (&json!("failed"), &json!("Gateway.NotAttached")));
    assert_eq!(failed["FailureMessage"], format!("Network {vpc} has no Internet gateway attached"));
    assert_eq!(failed["NatGatewayAddresses"][0]["Status"], "failed");
    let failed = json!([{"Name": "state", "Values": ["failed"]}]);
    assert_eq!(
        cloud.ok("DescribeNatGateways", json!({"Filter": failed}))["NatGateways"][0]["NatGatewayId"],
        id
    );
    // A failed gateway has no interface and no address, and no route can name it.
    assert_eq!(cloud.ok("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"], json!([]));
    let table = cloud.text("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": id});
    assert_eq!(cloud.error("CreateRoute", route).code, "NatGatewayNotFound");
    cloud.ok("ReleaseAddress", json!({"AllocationId": allocation}));
    cloud.ok("DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(shown()[0]["State"], "deleted");
    cloud.ok("DeleteRouteTable", json!({"RouteTableId": table}));
    cloud.ok("DeleteSubnet", json!({"SubnetId": subnet}));
    cloud.ok("DeleteVpc", json!({"VpcId": vpc}));
}

/// AWS's documentation of each of these parameters: "we modify the specified CIDR block to its canonical form".
#[test]
fn cidr_blocks_are_stored_without_host_bits() {
    let cloud = FakeCloud::new();
    let vpc = cloud.ok("CreateVpc", json!({"CidrBlock": "10.0.1.5/16"}))["Vpc"].clone();
    assert_eq!(vpc["CidrBlock"], "10.0.0.0/16");
    let id = vpc["VpcId"].as_str().unwrap();
    let subnet = cloud.ok("CreateSubnet", json!({"VpcId": id, "CidrBlock": "10.0.1.5/24"}));
    assert_eq!(subnet["Subnet"]["CidrBlock"], "10.0.1.0/24");
    let group = cloud.text(
        "CreateSecurityGroup",
        json!({"GroupName": "web", "Description": "d", "VpcId": id}),
        "/GroupId",
    );
    let rule = |cidr: &str| {
        json!({"GroupId": group, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "IpRanges": [{"CidrIp": cidr}]}]})
    };
    for (authorize, revoke) in [
        ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
        ("AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
    ] {
        let created = cloud.ok(authorize, rule("100.68.0.18/18"));
        assert_eq!(created["SecurityGroupRules"][0]["CidrIpv4"], "100.68.0.0/18");
        assert_eq!(cloud.error(authorize, rule("100.68.0.0/18")).code, "InvalidPermission.Duplicate");
        cloud.ok(revoke, rule("100.68.1.1/18"));
    }
    let created = cloud.ok("AuthorizeSecurityGroupIngress", rule("0.0.0.0/0"));
    let change = json!({"SecurityGroupRuleId": created["SecurityGroupRules"][0]["SecurityGroupRuleId"],
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "192.168.7.7/16"}});
    cloud.ok("ModifySecurityGroupRules", json!({"GroupId": group, "SecurityGroupRules": [change]}));
    let rules = cloud.ok("DescribeSecurityGroupRules", json!({})).to_string();
    assert!(rules.contains("192.168.0.0/16") && !rules.contains("192.168.7.7"), "{rules}");
    let gateway = cloud.internet(id);
    let table = cloud.text("CreateRouteTable", json!({"VpcId": id}), "/RouteTable/RouteTableId");
    let route = |to: &str| json!({"RouteTableId": table, "DestinationCidrBlock": to});
    let mut wanted = route("192.168.7.7/16");
    wanted["GatewayId"] = gateway.into();
    cloud.ok("CreateRoute", wanted.clone());
    let shown = cloud.ok("DescribeRouteTables", json!({"RouteTableIds": [table]}));
    assert_eq!(shown["RouteTables"][0]["Routes"][1]["DestinationCidrBlock"], "192.168.0.0/16");
    cloud.ok("ReplaceRoute", wanted);
    cloud.ok("DeleteRoute", route("192.168.0.0/16"));
}

#[test]
fn default_vpc_is_used_when_a_request_names_no_vpc() {
    let cloud = FakeCloud::new();
    let group = json!({"GroupName": "web", "Description": "d"});
    assert_eq!(cloud.error("CreateSecurityGroup", group.clone()).code, "VPCIdNotSpecified");
    assert_eq!(
        cloud.error("CreateDefaultSubnet", json!({"AvailabilityZone": "eu-west-3a"})).code,
        "VPCIdNotSpecified"
    );
    let vpc = cloud.ok("CreateDefaultVpc", json!({}))["Vpc"].clone();
    assert_eq!((&vpc["CidrBlock"], &vpc["IsDefault"]), (&json!("172.31.0.0/16"), &json!(true)));
    assert_eq!(vpc["State"], "available", "the default VPC needs no network yet");
    assert_eq!(cloud.error("CreateDefaultVpc", json!({})).code, "DefaultVpcAlreadyExists");
    let id = vpc["VpcId"].as_str().unwrap();
    let other = cloud.vpc();
    let only = json!([{"Name": "is-default", "Values": ["true"]}]);
    let found = cloud.ok("DescribeVpcs", json!({"Filters": only}))["Vpcs"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["VpcId"]), (1, &json!(id)));
    cloud.subnet(&other, "10.0.0.0/24");
    let only = json!([{"Name": "default-for-az", "Values": ["true"]}]);
    let subnets = cloud.ok("DescribeSubnets", json!({"Filters": only}))["Subnets"].clone();
    let mut blocks: Vec<_> = subnets.as_array().unwrap().iter().map(|s| s["CidrBlock"].clone()).collect();
    blocks.sort_by_key(ToString::to_string);
    assert_eq!(blocks, ["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"]);
    assert!(subnets.as_array().unwrap().iter().all(|s| s["MapPublicIpOnLaunch"] == true && s["VpcId"] == id));
    let tables = cloud.ok("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [id]}]}));
    assert!(tables["RouteTables"][0]["Routes"][1]["GatewayId"].as_str().unwrap().starts_with("igw-"));
    let attributes = cloud.ok("DescribeAccountAttributes", json!({"AttributeNames": ["default-vpc"]}));
    assert_eq!(attributes["AccountAttributes"][0]["AttributeValues"][0]["AttributeValue"], id);

    // A request without a VPC uses the default VPC, and only its groups can be named by name.
    let web = cloud.text("CreateSecurityGroup", group.clone(), "/GroupId");
    let named =
        cloud.ok("DescribeSecurityGroups", json!({"GroupNames": ["web"]}))["SecurityGroups"][0].clone();
    assert_eq!((&named["GroupId"], &named["VpcId"]), (&json!(web), &json!(id)));
    let rule =
        json!({"GroupName": "web", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.0/8"});
    cloud.ok("AuthorizeSecurityGroupIngress", rule.clone());
    cloud.ok("RevokeSecurityGroupIngress", rule);
    cloud.ok("DeleteSecurityGroup", json!({"GroupName": "web"}));
    assert_eq!(cloud.error("DeleteSecurityGroup", json!({"GroupName": "web"})).code, "InvalidGroup.NotFound");

    let zone = json!({"AvailabilityZone": subnets[0]["AvailabilityZone"]});
    assert_eq!(
        cloud.error("CreateDefaultSubnet", zone.clone()).code,
        "DefaultSubnetAlreadyExistsInAvailabilityZone"
    );
    cloud.ok("DeleteSubnet", json!({"SubnetId": subnets[0]["SubnetId"]}));
    let again = cloud.ok("CreateDefaultSubnet", zone)["Subnet"].clone();
    assert_eq!((&again["DefaultForAz"], &again["CidrBlock"]), (&json!(true), &subnets[0]["CidrBlock"]));

    // A deleted default VPC is created again only by CreateDefaultVpc: the start of the daemon creates one only once.
    let gateways = cloud.ok("DescribeInternetGateways", json!({}))["InternetGateways"][0].clone();
    let gateway = json!({"InternetGatewayId": gateways["InternetGatewayId"], "VpcId": id});
    cloud.ok("DetachInternetGateway", gateway);
    for subnet in cloud.ok("DescribeSubnets", json!({}))["Subnets"].as_array().unwrap() {
        cloud.ok("DeleteSubnet", json!({"SubnetId": subnet["SubnetId"]}));
    }
    cloud.ok("DeleteVpc", json!({"VpcId": id}));
    assert_eq!(cloud.error("CreateSecurityGroup", group).code, "VPCIdNotSpecified");
    cloud.install();
    assert_eq!(cloud.ok("DescribeVpcs", json!({}))["Vpcs"].as_array().unwrap().len(), 1);
    cloud.ok("CreateDefaultVpc", json!({}));
}

#[test]
fn tags_can_be_filtered_and_results_paged() {
    let cloud = FakeCloud::new();
    let vpcs: Vec<String> = (0..3).map(|_| cloud.vpc()).collect();
    cloud.ok("CreateTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name", "Value": "shop"}]}));
    let named = cloud.ok("DescribeVpcs", json!({"Filters": [{"Name": "tag:Name", "Values": ["sh*"]}]}));
    assert_eq!(named["Vpcs"][0]["VpcId"], vpcs[0]);
    let tags = cloud.ok("DescribeTags", json!({"Filters": [{"Name": "resource-type", "Values": ["vpc"]}]}));
    assert_eq!(tags["Tags"][0]["ResourceId"], vpcs[0]);
    cloud.ok("DeleteTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name", "Value": "other"}]}));
    assert_eq!(cloud.ok("DescribeTags", json!({}))["Tags"].as_array().unwrap().len(), 1);
    cloud.ok("DeleteTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name"}]}));
    assert_eq!(cloud.ok("DescribeTags", json!({}))["Tags"], json!([]));
    let gone = json!({"Resources": ["vpc-0"], "Tags": [{"Key": "a", "Value": "b"}]});
    assert_eq!(cloud.error("CreateTags", gone).code, "InvalidID");
    let first = cloud.ok("DescribeVpcs", json!({"MaxResults": 2}));
    let rest = cloud.ok("DescribeVpcs", json!({"MaxResults": 2, "NextToken": first["NextToken"]}));
    assert_eq!((first["Vpcs"].as_array().unwrap().len(), rest["Vpcs"].as_array().unwrap().len()), (2, 1));
}
