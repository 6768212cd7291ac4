"""HTTPS: certificates, load balancers, distributions and the API, with curl and Python's TLS."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import uuid

import boto3
import botocore.exceptions
import pytest

from conftest import REGION, eventually
from test_cloudfront import config, wait_until_deployed
from test_elbv2 import balancer, fixed, vpc  # noqa: F401, fixtures

ROOT_CERTIFICATE = "authority/browsers.pem"


def code(error):
    return error.value.response["Error"]["Code"]


def curl(cloud, url, *options, check=True):
    """curl with the installation's root certificate; every name below `localhost` is this machine."""
    root = pathlib.Path(cloud.home) / ROOT_CERTIFICATE
    done = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", "20", "--cacert", str(root), *options, url], capture_output=True, text=True
    )
    if check and done.returncode != 0:
        raise AssertionError(f"curl {url}: {done.returncode} {done.stderr}")
    return done


def https(cloud, host, path="/"):
    return f"https://{host}:{cloud.env['ESCALE_HTTPS_PORT']}{path}"


@pytest.fixture
def zone(aws):
    """A public hosted zone below localhost: its name and id."""
    route53, name = aws("route53"), f"z{uuid.uuid4().hex[:8]}.localhost"
    made = route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
    yield name, made
    sets = route53.list_resource_record_sets(HostedZoneId=made)["ResourceRecordSets"]
    changes = [{"Action": "DELETE", "ResourceRecordSet": s} for s in sets if s["Type"] not in ("NS", "SOA")]
    if changes:
        route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": changes})
    route53.delete_hosted_zone(Id=made)


@pytest.fixture
def public(aws, vpc, balancer):  # noqa: F811
    """The load balancer, reachable from the Internet: a route to the gateway, and a security group that allows everyone."""
    ec2 = aws("ec2")
    own = [{"Name": "vpc-id", "Values": [vpc[0]]}]
    gateway = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc[0]]}])
    table = ec2.describe_route_tables(Filters=own)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(
        RouteTableId=table, DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway["InternetGateways"][0]["InternetGatewayId"],
    )
    group = ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=443, CidrIp="0.0.0.0/0")
    return balancer


def put(route53, zone, name, kind, value):
    records = [{"Value": value}]
    record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": records}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def alias(route53, zone, name, balancer):
    target = {
        "HostedZoneId": balancer["CanonicalHostedZoneId"], "DNSName": balancer["DNSName"], "EvaluateTargetHealth": False
    }
    record = {"Name": name, "Type": "A", "AliasTarget": target}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def issue(acm, route53, zone, *names, **more):
    """Requests a certificate and creates the records that it needs; its ARN once it is issued."""
    arn = acm.request_certificate(
        DomainName=names[0], SubjectAlternativeNames=list(names), ValidationMethod="DNS", **more
    )["CertificateArn"]
    options = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    assert {o["ValidationStatus"] for o in options} == {"PENDING_VALIDATION"}
    for option in options:
        record = option["ResourceRecord"]
        put(route53, zone, record["Name"], record["Type"], record["Value"])
    acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return arn


def test_certificate_is_issued_once_its_record_is_public(aws, zone):
    acm, (name, id) = aws("acm"), zone
    arn = issue(acm, aws("route53"), id, name, f"*.{name}", KeyAlgorithm="EC_prime256v1")
    detail = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert (detail["Status"], detail["Type"]) == ("ISSUED", "AMAZON_ISSUED")
    pem = acm.get_certificate(CertificateArn=arn)["Certificate"]
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, text=True, check=True
    ).stdout
    assert f"DNS:{name}, DNS:*.{name}" in text
    assert detail["Serial"].replace(":", "") in text.lower().replace(":", "").replace(" ", "")
    acm.delete_certificate(CertificateArn=arn)


