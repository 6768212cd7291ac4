//! Tests of behaviour that several operations share.

use crate::testing::Harness;
use escale_service::Principal;
use serde_json::json;

#[test]
fn vpc_is_created_and_deleted_with_its_main_route_table_and_default_group() {
    let b = Harness::new();
    let vpc = b.vpc();
    let tables = b.call("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}));
    assert_eq!(tables["RouteTables"][0]["Associations"][0]["Main"], true);
    assert_eq!(tables["RouteTables"][0]["Routes"][0]["GatewayId"], "local");
    let groups = b.call("DescribeSecurityGroups", json!({}));
    let group = &groups["SecurityGroups"][0];
    assert_eq!(group["GroupName"], "default");
    assert_eq!(group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], group["GroupId"]);
    assert_eq!(group["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"], "0.0.0.0/0");
    assert_eq!(b.fails("DeleteSecurityGroup", json!({"GroupId": group["GroupId"]})), "CannotDelete");
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    assert_eq!(b.fails("DeleteVpc", json!({"VpcId": vpc})), "DependencyViolation");
    b.call("DeleteSubnet", json!({"SubnetId": subnet}));
    b.call("DeleteVpc", json!({"VpcId": vpc}));
    for (operation, list) in
        [("DescribeRouteTables", "RouteTables"), ("DescribeSecurityGroups", "SecurityGroups")]
    {
        assert_eq!(b.call(operation, json!({}))[list], json!([]));
    }
    assert_eq!(b.call("DescribeSecurityGroupRules", json!({}))["SecurityGroupRules"], json!([]));
}

#[test]
fn rejects_invalid_vpc_and_subnet_blocks() {
    let b = Harness::new();
    for (cidr, code) in [
        ("10.0.0.0/15", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("10.0.0.0", "InvalidParameterValue"),
        ("198.18.0.0/16", "InvalidParameterValue"),
        ("169.254.0.0/16", "InvalidParameterValue"),
    ] {
        assert_eq!(b.fails("CreateVpc", json!({"CidrBlock": cidr})), code, "{cidr}");
    }
    let vpc = b.vpc();
    b.subnet(&vpc, "10.0.1.0/24");
    for (cidr, code) in [
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.2.0/29", "InvalidSubnet.Range"),
        ("10.0.1.128/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/16", "InvalidSubnet.Conflict"),
    ] {
        assert_eq!(b.fails("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": cidr})), code, "{cidr}");
    }
    let zone = json!({"VpcId": vpc, "CidrBlock": "10.0.2.0/24", "AvailabilityZone": "us-east-1a"});
    assert_eq!(b.fails("CreateSubnet", zone), "InvalidParameterValue");
}

#[test]
fn assigns_private_addresses_until_the_subnet_is_full() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/28");
    let with = |ip: &str| json!({"SubnetId": subnet, "PrivateIpAddress": ip});
    for (ip, code) in [
        ("10.0.1.3", "InvalidParameterValue"),
        ("10.0.1.15", "InvalidParameterValue"),
        ("10.0.2.5", "InvalidParameterValue"),
    ] {
        assert_eq!(b.fails("CreateNetworkInterface", with(ip)), code, "{ip}");
    }
    b.call("CreateNetworkInterface", with("10.0.1.4"));
    assert_eq!(b.fails("CreateNetworkInterface", with("10.0.1.4")), "InvalidIPAddress.InUse");
    // A /28 has 16 addresses, of which AWS reserves five. One is taken already.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let created = b.call("CreateNetworkInterface", json!({"SubnetId": subnet}));
        seen.insert(created["NetworkInterface"]["PrivateIpAddress"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 10);
    let full = b.fails("CreateNetworkInterface", json!({"SubnetId": subnet}));
    assert_eq!(full, "InsufficientFreeAddressesInSubnet");
    let left = b.call("DescribeSubnets", json!({}));
    assert_eq!(left["Subnets"][0]["AvailableIpAddressCount"], 0);
    assert_eq!(b.fails("DeleteSubnet", json!({"SubnetId": subnet})), "DependencyViolation");
}

