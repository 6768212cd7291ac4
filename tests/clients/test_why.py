"""`escale why` names the hop, the rule and the resource of ten faults that are injected one at a time, and finds none in a healthy application."""

import contextlib
import json
import os
import re
import signal
import time

import pytest

from conftest import SHOP, address_of, all_processes_of, container_pid, database_of, eventually, inside, tasks_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the probes enter namespaces of root")


def why(shop, *args):
    done = shop.cloud.escale("why", *args, "--json", check=False)
    found = json.loads(done.stdout)
    assert "error" not in found, found
    assert done.returncode == (1 if found["findings"] or any(h["state"] == "unknown" for h in found["hops"]) else 0)
    return found


def healthy(shop, *args):
    """The explanation of something that works."""
    def is_healthy():
        found = why(shop, *args)
        return found if not found["findings"] and all(h["state"] == "ok" for h in found["hops"]) else None
    return eventually(is_healthy, within=120)


def only(found):
    assert len(found["findings"]) == 1, json.dumps(found, indent=1)
    return found["findings"][0]


@pytest.fixture(scope="module")
def lines(shop):
    """The template that `why` names, by line."""
    return ["", *shop.cloud.escale("template", SHOP).stdout.splitlines()]


@pytest.fixture(scope="module")
def ids(shop):
    """Logical id to physical id."""
    pages = shop.cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=shop.stack)
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for p in pages for r in p["StackResourceSummaries"]}


def is_at(lines, finding, logical):
    """Whether the finding names this resource with its line in the template."""
    resource = finding["resource"]
    assert resource["logical_id"] == logical, finding
    assert resource["file"] == f"escale template {SHOP}"
    # A resource of YAML begins with the line after its name.
    assert lines[resource["line"] - 1].strip() == f"{logical}:", (finding, lines[resource["line"]])
    assert finding["fix"]
    return True


@contextlib.contextmanager
def undone(undo):
    try:
        yield
    finally:
        undo()


def items(shop):
    return f"{shop.url}/api/items"


def a_static_file(shop):
    return next((SHOP / "frontend/dist").rglob("*.css")).relative_to(SHOP / "frontend/dist")


def test_healthy_application_is_explained_without_a_finding(shop):
    steps = {h["hop"] for h in healthy(shop, items(shop))["hops"]}
    assert {"dns", "distribution", "behaviour", "listener", "listener-rule", "target-health", "network", "task", "database", "response"} <= steps
    steps = {h["hop"] for h in healthy(shop, f"{shop.url}/static/{a_static_file(shop)}")["hops"]}
    assert {"origin-access", "bucket-policy", "object"} <= steps
    found = healthy(shop, "--from", "backend", "--to", "db")
    assert all(h["probe"]["passed"] for h in found["hops"] if h["hop"] in ("network", "database"))


def test_security_group(shop, ids, lines):
    ec2, group = shop.cloud.client("ec2"), ids["BackendSecurityGroup"]
    rule = {"GroupId": group, "IpPermissions": [{
        "IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8000, "UserIdGroupPairs": [{"GroupId": ids["LoadBalancerSecurityGroup"]}],
    }]}
    ec2.revoke_security_group_ingress(**rule)
    with undone(lambda: ec2.authorize_security_group_ingress(**rule)):
        finding = only(why(shop, items(shop)))
        assert (finding["hop"], finding["kind"]) == ("network", "fault")
        assert f"security group {group}: no inbound rule allows tcp 8000" in finding["because"]
        assert "the template has that rule" in finding["because"]
        assert finding["resource"]["id"] == group and is_at(lines, finding, "BackendFromLoadBalancer")


def test_route(shop, ids, lines):
    ec2, table = shop.cloud.client("ec2"), ids["PublicRoutes"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.delete_route(**route)
    with undone(lambda: ec2.create_route(**route, GatewayId=ids["InternetGateway"])):
        found = why(shop, items(shop))
        assert {f["hop"] for f in found["findings"]} == {"network"}
        for finding in found["findings"]:
            assert finding["kind"] == "fault" and finding["what"].startswith("the Internet to ")
            assert f"route table {table}" in finding["because"] and "has no route to" in finding["because"]
            assert finding["resource"]["id"] == table and is_at(lines, finding, "PublicDefaultRoute")


def test_route_of_tasks_to_the_internet(shop, ids, lines):
    ec2, table = shop.cloud.client("ec2"), ids["AppRoutes1"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    healthy(shop, "--from", "backend", "--to", "198.18.200.1:443")
    ec2.delete_route(**route)
    with undone(lambda: ec2.create_route(**route, NatGatewayId=ids["NatGateway1"])):
        finding = only(why(shop, "--from", "backend", "--to", "198.18.200.1:443"))
        assert finding["resource"]["id"] == table and is_at(lines, finding, "AppDefaultRoute1")


def test_network_acl(shop, ids, lines):
    ec2 = shop.cloud.client("ec2")
    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [ids["Vpc"]]}])["NetworkAcls"][0]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 50, "Egress": False}
    ec2.create_network_acl_entry(**entry, Protocol="6", RuleAction="deny", CidrBlock="0.0.0.0/0", PortRange={"From": 5432, "To": 5432})
    with undone(lambda: ec2.delete_network_acl_entry(**entry)):
        found = why(shop, "--from", "backend", "--to", "db")
        finding = found["findings"][0]
        assert {f["hop"] for f in found["findings"]} == {"network"} and finding["kind"] == "fault"
        assert f"network ACL {acl}" in finding["because"] and "inbound rule 50 denies tcp 5432" in finding["because"]
        # The stack has the VPC's own ACL: the line is that of the subnet.
        assert finding["resource"]["id"] == acl
        assert finding["resource"]["logical_id"] in ("DataSubnet1", "DataSubnet2")


