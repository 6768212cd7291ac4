"""Sticky sessions, and targets with TLS, HTTP/2 and gRPC: servers in the network interfaces of a VPC."""

import contextlib
import http.server
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import grpc
import httpx
import pytest
import websockets.exceptions
import websockets.sync.client
from botocore.exceptions import ClientError

from around import in_namespace
from conftest import eventually
from test_elbv2 import balancer, code, vpc  # noqa: F401, fixtures
from test_https import ROOT_CERTIFICATE, alias, issue, public, zone  # noqa: F401, fixtures

GROUP = {"Port": 8000, "TargetType": "ip", "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}


class Interface:
    """A network interface of the VPC, in whose namespace servers can listen."""

    def __init__(self, cloud, aws, vpc, subnet):
        self.ec2 = aws("ec2")
        made = self.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
        self.id, self.ip = made["NetworkInterfaceId"], made["PrivateIpAddress"]
        path = ("network", "netns", "vpcs", vpc, "interfaces", self.id)
        self.path = os.path.join(os.path.realpath(cloud.home), *path)
        eventually(lambda: os.path.exists(self.path))

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread opens meanwhile belong to the interface."""
        with in_namespace(self.path):
            yield

    def listen(self, port=8000):
        with self.inside():
            opened = socket.create_server((self.ip, port), backlog=64)
        return opened

    def start(self, program):
        """Runs a Python program with the address as argument until it prints a line."""
        command = ["nsenter", f"--net={self.path}", sys.executable, "-c", program, self.ip]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout.readline()
        return process

    def delete(self):
        self.ec2.delete_network_interface(NetworkInterfaceId=self.id)


# A process of its own: the threads of gRPC stay in the namespace in which they were started.
CALLS = """
import concurrent.futures, sys, grpc
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
echo = grpc.stream_stream_rpc_method_handler(lambda requests, context: (one.upper() for one in requests))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Each": echo})])
server.add_insecure_port(f"{sys.argv[1]}:8000")
server.start()
print("ready", flush=True)
server.wait_for_termination()
"""


# Sends back what it gets. Ends the connection itself at the word "leave", and answers HTTP requests at /health.
ECHO = """
import http, sys
from websockets.sync.server import serve
def health(connection, request):
    if request.path == "/health":
        return connection.respond(http.HTTPStatus.OK, request.headers.get("Host", ""))
def echo(connection):
    for message in connection:
        if message == "leave":
            connection.close(4001, "as asked")
        else:
            connection.send(message)
with serve(echo, sys.argv[1], 8000, process_request=health, subprotocols=["chat"], max_size=None) as server:
    print("ready", flush=True)
    server.serve_forever()
"""


@pytest.fixture
def interfaces(cloud, aws, vpc):  # noqa: F811
    made = [Interface(cloud, aws, vpc[0], subnet) for subnet in vpc[1]]
    yield made
    for one in made:
        one.delete()


class Names(http.server.BaseHTTPRequestHandler):
    """Answers with the server's address; sets the application's cookie at /login."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.server.server_address[0]} {self.headers.get('X-Forwarded-For')}".encode()
        self.send_response(200)
        if self.path == "/login":
            self.send_header("Set-Cookie", "JSESSIONID=1; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(interface, context=None):
    """A server on the interface, with TLS if there is a context."""
    listening = interface.listen()
    if context:
        listening = context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)
    server = http.server.ThreadingHTTPServer((interface.ip, 8000), Names, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_address = listening, (interface.ip, 8000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def target_group(aws, vpc, name, interfaces, **more):  # noqa: F811
    elb = aws("elbv2")
    group = elb.create_target_group(Name=name, VpcId=vpc, **{"Protocol": "HTTP", **GROUP, **more})["TargetGroups"][0]
    arn = group["TargetGroupArn"]
    targets = [{"Id": one.ip} for one in interfaces]
    elb.register_targets(TargetGroupArn=arn, Targets=targets)
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    )
    try:
        yield arn
    finally:
        elb.delete_target_group(TargetGroupArn=arn)


def healthy(elb, arn, count):
    def all_healthy():
        described = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        states = [d["TargetHealth"] for d in described]
        return sum(s["State"] == "healthy" for s in states) == count or None

    return eventually(all_healthy)


def listen(aws, balancer, *groups, sticky=None, **more):  # noqa: F811
    config = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in groups]}
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return aws("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], **{"Protocol": "HTTP", "Port": 80, **more},
        DefaultActions=[{"Type": "forward", "ForwardConfig": config}],
    )["Listeners"][0]


