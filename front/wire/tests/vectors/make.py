#!/usr/bin/env python3
"""Makes vectors/sigv4.json: requests signed by botocore 1.43.11, to test `src/sigv4`.

    python3 vectors/make.py
"""

import base64
import datetime
import io
import json
import os
from unittest import mock

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum, Sha256Checksum

NOW = datetime.datetime(2026, 11, 22, 9, 39, 0)
PLAIN = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzE//////token==")
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}


def vector(name, service, auth, method, url, headers=None, body=b"", credentials=PLAIN, context=None, expires=None,
           later=b""):
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    request.context.update(context or {})
    args = (credentials, service, "eu-west-1") + ((expires,) if expires else ())
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        auth(*args).add_auth(request)
    prepared = request.prepare()
    sent = prepared.body or b""
    if hasattr(sent, "read"):
        sent = sent.read()
    if isinstance(sent, str):
        sent = sent.encode()
    sent = sent or later
    host = prepared.url.split("/")[2]
    path = prepared.url.split(host, 1)[1] or "/"
    lines = [["host", host]] + [[k, v.decode() if isinstance(v, bytes) else v] for k, v in prepared.headers.items()]
    return {
        "name": name, "method": method, "uri": path, "headers": lines, "body": base64.b64encode(sent).decode(),
        "access_key": credentials.access_key, "secret": credentials.secret_key, "token": credentials.token,
        "service": service, "presigned_secs": expires,
    }


def chunked(name, checksum, data, chunk_size):
    wrapper = AwsChunkedWrapper(io.BytesIO(data), checksum_cls=checksum, checksum_name=f"x-amz-checksum-{checksum.__name__[:-8].lower()}",
                                chunk_size=chunk_size)
    headers = {
        "Content-Encoding": "aws-chunked", "Transfer-Encoding": "chunked",
        "X-Amz-Trailer": f"x-amz-checksum-{checksum.__name__[:-8].lower()}", "X-Amz-Decoded-Content-Length": str(len(data)),
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    found = vector(name, "s3", S3SigV4Auth, "PUT", "https://b.s3.localhost:4566/k", headers, wrapper.read(),
                   context={"payload_signing_enabled": False, "checksum": {"request_algorithm": {"in": "trailer"}}})
    found["decoded"] = base64.b64encode(data).decode()
    return found


def main():
    form = b"Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=a+b"
    unsigned = {"payload_signing_enabled": False}
    base = "http://localhost:4566"
    # Keys are quoted as botocore's serializer does it.
    keys = {"plain": "b/k", "spaces": "b/a%20b/%C3%BC%2B%26", "dots": "b/a/../b//c/.", "tilde": "b/~x-_.z",
            "parens": "b/%28x%29%2A%21%27"}
    vectors = [
        vector("ec2 form", "ec2", SigV4Auth, "POST", base + "/", FORM, form),
        vector("ec2 form, session", "ec2", SigV4Auth, "POST", base + "/", FORM, form, SESSION),
        vector("ecs json", "ecs", SigV4Auth, "POST", base + "/", JSON, b'{"maxResults": 5}'),
        vector("ecs empty header", "ecs", SigV4Auth, "POST", base + "/", {**JSON, "X-Amz-User-Agent": "  a   b "}, b"{}"),
        vector("route53 get", "route53", SigV4Auth, "GET", base + "/2013-04-01/hostedzone/Z1/rrset?name=a.b.&type=A&maxitems=1"),
        vector("route53 encoded path", "route53", SigV4Auth, "GET", base + "/2013-04-01/tags/hostedzone/a%2Fb%20c"),
        vector("route53 dotted path", "route53", SigV4Auth, "GET", base + "/2013-04-01/./x/../hostedzone//Z1"),
        vector("cloudfront post", "cloudfront", SigV4Auth, "POST", base + "/2020-05-31/distribution", {"Content-Type": "application/xml"}, b"<DistributionConfig/>"),
        vector("sts presigned", "sts", SigV4QueryAuth, "GET", base + "/?Action=GetCallerIdentity&Version=2011-06-15", expires=60),
        vector("sts presigned, session", "sts", SigV4QueryAuth, "GET", base + "/?Action=GetCallerIdentity&Version=2011-06-15", credentials=SESSION, expires=60),
        vector("s3 put", "s3", S3SigV4Auth, "PUT", base + "/b/k", {"Content-Type": "text/plain", "x-amz-meta-a": "1"}, b"hello"),
        vector("s3 put, unsigned", "s3", S3SigV4Auth, "PUT", base.replace("http:", "https:") + "/b/k", {}, b"hello", context=unsigned),
        vector("s3 put, session", "s3", S3SigV4Auth, "PUT", base + "/b/k", {}, b"hello", SESSION),
        vector("s3 put, checksum", "s3", S3SigV4Auth, "PUT", base + "/b/k", {"x-amz-checksum-crc32": "NhCmhg=="}, b"hello"),
        vector("s3 put, md5", "s3", S3SigV4Auth, "PUT", base + "/b/k", {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}, b"hello"),
        vector("s3 list", "s3", S3SigV4Auth, "GET", base + "/b?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&encoding-type=url"),
        vector("s3 subresource", "s3", S3SigV4Auth, "GET", base + "/b?versioning"),
        vector("s3 presigned get", "s3", S3SigV4QueryAuth, "GET", base + "/b/a%20b", expires=3600),
        vector("s3 presigned get, session", "s3", S3SigV4QueryAuth, "GET", base + "/b/a%20b", credentials=SESSION, expires=3600),
        vector("s3 presigned put", "s3", S3SigV4QueryAuth, "PUT", base + "/b/k", {"x-amz-acl": "private"}, later=b"hello", expires=60),
    ]
    vectors += [vector(f"s3 key, {name}", "s3", S3SigV4Auth, "GET", f"{base}/{key}") for name, key in keys.items()]
    vectors += [
        chunked("s3 chunked, crc32", Crc32Checksum, bytes(range(256)) * 20, 1024),
        chunked("s3 chunked, sha256", Sha256Checksum, b"x" * 3000, 1024),
        chunked("s3 chunked, empty", Crc32Checksum, b"", 1024),
    ]
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sigv4.json")
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"now": "2026-11-22T09:39:00Z", "region": "eu-west-1", "vectors": vectors}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
