"""Requests that no well-behaved client sends: written to a socket as they are."""

import re
import socket
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from conftest import REGION


def head(method, path, headers):
    """`headers` is a list of pairs: a name may be there twice."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def answer(stream, within=10):
    """Status and body of the next answer; (None, "") when the connection ends without one."""
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


def ask(cloud, method, path, headers, body=b"", within=10):
    """Sends a request with exactly these headers; gives status, body, and the seconds it took."""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=within) as stream:
        began = time.monotonic()
        stream.sendall(head(method, path, headers) + body)
        status, text = answer(stream, within)
        return status, text, time.monotonic() - began


def signed(cloud, service, method, path, body=b"", headers=(), key=None, secret=None, region=REGION, host=None):
    """The headers of a request as botocore signs them for its endpoint, as pairs. With the root key unless another is given."""
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
