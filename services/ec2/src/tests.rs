//! The checks that operations make together.

use crate::testing::Bench;
use escale_service::Principal;
use serde_json::json;

#[test]
fn a_vpc_comes_with_its_table_and_group_and_takes_them_along() {
    let b = Bench::new();
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
fn blocks_of_vpcs_and_subnets() {
    let b = Bench::new();
    for (cidr, code) in [
        ("10.0.0.0/15", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("10.0.0.1/16", "InvalidVpc.Range"),
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
fn private_addresses() {
    let b = Bench::new();
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
    // A /28 has eleven addresses for interfaces.
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let made = b.call("CreateNetworkInterface", json!({"SubnetId": subnet}));
        seen.insert(made["NetworkInterface"]["PrivateIpAddress"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 10);
    let full = b.fails("CreateNetworkInterface", json!({"SubnetId": subnet}));
    assert_eq!(full, "InsufficientFreeAddressesInSubnet");
    let left = b.call("DescribeSubnets", json!({}));
    assert_eq!(left["Subnets"][0]["AvailableIpAddressCount"], 0);
    assert_eq!(b.fails("DeleteSubnet", json!({"SubnetId": subnet})), "DependencyViolation");
}

#[test]
fn what_a_service_made_only_services_take_away() {
    let b = Bench::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let input = json!({"SubnetId": subnet, "InterfaceType": "load_balancer", "Description": "ELB app/web/1"});
    let refused = b.fails("CreateNetworkInterface", input.clone());
    assert_eq!(refused, "NotImplemented", "only services choose the type");
    let made = b.service("CreateNetworkInterface", input);
    let id = &made["NetworkInterface"]["NetworkInterfaceId"];
    assert_eq!(made["NetworkInterface"]["RequesterId"], "ecs.amazonaws.com");
    assert_eq!(made["NetworkInterface"]["Status"], "pending");
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
fn public_addresses() {
    let b = Bench::new();
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
    assert_eq!(shown()["PublicIp"], "198.18.1.0", "an Elastic IP takes the place of the interface's own");
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
fn routes() {
    let b = Bench::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    let table = b.id("CreateRouteTable", json!({"VpcId": vpc}), "/RouteTable/RouteTableId");
    let gateway = b.id("CreateInternetGateway", json!({}), "/InternetGateway/InternetGatewayId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    assert_eq!(b.fails("CreateRoute", route.clone()), "InvalidParameter", "not attached here");
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
fn rules_of_groups() {
    let b = Bench::new();
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
    let made = b.call("AuthorizeSecurityGroupIngress", rule(&app, &web));
    assert_eq!(made["SecurityGroupRules"][0]["ReferencedGroupInfo"]["GroupId"], web);
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
fn a_nat_gateway_holds_its_address_until_it_is_deleted() {
    let b = Bench::new();
    let vpc = b.vpc();
    let subnet = b.subnet(&vpc, "10.0.1.0/24");
    b.internet(&vpc);
    let allocation = b.id("AllocateAddress", json!({}), "/AllocationId");
    let input = json!({"SubnetId": subnet, "AllocationId": allocation});
    let id = b.id("CreateNatGateway", input.clone(), "/NatGateway/NatGatewayId");
    assert_eq!(b.fails("CreateNatGateway", input), "Resource.AlreadyAssociated");
    let interface = b.call("DescribeNetworkInterfaces", json!({}))["NetworkInterfaces"][0].clone();
    assert_eq!(interface["InterfaceType"], "nat_gateway");
    assert_eq!(interface["Association"]["AllocationId"], allocation);
    let who = Principal::Root;
    let taken = b.try_as(
        who,
        "DisassociateAddress",
        json!({"AssociationId": interface["Association"]["AssociationId"]}),
    );
    assert_eq!(taken.unwrap_err().code, "OperationNotPermitted");
    b.call("DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(b.fails("DeleteNatGateway", json!({"NatGatewayId": id})), "NatGatewayNotFound");
    b.call("ReleaseAddress", json!({"AllocationId": allocation}));
}

#[test]
fn tags_and_paging() {
    let b = Bench::new();
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
