"""A path that CloudFront serves only with a signature needs one in every spelling.

In path patterns, `%2F` is not a slash, on AWS either. A default behaviour without signatures on the same bucket would therefore
serve the object at such a path. The tests use two distributions: `worst` has that default behaviour, `made_by_up` is like the one
of `escale up`, whose default behaviour has another origin.
"""

import base64
import datetime
import hashlib
import json
import textwrap
import time
import urllib.parse
import uuid

import botocore.exceptions
import pytest
import requests
import rsa
from botocore.signers import CloudFrontSigner

from conftest import REGION, eventually
from raw_http import Connection, get

SECRET = b"for those with a signature"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
KEYS = ["media/x", "media/with space", "media/ünïcode", "media/a+b", "media/100%", "media/a;v=1,2", "media/%2e%2e/odd"]

# Spellings of /media/x that are the same path by RFC 3986 (6.2.2) and by CloudFront's documentation.
SAME = [
    "/media/x",
    "/%6dedia/x",
    "/%6Dedia/x",
    "/medi%61/x",
    "/%6d%65%64%69%61/%78",
    "/media/%78",
    "//media/x",
    "///media/x",
    "/media//x",
    "/./media/x",
    "/%2e/media/x",
    "/media/./x",
    "/open/../media/x",
    "/open/%2e%2e/media/x",
    "/open/%2E./media/x",
    "/open/.%2e/media/x",
    "/../media/x",
    "/media/y/../x",
    "/media/x/.",
    "//%6dedia//x",
    "/open/..//media/x",
]

# Other paths: none of them may serve the object.
OTHER = [
    "/media%2fx",
    "/media%2Fx",
    "/%6dedia%2fx",
    "/open/..%2fmedia/x",
    "/open/%2e%2e%2fmedia/x",
    "/open/%252e%252e/media/x",
    "/%256dedia/x",
    "/media%252fx",
    "/media%5cx",
    "/media\\x",
    "/open//../media/x",
    "/Media/x",
    "/media/x%00",
    "/media/%c0%ae%c0%ae/media/x",
    "/%c1%ad%65dia/x",
    "/media/x%",
    "/media/%zz",
    "/%u006dedia/x",
    "/media;/x",
    "/;/media/x",
    "/media/x;v=1",
    "/media+/x",
]


def bucket_for(s3):
    name = f"signed-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture(scope="module")
def key_pair(aws):
    public, private = rsa.newkeys(2048)
    made = aws("cloudfront").create_public_key(
        PublicKeyConfig={
            "CallerReference": uuid.uuid4().hex,
            "Name": f"k-{uuid.uuid4().hex[:8]}",
            # CloudFront takes a SubjectPublicKeyInfo.
            "EncodedKey": spki(public),
        }
    )
    id = made["PublicKey"]["Id"]
    group = aws("cloudfront").create_key_group(
        KeyGroupConfig={"Name": f"g-{uuid.uuid4().hex[:8]}", "Items": [id]}
    )["KeyGroup"]["Id"]
    return id, private, group


