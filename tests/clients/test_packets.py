"""The packets of the shop follow its security groups, routes and NAT gateways."""

import pathlib
import subprocess
import sys
import time

import pytest

from conftest import address_of, container_pid, database_of, eventually, inside, tasks_of

OUTSIDE = "198.18.200.1"
PORT = 443  # the only port that the template lets tasks reach outside of the VPC

# Connects, and optionally prints what the server sends.
CONNECT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as s:
        print("connected", s.recv(64).decode() if len(sys.argv) > 4 else "")
except OSError as e:
    print("failed", e)
"""

# Sends each client its source address.
ECHO = f"""
import socket
server = socket.create_server(("0.0.0.0", {PORT}))
print("ready", flush=True)
while True:
    with server.accept()[0] as client:
        client.sendall(client.getpeername()[0].encode())
"""


# Prints the source ports of the packets that enter a namespace (or, with "forwarded", leave it) from an address of the
# Internet, over any interface, until its input ends. Raw sockets see packets before any rule drops them.
SNIFF = """
import selectors, socket, struct, sys
wanted, seen = socket.inet_aton(sys.argv[1]), set()
direction = socket.PACKET_OUTGOING if sys.argv[2:] == ["forwarded"] else socket.PACKET_HOST
raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
ready = selectors.DefaultSelector()
ready.register(raw, selectors.EVENT_READ)
ready.register(sys.stdin, selectors.EVENT_READ)
print("ready", flush=True)
done = False
while not done:
    for key, _ in ready.select():
        done = done or key.fileobj is sys.stdin
    while True:
        try:
            packet, (_, _, kind, _, _) = raw.recvfrom(65535, socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
        if kind == direction and packet[9] == 6 and packet[12:16] == wanted:
            seen.add(struct.unpack_from("!H", packet, (packet[0] & 15) * 4)[0])
print(*sorted(seen))
"""

# Connects from a given source port (0 is any), by which its packets are recognized in every namespace.
CONNECT_FROM_PORT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1, source_address=("", int(sys.argv[3]))):
        print("connected")
except OSError as e:
    print("failed", e)
"""


@pytest.fixture(scope="module")
def outside(shop):
    """The network namespace of a machine on the Internet that runs the echo server."""
    path = f"{shop.cloud.home}/network/netns/hosts/outside"
    server = subprocess.Popen(
        ["nsenter", f"--net={path}", sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout.readline() == "ready\n"
        yield path
    finally:
        server.kill()
        server.wait()


def pid_of(shop, service):
    task = next(t for t in tasks_of(shop) if service in t["group"] and t["lastStatus"] == "RUNNING")
    return container_pid(shop.cloud, task), task


def connect(pid, host, port, *, read=False, timeout=1):
    result = inside(pid, sys.executable, "-c", CONNECT, host, str(port), str(timeout), *(["read"] if read else []))
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def database_address(shop):
    """The address of the endpoint: that of the database's interface in the primary's zone."""
    ec2, database = shop.cloud.client("ec2"), database_of(shop)
    [group] = database["VpcSecurityGroups"]
    found = ec2.describe_network_interfaces(
        Filters=[
            {"Name": "group-id", "Values": [group["VpcSecurityGroupId"]]},
            {"Name": "availability-zone", "Values": [database["AvailabilityZone"]]},
        ]
    )["NetworkInterfaces"]
    return found[0]["PrivateIpAddress"]


def test_only_the_backend_reaches_the_database(shop):
    database = database_address(shop)
    assert connect(pid_of(shop, "backend")[0], database, 5432)[0] == "connected"
    assert connect(pid_of(shop, "frontend")[0], database, 5432)[0] == "failed"


def test_network_acl_cuts_the_backend_off_the_database(shop):
    """An ACL has no state: it also stops the packets of open connections, such as those of the backend's pool."""
    ec2, database = shop.cloud.client("ec2"), database_address(shop)
    pid, task = pid_of(shop, "backend")
    [subnet] = ec2.describe_subnets(SubnetIds=[d["value"] for d in task["attachments"][0]["details"] if d["name"] == "subnetId"])["Subnets"]
    default = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "default", "Values": ["true"]}]
    [acl] = ec2.describe_network_acls(Filters=default)["NetworkAcls"]
    entry = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 50, "Egress": True}
    assert shop.get("/api/items").status_code == 200
    postgres = {"Protocol": "6", "PortRange": {"From": 5432, "To": 5432}, "CidrBlock": "0.0.0.0/0"}
    ec2.create_network_acl_entry(**entry, **postgres, RuleAction="deny")
    try:
        eventually(lambda: connect(pid, database, 5432)[0] == "failed")
    finally:
        ec2.delete_network_acl_entry(**entry)
    eventually(lambda: connect(pid, database, 5432)[0] == "connected")
    eventually(lambda: shop.get("/api/items").status_code == 200)


def test_tasks_have_the_public_address_of_their_zones_nat_gateway(shop, outside):
    pid, task = pid_of(shop, "backend")
    ec2 = shop.cloud.client("ec2")
    zones = {s["SubnetId"]: s["AvailabilityZone"] for s in ec2.describe_subnets()["Subnets"]}
    elastic = {
        zones[n["SubnetId"]]: n["NatGatewayAddresses"][0]["PublicIp"]
        for n in ec2.describe_nat_gateways()["NatGateways"]
        if n["State"] == "available"
    }
    assert connect(pid, OUTSIDE, PORT, read=True) == ["connected", elastic[task["availabilityZone"]]]