class Browser:
    """Keeps cookies, and connects to the load balancer through the machine's port."""

    def __init__(self, cloud, host):
        self.host = host
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}")

    def get(self, path="/"):
        answer = self.client.get(path, headers={"Host": self.host})
        assert answer.status_code == 200, answer.text
        return answer

    def target(self):
        return self.get().text.split()[0]


def reachable(browser):
    def answered():
        try:
            return browser.client.get("/", headers={"Host": browser.host}).status_code == 200
        except httpx.HTTPError:
            return False

    return eventually(answered)


def test_clients_stay_with_their_target(cloud, aws, vpc, public, interfaces):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    servers = [serve(one) for one in interfaces]
    with target_group(aws, vpc[0], "sticky", interfaces) as arn:
        listener = listen(aws, public, arn)
        healthy(elb, arn, 2)
        reachable(Browser(cloud, host))

        def attributes(**values):
            changes = [{"Key": f"stickiness.{key.replace('__', '.')}", "Value": value} for key, value in values.items()]
            elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=changes)

        free = Browser(cloud, host)
        assert {free.target() for _ in range(6)} == {one.ip for one in interfaces}
        attributes(enabled="true", type="lb_cookie", lb_cookie__duration_seconds="120")
        eventually(lambda: "AWSALB" in Browser(cloud, host).get().cookies)
        for _ in range(4):
            browser = Browser(cloud, host)
            first = browser.get()
            assert set(first.cookies) == {"AWSALB", "AWSALBCORS"}
            assert "SameSite=None" in first.headers.get_list("set-cookie")[1]
            assert {browser.target() for _ in range(5)} == {first.text.split()[0]}

        # A target that leaves: its clients get the other one.
        first = browser.target()
        gone = next(one for one in interfaces if one.ip == first)
        elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": gone.ip}])
        eventually(lambda: browser.target() != first)
        assert len({browser.target() for _ in range(5)}) == 1
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": gone.ip}])
        healthy(elb, arn, 2)

        with pytest.raises(ClientError) as error:
            attributes(type="app_cookie")
        assert code(error) == "ValidationError"
        attributes(type="app_cookie", app_cookie__cookie_name="JSESSIONID")
        eventually(lambda: "AWSALB" not in Browser(cloud, host).get().cookies)
        browser = Browser(cloud, host)
        assert browser.get().cookies == {}
        login = browser.get("/login")
        assert set(login.cookies) == {"JSESSIONID", "AWSALBAPP-0"}
        assert {browser.target() for _ in range(5)} == {login.text.split()[0]}

        elb.modify_load_balancer_attributes(
            LoadBalancerArn=public["LoadBalancerArn"],
            Attributes=[{"Key": "routing.http.xff_client_port.enabled", "Value": "true"}],
        )
        eventually(lambda: ":" in Browser(cloud, host).get().text.split()[1])
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    for server in servers:
        server.shutdown()


def test_clients_stay_with_the_group_of_a_rule(cloud, aws, vpc, public, interfaces):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    servers = [serve(one) for one in interfaces]
    with target_group(aws, vpc[0], "a", interfaces[:1]) as a, target_group(aws, vpc[0], "b", interfaces[1:]) as b:
        with pytest.raises(ClientError) as error:
            listen(aws, public, a, b, sticky=604801)
        assert code(error) == "ValidationError"
        listener = listen(aws, public, a, b, sticky=60)
        [action] = elb.describe_listeners(ListenerArns=[listener["ListenerArn"]])["Listeners"][0]["DefaultActions"]
        assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 60}
        for arn in (a, b):
            healthy(elb, arn, 1)
        reachable(Browser(cloud, host))
        assert {Browser(cloud, host).target() for _ in range(30)} == {one.ip for one in interfaces}
        for _ in range(4):
            browser = Browser(cloud, host)
            first = browser.get()
            assert set(first.cookies) == {"AWSALBTG", "AWSALBTGCORS"}
            assert {browser.target() for _ in range(5)} == {first.text.split()[0]}
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    for server in servers:
        server.shutdown()


