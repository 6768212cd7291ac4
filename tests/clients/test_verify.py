"""`escale verify`: the shop on this cloud, and on a second installation with its own account, region and TLS, which plays AWS."""

import contextlib
import json
import os
import re
import shutil
import subprocess

import boto3
import pytest
import yaml

from conftest import ESCALE, SHOP, Cloud, eventually, make_cloud, postgres_setting, remove_cloud
from test_ci import Cfn

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the checks enter the cloud's network")

ACCOUNT, AWS_REGION = "210987654321", "us-west-2"
SECURITY_HEADERS = "67f7725c-6f97-4210-82d7-5512b31e9d03"


def copy_of_the_shop(folder):
    """The shop with security headers, and with a production environment in the other installation's account and region."""
    subprocess.run([SHOP / "build"], check=True)
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("target"))
    manifest = folder / "escale.yaml"
    text = manifest.read_text()
    prod = 'prod: { region: eu-west-3, account: "123456789012", protect: true }'
    assert prod in text
    text = text.replace(prod, f'prod: {{ region: {AWS_REGION}, account: "{ACCOUNT}", protect: true }}')
    header = "Distribution.DistributionConfig.DefaultCacheBehavior.ResponseHeadersPolicyId"
    manifest.write_text(f'{text}\noverrides:\n  {header}: "{SECURITY_HEADERS}"\n')
    return folder


