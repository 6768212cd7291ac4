"""EC2's network: its API with boto3, and the paths of packets."""

import json
import subprocess
import uuid

import botocore.exceptions
import pytest

from conftest import eventually

FAST = {"Delay": 1, "MaxAttempts": 60}


def code(error):
    return error.value.response["Error"]["Code"]


@pytest.fixture
def ec2(aws):
    return aws("ec2")


@pytest.fixture
def vpc(ec2):
    """A VPC for one test, deleted afterwards with everything in it."""
    created = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[created["VpcId"]], WaiterConfig=FAST)
    yield created["VpcId"]
    delete_vpc(ec2, created["VpcId"])


def delete_vpc(ec2, vpc):
    """Deletes a VPC with everything in it."""
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    for nat in ec2.describe_nat_gateways(Filters=in_vpc)["NatGateways"]:
        if nat["State"] not in ("deleting", "deleted"):
            ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    for interface in ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    endpoints = ec2.describe_vpc_endpoints(Filters=in_vpc)["VpcEndpoints"]
    if endpoints:
        ec2.delete_vpc_endpoints(VpcEndpointIds=[e["VpcEndpointId"] for e in endpoints])
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    for gateway in ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in ec2.describe_subnets(Filters=in_vpc)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for table in ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]:
        if not any(a["Main"] for a in table["Associations"]):
            ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    groups = [g for g in ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"] if g["GroupName"] != "default"]
    # All rules first, because a group that another group's rule names cannot be deleted.
    for group in groups:
        if group["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    for group in groups:
        ec2.delete_security_group(GroupId=group["GroupId"])
    ec2.delete_vpc(VpcId=vpc)


def create_subnet(ec2, vpc, cidr, zone="eu-west-3a"):
    return ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]


def attach_internet_gateway(ec2, vpc):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return gateway


def main_route_table(ec2, vpc):
    only = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    [table] = ec2.describe_route_tables(Filters=only)["RouteTables"]
    return table["RouteTableId"]


def test_new_vpc_has_default_group_main_route_table_and_acl(ec2, vpc):
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    [group] = ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert group["IpPermissionsEgress"] == [
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": [], "Ipv6Ranges": [], "PrefixListIds": []}
    ]
    [table] = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]
    assert table["Routes"][0] == {
        "DestinationCidrBlock": "10.20.0.0/16",
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    }
    [acl] = ec2.describe_network_acls(Filters=in_vpc)["NetworkAcls"]
    assert acl["IsDefault"] and acl["NetworkAclId"].startswith("acl-")
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    response = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    assert response["EnableDnsHostnames"] == {"Value": True}


def test_region_has_three_zones(ec2):
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [z["ZoneName"] for z in zones] == ["eu-west-3a", "eu-west-3b", "eu-west-3c"]
    assert ec2.describe_regions()["Regions"][0]["RegionName"] == "eu-west-3"


def test_subnets_must_not_overlap_or_leave_the_vpc(ec2, vpc):
    first = create_subnet(ec2, vpc, "10.20.1.0/24")
    ec2.get_waiter("subnet_available").wait(SubnetIds=[first], WaiterConfig=FAST)
    assert ec2.describe_subnets(SubnetIds=[first])["Subnets"][0]["AvailableIpAddressCount"] == 251
    for cidr, expected in [
        ("10.20.1.128/25", "InvalidSubnet.Conflict"),
        ("10.21.0.0/24", "InvalidSubnet.Range"),
        ("10.20.2.0/30", "InvalidSubnet.Range"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)
        assert code(error) == expected
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.delete_vpc(VpcId=vpc)
    assert code(error) == "DependencyViolation"


def test_interface_is_created_and_deleted(ec2, vpc):
    at = create_subnet(ec2, vpc, "10.20.1.0/24")
    created = ec2.create_network_interface(SubnetId=at, Description="mine", PrivateIpAddress="10.20.1.10")
    interface = created["NetworkInterface"]["NetworkInterfaceId"]
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig=FAST)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.create_network_interface(SubnetId=at, PrivateIpAddress="10.20.1.10")
    assert code(error) == "InvalidIPAddress.InUse"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    assert code(error) == "InvalidNetworkInterfaceID.NotFound"


