"""A host and a network around it, in namespaces of their own: the daemon runs on that host, so what leaves the cloud can be
compared with the servers out there, and the machine's real network is not used."""

import contextlib
import ctypes
import os
import pathlib
import subprocess
import sys
import textwrap

import conftest

HOST, FAR, SILENT = "203.0.113.1", "203.0.113.9", "203.0.113.50"
UNREACHABLE, NO_ROUTE = "203.0.113.66", "192.0.2.1"
PRIVATE, METADATA = "10.7.7.7", "169.254.169.254"
CLONE_NEWNET = 0x40000000

# TCP: 80 and 443 answer with the sum of what arrived until the end; 9000 sends as many MiB as the first line says, then their
# sum; 9001 never reads or sends. UDP: 7 sends everything back. DNS: UDP and TCP 53.
SERVERS = r'''
import hashlib, socket, socketserver, struct, sys, threading
FAR, HOST = sys.argv[1], sys.argv[2]
BLOCK = bytes(range(256)) * 4096
class Sum(socketserver.BaseRequestHandler):
    def handle(self):
        assert self.client_address[0] == HOST
        total = hashlib.sha256()
        while data := self.request.recv(1 << 20):
            total.update(data)
        self.request.sendall(total.hexdigest().encode())
class Source(socketserver.BaseRequestHandler):
    def handle(self):
        total = hashlib.sha256()
        for _ in range(int(self.request.makefile().readline())):
            total.update(BLOCK)
            self.request.sendall(BLOCK)
        self.request.sendall(total.hexdigest().encode())
held = []
class Hold(socketserver.BaseRequestHandler):
    def handle(self):
        threading.Event().wait()
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        data, reply = self.request
        reply.sendto(data, self.client_address)
def answer(question, udp):
    end = 12
    labels = []
    while question[end]:
        labels.append(question[end + 1 : end + 1 + question[end]].decode().lower())
        end += question[end] + 1
    kind = struct.unpack("!H", question[end + 1 : end + 3])[0]
    name = ".".join(labels)
    a = lambda address: (1, socket.inet_aton(address))
    zone = {
        "www.example.test": [a(FAR), (28, socket.inet_pton(socket.AF_INET6, "2001:db8::9"))],
        "sqs.eu-west-3.amazonaws.com": [a(FAR)],
        "shop.s3.amazonaws.com": [a(FAR)],
        "private.example.test": [a("10.7.7.7")],
        "host.example.test": [a(HOST)],
        "many.example.test": [a(f"192.0.2.{i}") for i in range(250)],
    }
    records = [data for k, data in zone.get(name, []) if k == kind]
    flags = 0x8180 | (0 if name in zone else 3)
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(r)) + r for r in records)
    if udp and len(body) > 1000:
        flags, records, body = flags | 0x200, [], b""
    soa = b""
    if not records and not flags & 0x200:
        data = b"\x00\x00" + struct.pack("!5I", 1, 2, 3, 4, 60)
        soa = b"\x00" + struct.pack("!HHIH", 6, 1, 60, len(data)) + data
    counts = struct.pack("!HHHHH", flags, 1, len(records), 1 if soa else 0, 0)
    return question[:2] + counts + question[12 : end + 5] + body + soa
class DnsUdp(socketserver.BaseRequestHandler):
    def handle(self):
        data, reply = self.request
        reply.sendto(answer(data, True), self.client_address)
class DnsTcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = struct.unpack("!H", self.rfile.read(2))[0]
        data = answer(self.rfile.read(size), False)
        self.wfile.write(struct.pack("!H", len(data)) + data)
class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 4096
class Udp(socketserver.ThreadingUDPServer):
    daemon_threads, max_packet_size = True, 65536
for server, port, handler in [
    (Tcp, 80, Sum), (Tcp, 443, Sum), (Tcp, 9000, Source), (Tcp, 9001, Hold), (Udp, 7, Echo), (Udp, 53, DnsUdp), (Tcp, 53, DnsTcp),
]:
    threading.Thread(target=server(("", port), handler).serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
'''