def spki(public):
    """A SubjectPublicKeyInfo (PEM), built by hand because the rsa library writes only PKCS #1."""
    inner = public.save_pkcs1("DER")

    def der(tag, content):
        length = len(content)
        digits = length.to_bytes(max(1, (length.bit_length() + 7) // 8), "big")
        size = digits if length < 128 else bytes([0x80 | len(digits)]) + digits
        return bytes([tag]) + size + content

    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    whole = der(0x30, algorithm + der(0x03, b"\0" + inner))
    text = "\n".join(textwrap.wrap(base64.b64encode(whole).decode(), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("fault", ["1024 bits", "not base64", "not in PEM form"])
def test_refuses_a_key_that_the_edge_could_not_use(aws, fault):
    keys = {
        "1024 bits": lambda: spki(rsa.newkeys(1024)[0]),
        "not base64": lambda: "-----BEGIN PUBLIC KEY-----\n?\n-----END PUBLIC KEY-----",
        "not in PEM form": lambda: "ssh-rsa AAAA",
    }
    config = {"CallerReference": uuid.uuid4().hex, "Name": f"k-{uuid.uuid4().hex[:8]}", "EncodedKey": keys[fault]()}
    with pytest.raises(botocore.exceptions.ClientError, match=fault) as error:
        aws("cloudfront").create_public_key(PublicKeyConfig=config)
    assert error.value.response["Error"]["Code"] == "InvalidArgument"


class Site:
    def __init__(self, cloud, domain, key_pair):
        self.port = int(cloud.env["ESCALE_WEB_PORT"])
        self.domain = domain
        self.host = f"{domain}:{self.port}"
        id, private, _ = key_pair
        self.signer = CloudFrontSigner(id, lambda message: rsa.sign(message, private, "SHA-1"))

    def get(self, target, **options):
        return get(self.port, target, self.host, **options)

    def sign(self, path, host=None, policy=None):
        url = f"http://{host or self.host}{path}"
        signed = self.signer.generate_presigned_url(url, **({"policy": policy} if policy else {"date_less_than": soon()}))
        return signed.split(host or self.host, 1)[1]

    def policy(self, resource):
        until = int(time.time()) + 600
        return json.dumps(
            {"Statement": [{"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": until}}}]},
            separators=(",", ":"),
        )


def soon():
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=10)


def site(cloud, aws, key_pair, default_on_same_bucket):
    s3, cloudfront = aws("s3"), aws("cloudfront")
    private, public = bucket_for(s3), bucket_for(s3)
    for key in KEYS:
        s3.put_object(Bucket=private, Key=key, Body=SECRET)
    s3.put_object(Bucket=public, Key="open/page", Body=b"for everybody")
    s3.put_object(Bucket=private, Key="open/page", Body=b"for everybody")
    access = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": uuid.uuid4().hex,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]

    def origin(name):
        domain = f"{name}.s3.{REGION}.amazonaws.com"
        return {
            "Id": name,
            "DomainName": domain,
            "OriginAccessControlId": access,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }

    behaviour = {"ViewerProtocolPolicy": "allow-all", "CachePolicyId": CACHING_OPTIMIZED}
    default = private if default_on_same_bucket else public
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": uuid.uuid4().hex,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 2, "Items": [origin(private), origin(public)]},
            "DefaultCacheBehavior": {"TargetOriginId": default, **behaviour},
            "CacheBehaviors": {
                "Quantity": 1,
                "Items": [
                    {
                        "PathPattern": "/media/*",
                        "TargetOriginId": private,
                        "TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [key_pair[2]]},
                        **behaviour,
                    }
                ],
            },
        }
    )["Distribution"]
    for bucket in (private, public):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": made["ARN"]}},
        }
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    cloudfront.get_waiter("distribution_deployed").wait(Id=made["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found = Site(cloud, made["DomainName"], key_pair)
    eventually(lambda: found.get("/open/page")[0] == 200)
    return found


@pytest.fixture(scope="module")
def worst(cloud, aws, key_pair):
    """The default behaviour needs no signature and has the signed bucket as its origin."""
    return site(cloud, aws, key_pair, default_on_same_bucket=True)


@pytest.fixture(scope="module")
def made_by_up(cloud, aws, key_pair):
    """As in the template of `escale up`: the default behaviour has another origin."""
    return site(cloud, aws, key_pair, default_on_same_bucket=False)


@pytest.mark.parametrize("path", SAME)
def test_every_spelling_of_a_signed_path_needs_a_signature(worst, path):
    status, _, body = worst.get(path)
    assert status == 403 and b"<Code>MissingKey</Code>" in body, (status, body)
    status, _, body = worst.get(f"http://{worst.host}{path}")
    assert status == 403 and b"<Code>MissingKey</Code>" in body, (status, body)


@pytest.mark.parametrize("path", SAME + OTHER)
def test_no_spelling_reaches_the_object_on_a_distribution_of_up(made_by_up, path):
    for target in (path, f"http://{made_by_up.host}{path}"):
        status, _, body = made_by_up.get(target)
        assert status in (400, 403, 404) and SECRET not in body, (status, body)


@pytest.mark.parametrize("key", KEYS)
def test_correct_signed_urls_work(worst, made_by_up, key):
    for site in (worst, made_by_up):
        path = "/" + urllib.parse.quote(key, safe="/")
        canned = site.get(site.sign(path))
        assert (canned[0], canned[2]) == (200, SECRET), canned
        if "%2e" not in key:  # an origin that decodes twice would leave the folder, so a wildcard does not cover this key
            custom = site.get(site.sign(path, policy=site.policy(f"http*://{site.host}/media/*")))
            assert (custom[0], custom[2]) == (200, SECRET), custom
        forged = site.get(site.sign("/media/y").replace("/media/y", path))
        assert forged[0] == 403 and SECRET not in forged[2]


def test_a_wildcard_covers_no_parent_folder(worst):
    policy = worst.policy(f"http://{worst.host}/media/public/*")
    query = worst.sign("/media/public/x", policy=policy).split("?")[1]
    for path in ("/media/public/../x", "/media/public/%2e%2e/x", "/media/public/..%2fx", "/media/public/%252e%252e/x"):
        status, _, body = worst.get(f"{path}?{query}")
        assert status == 403 and b"<Message>Access denied</Message>" in body, (path, status, body)  # the edge, not S3


def test_one_host_selects_distribution_behaviour_and_signed_resource(worst, made_by_up):
    """The host comes from the Host header or from the request line; the two must agree."""
    other = made_by_up.host
    signed = worst.sign("/media/x")
    assert worst.get(f"http://{worst.host}{signed}")[0] == 200
    # Host and request line differ.
    status, _, body = get(worst.port, f"http://{worst.host}{signed}", other)
    assert status == 400 and SECRET not in body
    status, _, body = get(worst.port, f"http://{other}{signed}", worst.host)
    assert status == 400 and SECRET not in body
    # The signature is for another distribution with the same key group.
    status, _, body = get(worst.port, signed, other)
    assert status == 403 and SECRET not in body
    # On a kept connection, each request's own host counts.
    with Connection(worst.port) as connection:
        assert connection.request(f"GET /open/page HTTP/1.1\r\nHost: {worst.host}\r\n\r\n")[0] == 200
        status, _, body = connection.request(f"GET http://{other}{signed} HTTP/1.1\r\nHost: {other}\r\n\r\n")
        assert status == 403 and SECRET not in body
        status, _, body = connection.request(f"GET http://{worst.host}{signed} HTTP/1.1\r\nHost: {worst.host}\r\n\r\n")
        assert (status, body) == (200, SECRET)
        status, _, body = connection.request(f"GET http://{other}{signed} HTTP/1.1\r\nHost: {worst.host}\r\n\r\n")
        assert status == 400 and connection.closed()
    with Connection(worst.port) as connection:
        two = f"GET {signed} HTTP/1.1\r\nHost: {worst.host}\r\nHost: {other}\r\n\r\n"
        assert connection.request(two)[0] == 400


def test_an_invalidation_covers_every_spelling(worst, aws):
    spellings = ["/open/page", "/%6fpen/page", "/open/%70age"]
    for path in spellings:
        assert worst.get(path)[0] == 200
        eventually(lambda: worst.get(path)[1]["x-cache"] == "Hit from cloudfront")
    id = worst.domain.split(".")[0].upper()
    batch = {"CallerReference": uuid.uuid4().hex, "Paths": {"Quantity": 1, "Items": ["/open/page"]}}
    made = aws("cloudfront").create_invalidation(DistributionId=id, InvalidationBatch=batch)["Invalidation"]["Id"]
    aws("cloudfront").get_waiter("invalidation_completed").wait(
        DistributionId=id, Id=made, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    for path in spellings:
        assert worst.get(path)[1]["x-cache"] == "Miss from cloudfront", path


# S3: IAM evaluates the ARN of the key that S3 reads.


@pytest.fixture
def guarded(cloud, aws):
    """A bucket, and a user who may read all of it except secret/*."""
    s3, iam = aws("s3"), aws("iam")
    bucket, user = bucket_for(s3), f"u-{uuid.uuid4().hex[:8]}"
    for key in ("secret/x", "open/x"):
        s3.put_object(Bucket=bucket, Key=key, Body=SECRET if key == "secret/x" else b"open")
    iam.create_user(UserName=user)
    iam.put_user_policy(
        UserName=user,
        PolicyName="p",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                    {"Effect": "Deny", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/secret/*"},
                ],
            }
        ),
    )
    key = iam.create_access_key(UserName=user)["AccessKey"]
    yield bucket, key
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=user, PolicyName="p")
    iam.delete_user(UserName=user)


def signed_get(cloud, key, path, host=None):
    """Signs and sends a GET with the path exactly as given."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    credentials = botocore.credentials.Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    host = host or f"127.0.0.1:{cloud.port}"
    request = botocore.awsrequest.AWSRequest("GET", f"http://{host}{path}", headers={"Host": host})
    botocore.auth.S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
    lines = "".join(f"{k}: {v}\r\n" for k, v in request.headers.items() if k.lower() != "host")
    return get(cloud.port, path, host, headers=lines)


@pytest.mark.parametrize(
    "path",
    ["/B/secret/x", "/B/%73ecret/x", "/B/secret%2Fx", "/B/secre%74%2fx", "/%BUCKET/secret/x"],
)
def test_iam_evaluates_the_key_that_is_read(cloud, guarded, path):
    bucket, key = guarded
    encoded = f"%{ord(bucket[0]):02x}{bucket[1:]}"
    path = path.replace("/%BUCKET", f"/{encoded}").replace("/B/", f"/{bucket}/")
    status, _, body = signed_get(cloud, key, path)
    assert status == 403 and b"<Code>AccessDenied</Code>" in body, (status, body)
    assert signed_get(cloud, key, path.replace("secret", "open").replace("%73ecret", "open").replace("secre%74", "open"))[2] == b"open"


@pytest.mark.parametrize("path", ["//B/secret/x", "/B//secret/x", "/B/./secret/x", "/B/open/../secret/x", "/B/%2573ecret/x"])
def test_other_keys_are_other_objects(cloud, guarded, path):
    status, _, body = signed_get(cloud, guarded[1], path.replace("B", guarded[0]))
    assert status in (400, 403, 404, 405) and SECRET not in body, (status, body)


@pytest.mark.parametrize("path", ["/B/open/%ff", "/B/open/%c0%ae", "/B/open/%", "/B/open/%zz", "/B/open/%4"])
def test_keys_that_cannot_be_decoded_are_refused(cloud, guarded, path):
    status, _, body = signed_get(cloud, guarded[1], path.replace("B", guarded[0]))
    assert status == 400 and b"<Code>InvalidURI</Code>" in body, (status, body)


def test_host_name_selects_exactly_one_bucket(cloud, guarded):
    bucket, key = guarded
    inside = f"{bucket}.s3.{REGION}.amazonaws.com"
    assert signed_get(cloud, key, "/open/x", host=inside)[2] == b"open"
    assert signed_get(cloud, key, "/secret/x", host=inside)[0] == 403
    for host in (f"{bucket}%2fsecret.s3.{REGION}.amazonaws.com", f"{bucket}/secret.s3.{REGION}.amazonaws.com"):
        status, _, body = signed_get(cloud, key, "/x", host=host)
        assert status in (400, 403, 404) and SECRET not in body, (status, body)


# The registry: reading a layer needs ecr:GetDownloadUrlForLayer in every spelling of its path.


def test_layers_need_their_own_permission_in_every_spelling(cloud, aws):
    ecr, iam = aws("ecr"), aws("iam")
    name, user = f"r{uuid.uuid4().hex[:8]}/web", f"u-{uuid.uuid4().hex[:8]}"
    for repository in (name, f"{name}-mine"):
        ecr.create_repository(repositoryName=repository)
    iam.create_user(UserName=user)
    statement = [
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ecr:GetDownloadUrlForLayer", "Resource": f"arn:aws:ecr:*:*:repository/{name}"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    try:
        own = cloud.client("ecr", key["AccessKeyId"], key["SecretAccessKey"])
        token = own.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        digest = "sha256:" + hashlib.sha256(SECRET).hexdigest()
        pushed = requests.post(
            f"{cloud.endpoint}/v2/{name}/blobs/uploads/",
            params={"digest": digest},
            data=SECRET,
            headers={"Authorization": f"Basic {token}"},
            timeout=20,
        )
        assert pushed.status_code == 201, pushed.text
        for path in (
            f"/v2/{name}/blobs/{digest}",
            f"/v2/{name}/blobs/{digest}".replace("sha256", "%73ha256"),
            f"/v2/{name}/blobs/{digest}".replace(":", "%3A"),
            f"/v2/{name}/%62lobs/{digest}",
            f"/v2/{name.replace('web', 'we%62')}/blobs/{digest}",
            f"/v2/{name}%2Fblobs/{digest}",
            f"/v2/{name.replace('/', '%2F')}/blobs/{digest}",
            f"/v2/{name}/blobs%2F{digest}",
            f"/v2//{name}/blobs/{digest}",
            f"/v2/x/../{name}/blobs/{digest}",
        ):
            status, _, body = get(
                cloud.port, path, f"127.0.0.1:{cloud.port}", headers=f"Authorization: Basic {token}\r\n"
            )
            assert status in (400, 403, 404) and SECRET not in body, (path, status, body)
        mounted = requests.post(
            f"{cloud.endpoint}/v2/{name}-mine/blobs/uploads/",
            params={"mount": digest, "from": name},
            headers={"Authorization": f"Basic {token}"},
            timeout=20,
        )
        # 202: the registry starts an upload instead of mounting the layer.
        assert mounted.status_code == 202, mounted.text
    finally:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=user, PolicyName="p")
        iam.delete_user(UserName=user)
        for repository in (name, f"{name}-mine"):
            ecr.delete_repository(repositoryName=repository, force=True)
