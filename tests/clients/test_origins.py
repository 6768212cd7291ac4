"""Origins of distributions over HTTPS, origin groups, compression, and URLs signed with ECDSA keys."""

import datetime
import uuid

import botocore.exceptions
import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


from conftest import eventually
from test_cloudfront import CACHING_OPTIMIZED, code, config, wait_until_deployed
from test_elbv2 import balancer, vpc  # noqa: F401, fixtures
from test_https import alias, curl, https, issue, public, put, zone  # noqa: F401, fixtures

BODY = "All work and no play. " * 45


def answers(body, status="200"):
    response = {"StatusCode": status, "ContentType": "text/plain", "MessageBody": body}
    return [{"Type": "fixed-response", "FixedResponseConfig": response}]


def origin(id, name, protocol="https-only"):
    custom = {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": protocol,
        "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
    }
    return {"Id": id, "DomainName": name, "CustomOriginConfig": custom, "ConnectionAttempts": 1, "ConnectionTimeout": 2}


def group(id, first, second, *statuses):
    members = [{"OriginId": first}, {"OriginId": second}]
    codes = {"StatusCodes": {"Quantity": len(statuses), "Items": list(statuses)}}
    return {"Id": id, "FailoverCriteria": codes, "Members": {"Quantity": 2, "Items": members}}


@pytest.fixture
def distribution(cloud, aws):
    """Creates distributions with these settings; gives a function that requests a path."""
    client, made = aws("cloudfront"), []

    def create(**settings):
        found = client.create_distribution(DistributionConfig=config(**settings))["Distribution"]
        made.append(found["Id"])
        wait_until_deployed(client, found["Id"])

        def get(path, *options):
            return curl(cloud, https(cloud, found["DomainName"], path), *options).stdout

        get.domain = found["DomainName"]
        eventually(lambda: curl(cloud, https(cloud, found["DomainName"]), check=False).returncode == 0)
        return get

    yield create
    for id in made:
        got = client.get_distribution_config(Id=id)
        off = {**got["DistributionConfig"], "Enabled": False}
        etag = client.update_distribution(Id=id, IfMatch=got["ETag"], DistributionConfig=off)["ETag"]
        wait_until_deployed(client, id)
        client.delete_distribution(Id=id, IfMatch=etag)


def behaviour(origin, **more):
    return {
        "TargetOriginId": origin, "ViewerProtocolPolicy": "allow-all", "CachePolicyId": CACHING_OPTIMIZED, "Compress": True, **more,
    }


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def test_origins_over_https_and_groups(cloud, aws, zone, public, distribution):  # noqa: F811
    elb, route53, (parent, id) = aws("elbv2"), aws("route53"), zone
    name, other = f"origin.{parent}", f"other.{parent}"
    for host in (name, other):
        alias(route53, id, host, public)
    put(route53, id, f"www.{parent}", "CNAME", public["DNSName"])
    certificate = issue(aws("acm"), route53, id, name)
    arn = public["LoadBalancerArn"]
    listener = elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTPS", Port=443, DefaultActions=answers(BODY),
        Certificates=[{"CertificateArn": certificate}],
    )["Listeners"][0]["ListenerArn"]
    elb.create_rule(
        ListenerArn=listener, Priority=1, Actions=answers("broken", "503"),
        Conditions=[{"Field": "path-pattern", "Values": ["/broken*"]}, {"Field": "host-header", "Values": [name]}],
    )
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=answers("over HTTP"))
    eventually(lambda: curl(cloud, https(cloud, name), check=False).returncode == 0)

    # A CNAME record to the load balancer's name leads to it, as on AWS.
    web = f"http://www.{parent}:{cloud.env['ESCALE_WEB_PORT']}/"
    assert "over HTTP" in eventually(lambda: curl(cloud, web, check=False).stdout)

    get = distribution(
        Origins=listed(origin("good", name), origin("wrong", other), origin("viewer", name, "match-viewer"), origin("none", f"none.{parent}")),
        OriginGroups=listed(group("both", "good", "viewer", 503), group("dead", "none", "good", 500)),
        DefaultCacheBehavior=behaviour("good"),
        CacheBehaviors=listed(
            behaviour("wrong", PathPattern="/wrong"), behaviour("dead", PathPattern="/dead"), behaviour("both", PathPattern="/broken*"),
            behaviour("viewer", PathPattern="/viewer"),
        ),
        CustomErrorResponses=listed({"ErrorCode": 502, "ErrorCachingMinTTL": 0}),
    )
    answer = get("/x")
    assert answer.startswith("HTTP/2 200") and "x-cache: Miss from cloudfront" in answer and BODY.strip() in answer
    hit = get("/x", "-I")
    assert hit.startswith("HTTP/2 200") and "x-cache: Hit from cloudfront" in hit, "HEAD is answered from the cache"
    # The certificate is for another name.
    assert get("/wrong").startswith("HTTP/2 502")
    assert BODY.strip() in get("/dead"), "the first origin of the group does not exist"
    # Both origins of this group answer with 503: the second answer is the one that is sent.
    assert get("/broken").startswith("HTTP/2 503")
    assert BODY.strip() in get("/viewer")
    plain = curl(cloud, f"http://{get.domain}:{cloud.env['ESCALE_WEB_PORT']}/viewer?2").stdout
    assert plain.startswith("HTTP/1.1 200")
    for accept, expected in (("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)):
        headers = get(f"/{uuid.uuid4().hex}", "-H", f"Accept-Encoding: {accept}", "-o", "/dev/null", "-D", "-")
        assert (f"content-encoding: {expected}" in headers) == (expected is not None and len(BODY) >= 1000), (accept, headers)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        distribution(Origins=listed(origin("good", name)), OriginGroups=listed(group("g", "good", "no", 500)))
    assert code(error) == "NoSuchOrigin"


def test_urls_are_signed_with_an_ecdsa_key(cloud, aws, distribution):
    client, key = aws("cloudfront"), ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    name = uuid.uuid4().hex
    made = client.create_public_key(PublicKeyConfig={"CallerReference": name, "Name": name, "EncodedKey": pem})
    own = made["PublicKey"]["Id"]
    keys = client.create_key_group(KeyGroupConfig={"Name": name, "Items": [own]})
    wrong = ec.generate_private_key(ec.SECP384R1()).public_key()
    wrong = wrong.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.create_public_key(PublicKeyConfig={"CallerReference": "x", "Name": f"x{name}", "EncodedKey": wrong})
    assert code(error) == "InvalidArgument"
    trusted = {"Enabled": True, "Quantity": 1, "Items": [keys["KeyGroup"]["Id"]]}
    get = distribution(DefaultCacheBehavior=behaviour("web", TrustedKeyGroups=trusted))
    assert get("/a").startswith("HTTP/2 403")
    until = datetime.datetime.now() + datetime.timedelta(minutes=5)
    url = https(cloud, get.domain, "/a")
    for signer, status in ((key, 502), (ec.generate_private_key(ec.SECP256R1()), 403)):
        sign = CloudFrontSigner(own, lambda message, signer=signer: signer.sign(message, ec.ECDSA(hashes.SHA1())))
        signed = sign.generate_presigned_url(url, date_less_than=until)
        # The origin does not exist: 502 is the answer to whoever may read.
        assert curl(cloud, signed).stdout.startswith(f"HTTP/2 {status}"), status