#[test]
fn only_services_delete_resources_that_a_service_created() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let input = json!({"SubnetId": subnet, "InterfaceType": "nat_gateway", "Description": "NAT"});
    let refused = b.fails("CreateNetworkInterface", input.clone());
    assert_eq!(refused, "NotImplemented", "only services choose the type");
    let created = b.service("CreateNetworkInterface", input);
    let id = &created["NetworkInterface"]["NetworkInterfaceId"];
    assert_eq!(created["NetworkInterface"]["RequesterId"], "ecs.amazonaws.com");
    assert_eq!(created["NetworkInterface"]["Status"], "pending");
    let delete = json!({"NetworkInterfaceId": id});
    assert_eq!(b.fails("DeleteNetworkInterface", delete.clone()), "InvalidNetworkInterface.InUse");
    b.service("DeleteNetworkInterface", delete.clone());
    assert_eq!(b.fails("DeleteNetworkInterface", delete), "InvalidNetworkInterfaceID.NotFound");
    let address = b.service("AllocateAddress", json!({}));
    let release = json!({"AllocationId": address["AllocationId"]});
    assert_eq!(b.fails("ReleaseAddress", release.clone()), "OperationNotPermitted");
    b.service("ReleaseAddress", release);
}

#[test]
fn elastic_ip_replaces_the_automatic_address_and_prevents_detachment() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let interface = b.interface(&subnet);
    let first = b.call("AllocateAddress", json!({"Domain": "vpc"}));
    let second = b.call("AllocateAddress", json!({}));
    assert_eq!(first["PublicIp"], "198.18.1.0");
    assert_eq!(second["PublicIp"], "198.18.1.1");
    let associate =
        |a: &serde_json::Value| json!({"AllocationId": a["AllocationId"], "NetworkInterfaceId": interface});
    assert_eq!(b.fails("AssociateAddress", associate(&first)), "Gateway.NotAttached");
    let gateway = b.internet(&vpc);
    let own = json!({"NetworkInterfaceId": interface, "AssociatePublicIpAddress": true});
    b.call("ModifyNetworkInterfaceAttribute", own);
    let shown =
        || b.call("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"][0]["Association"].clone();
    assert_eq!(shown()["PublicIp"], "198.18.1.2");
    let association = b.id("AssociateAddress", associate(&first), "/AssociationId");
    assert_eq!(shown()["PublicIp"], "198.18.1.0", "an Elastic IP address replaces the automatic one");
    assert_eq!(b.fails("AssociateAddress", associate(&second)), "Resource.AlreadyAssociated");
    let release = json!({"AllocationId": first["AllocationId"]});
    assert_eq!(b.fails("ReleaseAddress", release.clone()), "InvalidIPAddress.InUse");
    let detach = json!({"InternetGatewayId": gateway, "VpcId": vpc});
    assert_eq!(b.fails("DetachInternetGateway", detach.clone()), "DependencyViolation");
    b.call("DisassociateAddress", json!({"AssociationId": association}));
    b.call("ReleaseAddress", release);
    b.call("DetachInternetGateway", detach);
    assert_eq!(b.call("AllocateAddress", json!({}))["PublicIp"], "198.18.1.0");
}

