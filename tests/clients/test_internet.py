"""Tasks reach the Internet of the host, as their routes and security groups allow, and nothing around the host."""

import os
import pathlib
import re
import time

import pytest

import around as a
from conftest import eventually


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    made = a.Around(tmp_path_factory.mktemp("around"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def network(around):
    before = around.host_state()
    with around.cloud() as cloud:
        network = a.Network(cloud)
        network.host_before = before
        yield network
    assert around.host_state() == before


def test_host_namespace_is_unchanged(around, network):
    assert network.connect(network.private, a.FAR, 80) == "connected"
    assert around.host_state() == network.host_before


def test_a_gibibyte_passes_and_what_is_sent_arrives_completely(network):
    received = network.python(network.private, """
        import hashlib, socket, sys
        with socket.create_connection((sys.argv[1], 9000), timeout=60) as s:
            s.sendall(sys.argv[2].encode() + b"\\n")
            left, total = int(sys.argv[2]) << 20, hashlib.sha256()
            while left:
                data = s.recv(min(left, 1 << 20))
                left -= len(data)
                total.update(data)
            print(total.hexdigest() == s.makefile().read())
    """, a.FAR, 1024)
    assert received == "True"
    # The end of what the client sends is passed on; the answer still comes back.
    sent = network.python(network.private, """
        import hashlib, socket, sys
        block, total = bytes(range(256)) * 4096, hashlib.sha256()
        with socket.create_connection((sys.argv[1], 80), timeout=60) as s:
            for _ in range(int(sys.argv[2])):
                total.update(block)
                s.sendall(block)
            s.shutdown(socket.SHUT_WR)
            print(total.hexdigest() == s.makefile().read())
    """, a.FAR, 128)
    assert sent == "True"


def test_failures_are_those_of_the_far_end(network):
    for interface in (network.private, network.public):
        assert network.connect(interface, a.FAR, 80) == "connected"
        assert network.connect(interface, a.FAR, 81) == "ECONNREFUSED"
        assert network.connect(interface, a.UNREACHABLE, 80) == "EHOSTUNREACH"
        assert network.connect(interface, a.NO_ROUTE, 80) == "ENETUNREACH"
        assert network.connect(interface, a.SILENT, 80) == "silent"


UDP = """
    import errno, socket, sys
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"x" * int(sys.argv[3]))
    try:
        print(len(s.recv(65536)))
    except OSError as e:
        print(errno.errorcode.get(e.errno, "silent"))
"""


def test_datagrams_pass(network):
    for size in (1, 1200, 20_000):
        assert network.python(network.private, UDP, a.FAR, 7, size) == str(size)
    assert network.python(network.private, UDP, a.FAR, 8, 1) == "ECONNREFUSED"


def test_addresses_around_the_host_are_refused_at_once(network):
    for interface in (network.private, network.public):
        for address in (a.HOST, a.PRIVATE, a.METADATA, "172.16.0.1", "192.168.0.1"):
            assert network.connect(interface, address, 80) == "EHOSTUNREACH", address
            assert network.python(interface, UDP, address, 53, 1) == "EHOSTUNREACH", address
        # IPv6 does not leave an interface, also not with an IPv4 address inside: the kernel then sends IPv4.
        for address in ("::ffff:10.7.7.7", f"::ffff:{a.HOST}"):
            assert network.connect(interface, address, 80) == "EHOSTUNREACH", address
        for address in ("fd00::1", "64:ff9b::a07:707", "fe80::1%eth0"):
            assert network.connect(interface, address, 80) in ("ENETUNREACH", "EADDRNOTAVAIL", "EINVAL"), address
        # A name is resolved whatever its address is: connecting is what is refused.
        assert network.dig(interface, "+short", "private.example.test") == a.PRIVATE


def test_names_are_resolved_by_the_hosts_resolvers(around, network):
    dig = lambda *question: network.dig(network.private, *question)
    assert dig("+short", "www.example.test") == a.FAR
    assert dig("+short", "www.example.test", "AAAA") == "2001:db8::9"
    assert dig("+short", "+tcp", "www.example.test") == a.FAR
    missing = dig("no.example.test")
    assert "status: NXDOMAIN" in missing and "SOA" in missing
    assert "status: NOERROR" in dig("www.example.test", "MX")
    # The host's resolver truncates the answer, so it is asked again over TCP; the client does the same.
    assert len(dig("+short", "many.example.test").splitlines()) == 250
    # The cloud's own names stay its own.
    assert dig("+short", "api.escale.internal") == "198.18.0.2"

    around.resolv.write_text("nameserver 203.0.113.77\n")
    assert "SERVFAIL" in dig("www.example.test")
    around.resolv.write_text(f"nameserver {a.HOST}\nnameserver {a.FAR}\n")
    assert dig("+short", "www.example.test") == a.FAR, "the first server refuses, the second answers"


def test_services_that_the_cloud_lacks_are_not_those_of_aws(network):
    for name in ("sqs.eu-west-3.amazonaws.com", "s3.us-east-2.amazonaws.com", "amazonaws.com", "x.api.aws", "a.b.on.aws", "x.aws.dev"):
        assert "status: NXDOMAIN" in network.dig(network.private, name), name
    # Those of services that it has are its own, whatever the resolver outside says.
    assert network.dig(network.private, "+short", "shop.s3.amazonaws.com") == "198.18.0.3"
    # Names that only look similar are ordinary ones: the resolver outside answers.
    assert "SOA" in network.dig(network.private, "notamazonaws.com")


def test_only_routes_groups_and_public_addresses_lead_out(network):
    ec2, private = network.ec2, network.private
    assert network.connect(network.bare, a.FAR, 80) == "silent"
    every = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=network.group, IpPermissions=[https])
    ec2.revoke_security_group_egress(GroupId=network.group, IpPermissions=[every])
    eventually(lambda: network.connect(private, a.FAR, 80) == "silent")
    assert network.connect(private, a.FAR, 443) == "connected"
    ec2.authorize_security_group_egress(GroupId=network.group, IpPermissions=[every])
    eventually(lambda: network.connect(private, a.FAR, 80) == "connected")

    ec2.delete_route(RouteTableId=network.private_table, DestinationCidrBlock="0.0.0.0/0")
    eventually(lambda: network.connect(private, a.FAR, 443) == "silent")
    assert network.connect(network.public, a.FAR, 443) == "connected"
    network.route(network.private_table, NatGatewayId=network.nat)
    eventually(lambda: network.connect(private, a.FAR, 443) == "connected")


def daemon_figures(cloud):
    pid = cloud.status()["daemon"]["pid"]
    resident = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    return resident / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def test_hostile_task_leaves_the_daemon_bounded_and_the_api_available(network):
    cloud, ec2 = network.cloud, network.ec2
    resident, descriptors = daemon_figures(cloud)
    # Connections that stay open and whose data nobody reads, to a server that reads nothing either; and SYNs to closed and to
    # silent ports, as fast as one program can.
    hold = network.start(network.private, a.sys.executable, "-c", """if True:
        import resource, socket, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (11000, 11000))
        all = []
        for i in range(10_000):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((sys.argv[1], 9001 if i % 2 else 9000))
            all.append(s)
        print("opened", flush=True)
        for i, s in enumerate(all):
            try:
                s.send(b"x" * 300_000 if i % 2 else b"100\\n")
            except OSError:
                pass
        print("sent", flush=True)
        sys.stdin.read()
    """, a.FAR, stdin=a.subprocess.PIPE, stdout=a.subprocess.PIPE)
    flood = network.start(network.public, a.sys.executable, "-c", """if True:
        import socket, sys
        print("ready", flush=True)
        i = 0
        while True:
            for address in sys.argv[1:]:
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((address, 20_000 + i % 10_000))
                s.close()
                i += 1
    """, a.FAR, a.SILENT, stdout=a.subprocess.PIPE)
    try:
        assert flood.stdout.readline() == "ready\n"
        assert hold.stdout.readline() == "opened\n"
        assert hold.stdout.readline() == "sent\n"
        slowest = 0
        for _ in range(40):
            begun = time.monotonic()
            ec2.describe_vpcs()
            slowest = max(slowest, time.monotonic() - begun)
        now, open_now = daemon_figures(cloud)
        print(f"API at most {slowest:.3f} s; memory {resident:.0f} to {now:.0f} MiB; descriptors {descriptors} to {open_now}")
        assert slowest < 2
        assert now - resident < 64
        assert open_now - descriptors < 2 * 4096 + 2 * 512 + 64
        assert network.dig(network.private, "+short", "www.example.test") == a.FAR
    finally:
        for process in (hold, flood):
            process.kill()
            process.communicate()
    # Everything is free again.
    eventually(lambda: network.connect(network.public, a.FAR, 80) == "connected")
    eventually(lambda: network.connect(network.private, a.FAR, 80) == "connected")


def test_a_killed_daemon_is_replaced_while_a_client_connects(network):
    cloud = network.cloud
    os.kill(cloud.status()["daemon"]["pid"], 9)
    trying = network.start(network.private, a.sys.executable, "-c", f"""if True:
        import socket
        print("trying", flush=True)
        socket.create_connection(("{a.FAR}", 80), timeout=30)
        print("connected")
    """, stdout=a.subprocess.PIPE)
    assert trying.stdout.readline() == "trying\n"
    cloud.escale("start")
    assert trying.communicate(timeout=40)[0] == "connected\n"


def test_settings_open_addresses_and_names_or_close_everything(around):
    around.resolv.write_text(f"nameserver {a.FAR}\n")
    with around.cloud(ESCALE_INTERNET_ALLOW=f"10.7.0.0/16,{a.HOST},sqs.eu-west-3.amazonaws.com") as cloud:
        network = a.Network(cloud)
        assert network.connect(network.private, a.PRIVATE, 80) == "connected"
        assert network.connect(network.private, a.HOST, 80) == "ECONNREFUSED", "the host has no server there"
        assert network.connect(network.private, a.METADATA, 80) == "EHOSTUNREACH"
        assert network.dig(network.private, "+short", "sqs.eu-west-3.amazonaws.com") == a.FAR
        assert "NXDOMAIN" in network.dig(network.private, "kinesis.eu-west-3.amazonaws.com")
        doctor = next(f for f in a.conftest.json.loads(cloud.escale("doctor", "--json", check=False).stdout)["findings"] if f["name"] == "internet")
        assert doctor["ok"] is False and "no IPv4 route" in doctor["lack"], doctor

        # The same installation, closed.
        cloud.escale("stop")
        del cloud.env["ESCALE_INTERNET_ALLOW"]
        cloud.env["ESCALE_INTERNET"] = "none"
        cloud.escale("start")
        assert network.connect(network.private, a.FAR, 80) == "ENETUNREACH"
        assert "SERVFAIL" in network.dig(network.private, "www.example.test")


def test_idle_connections_through_a_nat_gateway_time_out(network):
    """The gateway forgets a connection after 350 s without a packet, and resets it at the next one."""
    [gateway] = network.ec2.describe_nat_gateways(NatGatewayIds=[network.nat])["NatGateways"]
    inside = gateway["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    client = network.start(network.private, a.sys.executable, "-c", f"""if True:
        import errno, socket, sys
        idle, busy = (socket.create_connection(("{a.FAR}", 9001), timeout=20) for _ in range(2))
        print(idle.getsockname()[1], flush=True)
        sys.stdin.readline()
        for one in (idle, busy):
            one.sendall(b"x")
            try:
                # The gateway answers at once; the server never does.
                one.settimeout(3)
                print(one.recv(1))
            except OSError as error:
                print(errno.errorcode.get(error.errno, "silent"))
    """, stdin=a.subprocess.PIPE, stdout=a.subprocess.PIPE)
    port = int(client.stdout.readline())
    tracked = network.run(inside, "conntrack", "-L", "-p", "tcp", "--sport", str(port))
    left = int(re.search(r"^tcp\s+6 (\d+) ESTABLISHED", tracked, re.MULTILINE)[1])
    assert 300 < left <= 350, tracked
    # The time has passed for one of both.
    assert "1 flow entries have been" in network.run(inside, "conntrack", "-D", "-p", "tcp", "--sport", str(port))
    printed, _ = client.communicate("go\n", timeout=30)
    assert printed.split() == ["ECONNRESET", "silent"]


def test_one_task_leaves_flows_of_a_nat_gateway_to_others(network):
    ec2 = network.ec2
    [subnet] = {i["SubnetId"] for i in ec2.describe_network_interfaces(NetworkInterfaceIds=[network.private])["NetworkInterfaces"]}
    other = network.interface(subnet)
    eventually(lambda: os.path.exists(network.path(other)))
    greedy = network.start(network.private, a.sys.executable, "-c", f"""if True:
        import resource, select, socket, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
        opened, poll = {{}}, select.poll()
        for _ in range(3000):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("{a.FAR}", 9001))
            opened[one.fileno()] = one
            poll.register(one, select.POLLOUT)
        connected = 0
        while ready := poll.poll(2500):
            for number, _ in ready:
                poll.unregister(number)
                connected += opened[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        print(connected, flush=True)
        sys.stdin.readline()
    """, stdin=a.subprocess.PIPE, stdout=a.subprocess.PIPE)
    try:
        assert 512 <= int(greedy.stdout.readline()) <= 1024
        assert network.connect(other, a.FAR, 80, 5) == "connected"
    finally:
        greedy.communicate("end\n", timeout=30)