def self_signed(folder):
    """A TLS server's context with a certificate that nobody trusts."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=elsewhere.test", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_targets_with_https_and_grpc(cloud, aws, vpc, zone, public, interfaces, tmp_path):  # noqa: F811
    elb, (parent, id) = aws("elbv2"), zone
    name = f"grpc.{parent}"
    alias(aws("route53"), id, name, public)
    certificate = issue(aws("acm"), aws("route53"), id, name)
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": certificate}]}
    tls = serve(interfaces[0], self_signed(tmp_path))
    calls = interfaces[1].start(CALLS)
    grpc_settings = {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "12"}}
    with target_group(aws, vpc[0], "tls", interfaces[:1], Protocol="HTTPS") as https_group, target_group(
        aws, vpc[0], "calls", interfaces[1:], **grpc_settings
    ) as grpc_group:
        [shown] = elb.describe_target_groups(TargetGroupArns=[grpc_group])["TargetGroups"]
        assert (shown["ProtocolVersion"], shown["HealthCheckPath"]) == ("GRPC", "/AWS.ALB/healthcheck")
        with pytest.raises(ClientError) as error:
            listen(aws, public, grpc_group)
        assert code(error) == "InvalidConfigurationRequest"
        listener = listen(aws, public, https_group, **secure)
        elb.create_rule(
            ListenerArn=listener["ListenerArn"], Priority=1, Actions=[{"Type": "forward", "TargetGroupArn": grpc_group}],
            Conditions=[{"Field": "path-pattern", "Values": ["/test.Echo/*"]}],
        )
        for arn in (https_group, grpc_group):
            healthy(elb, arn, 1)

        root = pathlib.Path(cloud.home) / ROOT_CERTIFICATE
        port = cloud.env["ESCALE_HTTPS_PORT"]
        with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=root)) as client:
            answer = eventually(lambda: client.get(f"https://{name}:{port}/"))
            assert (answer.http_version, answer.text.split()[0]) == ("HTTP/2", interfaces[0].ip)
            # Neither the version nor the method is that of gRPC.
            assert client.get(f"https://{name}:{port}/test.Echo/Each").status_code == 464
        credentials = grpc.ssl_channel_credentials(root.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials, [("grpc.ssl_target_name_override", name)]) as channel:
            each = channel.stream_stream("/test.Echo/Each")
            assert list(each(iter([b"one", b"two"]), timeout=10)) == [b"ONE", b"TWO"]
            missing = channel.unary_unary("/test.Echo/Nothing")
            with pytest.raises(grpc.RpcError) as failed:
                missing(b"", timeout=10)
            assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    calls.kill()
    calls.wait()
    tls.shutdown()


def test_websockets_pass_an_https_listener(cloud, aws, vpc, zone, public, interfaces):  # noqa: F811
    elb, (parent, id) = aws("elbv2"), zone
    name = f"ws.{parent}"
    alias(aws("route53"), id, name, public)
    certificate = issue(aws("acm"), aws("route53"), id, name)
    with contextlib.ExitStack() as end:
        server = interfaces[0].start(ECHO)
        end.callback(server.wait)
        end.callback(server.kill)
        group = end.enter_context(target_group(aws, vpc[0], "ws", interfaces[:1], HealthCheckPath="/health"))
        listener = listen(
            aws, public, group, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": certificate}]
        )
        end.callback(elb.delete_listener, ListenerArn=listener["ListenerArn"])
        healthy(elb, group, 1)
        tls = ssl.create_default_context(cafile=pathlib.Path(cloud.home) / ROOT_CERTIFICATE)
        url = f"wss://{name}:{cloud.env['ESCALE_HTTPS_PORT']}"

        def connect(path="/"):
            return websockets.sync.client.connect(url + path, ssl=tls, subprotocols=["chat"], max_size=None, proxy=None)

        with eventually(connect) as first, connect() as second:
            assert (first.response.status_code, first.subprotocol) == (101, "chat")
            # Several frames, in both directions, on connections that are open at the same time.
            for message in ("hello", b"\x00\xff" * 10, "", "x" * 3_000_000):
                for client in (first, second):
                    client.send(message)
                    assert client.recv(timeout=20) == message
            assert first.ping().wait(timeout=20)
            # The server ends the first one, the client the second one: each end gets the other's code.
            first.send("leave")
            with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
                first.recv(timeout=20)
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")
            second.send("still open")
            assert second.recv(timeout=20) == "still open"
            second.close(1000)
            assert second.close_code == 1000
        # Without an upgrade the answer is the target's, and the connection goes on as HTTP.
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            connect("/health")
        assert refused.value.response.status_code == 200