def test_nat_gateway_keeps_its_address_until_it_is_deleted(ec2, vpc):
    at = create_subnet(ec2, vpc, "10.20.1.0/24")
    attach_internet_gateway(ec2, vpc)
    address = ec2.allocate_address(Domain="vpc")
    nat = ec2.create_nat_gateway(SubnetId=at, AllocationId=address["AllocationId"])["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig=FAST)
    [shown] = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
    assert shown["NatGatewayAddresses"][0]["PublicIp"] == address["PublicIp"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.release_address(AllocationId=address["AllocationId"])
    assert code(error) == "InvalidIPAddress.InUse"
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat], WaiterConfig=FAST)
    ec2.release_address(AllocationId=address["AllocationId"])


def test_nat_gateway_without_an_internet_gateway_fails(aws, ec2, vpc):
    """AWS accepts the request and reports the failure in the state of the gateway."""
    at = create_subnet(ec2, vpc, "10.20.9.0/24")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    created = ec2.create_nat_gateway(SubnetId=at, AllocationId=address)["NatGateway"]
    assert created["State"] == "pending" and "FailureCode" not in created
    with pytest.raises(botocore.exceptions.WaiterError):
        ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[created["NatGatewayId"]], WaiterConfig=FAST)
    [failed] = ec2.describe_nat_gateways(NatGatewayIds=[created["NatGatewayId"]])["NatGateways"]
    assert (failed["State"], failed["FailureCode"]) == ("failed", "Gateway.NotAttached")
    assert failed["FailureMessage"] == f"Network {vpc} has no Internet gateway attached"
    # The failed gateway does not hold the address.
    ec2.release_address(AllocationId=address)

    cfn, name = aws("cloudformation"), f"nat-{uuid.uuid4().hex[:8]}"
    template = {"Resources": {
        "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {
            "SubnetId": at, "AllocationId": {"Fn::GetAtt": ["Ip", "AllocationId"]}}},
    }}
    cfn.create_stack(StackName=name, TemplateBody=json.dumps(template))
    eventually(lambda: cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    events = cfn.describe_stack_events(StackName=name)["StackEvents"]
    [reason] = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert f"Network {vpc} has no Internet gateway attached" in reason, reason
    cfn.delete_stack(StackName=name)


def test_cidr_blocks_are_stored_without_host_bits(aws, ec2, vpc):
    created = ec2.create_vpc(CidrBlock="10.21.1.5/16")["Vpc"]
    try:
        assert created["CidrBlock"] == "10.21.0.0/16"
        at = ec2.create_subnet(VpcId=created["VpcId"], CidrBlock="10.21.7.7/24")["Subnet"]
        assert at["CidrBlock"] == "10.21.7.0/24"
    finally:
        delete_vpc(ec2, created["VpcId"])
    cfn, name = aws("cloudformation"), f"cidr-{uuid.uuid4().hex[:8]}"
    rule = lambda cidr: {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": cidr}
    template = {
        "Resources": {
            "V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.22.3.4/16"}},
            "S": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "V"}, "CidrBlock": "10.22.3.4/24"}},
            # Three spellings of one rule, which is created once.
            "G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
                "GroupDescription": "g", "VpcId": {"Ref": "V"},
                "SecurityGroupIngress": [rule("10.0.0.0/8"), rule("10.0.0.0/8"), rule("10.9.9.9/8")]}},
        },
        "Outputs": {
            "V": {"Value": {"Fn::GetAtt": ["V", "CidrBlock"]}},
            "S": {"Value": {"Fn::GetAtt": ["S", "CidrBlock"]}},
            "G": {"Value": {"Ref": "G"}},
        },
    }
    cfn.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cfn.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert (outputs["V"], outputs["S"]) == ("10.22.0.0/16", "10.22.3.0/24")
    [group] = ec2.describe_security_groups(GroupIds=[outputs["G"]])["SecurityGroups"]
    assert [p["IpRanges"] for p in group["IpPermissions"]] == [[{"CidrIp": "10.0.0.0/8"}]]
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)