def test_health_path(shop, ids, lines):
    elb, arn = shop.cloud.client("elbv2"), ids["FrontendTargetGroup"]
    elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/no-such-page")
    with undone(lambda: elb.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/healthz")):
        found = why(shop, f"{shop.url}/")
        finding = found["findings"][0]
        assert {(f["hop"], f["kind"]) for f in found["findings"]} == {("target-health", "fault")}
        assert "GET /no-such-page on port 3000 is answered 404, and the matcher accepts 200" in finding["because"]
        assert finding["resource"]["id"] == arn and is_at(lines, finding, "FrontendTargetGroup")


def test_port(shop, ids, lines):
    elb, arn = shop.cloud.client("elbv2"), ids["BackendTargetGroup"]
    target = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]["Target"]["Id"]
    wrong = {"TargetGroupArn": arn, "Targets": [{"Id": target, "Port": 8001}]}
    elb.register_targets(**wrong)
    with undone(lambda: elb.deregister_targets(**wrong)):
        finding = only(why(shop, items(shop)))
        assert (finding["hop"], finding["kind"], finding["what"]) == ("target-port", "fault", f"{target}:8001")
        assert "but the task definition of backend maps port 8000" in finding["because"]
        assert finding["resource"]["id"] == arn and is_at(lines, finding, "BackendTargetGroup")


def test_dns(shop, ids, lines):
    route53, zone = shop.cloud.client("route53"), ids["Zone"]
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    record = next(r for r in records if r["Type"] == "A")

    def change(action):
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    change("DELETE")
    with undone(lambda: change("CREATE")):
        finding = only(why(shop, items(shop)))
        assert (finding["hop"], finding["kind"], finding["what"]) == ("dns", "fault", "shop.localhost")
        assert f"hosted zone {zone}" in finding["because"] and "no A, AAAA or CNAME record of shop.localhost" in finding["because"]
        assert is_at(lines, finding, "SiteRecord")
    healthy(shop, items(shop))


def test_expired_signature(shop, ids, lines):
    signed = json.loads(shop.cloud.escale("sign", "/media/cat.png", "--expires", "1s", "--json").stdout)
    eventually(lambda: time.time() > signed["expires"])
    finding = next(f for f in why(shop, signed["url"])["findings"] if f["hop"] != "object")
    assert (finding["hop"], finding["kind"]) == ("signature", "fault")
    assert "the signature expired at" in finding["because"]
    assert finding["resource"]["id"] == ids["Distribution"] and is_at(lines, finding, "Distribution")


def fresh_file(shop, ids):
    """A file that no cache has: a refusal must come from the bucket."""
    key = f"static/why-{os.urandom(4).hex()}.txt"
    shop.cloud.client("s3").put_object(Bucket=ids["StaticBucket"], Key=key, Body=b"why")
    return f"{shop.url}/{key}"


def test_origin_access_control(shop, ids, lines):
    cdn, id = shop.cloud.client("cloudfront"), ids["Distribution"]

    def change(access):
        now = cdn.get_distribution_config(Id=id)
        origin = next(o for o in now["DistributionConfig"]["Origins"]["Items"] if o["Id"] == "static")
        before, origin["OriginAccessControlId"] = origin["OriginAccessControlId"], access
        cdn.update_distribution(Id=id, IfMatch=now["ETag"], DistributionConfig=now["DistributionConfig"])
        return before

    url = fresh_file(shop, ids)
    access = change("")
    with undone(lambda: change(access)):
        finding = only(why(shop, url))
        assert (finding["hop"], finding["kind"]) == ("origin-access", "fault")
        assert "the origin static of" in finding["because"] and "has no origin access control" in finding["because"]
        assert finding["resource"]["id"] == id and is_at(lines, finding, "Distribution")


def test_bucket_policy(shop, ids, lines):
    s3, bucket = shop.cloud.client("s3"), ids["StaticBucket"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    url = fresh_file(shop, ids)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy.replace(ids["Distribution"], "EOTHER"))
    with undone(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=policy)):
        finding = only(why(shop, url))
        assert (finding["hop"], finding["kind"]) == ("bucket-policy", "fault")
        assert f"no statement of the policy of the bucket {bucket} allows cloudfront.amazonaws.com" in finding["because"]
        assert finding["resource"]["id"] == bucket and is_at(lines, finding, "StaticBucketPolicy")
    healthy(shop, fresh_file(shop, ids))


