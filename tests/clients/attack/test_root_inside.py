"""The API refuses the account's root inside the cloud, even with root's own credentials.

The tests run an unmodified SDK in a task's network namespace, so that its requests reach the API the way the task's do.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import uuid

import boto3
import botocore.config
import pytest
import requests

from conftest import REGION, container_pid, eventually
from tasks import EXECUTION, Cluster, policy

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

API, S3 = "http://api.escale.internal", "http://s3.escale.internal"
STS_OF_AWS, S3_OF_AWS = (f"https://{service}.{REGION}.amazonaws.com" for service in ("sts", "s3"))

# Only the network namespace is the task's; /etc/resolv.conf is the host's. So the program maps the names itself, to the
# addresses that the VPC's resolver returns.
SDK = """
import json, socket, sys
import boto3, botocore.config, botocore.exceptions
addresses = {
    "api.escale.internal": "198.18.0.2", "s3.escale.internal": "198.18.0.3",
    "sts.eu-west-3.amazonaws.com": "198.18.0.2", "s3.eu-west-3.amazonaws.com": "198.18.0.3",
}
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: real(addresses.get(host, host), *rest, **more)
config = botocore.config.Config(retries={"max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})
def call(endpoint, service, operation, arguments):
    try:
        client = boto3.client(service, endpoint_url=endpoint, config=config)
        answer = getattr(client, operation)(**arguments)
        return answer.get("Arn", "ok")
    except botocore.exceptions.ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
print(json.dumps([call(*c) for c in json.loads(sys.argv[1])]))
"""

GET = """
import json, requests, sys
found = []
for url, headers in json.loads(sys.argv[1]):
    answer = requests.get(url, headers=headers, timeout=20)
    found.append([answer.status_code, answer.text])
print(json.dumps(found))
"""

CALLS = [
    (API, "sts", "get_caller_identity", {}),
    (API, "iam", "list_users", {}),
    (API, "iam", "create_user", {"UserName": "intruder"}),
    (API, "ec2", "describe_vpcs", {}),
    (API, "ecs", "list_clusters", {}),
    (API, "logs", "describe_log_groups", {}),
    (API, "route53", "list_hosted_zones", {}),
    (API, "s3", "list_buckets", {}),
    (S3, "s3", "list_buckets", {}),
    (STS_OF_AWS, "sts", "get_caller_identity", {}),
    (S3_OF_AWS, "s3", "list_buckets", {}),
]
DENIED = ("AccessDenied:", "AccessDeniedException:", "UnauthorizedOperation:")


class TaskNetwork:
    """The network namespace of a running task, to run programs in."""

    def __init__(self, cluster, role):
        self.cloud = cluster.cloud
        script = "echo at $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; sleep 600"
        definition = cluster.define(cluster.container("main", script), taskRoleArn=role)
        self.arn = cluster.run(definition)
        task = cluster.until(self.arn, "RUNNING")
        self.pid = container_pid(self.cloud, task)
        said = eventually(lambda: [line for line in cluster.lines(self.arn) if line.startswith("at /")])
        self.role_uri = said[0].removeprefix("at ")

    def run(self, script, argument, **env):
        command = ["nsenter", f"--net=/proc/{self.pid}/ns/net", sys.executable, "-c", script, json.dumps(argument)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def calls(self, calls=CALLS, **credentials):
        trust = f"{self.cloud.home}/trust/ca-bundle.pem"
        fixed = {"AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": trust}
        return self.run(SDK, calls, **fixed, **credentials)

    def get(self, *requests_made):
        return self.run(GET, requests_made)


@pytest.fixture(scope="module")
def cluster(cloud, tmp_path_factory):
    made = Cluster(cloud, tmp_path_factory.mktemp("image") / "layout")
    yield made
    for arn in made.ecs.list_tasks(cluster=made.name)["taskArns"]:
        made.ecs.stop_task(cluster=made.name, task=arn)


@pytest.fixture(scope="module")
def inside(cluster):
    allowed = {"s3:*": "*", "iam:ListUsers": "*", "ec2:DescribeVpcs": "*", **EXECUTION}
    return TaskNetwork(cluster, cluster.role("task", allowed))


@pytest.fixture(scope="module")
def bucket(cloud):
    name = f"root-inside-{uuid.uuid4().hex[:8]}"
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    cloud.client("s3").put_object(Bucket=name, Key="k", Body=b"treasure")
    return name


def refused_everywhere(answers):
    for call, answer in zip(CALLS, answers, strict=True):
        assert answer.startswith(DENIED) and "root" in answer and "loopback" in answer, (call, answer)


def test_root_works_at_the_hosts_endpoint(cloud):
    root = "arn:aws:iam::000000000000:root"
    assert cloud.client("sts").get_caller_identity()["Arn"] == root
    session = cloud.client("sts").get_session_token()["Credentials"]
    as_session = cloud.client("sts", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    assert as_session.get_caller_identity()["Arn"] == root


def test_root_key_is_refused_inside(cloud, inside):
    key = cloud.root()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    refused_everywhere(inside.calls(**{name: key[name] for name in names}))
    assert "intruder" not in [u["UserName"] for u in cloud.client("iam").list_users()["Users"]]


def test_root_session_is_refused_inside(cloud, inside):
    session = cloud.client("sts").get_session_token()["Credentials"]
    refused_everywhere(inside.calls(
        AWS_ACCESS_KEY_ID=session["AccessKeyId"], AWS_SECRET_ACCESS_KEY=session["SecretAccessKey"],
        AWS_SESSION_TOKEN=session["SessionToken"],
    ))


def test_the_key_test_test_does_not_exist(inside):
    for answer in inside.calls(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"):
        code = answer.split(":")[0]
        assert code in ("InvalidClientTokenId", "AuthFailure", "UnrecognizedClientException", "InvalidAccessKeyId"), answer


def presigned(cloud, endpoint, bucket, **credentials):
    key = cloud.root()
    given = credentials or {"aws_access_key_id": key["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": key["AWS_SECRET_ACCESS_KEY"]}
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, config=config, **given)
    return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})


def at(address, url):
    """The URL with its host replaced by an address, and the Host header that keeps the name."""
    host = url.split("/")[2]
    return url.replace(host, address, 1), {"Host": host}


def test_presigned_urls_of_root_are_refused_inside(cloud, inside, bucket):
    assert requests.get(presigned(cloud, cloud.endpoint, bucket), timeout=20).text == "treasure"
    user = cloud.client("iam")
    user.create_user(UserName=bucket)
    user.put_user_policy(UserName=bucket, PolicyName="p", PolicyDocument=policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}))
    key = user.create_access_key(UserName=bucket)["AccessKey"]
    of_user = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    session = cloud.client("sts").get_session_token()["Credentials"]
    of_session = {
        "aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    by_root, by_session, by_user = inside.get(
        at("198.18.0.3", presigned(cloud, S3, bucket)),
        at("198.18.0.2", presigned(cloud, API, bucket, **of_session)),
        at("198.18.0.3", presigned(cloud, S3, bucket, **of_user)),
    )
    for status, text in (by_root, by_session):
        assert status == 403 and "<Code>AccessDenied</Code>" in text and "treasure" not in text
    assert by_user == [200, "treasure"]


def test_registry_tokens_of_root_are_refused_inside(cloud, cluster, inside):
    def basic(ecr):
        return {"Authorization": f"Basic {ecr.get_authorization_token()['authorizationData'][0]['authorizationToken']}"}

    by_root = basic(cloud.client("ecr"))
    manifest = f"/v2/{cluster.name}/manifests/1"
    assert requests.get(f"{cloud.endpoint}{manifest}", headers=by_root, timeout=20).status_code == 200
    iam, name = cloud.client("iam"), f"puller-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    by_user = basic(cloud.client("ecr", key["AccessKeyId"], key["SecretAccessKey"]))
    api = {"Host": "api.escale.internal"}
    answers = inside.get(*[(f"http://198.18.0.2{path}", {**api, **head}) for head in (by_root, by_user) for path in ("/v2/", manifest)])
    for status, text in answers[:2]:
        assert status == 403 and json.loads(text)["errors"][0]["code"] == "DENIED" and "root" in text, text
    assert [status for status, _ in answers[2:]] == [200, 200]


def test_tasks_act_as_their_role(inside):
    answers = inside.calls(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://169.254.170.2{inside.role_uri}")
    results = dict(zip([(endpoint, call) for endpoint, _, call, _ in CALLS], answers, strict=True))
    assert ":assumed-role/" in results[API, "get_caller_identity"]
    assert [results[API, c] for c in ("list_users", "describe_vpcs", "list_buckets")] == ["ok"] * 3 and results[S3, "list_buckets"] == "ok"
    # The role's policies do not allow this action. That is another error than root's.
    assert results[API, "create_user"].startswith("AccessDenied:") and "loopback" not in results[API, "create_user"]


def test_a_forwarded_public_address_is_inside(cloud):
    """A public DNS name can point to the API's own address. The web port forwards it to the listener inside the cloud, not to the
    host's."""
    name = f"z{uuid.uuid4().hex[:8]}.localhost"
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
    record = {"Name": f"api.{name}", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "198.18.0.2"}]}
    changed = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changed)
    key = cloud.root()
    host = f"api.{name}:{cloud.env['ESCALE_WEB_PORT']}"
    sts = boto3.client(
        "sts", endpoint_url=f"http://{host}", region_name=REGION, aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
    )
    url = sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    local, head = at(f"127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}", url)

    def answered():
        answer = requests.get(local, headers=head, timeout=20)
        assert answer.status_code != 200, answer.text
        assert "SignatureDoesNotMatch" not in answer.text, answer.text
        # Either the listener refuses root, or the API refuses the host name first.
        return answer.status_code in (400, 403, 421)

    eventually(answered)
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})
    route53.delete_hosted_zone(Id=zone)


def test_only_the_owner_can_read_the_key_files(cloud):
    for name in ("root-key.json", "root-key-in-use.json"):
        assert pathlib.Path(cloud.home, name).stat().st_mode & 0o777 == 0o600


def test_the_trail_records_refused_attempts(cloud, inside):
    key = cloud.root()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    inside.calls([(API, "iam", "list_roles", {})], **{name: key[name] for name in names})
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "ListRoles"}]
    events = [json.loads(e["CloudTrailEvent"]) for e in cloud.client("cloudtrail").lookup_events(LookupAttributes=by_name)["Events"]]
    attempt = next(e for e in events if e.get("errorCode") == "AccessDenied")
    assert attempt["additionalEventData"] == {"entrance": "cloud", "denial": {"reason": "root-inside-cloud"}}
    assert attempt["userIdentity"]["type"] == "Root" and attempt["sourceIPAddress"] != "127.0.0.1"
