"""Access logs of load balancers: one line for each request, in files that a policy of the bucket allows."""

import gzip
import json
import shlex
import uuid

import httpx
import pytest
from botocore.exceptions import ClientError

from conftest import eventually
from test_elbv2 import balancer, code, fixed, vpc  # noqa: F401, fixtures
from test_https import public  # noqa: F401, fixture
from test_targets import Browser, healthy, interfaces, listen, reachable, serve, target_group  # noqa: F401, fixtures

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#access-log-entry-syntax
FIELDS = (
    "type time elb client target request_time target_time response_time elb_status target_status received sent request "
    "user_agent cipher protocol group trace name certificate rule created actions redirect error targets statuses "
    "classification reason connection"
).split()
DELIVERY = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}


@pytest.fixture
def bucket(aws):
    s3, name = aws("s3"), f"logs-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    yield name
    for one in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=one["Key"])
    s3.delete_bucket(Bucket=name)


def allow(aws, bucket, principal):
    statement = {
        "Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/web/AWSLogs/*"
    }
    aws("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def log_to(aws, balancer, bucket, enabled="true"):  # noqa: F811
    values = {"enabled": enabled, "bucket": bucket, "prefix": "web"}
    aws("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in values.items()],
    )


def lines(aws, bucket):
    """All lines that have been delivered, as dicts."""
    s3 = aws("s3")
    files = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []) if one["Key"].endswith(".gz")]
    texts = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode() for key in files]
    return [dict(zip(FIELDS, shlex.split(line), strict=True)) for text in texts for line in text.splitlines()]


def wait_for(aws, bucket, count):
    return eventually(lambda: (found := lines(aws, bucket)) and len(found) >= count and found)


def test_logging_needs_a_bucket_that_allows_it(aws, balancer, bucket):  # noqa: F811
    for name, words in [("", "need a bucket"), ("no-such-bucket", "does not exist"), (bucket, "Access Denied for bucket")]:
        with pytest.raises(ClientError, match=words) as refused:
            log_to(aws, balancer, name)
        assert code(refused) == "InvalidConfigurationRequest"
    shown = aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    assert {"Key": "access_logs.s3.enabled", "Value": "false"} in shown


# Policies name the service, or in the older regions an account of it.
@pytest.mark.parametrize("principal", [DELIVERY, {"AWS": "arn:aws:iam::009996457667:root"}])
def test_requests_are_logged(cloud, aws, vpc, public, bucket, interfaces, principal):  # noqa: F811
    elb, host = aws("elbv2"), public["DNSName"]
    serve(interfaces[0])
    allow(aws, bucket, principal)
    with target_group(aws, vpc[0], f"log-{uuid.uuid4().hex[:8]}", interfaces[:1]) as arn:
        listener = listen(aws, public, arn)["ListenerArn"]
        path = [{"Field": "path-pattern", "Values": ["/gone*"]}]
        elb.create_rule(ListenerArn=listener, Priority=7, Conditions=path, Actions=fixed("410"))
        moved = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Path": "/new"}}
        path = [{"Field": "path-pattern", "Values": ["/old"]}]
        elb.create_rule(ListenerArn=listener, Priority=9, Conditions=path, Actions=[moved])
        healthy(elb, arn, 1)
        reachable(Browser(cloud, host))
        log_to(aws, public, bucket)
        account = aws("sts").get_caller_identity()["Account"]
        test_file = f"web/AWSLogs/{account}/ELBAccessLogTestFile"
        eventually(lambda: test_file in [o["Key"] for o in aws("s3").list_objects_v2(Bucket=bucket).get("Contents", [])])
        # The attribute reaches the data plane a moment later.
        with httpx.Client(base_url=f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}", headers={"Host": host}) as client:
            eventually(lambda: client.get("/warm").is_success and lines(aws, bucket))
            forwarded = client.get("/page?q=1", headers={"User-Agent": 'bad "agent"'})
            client.post("/gone/away", content=b"x" * 1000)
            client.get("/old")
            wanted = {"/page?q=1", "/gone/away", "/old"}
            found = eventually(lambda: (
                of := {line["request"].split()[1].split("/", 3)[3]: line for line in lines(aws, bucket)}
            ) and wanted <= {f"/{path}" for path in of} and of)
        page, gone, old = (found[path.lstrip("/")] for path in ["/page?q=1", "/gone/away", "/old"])
        name = public["LoadBalancerArn"].split(":loadbalancer/")[1]
        assert (page["type"], page["elb"], page["elb_status"], page["target_status"]) == ("http", name, "200", "200")
        assert page["request"].startswith("GET http://") and page["request"].endswith(":80/page?q=1 HTTP/1.1")
        assert page["target"] == f"{interfaces[0].ip}:8000" and page["group"] == arn and page["rule"] == "0"
        assert page["actions"] == "forward" and page["trace"].startswith("Root=1-")
        assert page["user_agent"] == "bad %22agent%22", "a client cannot end its field"
        assert int(page["sent"]) > len(forwarded.content) + 50 and float(page["target_time"]) >= 0
        assert (gone["elb_status"], gone["target"], gone["rule"], gone["actions"]) == ("410", "-", "7", "fixed-response")
        assert gone["request_time"] == "-1"
        assert (old["elb_status"], old["rule"], old["actions"]) == ("302", "9", "redirect")
        assert old["redirect"].endswith("/new")
        assert page["connection"] == old["connection"], "one connection of the client"
        log_to(aws, public, bucket, enabled="false")
        elb.delete_listener(ListenerArn=listener)