#[test]
fn routes_and_associations_are_validated() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let table = b.id("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let gateway = b.id("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    assert_eq!(
        b.fails("CreateRoute", route.clone()),
        "InvalidParameter",
        "the gateway is not attached to this VPC"
    );
    b.call("AttachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    b.call("CreateRoute", route.clone());
    assert_eq!(b.fails("CreateRoute", route.clone()), "RouteAlreadyExists");
    let local = json!({"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16", "GatewayId": gateway});
    assert_eq!(b.fails("CreateRoute", local), "InvalidParameterValue");
    let pair = json!({"RouteTableId": table, "SubnetId": subnet});
    let association = b.id("AssociateRouteTable", pair.clone(), "/AssociationId");
    assert_eq!(b.fails("AssociateRouteTable", pair), "Resource.AlreadyAssociated");
    assert_eq!(b.fails("DeleteRouteTable", json!({"RouteTableId": table})), "DependencyViolation");
    b.call("DetachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    let shown = b.call("DescribeRouteTables", json!({"RouteTableIds": [table]}));
    assert_eq!(shown["RouteTables"][0]["Routes"][1]["State"], "blackhole");
    b.call("DisassociateRouteTable", json!({"AssociationId": association}));
    b.call("DeleteRoute", json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}));
    b.call("DeleteRouteTable", json!({"RouteTableId": table}));
}

#[test]
fn security_group_rules_are_validated() {
    let b = Harness::new();
    let (vpc, other_vpc) = (b.vpc(), b.vpc());
    let group = |vpc: &str, name: &str| {
        let input = json!({"GroupName": name, "Description": "d", "VpcId": vpc});
        b.id("CreateSecurityGroup", input, "/GroupId")
    };
    let (web, app, far) = (group(&vpc, "web"), group(&vpc, "app"), group(&other_vpc, "web"));
    let twice = json!({"GroupName": "web", "Description": "d", "VpcId": vpc});
    assert_eq!(b.fails("CreateSecurityGroup", twice), "InvalidGroup.Duplicate");
    let rule = |group: &str, from: &str| {
        json!({"GroupId": group, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "UserIdGroupPairs": [{"GroupId": from}]}]})
    };
    let created = b.call("AuthorizeSecurityGroupIngress", rule(&app, &web));
    assert_eq!(created["SecurityGroupRules"][0]["ReferencedGroupInfo"]["GroupId"], web);
    assert_eq!(b.fails("AuthorizeSecurityGroupIngress", rule(&app, &web)), "InvalidPermission.Duplicate");
    assert_eq!(b.fails("AuthorizeSecurityGroupIngress", rule(&app, &far)), "InvalidParameter");
    assert_eq!(b.fails("AuthorizeSecurityGroupIngress", rule(&app, "sg-0")), "InvalidGroup.NotFound");
    assert_eq!(b.fails("DeleteSecurityGroup", json!({"GroupId": web})), "DependencyViolation");
    b.call("RevokeSecurityGroupIngress", rule(&app, &web));
    assert_eq!(b.fails("RevokeSecurityGroupIngress", rule(&app, &web)), "InvalidPermission.NotFound");
    b.call("DeleteSecurityGroup", json!({"GroupId": web}));
    let flood: Vec<_> = (0..61).map(|i| json!({"CidrIp": format!("10.0.{i}.0/24")})).collect();
    let flood = json!({"GroupId": app, "IpPermissions": [{"IpProtocol": "-1", "IpRanges": flood}]});
    assert_eq!(b.fails("AuthorizeSecurityGroupIngress", flood), "RulesPerSecurityGroupLimitExceeded");
    let six = json!({"GroupId": app, "IpPermissions": [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]});
    assert_eq!(b.fails("AuthorizeSecurityGroupIngress", six), "NotImplemented");
}

