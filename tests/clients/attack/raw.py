"""Malformed and partial requests, written to a socket byte for byte."""

import re
import socket
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from conftest import REGION


def head(method, path, headers):
    """`headers` is a list of pairs, so that a name can appear twice."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def answer(stream, within=10):
    """Reads one response: its status and body, or (None, "") if the connection ends first."""
    stream.settimeout(within)
    got = b""
    try:
        while b"\r\n\r\n" not in got:
            piece = stream.recv(65536)
            if not piece:
                return None, ""
            got += piece
        top, _, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: *(\d+)", top)
        while length and len(body) < int(length[1]):
            piece = stream.recv(65536)
            if not piece:
                break
            body += piece
    except ConnectionError:
        return None, ""
    return int(top.split()[1]), body.decode(errors="replace")


def request(cloud, method, path, headers, body=b"", within=10):
    """Sends a request with exactly these headers. Returns the status, the body and the duration in seconds."""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=within) as stream:
        began = time.monotonic()
        stream.sendall(head(method, path, headers) + body)
        status, text = answer(stream, within)
        return status, text, time.monotonic() - began


def signed(cloud, service, method, path, body=b"", headers=(), key=None, secret=None, region=REGION, host=None):
    """The headers of a request signed by botocore, as pairs. The default is the root key."""
    root = getattr(cloud, "root", lambda: cloud.env)()
    request = botocore.awsrequest.AWSRequest(
        method, f"http://{host or f'127.0.0.1:{cloud.port}'}{path}", headers=dict(headers), data=body
    )
    credentials = botocore.credentials.Credentials(
        key or root["AWS_ACCESS_KEY_ID"], secret or root["AWS_SECRET_ACCESS_KEY"]
    )
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    kind(credentials, service, region).add_auth(request)
    own = [("Host", host or f"127.0.0.1:{cloud.port}"), ("Content-Length", str(len(body)))]
    return own + [(n, v) for n, v in request.headers.items() if n.lower() not in ("host", "content-length")]
