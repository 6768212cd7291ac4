"""CloudTrail's LookupEvents, and `escale trail`, which uses it."""

import datetime
import json
import pathlib
import subprocess
import uuid

import botocore.exceptions
import pytest

from conftest import ESCALE, REGION, eventually
from tasks import policy

SECRET = "hush-hush-0123456789"


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def lookup(cloud, key=None, value=None, **more):
    if key:
        more["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
    return cloud.client("cloudtrail").lookup_events(**more)["Events"]


def record(event):
    return json.loads(event["CloudTrailEvent"])


def user(cloud, name, *statements):
    """A client factory with a new user's key."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return lambda service: cloud.client(service, key=key["AccessKeyId"], secret=key["SecretAccessKey"])


def denied(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    return error.value.response["Error"]["Code"]


def test_event_has_caller_and_operation(cloud):
    name = unique("trail")
    created = cloud.client("iam").create_user(UserName=name)["User"]["Arn"]
    [event] = lookup(cloud, "ResourceName", created)
    assert (event["EventName"], event["EventSource"], event["ReadOnly"]) == ("CreateUser", "iam.amazonaws.com", "false")
    assert event["Username"] == "root" and event["AccessKeyId"] == cloud.root()["AWS_ACCESS_KEY_ID"]
    assert abs((event["EventTime"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
    details = record(event)
    assert details["eventID"] == event["EventId"] and details["eventName"] == "CreateUser" and details["awsRegion"] == REGION
    identity = details["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("Root", "arn:aws:iam::000000000000:root")
    assert (details["sourceIPAddress"], details["additionalEventData"]["entrance"]) == ("127.0.0.1", "host-loopback")
    assert details["requestParameters"] is None and "errorCode" not in details and "Boto3" in details["userAgent"]


def test_lookup_by_every_attribute(cloud):
    name = unique("attribute")
    arn = cloud.client("iam").create_user(UserName=name)["User"]["Arn"]
    [event] = lookup(cloud, "ResourceName", arn)
    for key, value in [
        ("EventId", event["EventId"]), ("EventName", "CreateUser"), ("ReadOnly", "false"), ("Username", "root"),
        ("ResourceType", "iam"), ("ResourceName", arn), ("EventSource", "iam.amazonaws.com"), ("AccessKeyId", event["AccessKeyId"]),
    ]:
        assert event["EventId"] in [e["EventId"] for e in lookup(cloud, key, value)], key
    for key in ("EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"):
        assert lookup(cloud, key, unique("nothing")) == []


def test_pages_and_time_ranges(cloud):
    name = unique("page")
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    for n in range(7):
        iam.tag_user(UserName=name, Tags=[{"Key": "n", "Value": str(n)}])
    arn = f"arn:aws:iam::000000000000:user/{name}"
    attribute = [{"AttributeKey": "ResourceName", "AttributeValue": arn}]
    trail = cloud.client("cloudtrail")
    whole = trail.lookup_events(LookupAttributes=attribute)["Events"]
    assert [e["EventName"] for e in whole] == ["TagUser"] * 7 + ["CreateUser"]
    assert [e["EventTime"] for e in whole] == sorted((e["EventTime"] for e in whole), reverse=True)
    pages, token = [], {}
    while True:
        page = trail.lookup_events(LookupAttributes=attribute, MaxResults=3, **token)
        pages.append([e["EventId"] for e in page["Events"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [len(p) for p in pages] == [3, 3, 2] and sum(pages, []) == [e["EventId"] for e in whole]

    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    assert len(trail.lookup_events(LookupAttributes=attribute, StartTime=now - hour, EndTime=now + hour)["Events"]) == 8
    assert trail.lookup_events(LookupAttributes=attribute, EndTime=now - hour)["Events"] == []
    assert trail.lookup_events(LookupAttributes=attribute, StartTime=now + hour)["Events"] == []


@pytest.mark.parametrize(
    "arguments, code",
    [
        ({"StartTime": 2000, "EndTime": 1000}, "InvalidTimeRangeException"),
        ({"NextToken": "nonsense"}, "InvalidNextTokenException"),
        ({"EventCategory": "insight"}, "NotImplemented"),
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "a"}] * 2}, "InvalidLookupAttributesException"),
    ],
)
def test_invalid_lookups_are_refused(cloud, arguments, code):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloud.client("cloudtrail").lookup_events(**arguments)
    assert error.value.response["Error"]["Code"] == code


def test_denial_names_the_deciding_statement(cloud):
    name = unique("denied")
    allow = {"Effect": "Allow", "Action": ["ec2:*", "s3:*"], "Resource": "*"}
    deny = {"Sid": "NoVpc", "Effect": "Deny", "Action": "ec2:CreateVpc", "Resource": "*"}
    client = user(cloud, name, allow, deny)
    bucket = unique("denied")
    cloud.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    on_bucket = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    cloud.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy({**on_bucket, "Action": "s3:GetObjectAcl"}, on_bucket))
    iam = cloud.client("iam")
    managed = iam.create_policy(
        PolicyName=name, PolicyDocument=policy({"Effect": "Deny", "Action": "ec2:DescribeSubnets", "Resource": "*"})
    )["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=managed)

    assert denied(client("ec2").create_vpc, CidrBlock="10.0.0.0/16") == "UnauthorizedOperation"
    denied(client("ec2").describe_subnets)
    denied(client("s3").put_object, Bucket=bucket, Key="k", Body=SECRET.encode())
    denied(client("ssm").put_parameter, Name=f"/{name}", Value=SECRET, Type="SecureString")
    events = {e["EventName"]: record(e) for e in lookup(cloud, "Username", name)}
    why = {name: event["additionalEventData"]["denial"] for name, event in events.items() if "errorCode" in event}
    arn = f"arn:aws:iam::000000000000:user/{name}"
    assert why["CreateVpc"]["reason"] == "explicit-deny" and why["CreateVpc"]["action"] == "ec2:CreateVpc"
    assert why["CreateVpc"]["policy"] == {"type": "inline", "name": "own", "of": arn}
    assert why["CreateVpc"]["statement"] == {"index": 1, "sid": "NoVpc"}
    assert why["DescribeSubnets"]["policy"] == {"type": "managed", "arn": managed}
    assert why["DescribeSubnets"]["statement"] == {"index": 0, "sid": None}
    # A data event, which AWS's event history does not have. Escale records it because it was denied.
    assert why["PutObject"]["policy"] == {"type": "resource", "of": f"arn:aws:s3:::{bucket}/k"}
    assert why["PutObject"]["statement"]["index"] == 1
    assert (events["PutObject"]["eventCategory"], events["PutObject"]["managementEvent"]) == ("Data", False)
    assert why["PutParameter"] == {"reason": "no-allow", "action": "ssm:PutParameter", "resource": why["PutParameter"]["resource"]}
    assert events["CreateVpc"]["errorCode"] == "UnauthorizedOperation" and arn in events["CreateVpc"]["errorMessage"]

    only = [record(e) for e in lookup(cloud, "ResourceType", "Escale::Denial")]
    assert all("errorCode" in e for e in only)
    assert {"CreateVpc", "DescribeSubnets", "PutObject", "PutParameter"} <= {
        e["eventName"] for e in only if e["userIdentity"].get("userName") == name
    }


def test_records_contain_no_secrets(cloud):
    """Covers calls that succeed, that fail, and that are denied."""
    name = unique("secret")
    unprivileged = user(cloud, name)
    cloud.client("secretsmanager").create_secret(Name=name, SecretString=SECRET)
    cloud.client("ssm").put_parameter(Name=f"/{name}", Value=SECRET, Type="SecureString")
    denied(unprivileged("secretsmanager").create_secret, Name=unique("x"), SecretString=SECRET)
    with pytest.raises(botocore.exceptions.ClientError):
        cloud.client("rds").create_db_instance(
            DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.t3.micro", MasterUsername="u",
            MasterUserPassword=f"{SECRET}/@", AllocatedStorage=20,
        )
    session = cloud.client("sts").get_session_token()["Credentials"]
    assert lookup(cloud, "Username", name)
    files = list(pathlib.Path(cloud.home, "trail").rglob("*.log"))
    kept = "".join(f.read_text() for f in files)
    assert "CreateSecret" in kept and "CreateDBInstance" in kept and "GetSessionToken" in kept
    root = cloud.root()["AWS_SECRET_ACCESS_KEY"]
    for secret in (SECRET, root, session["SecretAccessKey"], session["SessionToken"]):
        assert secret not in kept
    for path in [pathlib.Path(cloud.home, "trail"), *files]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_data_reads_and_lookups_are_not_recorded(cloud):
    bucket = unique("data")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.get_object(Bucket=bucket, Key="k")
    lookup(cloud)
    names = {e["EventName"] for e in lookup(cloud, "ResourceName", f"arn:aws:s3:::{bucket}")}
    assert "CreateBucket" in names
    assert lookup(cloud, "ResourceName", f"arn:aws:s3:::{bucket}/k") == []
    assert not [e for e in lookup(cloud, "EventName", "LookupEvents") if "errorCode" not in record(e)]


def test_records_survive_a_daemon_crash(own_cloud):
    name = unique("kept")
    arn = own_cloud.client("iam").create_user(UserName=name)["User"]["Arn"]
    assert len(lookup(own_cloud, "ResourceName", arn)) == 1
    pid = own_cloud.status()["daemon"]["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    own_cloud.escale("start")
    own_cloud.client("iam").tag_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}])
    assert [e["EventName"] for e in lookup(own_cloud, "ResourceName", arn)] == ["TagUser", "CreateUser"]


def test_trail_prints_calls_and_denial_reasons(cloud):
    name = unique("cli")
    unprivileged = user(cloud, name)
    denied(unprivileged("ec2").create_vpc, CidrBlock="10.0.0.0/16")
    text = cloud.escale("trail", "--denied", "-n", "1").stdout
    first, second = text.splitlines()
    assert f":user/{name}  127.0.0.1  ec2:CreateVpc" in first and first.endswith("UnauthorizedOperation")
    assert second == f"    no policy statement allows ec2:CreateVpc on arn:aws:ec2:{REGION}:000000000000:vpc/*"
    lines = cloud.escale("trail", "-n", "5").stdout.splitlines()
    assert any("iam:CreateAccessKey" in line and line.endswith("  ok") for line in lines), lines
    events = [json.loads(line) for line in cloud.escale("trail", "--json", "-n", "3").stdout.splitlines()]
    assert len(events) == 3 and all(e["eventVersion"] for e in events)


def test_trail_follows_new_calls(cloud, tmp_path):
    name, out = unique("follow"), tmp_path / "out"
    with out.open("w") as file:
        follower = subprocess.Popen([ESCALE, "trail", "-f", "-n", "1"], env=cloud.env, stdout=file, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: out.read_text())
        cloud.client("iam").create_user(UserName=name)
        eventually(lambda: name in out.read_text())
        cloud.client("iam").delete_user(UserName=name)
        eventually(lambda: f"user/{name}" in out.read_text() and "iam:DeleteUser" in out.read_text())
        assert follower.poll() is None
        # Every further lookup returns the same events again; each must be printed once.
        for _ in range(3):
            other = unique("marker")
            cloud.client("iam").create_user(UserName=other)
            eventually(lambda: other in out.read_text())
        assert sum(f"user/{name}" in line for line in out.read_text().splitlines()) == 2
    finally:
        follower.kill()
        follower.wait()