#[test]
fn nat_gateway_keeps_its_address_until_it_is_deleted() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    b.internet(&vpc);
    let allocation = b.id("AllocateAddress", json!({}), "/AllocationId");
    let input = json!({"SubnetId": subnet, "AllocationId": allocation});
    let id = b.id("CreateNatGateway", input.clone(), "/NatGateway/NatGatewayId");
    let second = b.id("CreateNatGateway", input, "/NatGateway/NatGatewayId");
    let failed = b.call("DescribeNatGateways", json!({"NatGatewayIds": [second]}))["NatGateways"][0].clone();
    assert_eq!(failed["FailureCode"], "Resource.AlreadyAssociated");
    let message = format!("Elastic IP address {allocation} is already associated");
    assert_eq!(failed["FailureMessage"], message);
    let interface = b.call("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"][0].clone();
    assert_eq!(interface["InterfaceType"], "nat_gateway");
    assert_eq!(interface["Association"]["AllocationId"], allocation);
    let refused = b.try_as(
        Principal::Root,
        "DisassociateAddress",
        json!({"AssociationId": interface["Association"]["AssociationId"]}),
    );
    assert_eq!(refused.unwrap_err().code, "OperationNotPermitted");
    b.call("DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(b.fails("DeleteNatGateway", json!({"NatGatewayId": id})), "NatGatewayNotFound");
    b.call("ReleaseAddress", json!({"AllocationId": allocation}));
}

#[test]
fn nat_gateway_without_an_internet_gateway_fails() {
    let b = Harness::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let allocation = b.id("AllocateAddress", json!({}), "/AllocationId");
    let created = b.call("CreateNatGateway", json!({"SubnetId": subnet, "AllocationId": allocation}));
    assert_eq!(created["NatGateway"]["State"], "pending");
    assert!(created["NatGateway"].get("FailureCode").is_none_or(serde_json::Value::is_null));
    let id = created["NatGateway"]["NatGatewayId"].as_str().unwrap();
    let shown = || b.call("DescribeNatGateways", json!({}))["NatGateways"].clone();
    let failed = shown()[0].clone();
    assert_eq!((&failed["State"], &failed["FailureCode"]), (&json!("failed"), &json!("Gateway.NotAttached")));
    assert_eq!(failed["FailureMessage"], format!("Network {vpc} has no Internet gateway attached"));
    assert_eq!(failed["NatGatewayAddresses"][0]["Status"], "failed");
    let failed = json!([{"Name": "state", "Values": ["failed"]}]);
    assert_eq!(
        b.call("DescribeNatGateways", json!({"Filter": failed}))["NatGateways"][0]["NatGatewayId"],
        id
    );
    // A failed gateway has no interface and no address, and no route can name it.
    assert_eq!(b.call("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"], json!([]));
    let table = b.id("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": id});
    assert_eq!(b.fails("CreateRoute", route), "NatGatewayNotFound");
    b.call("ReleaseAddress", json!({"AllocationId": allocation}));
    b.call("DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(shown()[0]["State"], "deleted");
    b.call("DeleteRouteTable", json!({"RouteTableId": table}));
    b.call("DeleteSubnet", json!({"SubnetId": subnet}));
    b.call("DeleteVpc", json!({"VpcId": vpc}));
}