def test_unreadable_state_is_unknown_and_no_success(shop):
    """A caller with fewer permissions sees fewer facts, and nothing is guessed in their place."""
    iam = shop.cloud.client("iam")
    iam.create_user(UserName="why")
    allowed = ["cloudformation:*", "cloudfront:*", "route53:*", "elasticloadbalancing:*"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_user_policy(UserName="why", PolicyName="some", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="why")["AccessKey"]
    before = dict(shop.cloud.env)
    shop.cloud.env.update(ESCALE_ACCESS_KEY=key["AccessKeyId"], ESCALE_SECRET_KEY=key["SecretAccessKey"])
    try:
        found = why(shop, items(shop))
    finally:
        shop.cloud.env.clear()
        shop.cloud.env.update(before)
        iam.delete_access_key(UserName="why", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="why", PolicyName="some")
        iam.delete_user(UserName="why")
    last = found["hops"][-1]
    assert (last["hop"], last["state"], last["probe"]) == ("network", "unknown", None)
    assert "AccessDenied" in last["explanation"] or "UnauthorizedOperation" in last["explanation"]


def test_refuses_another_environment(shop):
    done = shop.cloud.escale("why", items(shop), "--environment", "prod", check=False)
    assert done.returncode == 1 and "of the environment 'prod' is not supported" in done.stderr


def test_packets_that_the_apis_do_not_explain_are_a_disagreement(shop, ids):
    """A filter that no API knows, in the task's own namespace."""
    # A task that serves: those of the faults before may still be stopping.
    served = {hop["what"].rpartition(" to ")[2].partition(":")[0] for hop in healthy(shop, f"{shop.url}/")["hops"] if hop["hop"] == "network"}
    task = next(t for t in tasks_of(shop) if t["group"] == "service:frontend" and address_of(t) in served)
    pid = container_pid(shop.cloud, task)
    rules = "table ip why {\n chain in {\n type filter hook input priority 0\n iif lo accept\n tcp dport 3000 drop\n }\n}"
    # Without this, ECS replaces the task as unhealthy before the path has been walked three times.
    grace = lambda secs: shop.cloud.client("ecs").update_service(cluster=shop.stack, service="frontend", healthCheckGracePeriodSeconds=secs)
    grace(3600)
    made = inside(pid, "nft", rules)
    assert made.returncode == 0, made.stderr

    def undo():
        inside(pid, "nft", "delete table ip why")
        grace(0)

    with undone(undo):
        found = why(shop, f"{shop.url}/")
        kinds = {(f["hop"], f["kind"]) for f in found["findings"]}
        assert ("network", "disagreement") in kinds, json.dumps(found, indent=1)
        finding = next(f for f in found["findings"] if f["hop"] == "network")
        assert "by the state of the APIs this works" in finding["because"]


def servers_of(shop):
    """The first processes of the database's servers."""
    found = []
    for pid in all_processes_of(shop.cloud):
        with contextlib.suppress(OSError):
            command = open(f"/proc/{pid}/cmdline").read()
            if re.match(r"\S*postgres\0-", command) or command.startswith("/usr/lib/postgresql"):
                found.append(pid)
    return found


def test_dead_database(shop, ids, lines):
    rds, id = shop.cloud.client("rds"), database_of(shop)["DBInstanceIdentifier"]
    rds.stop_db_instance(DBInstanceIdentifier=id)

    def start():
        eventually(lambda: database_of(shop)["DBInstanceStatus"] == "stopped", within=120)
        rds.start_db_instance(DBInstanceIdentifier=id)
        eventually(lambda: database_of(shop)["DBInstanceStatus"] == "available", within=180)

    with undone(start):
        for args in ((items(shop),), ("--from", "backend", "--to", "db")):
            finding = only(why(shop, *args))
            assert (finding["hop"], finding["kind"], finding["what"]) == ("database", "fault", id)
            assert re.search("is dead: RDS reports stop", finding["because"])
            assert finding["resource"]["id"] == id and is_at(lines, finding, "DbInstance")


def test_database_that_is_frozen_is_named_by_the_probe(shop, ids):
    """The kernel accepts connections for a stopped process, so only the protocol's own answer shows that it lives."""
    eventually(lambda: database_of(shop)["DBInstanceStatus"] == "available", within=180)
    servers = servers_of(shop)
    assert servers
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)

    def go_on():
        for pid in servers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    with undone(go_on):
        found = why(shop, "--from", "backend", "--to", "db")
        assert {f["hop"] for f in found["findings"]} == {"database"}, json.dumps(found, indent=1)
        assert found["findings"][0]["resource"]["logical_id"] == "DbInstance"