def test_security_group_rules_are_added_changed_and_revoked(ec2, vpc):
    name = f"web-{uuid.uuid4().hex[:8]}"
    web = ec2.create_security_group(GroupName=name, Description="web", VpcId=vpc)["GroupId"]
    app = ec2.create_security_group(GroupName=f"{name}-app", Description="app", VpcId=vpc)["GroupId"]
    ec2.get_waiter("security_group_exists").wait(GroupIds=[web, app], WaiterConfig=FAST)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": web}]}
    [added] = ec2.authorize_security_group_ingress(GroupId=app, IpPermissions=[rule])["SecurityGroupRules"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.authorize_security_group_ingress(GroupId=app, IpPermissions=[rule])
    assert code(error) == "InvalidPermission.Duplicate"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.delete_security_group(GroupId=web)
    assert code(error) == "DependencyViolation"
    only = [{"Name": "group-id", "Values": [app]}]
    rules = ec2.describe_security_group_rules(Filters=only)["SecurityGroupRules"]
    assert {r["IsEgress"] for r in rules} == {True, False}
    ec2.modify_security_group_rules(
        GroupId=app,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": added["SecurityGroupRuleId"],
                "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "CidrIpv4": "10.0.0.0/8"},
            }
        ],
    )
    [group] = ec2.describe_security_groups(GroupIds=[app])["SecurityGroups"]
    assert group["IpPermissions"][0]["FromPort"] == 81
    ec2.revoke_security_group_ingress(GroupId=app, SecurityGroupRuleIds=[added["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=web)


def test_gateway_endpoint_adds_a_route_to_s3(ec2, vpc):
    lists = {p["PrefixListName"]: p["PrefixListId"] for p in ec2.describe_managed_prefix_lists()["PrefixLists"]}
    assert "com.amazonaws.global.cloudfront.origin-facing" in lists
    table = main_route_table(ec2, vpc)
    service = "com.amazonaws.eu-west-3.s3"
    created = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[table])["VpcEndpoint"]
    [shown] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    route = {"DestinationPrefixListId": lists[service], "GatewayId": created["VpcEndpointId"]}
    assert any(route.items() <= r.items() for r in shown["Routes"])
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"{service}x", VpcEndpointType="Interface")
    assert code(error) == "NotImplemented"


def test_tags_are_created_listed_and_deleted(ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "shop"}])
    only = [{"Name": "resource-id", "Values": [vpc]}]
    [tag] = ec2.describe_tags(Filters=only)["Tags"]
    assert (tag["ResourceType"], tag["Key"], tag["Value"]) == ("vpc", "Name", "shop")
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "Name"}])
    assert ec2.describe_tags(Filters=only)["Tags"] == []


def test_list_of_instances_is_empty(ec2):
    assert ec2.describe_instances()["Reservations"] == []


def in_namespace(cloud, vpc, interface):
    """The command prefix that runs a program with an interface as its only network."""
    path = cloud.home + f"/network/netns/vpcs/{vpc}/interfaces/{interface}"
    return ["nsenter", f"--net={path}"]


def reaches(cloud, vpc, interface, address):
    """Whether an HTTP request from the interface to `address` gets a response."""
    command = [*in_namespace(cloud, vpc, interface), "curl", "-s", "-o", "/dev/null", "-m", "2", f"http://{address}/"]
    return subprocess.run(command, check=False).returncode == 0


API = "198.18.0.2"
S3 = "198.18.0.3"


@pytest.mark.skipif("os.geteuid() != 0", reason="entering a network namespace needs root")
def test_packets_follow_routes_and_security_groups(cloud, ec2, vpc):
    public, private = create_subnet(ec2, vpc, "10.20.1.0/24"), create_subnet(ec2, vpc, "10.20.2.0/24")
    gateway = attach_internet_gateway(ec2, vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    group = ec2.create_security_group(GroupName="task", Description="task", VpcId=vpc)["GroupId"]
    created = ec2.create_network_interface(SubnetId=private, Groups=[group])["NetworkInterface"]
    interface = created["NetworkInterfaceId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig=FAST)
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig=FAST)

    def reaches_api():
        return reaches(cloud, vpc, interface, API)

    def reaches_s3():
        return reaches(cloud, vpc, interface, S3)

    assert not reaches_api(), "the private subnet has no route to the Internet"
    main = main_route_table(ec2, vpc)
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    eventually(reaches_api)
    ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    eventually(lambda: not reaches_api())
    lists = {p["PrefixListName"]: p["PrefixListId"] for p in ec2.describe_prefix_lists()["PrefixLists"]}
    s3 = "com.amazonaws.eu-west-3.s3"
    to_s3 = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": lists[s3]}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[to_s3])
    eventually(reaches_s3)
    ec2.delete_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0")
    eventually(lambda: not reaches_s3())
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=s3, RouteTableIds=[main])
    eventually(reaches_s3)
    assert not reaches_api(), "the endpoint routes only to S3"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[nat], WaiterConfig=FAST)
    ec2.release_address(AllocationId=address)
