"""The verbs that prove an architecture, on applications that are not the shop: templates as their users write them."""

import json
import re

import pytest

import images
from conftest import ROOT, Cloud, running_cloud

TEMPLATES = ROOT / "tests/clients/templates"
HOSTS, NETWORK, SITE = (TEMPLATES / f"{name}.yaml" for name in ("two-hosts", "network-balancer", "static-site"))


@pytest.fixture
def nothing(tmp_path):
    return Cloud(tmp_path / "home")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Both applications, deployed by the aws CLI."""
    with running_cloud() as made:
        ecr = made.client("ecr")
        uri = ecr.create_repository(repositoryName="web")["repository"]["repositoryUri"]
        folder = tmp_path_factory.mktemp("image") / "web"
        images.busybox(folder)
        images.push(folder, uri, "1", images.token(ecr))
        for stack, template in (("hosts", HOSTS), ("network", NETWORK)):
            made.aws_cli(
                "cloudformation", "deploy", "--stack-name", stack, "--template-file", str(template),
                "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", f"Image={uri}:1",
            )
        zone = made.client("route53").create_hosted_zone(Name="www.localhost", CallerReference="the registrar's")
        made.aws_cli(
            "cloudformation", "deploy", "--stack-name", "site", "--template-file", str(SITE), "--parameter-overrides",
            "Domain=www.localhost", f"ZoneId={zone['HostedZone']['Id'].removeprefix('/hostedzone/')}",
        )
        yield made


def address(cloud, stack):
    outputs = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return next(o["OutputValue"] for o in outputs if o["OutputKey"] == "Address")


def why(cloud, app, *args):
    done = cloud.escale("why", *args, "--app", app, "--json", check=False)
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    return json.loads(done.stdout)


def physical(cloud, stack, logical):
    found = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical)
    return found["StackResourceDetail"]["PhysicalResourceId"]


@pytest.mark.parametrize("template", [HOSTS, NETWORK, SITE, TEMPLATES / "cdk-shop.json", TEMPLATES / "fargate-service.yaml"])
def test_every_verb_reads_the_template(nothing, tmp_path, template):
    for end in ("svg", "png", "md"):
        nothing.escale("diagram", template, "-o", tmp_path / f"a.{end}")
    for region in ("us-east-1", "eu-west-3"):
        bill = json.loads(nothing.escale("cost", template, "--region", region, "--json").stdout)
        assert bill["total_usd"] > 0 and bill["not_priced"] == []
    findings = json.loads(nothing.escale("review", template, "--json").stdout)["findings"]
    assert findings
    for lang, words in (("fr", "Revue par règles"), ("en", "Review by rules")):
        nothing.escale("report", template, "--lang", lang, "-o", tmp_path / "a.html")
        html = (tmp_path / "a.html").read_text()
        assert words in html and all(f["rule"] in html for f in findings)
    # Names of imports are whole.
    text = (tmp_path / "a.md").read_text()
    assert "group  are" not in text and "subnets  are" not in text


@pytest.mark.parametrize("stack, open_at", [("hosts", {"Balancer": [80, 8080]}), ("network", {"Balancer": [7000], "Service": [7000]})])
def test_computed_and_probed_ports_agree(cloud, stack, open_at):
    """In `network` the security group opens port 9000, which has a listener, and the network ACL closes it."""
    done = cloud.escale("review", stack, "--live", "--ports", "1-10000", "--json", check=False)
    reach = json.loads(done.stdout)["reachability"]
    assert reach["disagreements"] == [] and done.returncode == 0, reach
    computed = {c["resource"]: c["ports"] for c in reach["computed"] if c["ports"]}
    assert computed == open_at


def test_why_names_the_rule_that_answers_and_goes_on_without_dns(cloud):
    host = address(cloud, "hosts")
    web = cloud.env["ESCALE_WEB_PORT"]
    found = why(cloud, "hosts", f"http://{host}:{web}/")
    [finding] = found["findings"]
    assert (finding["hop"], finding["kind"]) == ("listener-rule", "fault")
    assert "rule default answers 404" in finding["because"]
    assert "rule 10 (host-header shop.example.test), rule 20 (host-header admin.example.test)" in finding["fix"]
    assert finding["resource"]["logical_id"] == "Listener"
    # The name is in somebody else's DNS: everything behind it is explained all the same.
    found = why(cloud, "hosts", f"http://shop.example.test:{web}/")
    assert [f["hop"] for f in found["findings"]] == ["dns"]
    states = {h["hop"]: h["state"] for h in found["hops"]}
    assert states["listener-rule"] == states["target-health"] == states["response"] == "ok"
    rule = next(h for h in found["hops"] if h["hop"] == "listener-rule")
    assert rule["explanation"].startswith("rule 10: forward")
    assert why(cloud, "hosts", "--from", "Shop", "--to", "Database")["findings"] == []


def test_why_names_injected_faults(cloud):
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    web = cloud.env["ESCALE_WEB_PORT"]
    group, source = (physical(cloud, "hosts", name) for name in ("DatabaseGroup", "ServiceGroup"))
    rule = {"GroupId": group, "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": source}]},
    ]}
    ec2.revoke_security_group_ingress(**rule)
    try:
        found = why(cloud, "hosts", "--from", "Shop", "--to", "Database")["findings"]
        assert {(f["hop"], f["kind"]) for f in found} == {("network", "fault")}
        assert "no inbound rule allows tcp 5432" in found[0]["because"] and found[0]["resource"]["logical_id"] == "DatabaseGroup"
    finally:
        ec2.authorize_security_group_ingress(**rule)
    targets = physical(cloud, "hosts", "AdminTargets")
    elb.modify_target_group(TargetGroupArn=targets, HealthCheckPath="/missing")
    try:
        found = why(cloud, "hosts", f"http://admin.example.test:{web}/")["findings"]
        assert {f["hop"] for f in found} == {"dns", "target-health"}
        assert any("GET /missing on port 3001 is answered 404" in f["because"] for f in found)
    finally:
        elb.modify_target_group(TargetGroupArn=targets, HealthCheckPath="/")


def test_why_names_an_acl_entry_before_a_network_load_balancer(cloud):
    found = why(cloud, "network", f"http://{address(cloud, 'network')}:9000/")
    finding = found["findings"][0]
    assert (finding["hop"], finding["kind"]) == ("network", "fault")
    assert re.search("network ACL .*inbound rule 90 denies tcp 9000", finding["because"])
    assert finding["resource"]["logical_id"] in ("DenyAdmin", "Acl")
    found = why(cloud, "network", f"http://{address(cloud, 'network')}:7000/")
    assert found["findings"] == [], json.dumps(found, indent=1)


def test_why_explains_the_root_and_the_names_of_a_static_site(cloud):
    s3, bucket = cloud.client("s3"), physical(cloud, "site", "Files")
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"hello")
    site = f"http://{address(cloud, 'site')}:{cloud.env['ESCALE_WEB_PORT']}"
    found = why(cloud, "site", f"{site}/")
    assert found["findings"] == [] and found["hops"][-1]["what"] == "index.html", json.dumps(found, indent=1)
    # DNS leads to the distribution, which does not know the name.
    [finding] = why(cloud, "site", f"http://www.localhost:{cloud.env['ESCALE_WEB_PORT']}/")["findings"]
    assert (finding["hop"], finding["kind"]) == ("distribution", "fault")
    assert "www.localhost is no alias of the distribution" in finding["because"] and finding["resource"]["logical_id"] == "Site"
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    try:
        found = why(cloud, "site", f"{site}/other.html")["findings"]
        assert {(f["hop"], f["resource"]["logical_id"]) for f in found} == {("bucket-policy", "FilesPolicy"), ("object", "Files")}
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        s3.delete_object(Bucket=bucket, Key="index.html")
