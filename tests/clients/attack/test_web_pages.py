"""Web pages cannot call the API: neither by a host name that resolves to loopback (DNS rebinding) nor from another origin."""

import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest
import requests

import raw
from conftest import eventually


def vpcs(cloud):
    return {v["VpcId"] for v in cloud.client("ec2").describe_vpcs()["Vpcs"]}


CREATE = "/?Action=CreateVpc&Version=2016-11-15&CidrBlock=10.66.0.0%2F16"


def foreign(cloud):
    return {
        "another host": [("Host", "evil.example")],
        "another host with our port": [("Host", f"evil.example:{cloud.port}")],
        "another port": [("Host", "127.0.0.1:1")],
        "no host": [],
        "another origin": [("Host", f"127.0.0.1:{cloud.port}"), ("Origin", "http://evil.example")],
        "a sandboxed page": [("Host", f"127.0.0.1:{cloud.port}"), ("Origin", "null")],
        "another application": [("Host", f"a.localhost:{cloud.port}"), ("Origin", f"http://b.localhost:{cloud.port}")],
        "cross-site": [("Host", f"127.0.0.1:{cloud.port}"), ("Sec-Fetch-Site", "cross-site")],
        "same-site": [("Host", f"127.0.0.1:{cloud.port}"), ("Sec-Fetch-Site", "same-site")],
    }


# The error code differs between services, the message does not.
REFUSED = re.compile("this API is not served|A web page of|Send one Host header")

NAMES = list(foreign(type("Cloud", (), {"port": 0})))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_creates_nothing(cloud, name):
    """Not even with a valid signature: a page may have a presigned URL, or a browser extension may sign its requests."""
    before, marks = vpcs(cloud), foreign(cloud)[name]
    host = dict(marks).get("Host")
    own = raw.signed(cloud, "ec2", "GET", CREATE, host=host)
    headers = marks + [h for h in own if h[0] != "Host"]
    status, text, _ = raw.request(cloud, "GET", CREATE, headers)
    assert status in (400, 403) and REFUSED.search(text), (status, text)
    assert vpcs(cloud) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_page_lists_no_buckets_and_no_images(cloud, name):
    marks = foreign(cloud)[name]
    for path in ("/", "/v2/", "/v2/_catalog"):
        status, text, _ = raw.request(cloud, "GET", path, marks)
        assert status in (400, 403) and "ListAllMyBuckets" not in text, (path, status, text)
        assert REFUSED.search(text), text


def test_a_cors_preflight_is_refused(cloud):
    """After a refused preflight, the browser does not send the request."""
    marks = [("Host", f"127.0.0.1:{cloud.port}"), ("Origin", "http://evil.example"), ("Access-Control-Request-Method", "PUT")]
    for path in ("/bucket/key", "/", "/v2/"):
        answer = requests.options(f"{cloud.endpoint}{path}", headers=dict(marks[1:]))
        assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers
    assert "CORSResponse: CORS is not enabled for this bucket." in answer.text


def test_programs_and_pages_of_the_same_origin_are_served(cloud):
    def status(host, *more):
        headers = raw.signed(cloud, "sts", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", host=host)
        return raw.request(cloud, "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", headers + list(more))[0]

    port = cloud.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"sts.localhost:{port}", f"api.escale.internal:{port}",
                 "sts.eu-west-3.amazonaws.com"):
        assert status(host) == 200, host
    assert status(f"localhost:{port}", ("Origin", f"http://localhost:{port}"), ("Sec-Fetch-Site", "same-origin")) == 200
    assert status(f"localhost:{port}", ("Sec-Fetch-Site", "none")) == 200