/// AWS's documentation of each of these parameters: "we modify the specified CIDR block to its canonical form".
#[test]
fn cidr_blocks_are_stored_without_host_bits() {
    let b = Harness::new();
    let vpc = b.call("CreateVpc", json!({"CidrBlock": "10.0.1.5/16"}))["Vpc"].clone();
    assert_eq!(vpc["CidrBlock"], "10.0.0.0/16");
    let id = vpc["VpcId"].as_str().unwrap();
    let subnet = b.call("CreateSubnet", json!({"VpcId": id, "CidrBlock": "10.0.1.5/24"}));
    assert_eq!(subnet["Subnet"]["CidrBlock"], "10.0.1.0/24");
    let group =
        b.id("CreateSecurityGroup", json!({"GroupName": "web", "Description": "d", "VpcId": id}), "/GroupId");
    let rule = |cidr: &str| {
        json!({"GroupId": group, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
            "IpRanges": [{"CidrIp": cidr}]}]})
    };
    for (authorize, revoke) in [
        ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
        ("AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
    ] {
        let created = b.call(authorize, rule("100.68.0.18/18"));
        assert_eq!(created["SecurityGroupRules"][0]["CidrIpv4"], "100.68.0.0/18");
        assert_eq!(b.fails(authorize, rule("100.68.0.0/18")), "InvalidPermission.Duplicate");
        b.call(revoke, rule("100.68.1.1/18"));
    }
    let created = b.call("AuthorizeSecurityGroupIngress", rule("0.0.0.0/0"));
    let change = json!({"SecurityGroupRuleId": created["SecurityGroupRules"][0]["SecurityGroupRuleId"],
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "192.168.7.7/16"}});
    b.call("ModifySecurityGroupRules", json!({"GroupId": group, "SecurityGroupRules": [change]}));
    let rules = b.call("DescribeSecurityGroupRules", json!({})).to_string();
    assert!(rules.contains("192.168.0.0/16") && !rules.contains("192.168.7.7"), "{rules}");
    let gateway = b.internet(id);
    let table = b.id("CreateRouteTable", json!({"VpcId": id}), "/RouteTable/RouteTableId");
    let route = |to: &str| json!({"RouteTableId": table, "DestinationCidrBlock": to});
    let mut wanted = route("192.168.7.7/16");
    wanted["GatewayId"] = gateway.into();
    b.call("CreateRoute", wanted.clone());
    let shown = b.call("DescribeRouteTables", json!({"RouteTableIds": [table]}));
    assert_eq!(shown["RouteTables"][0]["Routes"][1]["DestinationCidrBlock"], "192.168.0.0/16");
    b.call("ReplaceRoute", wanted);
    b.call("DeleteRoute", route("192.168.0.0/16"));
}