def test_internet_does_not_reach_a_task(shop, outside):
    task = pid_of(shop, "backend")[1]
    result = subprocess.run(
        ["nsenter", f"--net={outside}", sys.executable, "-c", CONNECT, address_of(task), "8000", "1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.startswith("failed"), result


def connect_from_internet(outside, host, port, from_port=0):
    """Tries a connection from the Internet; returns `connected` or `failed`."""
    result = subprocess.run(
        ["nsenter", f"--net={outside}", sys.executable, "-c", CONNECT_FROM_PORT, host, str(port), str(from_port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout.split()[0]


class Sniffers:
    """A sniffer in each network namespace of the VPC. All packets from the Internet enter the router, so the sniffer there
    records only what the router forwards."""

    def __init__(self, shop):
        folder = pathlib.Path(shop.cloud.home, "network/netns/vpcs")
        namespaces = {str(path) for path in folder.rglob("*") if path.is_file()}
        assert len([n for n in namespaces if n.endswith("/router")]) == 1 and len(namespaces) > 5, namespaces
        self.running = {n: self.start(n) for n in namespaces}
        for process in self.running.values():
            assert process.stdout.readline() == "ready\n"

    def start(self, namespace):
        forwarded = ["forwarded"] if namespace.endswith("/router") else []
        program = ["nsenter", f"--net={namespace}", sys.executable, "-c", SNIFF, OUTSIDE, *forwarded]
        return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seen(self):
        """The source ports by namespace."""
        result = {namespace: process.communicate(timeout=20)[0] for namespace, process in self.running.items()}
        return {namespace: {int(port) for port in ports.split()} for namespace, ports in result.items()}


def test_nat_gateway_forwards_nothing_from_the_internet(shop, outside):
    pid, task = pid_of(shop, "backend")
    gateways = shop.cloud.client("ec2").describe_nat_gateways()["NatGateways"]
    elastic = [n["NatGatewayAddresses"][0]["PublicIp"] for n in gateways if n["State"] == "available"]
    assert len(elastic) == 2
    sniffers = Sniffers(shop)
    ports = [22, 80, PORT, 3000, 8000, 5432]
    attempts = {40000 + i: (address, port) for i, (address, port) in enumerate((a, p) for a in elastic for p in ports)}
    result = {target: connect_from_internet(outside, *target, source) for source, target in attempts.items()}
    assert set(result.values()) == {"failed"}, result
    # The reply to a task's connection passes, which shows that the sniffers work.
    assert connect(pid, OUTSIDE, PORT, read=True)[0] == "connected"
    seen = sniffers.seen()
    assert any(PORT in source_ports for source_ports in seen.values())
    assert not set().union(*seen.values()) & set(attempts), seen


def test_internet_reaches_only_the_port_of_the_load_balancer(shop, outside):
    interfaces = shop.cloud.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    public = [i["Association"]["PublicIp"] for i in interfaces if i["Description"].startswith("ELB app/")]
    assert len(public) == 2
    for address in public:
        result = {port: connect_from_internet(outside, address, port) for port in [80, 22, PORT, 3000, 8000, 8080]}
        assert {port for port, answer in result.items() if answer == "connected"} == {80}, result


def test_tasks_do_not_reach_the_internet_without_a_route(shop, outside):
    pid, task = pid_of(shop, "backend")
    ec2 = shop.cloud.client("ec2")
    subnet = next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "subnetId")
    [table] = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    route = next(r for r in table["Routes"] if r.get("NatGatewayId"))
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    try:
        eventually(lambda: connect(pid, OUTSIDE, PORT, read=True, timeout=0.3)[0] == "failed", within=3)
    finally:
        ec2.create_route(
            RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=route["NatGatewayId"]
        )
    eventually(lambda: connect(pid, OUTSIDE, PORT, read=True)[0] == "connected", within=3)


def test_revoked_rule_refuses_new_connections_within_a_second(shop):
    pid, _ = pid_of(shop, "backend")
    ec2, address = shop.cloud.client("ec2"), database_address(shop)
    [group] = database_of(shop)["VpcSecurityGroups"]
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["VpcSecurityGroupId"]]}])
    rule = next(r for r in rules["SecurityGroupRules"] if not r["IsEgress"])
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": rule["ReferencedGroupInfo"]["GroupId"]}],
    }
    assert connect(pid, address, 5432)[0] == "connected"
    ec2.revoke_security_group_ingress(GroupId=rule["GroupId"], IpPermissions=[permission])
    try:
        revoked = time.monotonic()
        eventually(lambda: connect(pid, address, 5432, timeout=0.3)[0] == "failed", within=1)
        print(f"refused after at most {(time.monotonic() - revoked) * 1000:.0f} ms")
    finally:
        ec2.authorize_security_group_ingress(GroupId=rule["GroupId"], IpPermissions=[permission])
    eventually(lambda: connect(pid, address, 5432)[0] == "connected", within=3)