class HostCloud(conftest.Cloud):
    """An installation on that host."""

    def __init__(self, home, holder, **env):
        super().__init__(home)
        self.holder = holder
        self.env.update(env)

    def escale(self, *args, check=True, timeout=300):
        enter = ["nsenter", f"--net=/proc/{self.holder}/ns/net", f"--mount=/proc/{self.holder}/ns/mnt"]
        done = subprocess.run(
            [*enter, conftest.ESCALE, *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
            raise AssertionError(f"escale {args}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}")
        return done

    def namespace(self, *path):
        """A namespace of the cloud; only processes in the host's mount namespace have it at its path."""
        return f"/proc/{self.holder}/root{os.path.realpath(self.home)}/network/netns/{'/'.join(path)}"


class Around:
    def __init__(self, folder):
        self.resolv = folder / "resolv.conf"
        self.resolv.write_text(f"nameserver {FAR}\n")
        self.world = self.hold(["unshare", "--net"], "true")
        # The certificates that programs of the host trust: those of a test's own authority.
        self.bundle = folder / "bundle.crt"
        self.bundle.write_text("")
        bind = f"mount --bind {self.resolv} /etc/resolv.conf && mount --bind {self.bundle} /etc/ssl/certs/ca-certificates.crt"
        self.host = self.hold(["unshare", "--net", "--mount", "--propagation", "private"], bind)
        self.ip(self.host, f"link add eth0 type veth peer name eth0 netns {self.world.pid}")
        for side in (self.host, self.world):
            # Without IPv6 addresses of their own, whose state would change during the tests.
            for link in ("lo", "eth0"):
                self.ip(side, f"link set {link} addrgenmode none up")
        self.ip(self.host, f"addr add {HOST}/24 dev eth0")
        for address in (f"{FAR}/24", f"{PRIVATE}/32", f"{METADATA}/32"):
            self.ip(self.world, f"addr add {address} dev eth0")
        self.ip(self.host, f"neigh add {SILENT} lladdr 02:00:00:00:00:99 dev eth0")
        self.ip(self.host, f"route add unreachable {UNREACHABLE}")
        for network in ("10.0.0.0/8", "169.254.0.0/16"):
            self.ip(self.host, f"route add {network} via {FAR}")
        enter = ["nsenter", f"--net=/proc/{self.world.pid}/ns/net"]
        self.servers = subprocess.Popen(
            [*enter, sys.executable, "-c", SERVERS, FAR, HOST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # tests reset connections, which each server reports
            text=True,
        )
        assert self.servers.stdout.readline() == "ready\n"

    def hold(self, unshare, first):
        """A process that keeps new namespaces until its input ends."""
        script = f"{first} && echo ready && exec cat"
        process = subprocess.Popen([*unshare, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        return process

    def ip(self, side, command):
        return self.run(side, "ip", *command.split())

    def run(self, side, *command):
        enter = ["nsenter", f"--net=/proc/{side.pid}/ns/net"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=True).stdout

    def host_state(self):
        """Everything that Escale must not change in the host's network namespace."""
        asked = (["ip", "-br", "link"], ["ip", "addr"], ["ip", "route", "show", "table", "all"], ["ip", "rule"], ["nft", "list", "ruleset"])
        return {" ".join(command): self.run(self.host, *command) for command in asked}

    @contextlib.contextmanager
    def cloud(self, **env):
        """A running installation on the host. This thread is in the host's namespace meanwhile, so that clients reach the API."""
        made = conftest.make_cloud()
        cloud = HostCloud(made.home, self.host.pid, **env)
        with in_namespace(f"/proc/{self.host.pid}/ns/net"):
            try:
                cloud.escale("start")
                yield cloud
            finally:
                conftest.remove_cloud(cloud)

    def close(self):
        for process in (self.servers, self.world, self.host):
            process.communicate()


@contextlib.contextmanager
def in_namespace(path):
    libc, home = ctypes.CDLL(None, use_errno=True), open("/proc/thread-self/ns/net")
    with open(path) as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


class Network:
    """A VPC with a NAT gateway, an interface in its private subnet, and one with a public address."""

    def __init__(self, cloud):
        self.cloud, self.ec2 = cloud, cloud.client("ec2")
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.61.0.0/16")["Vpc"]["VpcId"]
        private, public = (self.subnet(f"10.61.{i}.0/24") for i in (1, 2))
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.private_table, public_table = self.table(private), self.table(public)
        self.route(public_table, GatewayId=gateway)
        self.nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=self.address())["NatGateway"]["NatGatewayId"]
        ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[self.nat], WaiterConfig={"Delay": 1})
        self.route(self.private_table, NatGatewayId=self.nat)
        self.group = ec2.create_security_group(GroupName="tasks", Description="test", VpcId=self.vpc)["GroupId"]
        self.private, self.public, self.bare = (self.interface(subnet) for subnet in (private, public, public))
        ec2.associate_address(AllocationId=self.address(), NetworkInterfaceId=self.public)
        for interface in (self.private, self.public, self.bare):
            conftest.eventually(lambda: pathlib.Path(self.path(interface)).exists())

    def subnet(self, cidr):
        return self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=conftest.REGION + "a")["Subnet"]["SubnetId"]

    def table(self, subnet):
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def route(self, table, **target):
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)

    def address(self):
        return self.ec2.allocate_address(Domain="vpc")["AllocationId"]

    def interface(self, subnet):
        made = self.ec2.create_network_interface(SubnetId=subnet, Groups=[self.group])
        return made["NetworkInterface"]["NetworkInterfaceId"]

    def path(self, interface):
        return self.cloud.namespace("vpcs", self.vpc, "interfaces", interface)

    def start(self, interface, *command, **options):
        return subprocess.Popen(["nsenter", f"--net={self.path(interface)}", *command], text=True, **options)

    def run(self, interface, *command, timeout=60):
        done = subprocess.run(
            ["nsenter", f"--net={self.path(interface)}", *command], capture_output=True, text=True, timeout=timeout
        )
        return (done.stdout + done.stderr).strip()

    def python(self, interface, code, *args, timeout=120):
        return self.run(interface, sys.executable, "-c", textwrap.dedent(code), *map(str, args), timeout=timeout)

    def connect(self, interface, to, port, within=0.7):
        """"connected", or the name of the error."""
        code = """
            import errno, socket, sys
            try:
                socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
                print("connected")
            except TimeoutError as e:
                print("silent")
            except OSError as e:
                print(errno.errorcode[e.errno])
        """
        return self.python(interface, code, to, port, within)

    def dig(self, interface, *question):
        return self.run(interface, "dig", "@10.61.0.2", "+tries=1", "+time=5", *question)
