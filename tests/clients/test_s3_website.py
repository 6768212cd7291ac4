"""Websites of buckets: by unmodified HTTP clients, from the host and through CloudFront."""

import json
import uuid

import pytest
import requests

from conftest import REGION, eventually

PAGES = {
    "index.html": b"<h1>home</h1>",
    "docs/index.html": b"<h1>docs</h1>",
    "404.html": b"<h1>nothing here</h1>",
}


def web(cloud, host, path="/", method="GET", **headers):
    """A request to the host's web port without following redirects."""
    url = f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}{path}"
    return requests.request(method, url, headers={"Host": host, **headers}, allow_redirects=False, timeout=20)


def public(bucket, *actions):
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_bucket(cloud, name, actions=("s3:GetObject",)):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=public(name, *actions))
    for key, body in PAGES.items():
        s3.put_object(Bucket=name, Key=key, Body=body, ContentType="text/html", CacheControl="max-age=60")
    return s3


@pytest.fixture
def site(cloud):
    """A bucket with pages that everyone may read, and with a website."""
    name = f"site-{uuid.uuid4().hex[:8]}"
    s3 = make_bucket(cloud, name)
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "404.html"},
    })
    yield name
    empty(s3, name)


def empty(s3, name):
    for entry in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=entry["Key"])
    s3.delete_bucket(Bucket=name)


def test_serves_pages_and_index_documents(cloud, site):
    for host in (f"{site}.s3-website-{REGION}.amazonaws.com", f"{site}.s3-website.{REGION}.localhost"):
        page = web(cloud, host)
        assert (page.status_code, page.content) == (200, PAGES["index.html"])
        assert page.headers["Content-Type"] == "text/html" and page.headers["Cache-Control"] == "max-age=60"
        assert web(cloud, host, "/docs/").content == PAGES["docs/index.html"]
    folder = web(cloud, host, "/docs")
    assert (folder.status_code, folder.headers["Location"]) == (302, "/docs/")
    head = web(cloud, host, method="HEAD")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "13", b"")
    part = web(cloud, host, Range="bytes=4-7")
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"home", "bytes 4-7/13")
    assert web(cloud, host, **{"If-None-Match": page.headers["ETag"]}).status_code == 304


def test_errors_are_pages(cloud, site):
    host = f"{site}.s3-website-{REGION}.localhost"
    # Anonymous visitors may not list the bucket, so they do not learn which keys are missing.
    missing = web(cloud, host, "/missing")
    assert (missing.status_code, missing.content) == (403, PAGES["404.html"])
    assert missing.headers["x-amz-error-code"] == "AccessDenied"
    s3 = cloud.client("s3")
    s3.put_bucket_policy(Bucket=site, Policy=public(site, "s3:GetObject", "s3:ListBucket"))
    missing = web(cloud, host, "/missing")
    assert (missing.status_code, missing.content) == (404, PAGES["404.html"])
    assert missing.headers["x-amz-error-code"] == "NoSuchKey"
    s3.delete_object(Bucket=site, Key="404.html")
    page = web(cloud, host, "/<b>").text
    assert "<h1>404 Not Found</h1>" in page and "<li>Code: NoSuchKey</li>" in page and "&lt;b&gt;" in page
    assert "An Error Occurred While Attempting to Retrieve a Custom Error Document" in page
    assert web(cloud, host, method="POST").status_code == 405
    assert web(cloud, host, method="DELETE").status_code == 405
    s3.delete_bucket_website(Bucket=site)
    page = web(cloud, host)
    assert page.status_code == 404 and "NoSuchWebsiteConfiguration" in page.text
    assert "NoSuchBucket" in web(cloud, f"none.s3-website-{REGION}.localhost").text


def test_private_bucket_has_no_public_website(cloud, site):
    host = f"{site}.s3-website-{REGION}.localhost"
    assert web(cloud, host).status_code == 200
    cloud.client("s3").delete_bucket_policy(Bucket=site)
    assert web(cloud, host).status_code == 403


def test_redirects(cloud, site):
    s3 = cloud.client("s3")
    host = f"{site}.s3-website-{REGION}.localhost"
    s3.put_object(Bucket=site, Key="old", WebsiteRedirectLocation="https://example.com/new")
    moved = web(cloud, host, "/old")
    assert (moved.status_code, moved.headers["Location"]) == (301, "https://example.com/new")
    s3.put_bucket_website(Bucket=site, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"},
        "RoutingRules": [
            {"Condition": {"KeyPrefixEquals": "doc/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}},
            {"Condition": {"HttpErrorCodeReturnedEquals": "403"}, "Redirect": {"ReplaceKeyPrefixWith": "#!/", "HttpRedirectCode": "302"}},
        ],
    })
    moved = web(cloud, host, "/doc/a?x=1")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"http://{host}/docs/a?x=1")
    moved = web(cloud, host, "/app")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"http://{host}/#!/app")
    s3.put_bucket_website(Bucket=site, WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "www.example.com", "Protocol": "https"}})
    moved = web(cloud, host, "/a/b?x=1")
    assert (moved.status_code, moved.headers["Location"]) == (301, "https://www.example.com/a/b?x=1")


def test_page_of_another_origin_reads_what_cors_rules_allow(cloud, site):
    host = f"{site}.s3-website-{REGION}.localhost"
    assert "Access-Control-Allow-Origin" not in web(cloud, host, Origin="http://a.example").headers
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["http://a.example"]}
    cloud.client("s3").put_bucket_cors(Bucket=site, CORSConfiguration={"CORSRules": [rule]})
    assert web(cloud, host, Origin="http://a.example").headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert "Access-Control-Allow-Origin" not in web(cloud, host, Origin="http://b.example").headers


def test_alias_record_leads_to_the_bucket_of_its_name(cloud):
    domain = f"{uuid.uuid4().hex[:8]}.example"
    s3 = make_bucket(cloud, f"www.{domain}")
    s3.put_bucket_website(Bucket=f"www.{domain}", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]

    def change(action, name, target):
        alias = {"HostedZoneId": "Z3R1K369G5AVDG", "DNSName": target, "EvaluateTargetHealth": False}
        record = {"Name": name, "Type": "A", "AliasTarget": alias}
        route53.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        )

    target = f"s3-website-{REGION}.amazonaws.com"
    change("CREATE", f"www.{domain}", target)
    page = eventually(lambda: (found := web(cloud, f"www.{domain}")).status_code == 200 and found)
    assert page.content == PAGES["index.html"]
    # The record's name is the bucket's name.
    change("CREATE", f"other.{domain}", target)
    text = eventually(lambda: "NoSuchBucket" in (found := web(cloud, f"other.{domain}").text) and found)
    assert f"<li>BucketName: other.{domain}</li>" in text
    for name in ("www", "other"):
        change("DELETE", f"{name}.{domain}", target)
    route53.delete_hosted_zone(Id=zone)
    empty(s3, f"www.{domain}")
