"""Distributions fetch from custom origins on the Internet of the host, and from nothing around the host."""

import subprocess
import sys

import pytest
import requests

import around as a
from conftest import eventually
from test_cloudfront import CACHING_OPTIMIZED, config, wait_until_deployed

# HTTP at 8080, and HTTPS at 8443 (a trusted certificate of the name) and 8444 (one of another authority).
SERVERS = r"""
import http.server, ssl, sys, threading
class Names(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{self.server.server_port} {self.client_address[0]} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
for port, name in ((8080, None), (8443, "trusted"), (8444, "untrusted")):
    server = http.server.ThreadingHTTPServer(("", port), Names)
    if name:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{sys.argv[1]}/{name}.pem", f"{sys.argv[1]}/{name}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def certificate(folder, name):
    """A root certificate that is also the server's, for www.example.test."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:www.example.test", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True, capture_output=True,
    )
    return (folder / f"{name}.pem").read_text()


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    folder = tmp_path_factory.mktemp("around")
    made = a.Around(folder)
    made.bundle.write_text(certificate(folder, "trusted"))
    certificate(folder, "untrusted")
    enter = ["nsenter", f"--net=/proc/{made.world.pid}/ns/net"]
    servers = subprocess.Popen(
        [*enter, sys.executable, "-c", SERVERS, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the edge ends a handshake, which the server reports
        text=True,
    )
    assert servers.stdout.readline() == "ready\n"
    yield made
    servers.communicate()
    made.close()


def fetch(cloud, name, protocol, port):
    """The status and the body that a viewer of a distribution with this origin gets."""
    client = cloud.client("cloudfront")
    custom = {"HTTPPort": port, "HTTPSPort": port, "OriginProtocolPolicy": protocol,
              "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]}}
    origin = {"Id": "web", "DomainName": name, "CustomOriginConfig": custom, "ConnectionAttempts": 1, "ConnectionTimeout": 5}
    behaviour = {"TargetOriginId": "web", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": CACHING_OPTIMIZED}
    made = client.create_distribution(
        DistributionConfig=config(Origins={"Quantity": 1, "Items": [origin]}, DefaultCacheBehavior=behaviour)
    )["Distribution"]
    wait_until_deployed(client, made["Id"])
    url = f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}/"

    def known():
        answer = requests.get(url, headers={"Host": made["DomainName"]}, timeout=30)
        # The host's forwarder does not know the name yet.
        return None if answer.status_code == 404 else (answer.status_code, answer.text)

    return eventually(known)


def test_origins_outside_are_reached_as_tasks_reach_them(around):
    before = around.host_state()
    with around.cloud() as cloud:
        # The origin sees the host's address and its own name.
        assert fetch(cloud, "www.example.test", "http-only", 8080) == (200, f"8080 {a.HOST} www.example.test:8080")
        status, body = fetch(cloud, "www.example.test", "https-only", 8443)
        assert (status, body.split()[:2]) == (200, ["8443", a.HOST])
        for name, protocol, port in (
            ("www.example.test", "https-only", 8444),  # an authority that the host does not trust
            ("www.example.test", "http-only", 8081),  # refused
            ("private.example.test", "http-only", 8080),
            ("host.example.test", "http-only", 8080),
            ("no.example.test", "http-only", 8080),
            ("sqs.eu-west-3.amazonaws.com", "http-only", 8080),
        ):
            assert fetch(cloud, name, protocol, port)[0] == 502, name
        assert around.host_state() == before


def test_settings_open_and_close_the_way_of_the_edge(around):
    with around.cloud(ESCALE_INTERNET_ALLOW="10.7.0.0/16") as cloud:
        assert fetch(cloud, "private.example.test", "http-only", 8080)[0] == 200
        cloud.escale("stop")
        del cloud.env["ESCALE_INTERNET_ALLOW"]
        cloud.env["ESCALE_INTERNET"] = "none"
        cloud.escale("start")
        assert fetch(cloud, "www.example.test", "http-only", 8080)[0] == 502