@pytest.fixture
def public(cloud):
    """A bucket with a publicly readable object."""
    s3, bucket = cloud.client("s3"), "pages-public"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={
        "BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
    allow = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
             "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    s3.put_object(Bucket=bucket, Key="picture", Body=b"picture")
    yield bucket
    s3.delete_object(Bucket=bucket, Key="picture")
    s3.delete_bucket(Bucket=bucket)


def test_pages_load_what_policies_and_presigned_urls_allow(cloud, public):
    page = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    url = f"{cloud.endpoint}/{public}"
    assert requests.get(f"{url}/picture", headers=page).content == b"picture"
    assert requests.head(f"{url}/picture", headers=page).status_code == 200
    # A page may load public objects, but it may not list a bucket, even a public one.
    assert requests.get(url).status_code == 200
    assert requests.get(url, headers=page).status_code == 403
    s3 = cloud.client("s3")
    signed = s3.generate_presigned_url("put_object", {"Bucket": public, "Key": "picture"})
    assert requests.put(signed, data=b"picture", headers=page).status_code == 200
    forged = signed.replace("X-Amz-Signature=", "X-Amz-Signature=0")
    assert requests.put(forged, data=b"other", headers=page).status_code == 403
    assert requests.get(f"{url}/picture").content == b"picture"


@pytest.mark.parametrize("twice", [
    "Host", "Authorization", "Content-Type", "Transfer-Encoding", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-Target",
])
def test_a_duplicate_of_a_single_value_header_is_refused(cloud, twice):
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    more = [("Content-Type", "application/x-www-form-urlencoded")]
    headers = raw.signed(cloud, "sts", "POST", "/", body, more)
    assert raw.request(cloud, "POST", "/", headers, body)[0] == 200
    value = dict(headers).get(twice, "chunked" if twice == "Transfer-Encoding" else "x")
    missing = [(twice, value)] if twice not in dict(headers) else []
    status, text, _ = raw.request(cloud, "POST", "/", headers + missing + [(twice, value)], body)
    assert status == 400, (status, text)
    if twice == "Host":  # in both orders
        status, text, _ = raw.request(cloud, "POST", "/", [("Host", "evil.example")] + headers, body)
        assert status == 400, (status, text)


def test_two_lengths_and_two_signatures(cloud):
    """A request has one length and one signature. Equal lengths would count as one (RFC 9110, section 8.6)."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    headers = raw.signed(cloud, "sts", "POST", "/", body, form)
    status, text, _ = raw.request(cloud, "POST", "/", headers + [("Content-Length", "1")], body)
    assert status == 400, (status, text)
    url = cloud.client("s3").generate_presigned_url("list_buckets")
    path = url.removeprefix(cloud.endpoint)
    headers = raw.signed(cloud, "s3", "GET", path)
    status, text, _ = raw.request(cloud, "GET", path, headers)
    assert status == 400 and "Only one auth mechanism allowed" in text, (status, text)


def test_the_web_port_refuses_names_that_are_not_served(cloud):
    port = int(cloud.env["ESCALE_WEB_PORT"])
    for name in ("evil.example", f"evil.example:{port}", "nothing.localhost"):
        answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": name})
        assert answer.status_code == 404


PAGE = """<!doctype html><title>page</title><script>
const out = {};
const tried = (name, made) => made.then(a => a.type === "opaque" ? "opaque" : a.text().then(t => a.status), e => "blocked").then(r => out[name] = r);
Promise.all([
  tried("simple", fetch("%(api)s%(create)s", {mode: "no-cors", credentials: "include"})),
  tried("read", fetch("%(api)s/", {})),
  tried("post", fetch("%(api)s/", {method: "POST", mode: "no-cors", body: new URLSearchParams({Action: "CreateVpc", Version: "2016-11-15"})})),
  tried("put", fetch("%(api)s/bucket/key", {method: "PUT", body: "x"})),
  new Promise(done => { const i = new Image(); i.onload = () => done(out.image = "loaded"); i.onerror = () => done(out.image = "failed"); i.src = "%(image)s"; }),
]).then(() => fetch("/report", {method: "POST", body: JSON.stringify(out)}));
</script>"""


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_page_in_a_browser_cannot_call_the_api_but_shows_public_objects(cloud, public, tmp_path):
    """Chromium loads a page of another origin of the same site."""
    reports, asked = [], []
    pixel = bytes.fromhex(
        "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
    )
    cloud.client("s3").put_object(Bucket=public, Key="picture", Body=pixel, ContentType="image/gif")
    page = PAGE % {"api": f"http://localhost:{cloud.port}", "create": CREATE,
                   "image": f"http://localhost:{cloud.port}/{public}/picture"}

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self):
            reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    before = vpcs(cloud)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
             f"--user-data-dir={tmp_path}", f"http://evil.localhost:{site.server_address[1]}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: reports, within=60)
        finally:
            browser.kill()
            browser.wait()
            site.shutdown()
    assert reports[0]["image"] == "loaded"
    assert reports[0]["read"] == "blocked" and reports[0]["put"] == "blocked"
    assert vpcs(cloud) == before
