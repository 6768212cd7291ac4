"""Two VPCs with the same range, and tasks at the same addresses in both."""

import subprocess
import sys

import pytest
import tasks as tasks_module
from tasks import Cluster

from conftest import eventually

OUTSIDE = "198.18.200.1"

# Answers each connection with the caller's address.
SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], 443))
print("ready", flush=True)
while True:
    client, peer = server.accept()
    client.recv(4096)
    client.sendall(peer[0].encode())
    client.close()
"""

# Prints what the other side sends until its end.
READ = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as s:
        s.sendall(b"GET /index.html HTTP/1.0\\r\\n\\r\\n")
        answer = b""
        while data := s.recv(4096):
            answer += data
        print(answer.decode().split()[-1])
except OSError:
    print("failed")
"""


class Side(Cluster):
    """One of the two VPCs, with a task that serves the name of its cluster, and one that is a client."""

    def run_tasks(self, count):
        ec2 = self.ec2
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["SecurityGroups"]
        allow = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ec2.authorize_security_group_ingress(GroupId=groups[0]["GroupId"], IpPermissions=[allow])
        script = f"mkdir -p /tmp/w; echo {self.name} > /tmp/w/index.html; httpd -f -p 80 -h /tmp/w"
        subnet = self.subnet("10.71.240.0/28")
        # Addresses are assigned at random: the tasks get those that no other interface has.
        for last in range(244 - 240 + count, 255 - 240):
            ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=f"10.71.240.{last}")
        definition, network = self.define(self.container("main", script)), self.network(subnets=[subnet])
        started = [self.run(definition, networkConfiguration=network) for _ in range(count)]
        self.of = {}
        for arn in started:
            details = {d["name"]: d["value"] for d in self.until(arn, "RUNNING")["attachments"][0]["details"]}
            self.of[details["privateIPv4Address"]] = details["networkInterfaceId"]

    def read(self, source, to, port, within):
        path = f"{self.cloud.home}/network/netns/vpcs/{self.vpc}/interfaces/{self.of[source]}"
        command = ["nsenter", f"--net={path}", sys.executable, "-c", READ, to, str(port), str(within)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def public_address(self):
        [gateway] = self.ec2.describe_nat_gateways(NatGatewayIds=[self.nat])["NatGateways"]
        return gateway["NatGatewayAddresses"][0]["PublicIp"]


@pytest.fixture(scope="module")
def sides(cloud, tmp_path_factory):
    if "httpd" not in tasks_module.APPLETS:
        tasks_module.APPLETS.append("httpd")
    made = [Side(cloud, tmp_path_factory.mktemp("image") / "layout") for _ in range(2)]
    for side, count in zip(made, (3, 2), strict=True):
        side.run_tasks(count)
    yield made
    for side in made:
        for arn in side.ecs.list_tasks(cluster=side.name)["taskArns"]:
            side.ecs.stop_task(cluster=side.name, task=arn)


@pytest.fixture
def outside(cloud):
    path = f"{cloud.home}/network/netns/hosts/outside"
    command = ["nsenter", f"--net={path}", sys.executable, "-c", SERVER, OUTSIDE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_vpcs_with_the_same_range_are_isolated(sides, outside):
    one, other = sides
    ranges = {one.ec2.describe_vpcs(VpcIds=[side.vpc])["Vpcs"][0]["CidrBlock"] for side in sides}
    assert len(ranges) == 1
    shared, [alone] = sorted(other.of), sorted(set(one.of) - set(other.of))
    assert len(shared) == 2 and set(shared) < set(one.of)
    for side in sides:
        client, server = shared
        # The same address leads to a task of the caller's own VPC.
        eventually(lambda: side.read(client, server, 80, 5) == side.name)
        assert side.read(server, client, 80, 5) == side.name
        # Out through the VPC's own NAT gateway, and the answer comes back to the same task.
        assert side.read(client, OUTSIDE, 443, 5) == side.public_address()
    assert one.public_address() != other.public_address()
    assert one.read(shared[0], alone, 80, 5) == one.name
    assert other.read(shared[0], alone, 80, 1) == "failed", "the address exists in the other VPC only"


def test_a_change_of_one_vpc_does_not_reach_the_other(sides, outside):
    one, other = sides
    client, server = sorted(other.of)
    [group] = one.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [one.vpc]}])["SecurityGroups"]
    one.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    main = [{"Name": "vpc-id", "Values": [one.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    [table] = one.ec2.describe_route_tables(Filters=main)["RouteTables"]
    one.ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    eventually(lambda: one.read(client, server, 80, 0.5) == "failed")
    eventually(lambda: one.read(server, OUTSIDE, 443, 0.5) == "failed")
    assert other.read(client, server, 80, 5) == other.name
    assert other.read(client, OUTSIDE, 443, 5) == other.public_address()