#[test]
fn default_vpc_is_used_when_a_request_names_no_vpc() {
    let b = Harness::new();
    let group = json!({"GroupName": "web", "Description": "d"});
    assert_eq!(b.fails("CreateSecurityGroup", group.clone()), "VPCIdNotSpecified");
    assert_eq!(
        b.fails("CreateDefaultSubnet", json!({"AvailabilityZone": "eu-west-3a"})),
        "VPCIdNotSpecified"
    );
    let vpc = b.call("CreateDefaultVpc", json!({}))["Vpc"].clone();
    assert_eq!((&vpc["CidrBlock"], &vpc["IsDefault"]), (&json!("172.31.0.0/16"), &json!(true)));
    assert_eq!(vpc["State"], "available", "the default VPC needs no network yet");
    assert_eq!(b.fails("CreateDefaultVpc", json!({})), "DefaultVpcAlreadyExists");
    let id = vpc["VpcId"].as_str().unwrap();
    let other = b.vpc();
    let only = json!([{"Name": "is-default", "Values": ["true"]}]);
    let found = b.call("DescribeVpcs", json!({"Filters": only}))["Vpcs"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["VpcId"]), (1, &json!(id)));
    b.subnet(&other, "10.0.0.0/24");
    let only = json!([{"Name": "default-for-az", "Values": ["true"]}]);
    let subnets = b.call("DescribeSubnets", json!({"Filters": only}))["Subnets"].clone();
    let mut blocks: Vec<_> = subnets.as_array().unwrap().iter().map(|s| s["CidrBlock"].clone()).collect();
    blocks.sort_by_key(ToString::to_string);
    assert_eq!(blocks, ["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"]);
    assert!(subnets.as_array().unwrap().iter().all(|s| s["MapPublicIpOnLaunch"] == true && s["VpcId"] == id));
    let tables = b.call("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [id]}]}));
    assert!(tables["RouteTables"][0]["Routes"][1]["GatewayId"].as_str().unwrap().starts_with("igw-"));
    let attributes = b.call("DescribeAccountAttributes", json!({"AttributeNames": ["default-vpc"]}));
    assert_eq!(attributes["AccountAttributes"][0]["AttributeValues"][0]["AttributeValue"], id);

    // A request without a VPC uses the default VPC, and only its groups can be named by name.
    let web = b.id("CreateSecurityGroup", group.clone(), "/GroupId");
    let named = b.call("DescribeSecurityGroups", json!({"GroupNames": ["web"]}))["SecurityGroups"][0].clone();
    assert_eq!((&named["GroupId"], &named["VpcId"]), (&json!(web), &json!(id)));
    let rule =
        json!({"GroupName": "web", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.0/8"});
    b.call("AuthorizeSecurityGroupIngress", rule.clone());
    b.call("RevokeSecurityGroupIngress", rule);
    b.call("DeleteSecurityGroup", json!({"GroupName": "web"}));
    assert_eq!(b.fails("DeleteSecurityGroup", json!({"GroupName": "web"})), "InvalidGroup.NotFound");

    let zone = json!({"AvailabilityZone": subnets[0]["AvailabilityZone"]});
    assert_eq!(b.fails("CreateDefaultSubnet", zone.clone()), "DefaultSubnetAlreadyExistsInAvailabilityZone");
    b.call("DeleteSubnet", json!({"SubnetId": subnets[0]["SubnetId"]}));
    let again = b.call("CreateDefaultSubnet", zone)["Subnet"].clone();
    assert_eq!((&again["DefaultForAz"], &again["CidrBlock"]), (&json!(true), &subnets[0]["CidrBlock"]));

    // A deleted default VPC is created again only by CreateDefaultVpc: the start of the daemon creates one only once.
    let gateways = b.call("DescribeInternetGateways", json!({}))["InternetGateways"][0].clone();
    let gateway = json!({"InternetGatewayId": gateways["InternetGatewayId"], "VpcId": id});
    b.call("DetachInternetGateway", gateway);
    for subnet in b.call("DescribeSubnets", json!({}))["Subnets"].as_array().unwrap() {
        b.call("DeleteSubnet", json!({"SubnetId": subnet["SubnetId"]}));
    }
    b.call("DeleteVpc", json!({"VpcId": id}));
    assert_eq!(b.fails("CreateSecurityGroup", group), "VPCIdNotSpecified");
    b.install();
    assert_eq!(b.call("DescribeVpcs", json!({}))["Vpcs"].as_array().unwrap().len(), 1);
    b.call("CreateDefaultVpc", json!({}));
}

#[test]
fn tags_can_be_filtered_and_results_paged() {
    let b = Harness::new();
    let vpcs: Vec<String> = (0..3).map(|_| b.vpc()).collect();
    b.call("CreateTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name", "Value": "shop"}]}));
    let named = b.call("DescribeVpcs", json!({"Filters": [{"Name": "tag:Name", "Values": ["sh*"]}]}));
    assert_eq!(named["Vpcs"][0]["VpcId"], vpcs[0]);
    let tags = b.call("DescribeTags", json!({"Filters": [{"Name": "resource-type", "Values": ["vpc"]}]}));
    assert_eq!(tags["Tags"][0]["ResourceId"], vpcs[0]);
    b.call("DeleteTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name", "Value": "other"}]}));
    assert_eq!(b.call("DescribeTags", json!({}))["Tags"].as_array().unwrap().len(), 1);
    b.call("DeleteTags", json!({"Resources": [vpcs[0]], "Tags": [{"Key": "Name"}]}));
    assert_eq!(b.call("DescribeTags", json!({}))["Tags"], json!([]));
    let gone = json!({"Resources": ["vpc-0"], "Tags": [{"Key": "a", "Value": "b"}]});
    assert_eq!(b.fails("CreateTags", gone), "InvalidID");
    let first = b.call("DescribeVpcs", json!({"MaxResults": 2}));
    let rest = b.call("DescribeVpcs", json!({"MaxResults": 2, "NextToken": first["NextToken"]}));
    assert_eq!((first["Vpcs"].as_array().unwrap().len(), rest["Vpcs"].as_array().unwrap().len()), (2, 1));
}
