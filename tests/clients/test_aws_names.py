"""Inside the cloud, AWS's own names lead to this cloud over TLS: clients of 2022, which know no endpoint variable, work in tasks."""

import os
import pathlib
import subprocess
import sys
import textwrap
import uuid

import boto3
import botocore.exceptions
import images
import pytest

from conftest import REGION, eventually
from tasks import Cluster, policy

OLD_SDK = pathlib.Path(sys.prefix) / "sdk-2022"
SERVICES = [
    "acm", "cloudformation", "cloudfront", "cloudtrail", "cloudwatch", "ec2", "ecr", "ecs", "elbv2", "iam", "logs", "rds", "route53",
    "s3", "secretsmanager", "servicediscovery", "sns", "ssm", "sts",
]
OF_TASK = ["s3", "secretsmanager", "sts"]
BUNDLE = "/etc/escale/ca-bundle.pem"


def is_needed(path):
    """Leaves out the models of services that the tasks do not call: they are large."""
    data, _, name = path.partition("botocore/data/")
    return data == path or "/" not in name or name.split("/")[0] in OF_TASK


class Python(Cluster):
    """A cluster with an image that has Python, curl and the SDK of 2022; a bucket, a secret, and a task role that may use them."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder / "busybox")
        files = images.python(OLD_SDK, is_needed)
        files.update({"bin/sh": pathlib.Path("/bin/busybox").read_bytes(), **images.program("/usr/bin/curl")})
        ecr = cloud.client("ecr")
        repository = ecr.create_repository(repositoryName=f"{self.name}-python")["repository"]["repositoryUri"]
        images.layout(folder / "python", files, config={"Env": ["PATH=/usr/bin:/bin", "PYTHONPATH=/packages", "SSL_CERT_FILE=/nowhere"]})
        images.push(folder / "python", repository, "1", images.token(ecr))
        self.python = f"{repository}:1"
        self.bucket = f"names-{uuid.uuid4().hex[:8]}"
        cloud.client("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.secret = cloud.client("secretsmanager").create_secret(Name=self.name, SecretString="hidden")["ARN"]
        self.role_arn = self.role("task", {
            "s3:*": [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"], "secretsmanager:GetSecretValue": self.secret,
        })

    def account(self):
        return self.cloud.client("sts").get_caller_identity()["Account"]

    def python_task(self, script, *more, **change):
        command = ["python3", "-u", "-c", textwrap.dedent(script), *more]
        container = self.container("main", "", **{"image": self.python, "command": command, **change})
        return self.define(container, taskRoleArn=self.role_arn)

    def output(self, script, *more, **change):
        """Runs the script in a task to its end, and returns what it printed."""
        arn = self.run(self.python_task(script, *more, **change))
        task = self.until(arn, "STOPPED")
        lines = self.lines(arn)
        assert task["containers"][0].get("exitCode") == 0, (task.get("stoppedReason"), lines)
        return lines


@pytest.fixture(scope="module")
def python(cloud, tmp_path_factory):
    return Python(cloud, tmp_path_factory.mktemp("python"))


def test_client_of_2022_works_in_a_task(python):
    lines = python.output("""
        import boto3, botocore, os, sys, urllib.request
        bucket, secret = sys.argv[1:]
        assert not [name for name in os.environ if name.startswith("AWS_ENDPOINT")]
        print(botocore.__version__)
        def client(service):
            made = boto3.client(service)
            made.meta.events.register("before-send", lambda request, **_: print(request.method, request.url))
            return made
        print(client("sts").get_caller_identity()["Arn"].split("/")[-2])
        s3 = client("s3")
        s3.put_object(Bucket=bucket, Key="a b", Body=b"first")
        print(s3.get_object(Bucket=bucket, Key="a b")["Body"].read().decode())
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"})
        print(url.split("?")[0], urllib.request.urlopen(url, timeout=5).read().decode())
        print(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    """, python.bucket, python.secret)
    at = f"https://{python.bucket}.s3.{REGION}.amazonaws.com/a%20b"
    assert lines == [
        "1.27.96",
        "POST https://sts.amazonaws.com/", f"{python.name}-task",
        f"PUT {at}", f"GET {at}", "first",
        # Before 2023, presigned URLs had no region.
        f"{at.replace(f'.{REGION}', '')} first",
        f"POST https://secretsmanager.{REGION}.amazonaws.com/", "hidden",
    ]


def test_names_of_every_service_resolve_and_no_others_do(python):
    names = """
        import boto3, sys
        for service in sys.argv[2:]:
            print(boto3.client(service, region_name=sys.argv[1], aws_access_key_id="a", aws_secret_access_key="b").meta.endpoint_url)
    """
    used = set()
    for packages in ("", str(OLD_SDK)):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(names), REGION, *SERVICES], env={**environment, "PYTHONPATH": packages},
            capture_output=True, text=True, check=True,
        )
        used |= {line.removeprefix("https://") for line in ran.stdout.split()}
    account = python.account()
    used |= {
        f"b.s3.{REGION}.amazonaws.com", "b.s3.amazonaws.com", "s3.amazonaws.com", f"data-servicediscovery.{REGION}.amazonaws.com",
        f"{account}.dkr.ecr.{REGION}.amazonaws.com", f"ecr.{REGION}.amazonaws.com", f"sts.{REGION}.amazonaws.com",
        "acm.us-east-1.amazonaws.com",
    }
    assert {"sts.amazonaws.com", f"api.ecr.{REGION}.amazonaws.com", "iam.amazonaws.com"} < used
    unknown = [f"sqs.{REGION}.amazonaws.com", f"kms.{REGION}.amazonaws.com", "sts.us-east-2.amazonaws.com", "amazonaws.com"]
    lines = python.output("""
        import socket, ssl, sys
        for name in sys.argv[1:]:
            try:
                with socket.create_connection((name, 443), timeout=5) as s:
                    with ssl.create_default_context().wrap_socket(s, server_hostname=name) as tls:
                        print(name, tls.getpeername()[0], tls.version())
            except OSError as e:
                print(name, type(e).__name__)
    """, *sorted(used), *unknown)
    of_s3 = lambda name: f".{name}".endswith((f".s3.{REGION}.amazonaws.com", ".s3.amazonaws.com"))
    expected = [f"{name} 198.18.0.{3 if of_s3(name) else 2} TLSv1.3" for name in sorted(used)]
    assert lines == expected + [f"{name} gaierror" for name in unknown]


def test_programs_find_the_mounted_bundle_unless_the_definition_sets_another(python):
    registry = f"{python.account()}.dkr.ecr.{REGION}.amazonaws.com"
    urls = [f"{scheme}://{name}/" for name in ("sts.amazonaws.com", f"s3.{REGION}.amazonaws.com") for scheme in ("https", "http")]
    script = f"""
        import os, subprocess, sys
        def curl(*arguments):
            return subprocess.run(["curl", "-s", "-m5", "-o/dev/null", *arguments]).returncode
        print([os.environ.get(n) for n in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")])
        print(os.environ["AWS_REGION"], os.environ["AWS_DEFAULT_REGION"])
        print(open("{BUNDLE}").read().count("BEGIN CERTIFICATE") > 100)
        print([curl(url) for url in {urls}], curl("--cacert", "{BUNDLE}", "{urls[0]}"))
        registry = subprocess.run(["curl", "-si", "--cacert", "{BUNDLE}", "https://{registry}/v2/"], capture_output=True, text=True)
        print(*[line for line in registry.stdout.splitlines() if line.lower().startswith("www-authenticate:")])
        try:
            open("{BUNDLE}", "w")
        except OSError as e:
            print(e.strerror)
    """
    challenge = f'www-authenticate: Basic realm="https://{registry}/",service="ecr.amazonaws.com"'
    rest = [f"{REGION} {REGION}", "True", "[0, 0, 0, 0] 0", challenge, "Read-only file system"]
    assert python.output(script) == [str([BUNDLE] * 4), *rest]
    # Another user's programs can read it, too. A variable of the definition wins: 77 is a bundle that cannot be read.
    other = python.output(script, environment=[{"name": "SSL_CERT_FILE", "value": "/none"}], user="1000")
    assert other[0] == str([BUNDLE, "/none", BUNDLE, BUNDLE])
    assert other[1:] == [*rest[:2], "[77, 0, 77, 0] 0", *rest[3:]]


LOOP = """
    import boto3, botocore.config, sys, time
    config = botocore.config.Config(connect_timeout=0.5, read_timeout=2, retries={"max_attempts": 0})
    sts, s3 = (boto3.client(service, config=config) for service in ("sts", "s3"))
    def outcome(call):
        try:
            call()
            return "ok"
        except Exception as e:
            return type(e).__name__
    before = None
    while True:
        now = outcome(sts.get_caller_identity), outcome(lambda: s3.head_bucket(Bucket=sys.argv[1]))
        if now != before:
            print(*now)
        before = now
        # A connection that exists goes on; each round needs a new one.
        for client in (sts, s3):
            client._endpoint.http_session.close()
        time.sleep(0.1)
"""


def test_groups_and_routes_decide_about_port_443(python):
    ec2 = python.ec2
    group = ec2.create_security_group(GroupName=python.name, Description="-", VpcId=python.vpc)["GroupId"]
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    arn = python.run(python.python_task(LOOP, python.bucket), networkConfiguration=python.network(securityGroups=[group]))
    last = lambda expected: eventually(lambda: python.lines(arn)[-1:] == [expected], within=20)
    last("ok ok")
    web = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=web)
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rules)
    last("ConnectTimeoutError ConnectTimeoutError")
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rules)
    last("ok ok")
    main = [{"Name": "vpc-id", "Values": [python.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    [table] = [t["RouteTableId"] for t in ec2.describe_route_tables(Filters=main)["RouteTables"]]
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    last("ConnectTimeoutError ConnectTimeoutError")
    made = ec2.create_vpc_endpoint(VpcId=python.vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table])
    last("ConnectTimeoutError ok")
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpoint"]["VpcEndpointId"]])
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=python.nat)
    last("ok ok")
    python.ecs.stop_task(cluster=python.name, task=arn)


def test_bucket_policy_that_requires_tls(cloud, python):
    s3, bucket = cloud.client("s3"), python.bucket
    deny = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    try:
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied.*explicit deny"):
            s3.put_object(Bucket=bucket, Key="k", Body=b"y")
        root = cloud.root()
        secure = boto3.client(
            "s3", endpoint_url=cloud.endpoint.replace("http:", "https:"), verify=f"{cloud.home}/authority/browsers.pem",
            region_name=REGION, aws_access_key_id=root["AWS_ACCESS_KEY_ID"], aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
        )
        secure.put_object(Bucket=bucket, Key="k", Body=b"z")
        assert python.output("""
            import boto3, sys
            for scheme in ("http", "https"):
                s3 = boto3.client("s3", endpoint_url=f"{scheme}://s3.{sys.argv[1]}.amazonaws.com")
                try:
                    print(scheme, s3.get_object(Bucket=sys.argv[2], Key="k")["Body"].read().decode())
                except s3.exceptions.ClientError as e:
                    print(scheme, e.response["Error"]["Code"])
        """, REGION, bucket) == ["http AccessDenied", "https z"]
    finally:
        s3.delete_bucket_policy(Bucket=bucket)


def test_edge_reaches_a_bucket_by_the_protocol_of_the_viewer(cloud, python):
    front, s3, bucket = cloud.client("cloudfront"), cloud.client("s3"), f"edge-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"served")
    access = front.create_origin_access_control(OriginAccessControlConfig={
        "Name": bucket, "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4",
    })["OriginAccessControl"]["Id"]
    origin = {
        "Id": "files", "DomainName": f"{bucket}.s3.{REGION}.amazonaws.com", "OriginAccessControlId": access,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    # Nothing is cached, so that every viewer's request gets to the bucket.
    made = front.create_distribution(DistributionConfig={
        "CallerReference": bucket, "Comment": "", "Enabled": True, "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "files", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        },
    })["Distribution"]
    on = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        {
            "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject", "Resource": on[1],
            "Condition": {"StringEquals": {"AWS:SourceArn": made["ARN"]}},
        },
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": on, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ))
    front.get_waiter("distribution_deployed").wait(Id=made["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def get(scheme, port):
        url = f"{scheme}://{made['DomainName']}:{cloud.env[port]}/k"
        root = f"{cloud.home}/authority/browsers.pem"
        done = subprocess.run(["curl", "-s", "-m10", "--cacert", root, "-w%{http_code}", url], capture_output=True, text=True)
        return done.stdout[-9:]

    assert eventually(lambda: get("https", "ESCALE_HTTPS_PORT") == "served200")
    assert get("http", "ESCALE_WEB_PORT").endswith("403")
    assert get("https", "ESCALE_HTTPS_PORT") == "served200"
