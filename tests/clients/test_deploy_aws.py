"""`escale deploy` and the commands with --environment, against a second installation that plays AWS: another home, account and
region, over TLS only. Nothing here may reach AWS itself: the endpoint is that of the profile."""

import json
import os
import pathlib
import subprocess
import tempfile

import boto3
import pytest

from conftest import ESCALE, Cloud, remove_cloud
from test_up_again import SERVER, service

ACCOUNT = "210987654321"
REGION = "us-west-2"
DOMAIN = "notes.example.com"
STACK = "notes-prod"


class Aws(Cloud):
    """The installation that plays AWS."""

    def __init__(self, home):
        super().__init__(home)
        self.env |= {"ESCALE_ACCOUNT": ACCOUNT, "ESCALE_REGION": REGION, "AWS_DEFAULT_REGION": REGION}

    @property
    def bundle(self):
        return f"{self.home}/authority/browsers.pem"

    def boto(self, service, region=REGION):
        root = self.root()
        return boto3.client(
            service, endpoint_url=f"https://127.0.0.1:{self.port}", verify=self.bundle, region_name=region,
            aws_access_key_id=root["AWS_ACCESS_KEY_ID"], aws_secret_access_key=root["AWS_SECRET_ACCESS_KEY"],
        )

    def stacks(self):
        gone = ("DELETE_COMPLETE",)
        found = self.boto("cloudformation").list_stacks()["StackSummaries"]
        return sorted(s["StackName"] for s in found if s["StackStatus"] not in gone)

    def certificates(self):
        found = self.boto("acm", "us-east-1").list_certificates()["CertificateSummaryList"]
        return sorted(c["DomainName"] for c in found)

    def repositories(self):
        return sorted(r["repositoryName"] for r in self.boto("ecr").describe_repositories()["repositories"])

    def records(self):
        """The names of the CNAME records of the zone, which prove domains to ACM."""
        found = self.boto("route53").list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return [r["Name"] for r in found if r["Type"] == "CNAME"]


