"""VPC peering connections: their states, and packets between tasks and interfaces of two VPCs."""

import json
import subprocess
import sys
import uuid

import botocore.exceptions
import pytest
import tasks as tasks_module
from tasks import Cluster

from conftest import eventually

# Prints the end of the answer of a web server, or that there is none.
READ = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 80), timeout=float(sys.argv[2])) as s:
        s.sendall(b"GET /index.html HTTP/1.0\\r\\n\\r\\n")
        answer = b""
        while data := s.recv(4096):
            answer += data
        print(answer.decode().split()[-1])
except OSError:
    print("failed")
"""

TEMPLATE = {
    "Parameters": {"One": {"Type": "String"}, "Other": {"Type": "String"}, "Table": {"Type": "String"}},
    "Resources": {
        "Peering": {
            "Type": "AWS::EC2::VPCPeeringConnection",
            "Properties": {"VpcId": {"Ref": "One"}, "PeerVpcId": {"Ref": "Other"}, "Tags": [{"Key": "a", "Value": "b"}]},
        },
        "Route": {
            "Type": "AWS::EC2::Route",
            "Properties": {
                "RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "10.82.0.0/16",
                "VpcPeeringConnectionId": {"Ref": "Peering"},
            },
        },
    },
    "Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Peering", "Id"]}}},
}


class Side(Cluster):
    """A VPC with a task that serves the name of its cluster."""

    def serve(self):
        script = f"mkdir -p /tmp/w; echo {self.name} > /tmp/w/index.html; httpd -f -p 80 -h /tmp/w"
        arn = self.run(self.define(self.container("main", script)))
        details = {d["name"]: d["value"] for d in self.until(arn, "RUNNING")["attachments"][0]["details"]}
        self.address, self.interface = details["privateIPv4Address"], details["networkInterfaceId"]


class Vpc:
    """A VPC with an interface, and a way to the Internet for a task."""

    def __init__(self, cloud, second):
        self.cloud, self.ec2, self.cidr = cloud, cloud.client("ec2"), f"10.{second}.0.0/16"
        self.vpc = self.ec2.create_vpc(CidrBlock=self.cidr)["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.{second}.1.0/24")["Subnet"]["SubnetId"]
        self.interface, self.address = self.add_interface()

    def add_interface(self):
        made = self.ec2.create_network_interface(SubnetId=self.subnet)["NetworkInterface"]
        self.ec2.get_waiter("network_interface_available").wait(
            NetworkInterfaceIds=[made["NetworkInterfaceId"]], WaiterConfig={"Delay": 1},
        )
        return made["NetworkInterfaceId"], made["PrivateIpAddress"]

    def attach_internet(self):
        internet = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=self.vpc)
        self.ec2.create_route(RouteTableId=main_table(self), DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)

    def read(self, to, within=5):
        path = f"{self.cloud.home}/network/netns/vpcs/{self.vpc}/interfaces/{self.interface}"
        command = ["nsenter", f"--net={path}", sys.executable, "-c", READ, to, str(within)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main_table(side):
    main = [{"Name": "vpc-id", "Values": [side.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    [table] = side.ec2.describe_route_tables(Filters=main)["RouteTables"]
    return table["RouteTableId"]


def default_group(side):
    named = [{"Name": "vpc-id", "Values": [side.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    [group] = side.ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    return group


def state(ec2, peering):
    [found] = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
    return found["Status"]["Code"]


def request(ec2, one, other, **more):
    made = ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=other, **more)["VpcPeeringConnection"]
    assert made["Status"]["Code"] == "initiating-request"
    ec2.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[made["VpcPeeringConnectionId"]])
    return made["VpcPeeringConnectionId"]


def connect(ec2, one, other):
    """Requests and accepts a peering connection and waits until it is active."""
    peering = request(ec2, one, other)
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    eventually(lambda: state(ec2, peering) == "active")
    return peering


def route_state(side, destination):
    [table] = side.ec2.describe_route_tables(RouteTableIds=[main_table(side)])["RouteTables"]
    [route] = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == destination]
    return route["State"]


def refused(code, call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**parameters)
    assert refusal.value.response["Error"]["Code"] == code, refusal.value
    return refusal.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def side(cloud, tmp_path_factory):
    if "httpd" not in tasks_module.APPLETS:
        tasks_module.APPLETS.append("httpd")
    made = Side(cloud, tmp_path_factory.mktemp("image") / "layout")
    made.serve()
    yield made
    for arn in made.ecs.list_tasks(cluster=made.name)["taskArns"]:
        made.ecs.stop_task(cluster=made.name, task=arn)


def test_tasks_of_two_vpcs_reach_each_other_through_routes_and_groups(cloud, side):
    ec2, other = side.ec2, Vpc(cloud, 82)
    peering = connect(ec2, other.vpc, side.vpc)
    table, group, peer = main_table(other), default_group(side)["GroupId"], default_group(other)["GroupId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.71.0.0/16", VpcPeeringConnectionId=peering)
    # The group of the other VPC is the source.
    pair = {"GroupId": peer, "UserId": default_group(other)["OwnerId"]}
    allow = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[allow])
    shown = [p for permission in default_group(side)["IpPermissions"] for p in permission["UserIdGroupPairs"] if p["GroupId"] == peer]
    assert [(p["VpcId"], p["VpcPeeringConnectionId"], p["PeeringStatus"]) for p in shown] == [(other.vpc, peering, "active")]
    # A reply needs a route.
    assert other.read(side.address, within=0.5) == "failed"
    ec2.create_route(RouteTableId=main_table(side), DestinationCidrBlock=other.cidr, VpcPeeringConnectionId=peering)
    assert eventually(lambda: other.read(side.address) == side.name or None)
    assert route_state(other, "10.71.0.0/16") == "active"

    # An interface that joins the group later is allowed, one that leaves it is not.
    lonely = ec2.create_security_group(GroupName="lonely", Description="-", VpcId=other.vpc)["GroupId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=other.interface, Groups=[lonely])
    eventually(lambda: other.read(side.address, within=0.5) == "failed")
    ec2.modify_network_interface_attribute(NetworkInterfaceId=other.interface, Groups=[peer])
    eventually(lambda: other.read(side.address) == side.name)

    # A task of the other VPC.
    other.attach_internet()
    network = {"awsvpcConfiguration": {"subnets": [other.subnet], "securityGroups": [peer], "assignPublicIp": "ENABLED"}}
    definition = side.define(side.container("main", f"wget -q -O - http://{side.address}/index.html"))
    task = side.run_to_end(definition, networkConfiguration=network)
    assert task["containers"][0]["exitCode"] == 0, task
    assert eventually(lambda: side.name in side.lines(task["taskArn"]) or None)

    # Network ACLs decide as before.
    vpc = [{"Name": "vpc-id", "Values": [other.vpc]}]
    [acl] = ec2.describe_network_acls(Filters=vpc)["NetworkAcls"]
    deny = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 50, "Egress": False}
    ec2.create_network_acl_entry(**deny, Protocol="-1", RuleAction="deny", CidrBlock="10.71.0.0/16")
    eventually(lambda: other.read(side.address, within=0.5) == "failed")
    ec2.delete_network_acl_entry(**deny)
    eventually(lambda: other.read(side.address) == side.name)

    # A third VPC does not reach the first one through the second.
    third = Vpc(cloud, 83)
    beyond = connect(ec2, third.vpc, other.vpc)
    ec2.create_route(RouteTableId=main_table(third), DestinationCidrBlock="10.71.0.0/16", VpcPeeringConnectionId=beyond)
    ec2.create_route(RouteTableId=main_table(third), DestinationCidrBlock="0.0.0.0/0", VpcPeeringConnectionId=beyond)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=third.cidr, VpcPeeringConnectionId=beyond)
    allow_all = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[allow_all])
    assert third.read(side.address, within=0.5) == "failed"

    # The kernel forgets everything of a deleted connection; the route stays as a black hole, the rule as a stale one.
    refused("DependencyViolation", ec2.delete_vpc, VpcId=third.vpc)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[peering], WaiterConfig={"Delay": 1})
    assert other.read(side.address, within=0.5) == "failed"
    assert route_state(other, "10.71.0.0/16") == "blackhole"
    shown = [p for permission in default_group(side)["IpPermissions"] for p in permission["UserIdGroupPairs"] if p["GroupId"] == peer]
    assert [p["PeeringStatus"] for p in shown] == ["deleted"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[allow, allow_all])


def test_states_and_refusals(cloud):
    ec2 = cloud.client("ec2")
    one, other = (ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (91, 92))
    tag = {"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "name", "Value": "x"}]}
    peering = request(ec2, one, other, TagSpecifications=[tag])
    found = ec2.describe_vpc_peering_connections(
        Filters=[
            {"Name": "requester-vpc-info.vpc-id", "Values": [one]}, {"Name": "accepter-vpc-info.vpc-id", "Values": [other]},
            {"Name": "status-code", "Values": ["pending-acceptance"]}, {"Name": "tag:name", "Values": ["x"]},
        ],
    )["VpcPeeringConnections"]
    assert [p["VpcPeeringConnectionId"] for p in found] == [peering]
    assert "ExpirationTime" in found[0] and found[0]["RequesterVpcInfo"]["CidrBlock"] == "10.91.0.0/16"
    # A route may be created before; it is a black hole.
    table = ec2.create_route_table(VpcId=one)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.92.0.0/16", VpcPeeringConnectionId=peering)
    [described] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert [r["State"] for r in described["Routes"] if "VpcPeeringConnectionId" in r] == ["blackhole"]
    refused("VpcPeeringConnectionAlreadyExists", ec2.create_vpc_peering_connection, VpcId=other, PeerVpcId=one)
    ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert state(ec2, peering) == "rejected"
    refused("InvalidStateTransition", ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=peering)
    refused("InvalidVpcPeeringConnectionID.NotFound", ec2.delete_vpc_peering_connection, VpcPeeringConnectionId="pcx-0123456789abcdef0")

    overlapping = ec2.create_vpc(CidrBlock="10.91.0.0/20")["Vpc"]["VpcId"]
    for peer in (overlapping, "vpc-0123456789abcdef0"):
        assert state(ec2, request(ec2, one, peer)) == "failed"
    message = refused("NotImplemented", ec2.create_vpc_peering_connection, VpcId=one, PeerVpcId=other, PeerRegion="us-east-1")
    assert "us-east-1" in message

    peering = connect(ec2, one, other)
    refused("InvalidStateTransition", ec2.reject_vpc_peering_connection, VpcPeeringConnectionId=peering)
    options = {"AllowDnsResolutionFromRemoteVpc": True}
    message = refused(
        "NotImplemented", ec2.modify_vpc_peering_connection_options,
        VpcPeeringConnectionId=peering, AccepterPeeringConnectionOptions=options,
    )
    assert "AllowDnsResolutionFromRemoteVpc" in message
    # Groups of a VPC without a peering connection cannot be sources.
    group, foreign = (default_group(type("S", (), {"ec2": ec2, "vpc": vpc}))["GroupId"] for vpc in (one, overlapping))
    pair = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": foreign}]}
    refused("InvalidParameter", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[pair])
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    eventually(lambda: state(ec2, peering) == "deleted")
    refused("InvalidStateTransition", ec2.delete_vpc_peering_connection, VpcPeeringConnectionId=peering)
    for vpc in (other, overlapping):
        ec2.delete_vpc(VpcId=vpc)


def test_stack_accepts_its_peering_connection(cloud):
    cloudformation, ec2, name = cloud.client("cloudformation"), cloud.client("ec2"), f"peer-{uuid.uuid4().hex[:8]}"
    one, other = (ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (81, 82))
    table = ec2.create_route_table(VpcId=one)["RouteTable"]["RouteTableId"]
    values = {"One": one, "Other": other, "Table": table}
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    peering = stack["Outputs"][0]["OutputValue"]
    [found] = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
    assert found["Status"]["Code"] == "active" and {"Key": "a", "Value": "b"} in found["Tags"]
    [described] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert [r["State"] for r in described["Routes"] if r.get("VpcPeeringConnectionId") == peering] == ["active"]
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    assert state(ec2, peering) == "deleted"