class Sides:
    def __init__(self, folder, local, aws):
        self.folder, self.local, self.aws = folder, local, aws

    def environment(self, home=None):
        """The variables of the local installation, with the deployer's key and the endpoint of the one that plays AWS."""
        root = json.loads(self.aws.escale("env", "--https", "--json").stdout)
        target = {name: root[name] for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")}
        return {**(home or self.local).env, **target, **self.key}

    def make_deployer(self):
        """A user with exactly the permissions of the role that `escale ci github --role` prints."""
        text = self.local.escale("ci", "github", self.folder, "--role", "--repository", "acme/shop").stdout
        (policy,) = yaml.load(text, Cfn)["Resources"]["DeployRole"]["Properties"]["Policies"]
        text = json.dumps(policy["PolicyDocument"])
        # `!Sub "arn:…"` is read as {"Sub": "arn:…"}.
        text = re.sub(r'\{"Sub": ("[^"]*")\}', r"\1", text).replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", ACCOUNT)
        assert "Sub" not in text and "${" not in text
        iam = self.client("iam")
        iam.create_user(UserName="deployer")
        arn = iam.create_policy(PolicyName="deploy", PolicyDocument=text)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="deployer", PolicyArn=arn)
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        self.key = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def verify(self, *words, home=None, code=0):
        words = [ESCALE, "verify", str(self.folder), *words, *postgres_setting(), "--json"]
        done = subprocess.run(words, env=self.environment(home), capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def prod(self, *words, **options):
        ports = f"{self.aws.env['ESCALE_WEB_PORT']}:{self.aws.env['ESCALE_HTTPS_PORT']}"
        return self.verify("--environment", "prod", "--connect-to", f"127.0.0.1:{ports}", *words, **options)

    def client(self, service, region=AWS_REGION):
        """A client of the installation that plays AWS."""
        root = self.aws.root()
        return boto3.client(
            service, endpoint_url=self.aws.endpoint, region_name=region, aws_access_key_id=root["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
        )


def put_private_object(s3):
    bucket = next(b["Name"] for b in s3.list_buckets()["Buckets"] if "media" in b["Name"])
    s3.put_object(Bucket=bucket, Key="media/cat.png", Body=b"private")


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = copy_of_the_shop(tmp_path_factory.mktemp("verify") / "shop")
    local, aws = make_cloud(), make_cloud()
    aws.env |= {"ESCALE_ACCOUNT": ACCOUNT, "ESCALE_REGION": AWS_REGION}
    try:
        local.escale("up", folder, *postgres_setting(), "--json", timeout=240)
        aws.escale("start")
        made = Sides(folder, local, aws)
        made.client("route53", "us-east-1").create_hosted_zone(Name="example.com", CallerReference="the registrar's")
        made.make_deployer()
        words = [ESCALE, "deploy", str(folder), "--environment", "prod", "--yes", "shop-prod", *postgres_setting()]
        done = subprocess.run(words, env=made.environment(), capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        put_private_object(local.client("s3"))
        put_private_object(made.client("s3"))
        yield made
    finally:
        remove_cloud(local)
        remove_cloud(aws)


def of(side, check):
    return {o["subject"]: o["observed"] for o in side["observations"] if o["check"] == check}


def failed(side):
    return {
        (o["check"], o["subject"])
        for o in side["observations"]
        if o["observed"] is not None and o["expected"] is not None and o["observed"] != o["expected"]
    }


def test_the_shop_keeps_every_promise(sides):
    found = sides.verify()
    (side,) = found["sides"]
    assert found["passed"] and side["not_checked"] == 0, side["observations"]
    assert of(side, "signature") == {"/media/* unsigned": "403", "/media/* expired": "403", "/media/* forged": "403", "/media/* right": "200"}
    assert of(side, "cache") == {"/static/* second request": "Hit from cloudfront", "/static/* age": "present"}
    assert of(side, "zones")["LoadBalancer answers at addresses of"] == "2 zones"
    assert of(side, "database")["DbInstance accepts a connection from outside"] == "no"
    assert of(side, "headers")["/api/health strict-transport-security"] == "max-age=31536000"
    assert of(side, "api")["the endpoint listens at"] == "loopback only"


CONFIGURED = {("http", "/static/*"), ("http", "/media/*"), ("http", "*")}


def test_both_sides_show_the_same(sides):
    found = sides.prod("--against", "local")
    assert found["passed"], found["differences"]
    # The domain has a certificate in prod only.
    assert {(d["check"], d["subject"]) for d in found["differences"]} == CONFIGURED
    assert all(d["is_configured"] for d in found["differences"])
    prod, local = found["sides"]
    assert (prod["environment"], local["environment"]) == ("prod", "local")
    open_ = {o["subject"] for o in prod["observations"] if o["observed"] is None}
    # The other installation's networks and processes are its own.
    assert open_ == {
        "LoadBalancer answers at addresses of", "DbInstance accepts a connection from outside", "the endpoint listens at",
    }


def test_prod_is_verified_without_a_local_application(sides, tmp_path):
    found = sides.prod(home=Cloud(tmp_path / "home"))
    assert found["passed"] and len(found["sides"]) == 1 and found["differences"] is None


def test_text_names_what_was_not_checked(sides):
    done = sides.local.escale("verify", sides.folder, *postgres_setting())
    assert "checks are as the manifest expects" in done.stdout and "FAILED" not in done.stdout


@contextlib.contextmanager
def changed_distribution(sides, change):
    cloudfront = sides.client("cloudfront")
    (one,) = cloudfront.list_distributions()["DistributionList"]["Items"]

    def update(make):
        found = cloudfront.get_distribution_config(Id=one["Id"])
        config = make(found["DistributionConfig"])
        cloudfront.update_distribution(Id=one["Id"], IfMatch=found["ETag"], DistributionConfig=config)

    before = cloudfront.get_distribution_config(Id=one["Id"])["DistributionConfig"]
    update(change)
    try:
        yield
    finally:
        update(lambda _: before)


@contextlib.contextmanager
def opened_database(sides):
    ec2, rds = sides.client("ec2"), sides.client("rds")
    group = rds.describe_db_instances()["DBInstances"][0]["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(**rule)
    try:
        yield
    finally:
        ec2.revoke_security_group_ingress(**rule)


def without_headers(config):
    config["DefaultCacheBehavior"].pop("ResponseHeadersPolicyId")
    return config


def public(config):
    (media,) = [b for b in config["CacheBehaviors"]["Items"] if b["PathPattern"] == "/media/*"]
    media["TrustedKeyGroups"] = {"Enabled": False, "Quantity": 0}
    return config


def named(sides, code=1):
    """The failed checks of prod, and the differences to local, which are the same."""
    found = sides.prod("--against", "local", code=code)
    prod, local = found["sides"]
    assert failed(local) == set()
    assert {(d["check"], d["subject"]) for d in found["differences"] if not d["is_configured"]} == failed(prod)
    return failed(prod)


POLICY = ("strict-transport-security", "x-content-type-options", "x-frame-options", "x-xss-protection", "referrer-policy")


def test_each_injected_difference_is_named(sides):
    headers = {("headers", f"{page} {name}") for page in ("/api/health", "/healthz") for name in POLICY}
    signatures = {("signature", f"/media/* {kind}") for kind in ("unsigned", "expired", "forged")}
    with changed_distribution(sides, without_headers):
        eventually(lambda: named(sides) == headers)
    with changed_distribution(sides, public):
        eventually(lambda: named(sides) == signatures)
    with opened_database(sides):
        assert named(sides) == {("database", "DbInstance admits address blocks")}
    eventually(lambda: sides.prod("--against", "local")["passed"])


def test_bad_arguments_are_refused_by_name(sides):
    for words, why in [
        (["--against", "local"], "--against local compares local with itself"),
        (["--stack", "x"], "are for an environment on AWS"),
        (["--against", "nosuch"], "nosuch"),
    ]:
        assert why in json.dumps(sides.verify(*words, code=1)["error"])