class Developer:
    """A machine with Escale and AWS's profiles, but without a daemon of its own."""

    def __init__(self, aws, folder):
        self.aws, self.folder = aws, folder
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
        os.chmod(self.home, 0o755)
        kept = ("PATH", "LANG", "TMPDIR")
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.env |= {
            "HOME": str(folder), "ESCALE_HOME": str(self.home), "AWS_PROFILE": "deployer",
            "AWS_CONFIG_FILE": str(folder / "aws-config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
        }

    def run(self, *args, env=None, timeout=500):
        return subprocess.run(
            [ESCALE, *map(str, args)], env=self.env | (env or {}), cwd=self.folder, capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL,
        )

    def escale(self, *args, **options):
        done = self.run(*args, **options)
        assert done.returncode == 0, f"escale {args}: {done.stdout}\n{done.stderr}"
        return done

    def deploy(self, *args, name=STACK):
        return self.run("deploy", "--environment", "prod", "--yes", name, *args)


def manifest(folder, app="notes", domain=DOMAIN, port=3000, more="", account=ACCOUNT):
    (folder / "escale.yaml").write_text(f"""app: {app}
network: {{ cidr: 10.9.0.0/16, azs: 2, nat: single }}
services:
  web: {{ build: ./web, port: {port}, path: /, count: 1, deploy: {{ rollback_after: 3 }}{more} }}
buckets:
  assets: {{ path: /assets/*, sync: ./assets }}
  files: {{ path: /files/*, signed: true }}
overrides:
  WebTargetGroup.TargetGroupAttributes.0.Value: "0"
  WebTask.ContainerDefinitions.0.StopTimeout: 1
environments:
  prod: {{ region: {REGION}, account: "{account}", domain: {domain} }}
""")


def dockerfile(folder, port=3000, program='["httpd", "-f", "-p", "{}", "-h", "/www"]'):
    text = SERVER[: SERVER.index("CMD")] + f"CMD {program.format(port)}\n"
    (folder / "web/Dockerfile").write_text(text)


def profiles(aws, folder):
    """A user who may only assume the role of deployments, and a role that may do everything."""
    iam = aws.boto("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = lambda statement: json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=document(everything))
    iam.create_user(UserName="developer")
    only_role = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    iam.put_user_policy(UserName="developer", PolicyName="role", PolicyDocument=document(only_role))
    key = iam.create_access_key(UserName="developer")["AccessKey"]
    target = f"region = {REGION}\nendpoint_url = https://127.0.0.1:{aws.port}\nca_bundle = {aws.bundle}\n"
    (folder / "aws-config").write_text(
        f"[profile deployer]\nrole_arn = {role}\nsource_profile = developer\n{target}\n"
        f"[profile program]\ncredential_process = cat {folder}/keys.json\n{target}\n"
        f"[profile untrusted]\nrole_arn = {role}\nsource_profile = developer\nregion = {REGION}\n"
        f"endpoint_url = https://127.0.0.1:{aws.port}\n"
    )
    (folder / "aws-credentials").write_text(
        f"[developer]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
    )
    printed = {"Version": 1, "AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
    (folder / "keys.json").write_text(json.dumps(printed))


@pytest.fixture(scope="module")
def developer(tmp_path_factory):
    home = tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp")
    os.chmod(home, 0o755)
    aws = Aws(home)
    folder = tmp_path_factory.mktemp("developer")
    try:
        aws.escale("start")
        zone = aws.boto("route53").create_hosted_zone(Name="example.com", CallerReference="the registrar's")
        aws.zone = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
        service(folder, "web", "first")
        dockerfile(folder)
        (folder / "assets").mkdir()
        (folder / "assets/app.css").write_text("a {}")
        profiles(aws, folder)
        made = Developer(aws, folder)
        yield made
        subprocess.run(["rm", "-rf", made.home], check=True)
    finally:
        remove_cloud(aws)


@pytest.fixture(scope="module")
def deployed(developer):
    """The application after its first deployment."""
    manifest(developer.folder)
    done = developer.deploy("--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    developer.result = json.loads(done.stdout)
    return developer


def nothing_exists(aws):
    assert aws.stacks() == []
    assert aws.repositories() == []
    assert aws.certificates() == []
    assert aws.records() == []


def test_wrong_account_is_refused_before_anything_exists(developer):
    manifest(developer.folder, account="111111111111")
    done = developer.deploy()
    assert done.returncode == 1
    assert f"is for the account 111111111111, but the credentials are those of arn:aws:sts::{ACCOUNT}:assumed-role/deployer/" in done.stderr
    assert "Nothing was changed" in done.stderr
    nothing_exists(developer.aws)


def test_another_name_is_refused_before_anything_exists(developer):
    manifest(developer.folder)
    done = developer.deploy(name="prod")
    assert done.returncode == 1 and f"--yes prod is not `{STACK}`" in done.stderr
    done = developer.run("deploy", "--environment", "prod")
    assert done.returncode == 1 and f"Pass --yes {STACK}" in done.stderr
    nothing_exists(developer.aws)


def test_domain_without_a_zone_is_refused_before_anything_exists(developer):
    manifest(developer.folder, domain="notes.example.org")
    done = developer.deploy()
    assert done.returncode == 1 and "no public hosted zone for notes.example.org" in done.stderr
    nothing_exists(developer.aws)


def test_credentials_and_certificates_are_checked(developer):
    manifest(developer.folder)
    without = {name: "" for name in ("AWS_PROFILE",)}
    done = developer.run("status", "--environment", "prod", env=without)
    assert done.returncode == 1 and "there are no AWS credentials" in done.stderr
    done = developer.run("status", "--environment", "prod", "--profile", "untrusted", env={"AWS_MAX_ATTEMPTS": "1"})
    assert done.returncode == 1 and "certificate" in done.stderr, done.stderr
    # The user's own keys, from a program, may only assume the role.
    done = developer.run("status", "--environment", "prod", "--profile", "program")
    assert done.returncode == 1 and "AccessDenied" in done.stderr and "user/developer" in done.stderr
    nothing_exists(developer.aws)


def test_failed_first_deployment_leaves_nothing(developer):
    manifest(developer.folder, app="broken", domain="broken.example.com")
    dockerfile(developer.folder, program='["false"]')
    done = developer.deploy(name="broken-prod")
    dockerfile(developer.folder)
    assert done.returncode == 1
    assert "the stack broken-prod could not be created" in done.stderr and "WebService" in done.stderr
    assert "All resources of broken-prod were removed again" in done.stderr
    nothing_exists(developer.aws)


def test_first_deployment(deployed):
    aws, result = deployed.aws, deployed.result
    assert (result["account"], result["region"], result["stack"]) == (ACCOUNT, REGION, STACK)
    assert result["caller"].endswith(":assumed-role/deployer/escale")
    assert result["outputs"]["SiteUrl"] == f"https://{DOMAIN}"
    assert aws.stacks() == [STACK, "notes-registry"]
    # The certificate is in CloudFront's region, and the distribution has it and the alias.
    assert aws.certificates() == [DOMAIN]
    assert [name for name in aws.records() if name.endswith(f".{DOMAIN}.")] == aws.records() != []
    config = aws.boto("cloudfront").get_distribution(Id=result["outputs"]["DistributionId"])["Distribution"]["DistributionConfig"]
    assert config["Aliases"]["Items"] == [DOMAIN]
    assert ":us-east-1:" in config["ViewerCertificate"]["ACMCertificateArn"]
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    # The record is in the zone that existed; the stack made none.
    assert result["outputs"]["ZoneId"] == aws.zone
    # The image came over TLS, the task runs it, and the file is in the bucket.
    assert len(aws.boto("ecr").list_images(repositoryName="notes/web")["imageIds"]) == 1
    tasks = aws.boto("ecs").list_tasks(cluster=STACK)["taskArns"]
    assert len(tasks) == 1
    bucket = result["outputs"]["AssetsBucketName"]
    assert aws.boto("s3").get_object(Bucket=bucket, Key="assets/app.css")["Body"].read() == b"a {}"
    # No private key stays on the developer's machine.
    assert list(deployed.home.rglob("*.pem")) == []


def test_status_and_logs_on_aws(deployed):
    shown = json.loads(deployed.escale("status", "--environment", "prod", "--json").stdout)
    assert (shown["account"], shown["stack"]["status"]) == (ACCOUNT, "CREATE_COMPLETE")
    assert [(s["name"], s["running"]) for s in shown["services"]] == [("web", 1)]
    text = deployed.escale("status", "--environment", "prod").stdout
    assert f"AWS account {ACCOUNT}, region {REGION}" in text and "daemon" not in text
    deployed.escale("logs", "web", "--environment", "prod")
    done = deployed.run("logs", "api", "--environment", "prod")
    assert done.returncode == 1 and "notes has no service 'api'" in done.stderr


def signing_key(aws):
    return aws.boto("secretsmanager").get_secret_value(SecretId="notes/prod/cdn-signing-key")["SecretString"]


def test_update_shows_what_it_replaces_and_rollback_returns(deployed):
    aws, key = deployed.aws, signing_key(deployed.aws)
    manifest(deployed.folder, port=3001)
    dockerfile(deployed.folder, port=3001)
    diff = deployed.escale("diff", "--environment", "prod").stdout
    assert "! WebTargetGroup" in diff and "replaced: Port" in diff
    assert aws.boto("ecr").list_images(repositoryName="notes/web")["imageIds"].__len__() == 1
    done = deployed.deploy()
    assert done.returncode == 0, done.stderr
    assert "! WebTargetGroup" in done.stderr and "UPDATE_COMPLETE" in done.stderr
    assert "replaced" in done.stdout
    groups = aws.boto("elbv2").describe_target_groups()["TargetGroups"]
    assert [g["Port"] for g in groups] == [3001]
    assert signing_key(aws) == key
    # The same again changes nothing.
    again = deployed.deploy()
    assert again.returncode == 0 and "nothing changed" in again.stdout, again.stdout + again.stderr
    refused = deployed.run("rollback", "--environment", "prod", "--yes", "notes")
    assert refused.returncode == 1 and f"is not `{STACK}`" in refused.stderr
    deployed.escale("rollback", "--environment", "prod", "--yes", STACK)
    groups = aws.boto("elbv2").describe_target_groups()["TargetGroups"]
    assert [g["Port"] for g in groups] == [3000]
    assert signing_key(aws) == key
    releases = json.loads(deployed.escale("history", "--environment", "prod", "--json").stdout)["releases"]
    assert [r["outcome"] for r in releases] == ["done"] * 3


def test_failed_update_is_rolled_back_with_its_reason(deployed):
    aws = deployed.aws
    before = aws.boto("ecs").describe_services(cluster=STACK, services=["web"])["services"][0]["taskDefinition"]
    manifest(deployed.folder)
    dockerfile(deployed.folder, program='["false"]')
    done = deployed.deploy()
    dockerfile(deployed.folder)
    assert done.returncode == 1
    assert f"the stack {STACK} could not be updated and was returned to the state before" in done.stderr
    assert "WebService: " in done.stderr and "UPDATE_ROLLBACK_COMPLETE" in done.stderr
    assert f"{STACK} runs as before" in done.stderr
    after = aws.boto("ecs").describe_services(cluster=STACK, services=["web"])["services"][0]
    assert (after["taskDefinition"], after["runningCount"]) == (before, 1)


def test_update_that_deletes_data_needs_a_flag(deployed):
    manifest(deployed.folder)
    path = deployed.folder / "escale.yaml"
    path.write_text(path.read_text().replace("  assets: { path: /assets/*, sync: ./assets }\n", ""))
    done = deployed.deploy()
    assert done.returncode == 1 and "Pass --delete-data" in done.stderr and "1 object" in done.stderr
    assert deployed.result["outputs"]["AssetsBucketName"] in [
        b["Name"] for b in deployed.aws.boto("s3").list_buckets()["Buckets"]
    ]


def test_large_template_is_deployed_from_a_private_bucket(deployed):
    """CloudFormation takes at most 51,200 bytes in a request."""
    aws, s3 = deployed.aws, deployed.aws.boto("s3")
    settings = ", ".join(f"SETTING_{n}: {'x' * 1500}" for n in range(36))
    manifest(deployed.folder, more=f", env: {{ {settings} }}")
    for _ in range(2):
        done = deployed.deploy()
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "nothing changed" in done.stdout
    template = aws.boto("cloudformation").get_template(StackName=STACK)["TemplateBody"]
    assert len(json.dumps(template, separators=(",", ":"))) > 51_200
    bucket = f"escale-templates-{ACCOUNT}-{REGION}"
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values()) and len(block) == 4
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "templates stay no longer than their change sets need them"
    deployed.escale("rollback", "--environment", "prod", "--yes", STACK)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_every_request_of_deploy_is_in_the_models(deployed):
    """The installation reads requests by AWS's models, and records each: none was refused for its form."""
    pages = deployed.aws.boto("cloudtrail").get_paginator("lookup_events").paginate()
    calls = [json.loads(e["CloudTrailEvent"]) for page in pages for e in page["Events"]]
    ours = [c for c in calls if c["userIdentity"].get("arn", "").endswith(":assumed-role/deployer/escale")]
    names = {c["eventName"] for c in ours}
    assert {"GetCallerIdentity", "RequestCertificate", "CreateChangeSet", "DescribeServices", "CreateInvalidation"} <= names
    # Questions for a stack that does not exist, yet or any more, are the only errors.
    errors = {(c["eventName"], c["errorCode"]) for c in ours if c.get("errorCode")}
    asked = ("DescribeStacks", "DescribeStackEvents", "ListStackResources")
    assert errors <= {(name, "ValidationError") for name in asked}