def test_load_balancer_serves_https_by_server_name(cloud, aws, zone, public):
    elb, acm, route53, (name, id) = aws("elbv2"), aws("acm"), aws("route53"), zone
    first, second = f"a.{name}", f"b.{name}"
    for host in (first, second):
        alias(route53, id, host, public)
    certificates = [issue(acm, route53, id, host) for host in (first, second)]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        pending = acm.request_certificate(DomainName=f"c.{name}", ValidationMethod="DNS")["CertificateArn"]
        elb.create_listener(
            LoadBalancerArn=public["LoadBalancerArn"], Protocol="HTTPS", Port=443, DefaultActions=fixed("200"),
            Certificates=[{"CertificateArn": pending}],
        )
    assert code(error) == "UnsupportedCertificate"
    listener = elb.create_listener(
        LoadBalancerArn=public["LoadBalancerArn"], Protocol="HTTPS", Port=443, DefaultActions=fixed("200"),
        Certificates=[{"CertificateArn": certificates[0]}], SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    )["Listeners"][0]
    assert listener["Protocol"] == "HTTPS"
    elb.add_listener_certificates(
        ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": certificates[1]}]
    )
    redirect = {"Protocol": "HTTPS", "Port": cloud.env["ESCALE_HTTPS_PORT"], "StatusCode": "HTTP_301"}
    elb.create_listener(
        LoadBalancerArn=public["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )
    elb.get_waiter("load_balancer_available").wait(
        LoadBalancerArns=[public["LoadBalancerArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    def served(host):
        done = curl(cloud, https(cloud, host), check=False)
        return done.stdout if done.returncode == 0 else None

    for host in (first, second):
        answer = eventually(lambda host=host: served(host))
        assert answer.startswith("HTTP/2 200"), answer
    followed = curl(cloud, f"http://{second}:{cloud.env['ESCALE_WEB_PORT']}/x", "-L").stdout
    assert "301 Moved Permanently" in followed and "HTTP/2 200" in followed, followed
    assert acm.describe_certificate(CertificateArn=certificates[1])["Certificate"]["InUseBy"] == [
        public["LoadBalancerArn"]
    ]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        acm.delete_certificate(CertificateArn=certificates[1])
    assert code(error) == "ResourceInUseException"

    # A policy without TLS 1.2: the change reaches new connections.
    elb.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
    old = ("--tls-max", "1.2")
    assert eventually(lambda: curl(cloud, https(cloud, first), *old, check=False).returncode == 35)
    assert served(first)


def test_many_idle_connections_do_not_stop_a_listener(cloud, aws, zone, public):
    elb, (parent, id) = aws("elbv2"), zone
    name = f"idle.{parent}"
    alias(aws("route53"), id, name, public)
    arn = issue(aws("acm"), aws("route53"), id, name, KeyAlgorithm="EC_prime256v1")
    elb.create_listener(
        LoadBalancerArn=public["LoadBalancerArn"], Protocol="HTTPS", Port=443, DefaultActions=fixed("200"),
        Certificates=[{"CertificateArn": arn}],
    )
    eventually(lambda: curl(cloud, https(cloud, name), check=False).returncode == 0)
    context = ssl.create_default_context(cafile=pathlib.Path(cloud.home) / ROOT_CERTIFICATE)
    at = ("127.0.0.1", int(cloud.env["ESCALE_HTTPS_PORT"]))
    idle = [context.wrap_socket(socket.create_connection(at), server_hostname=name) for _ in range(1000)]
    half = [socket.create_connection(at) for _ in range(200)]
    for one in half:
        one.sendall(b"\x16\x03\x01\x02\x00\x01")
    try:
        assert curl(cloud, https(cloud, name)).stdout.startswith("HTTP/2 200")
        idle[0].sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        assert idle[0].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for one in idle + half:
            one.close()


def test_distribution_serves_https(cloud, aws, zone):
    client, (name, id) = aws("cloudfront"), zone
    root = cloud.root()
    acm = boto3.client(
        "acm", endpoint_url=cloud.endpoint, region_name="us-east-1",
        aws_access_key_id=root["AWS_ACCESS_KEY_ID"], aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
    )
    arn = issue(acm, aws("route53"), id, name)
    assert ":us-east-1:" in arn
    assert arn not in [c["CertificateArn"] for c in aws("acm").list_certificates()["CertificateSummaryList"]]
    wanted = config(
        Aliases={"Quantity": 1, "Items": [name]},
        ViewerCertificate={
            "ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021",
        },
    )
    wanted["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = "redirect-to-https"
    other = config(Aliases={"Quantity": 1, "Items": [f"other.{name}"]}, ViewerCertificate=wanted["ViewerCertificate"])
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.create_distribution(DistributionConfig=other)
    assert code(error) == "InvalidViewerCertificate"
    made = client.create_distribution(DistributionConfig=wanted)["Distribution"]
    wait_until_deployed(client, made["Id"])
    own = made["DomainName"]
    # The origin does not exist: the edge itself answers.
    answer = eventually(lambda: curl(cloud, https(cloud, own, "/a"), check=False).stdout)
    assert answer.startswith("HTTP/2 502") and "x-cache: Error from cloudfront" in answer, answer
    redirected = curl(cloud, f"http://{own}:{cloud.env['ESCALE_WEB_PORT']}/a?b=c").stdout
    assert f"location: {https(cloud, own, '/a?b=c')}" in redirected, redirected
    # curl connects to the machine whatever the name; the edge finds the distribution by the alias.
    alias = curl(cloud, https(cloud, own, "/a"), "--connect-to", "::127.0.0.1:", check=False)
    assert alias.returncode == 0
    unknown = curl(cloud, https(cloud, f"nothing.{name}"), check=False)
    assert unknown.returncode == 35 and "unrecognized name" in unknown.stderr, unknown.stderr

    etag = client.get_distribution(Id=made["Id"])["ETag"]
    off = client.update_distribution(Id=made["Id"], IfMatch=etag, DistributionConfig={**wanted, "Enabled": False})
    wait_until_deployed(client, made["Id"])
    client.delete_distribution(Id=made["Id"], IfMatch=off["ETag"])


def test_stack_waits_for_its_certificate(aws, zone):
    cloudformation, (name, id) = aws("cloudformation"), zone
    stack = f"tls-{uuid.uuid4().hex[:8]}"
    body = f"""
Resources:
  Certificate:
    Type: AWS::CertificateManager::Certificate
    Properties:
      DomainName: {name}
      ValidationMethod: DNS
      DomainValidationOptions: [{{DomainName: {name}, HostedZoneId: {id.rsplit("/", 1)[1]}}}]
Outputs:
  Arn: {{Value: !Ref Certificate}}
"""
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    arn = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
    assert aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws("acm").describe_certificate(CertificateArn=arn)
    assert code(error) == "ResourceNotFoundException"


def test_api_speaks_https(cloud):
    root = cloud.root()
    client = boto3.client(
        "sts", endpoint_url=cloud.endpoint.replace("http:", "https:"), region_name=REGION,
        verify=str(pathlib.Path(cloud.home) / ROOT_CERTIFICATE),
        aws_access_key_id=root["AWS_ACCESS_KEY_ID"], aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
    )
    assert client.get_caller_identity()["Account"] == "000000000000"


def test_keys_of_the_authorities_are_private(cloud):
    folder = pathlib.Path(cloud.home) / "authority"
    assert folder.stat().st_mode & 0o777 == 0o700
    keys = list(folder.glob("*.key.pem"))
    assert len(keys) == 2 and all(key.stat().st_mode & 0o777 == 0o600 for key in keys)


@pytest.mark.skipif(shutil.which("certutil") is None, reason="the package libnss3-tools is not installed")
def test_trust_adds_the_root_to_browsers_and_removes_it(cloud, zone, tmp_path, monkeypatch):
    """In a home directory of its own: the user's real databases are not touched."""
    monkeypatch.setitem(cloud.env, "HOME", str(tmp_path))
    database = tmp_path / ".pki/nssdb"
    database.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{database}", "-N", "--empty-password"], check=True)

    def names():
        return subprocess.run(["certutil", "-d", f"sql:{database}", "-L"], capture_output=True, text=True, check=True).stdout

    cloud.escale("trust", "--browsers-only")
    assert f"Escale local authority {cloud.tag()}" in names()
    root = (pathlib.Path(cloud.home) / ROOT_CERTIFICATE).read_text()
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=root, capture_output=True, text=True, check=True).stdout
    assert "DNS:localhost" in text and "Permitted" in text
    cloud.escale("trust", "--undo", "--browsers-only")
    assert "Escale" not in names()


def test_shop_is_served_over_https(shop):
    url = shop.cloud.status()["https_url"]
    assert url == https(shop.cloud, "shop.localhost", "")
    answer = curl(shop.cloud, f"{url}/").stdout
    assert answer.startswith("HTTP/2 200") and "from cloudfront" in answer, answer


@pytest.mark.skipif(
    shutil.which("certutil") is None or shutil.which("chromium") is None, reason="chromium or certutil is not installed"
)
def test_chromium_opens_the_shop_without_a_warning(shop, tmp_path):
    """With a home of its own, whose certificate database has the installation's root."""
    own = {**shop.cloud.env, "HOME": str(tmp_path)}
    browser = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--timeout=20000", "--dump-dom", shop.cloud.status()["https_url"] + "/",
    ]

    def opened():
        """The page, and what Chromium logs: a page that it refuses to show is only there."""
        done = subprocess.run(browser, env=own, capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr

    assert "ERR_CERT_AUTHORITY_INVALID" in opened(), "the root is not trusted yet"
    before, shop.cloud.env = shop.cloud.env, own
    try:
        shop.cloud.escale("trust", "--browsers-only")
    finally:
        shop.cloud.env = before
    page = opened()
    assert "ERR_CERT" not in page and "<title>" in page, page[:2000]
