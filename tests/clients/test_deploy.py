"""`aws cloudformation deploy` with users' templates: two handwritten ones modelled on AWS's samples, and the output of
`escale template`."""

import hashlib
import pathlib
import re
import subprocess
import urllib.parse
import uuid

import botocore.exceptions
import pytest
import requests

from conftest import SHOP, eventually, postgres_setting, running_cloud
from images import busybox, layout, push, token

TEMPLATES = pathlib.Path(__file__).parent / "templates"


def deploy(cloud, stack, template, **parameters):
    """Deploys a stack with the aws CLI, which polls every 30 seconds."""
    given = [f"{name}={value}" for name, value in parameters.items()]
    cloud.aws_cli(
        "cloudformation", "deploy", "--stack-name", stack, "--template-file", str(template),
        "--capabilities", "CAPABILITY_NAMED_IAM", "--parameter-overrides", *given,
    )


def create(cloud, stack, template):
    """Creates a stack without the CLI, which would poll only every 30 seconds."""
    client = cloud.client("cloudformation")
    client.create_stack(StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def delete(cloud, stack):
    cloud.aws_cli("cloudformation", "delete-stack", "--stack-name", stack)
    waiter = cloud.client("cloudformation").get_waiter("stack_delete_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def outputs(cloud, stack):
    shown = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    assert shown["StackStatus"] == "CREATE_COMPLETE"
    return {o["OutputKey"]: o["OutputValue"] for o in shown["Outputs"]}


def fetch(cloud, url, path="/", **options):
    """Requests a page like a browser on the host: `*.localhost` resolves to the loopback address, the port is the web port."""
    host = urllib.parse.urlsplit(url).hostname
    at = f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}{path}"
    return requests.get(at, headers={"Host": host, **options.pop("headers", {})}, timeout=20, **options)


def resources_of(cloud):
    """The cloud's resources of all types that these templates create."""
    ec2, elb, ecs, iam = (cloud.client(name) for name in ("ec2", "elbv2", "ecs", "iam"))
    return {
        "vpcs": [v for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "nat": [n for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted"],
        # Without the gateway of the default VPC.
        "gateways": ec2.describe_internet_gateways()["InternetGateways"][1:],
        "balancers": elb.describe_load_balancers()["LoadBalancers"],
        "target groups": elb.describe_target_groups()["TargetGroups"],
        "clusters": ecs.list_clusters()["clusterArns"],
        "definitions": ecs.list_task_definitions()["taskDefinitionArns"],
        "roles": iam.list_roles()["Roles"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "log groups": cloud.client("logs").describe_log_groups()["logGroups"],
        "databases": cloud.client("rds").describe_db_instances()["DBInstances"],
        "buckets": cloud.client("s3").list_buckets()["Buckets"],
        "distributions": cloud.client("cloudfront").list_distributions()["DistributionList"].get("Items", []),
        "zones": cloud.client("route53").list_hosted_zones()["HostedZones"],
        "secrets": cloud.client("secretsmanager").list_secrets()["SecretList"],
    }


def empty(s3, bucket):
    held = s3.list_object_versions(Bucket=bucket)
    versions = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in held.get("Versions", []) + held.get("DeleteMarkers", [])]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": versions})


def pushed(cloud, folder, repository, tag="v1"):
    """Pushes an image with skopeo. Returns its reference for task definitions."""
    uri = cloud.client("ecr").describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    push(folder, uri, tag, token(cloud.client("ecr")))
    return f"{uri}:{tag}"


@pytest.fixture(scope="module")
def own():
    """A cloud of its own for these tests: they check that it has no other resources."""
    with running_cloud() as made:
        yield made


@pytest.fixture(scope="module")
def image(own, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "web"
    busybox(folder, "hello from a task")
    own.client("ecr").create_repository(repositoryName="web")
    return pushed(own, folder, "web")


@pytest.fixture(scope="module")
def network(own):
    """The URL of a stack with a network, a load balancer and a cluster. Checks after the tests that its deletion is complete."""
    before = resources_of(own)
    create(own, "public-vpc", (TEMPLATES / "public-vpc.yaml").read_text())
    yield outputs(own, "public-vpc")["ExternalUrl"]
    delete(own, "public-vpc")
    assert resources_of(own) == before


def test_service_stack_imports_network_stack(own, network, image):
    unserved, before = fetch(own, network), resources_of(own)
    assert (unserved.status_code, unserved.text) == (404, "no service here")
    deploy(own, "web", TEMPLATES / "fargate-service.yaml", StackName="public-vpc", ImageUrl=image)
    assert outputs(own, "web") == {"ServiceName": "web", "Url": network}
    page = fetch(own, network)
    assert (page.status_code, page.text) == (200, "hello from a task")
    elb = own.client("elbv2")
    [group] = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    assert [h["TargetHealth"]["State"] for h in health] == ["healthy", "healthy"]
    # `deploy` creates stacks with change sets, so their first event is REVIEW_IN_PROGRESS.
    events = own.client("cloudformation").describe_stack_events(StackName="web")["StackEvents"]
    assert events[-1]["ResourceStatus"] == "REVIEW_IN_PROGRESS"

    # The network stack cannot be deleted while another stack imports from it.
    refused = own.aws_cli("cloudformation", "delete-stack", "--stack-name", "public-vpc", check=False)
    assert refused.returncode != 0 and "in use by web" in refused.stderr
    delete(own, "web")
    assert fetch(own, network).status_code == 404
    assert resources_of(own) == before


def failure(cloud, stack, template, **parameters):
    """CloudFormation's error for a template: from CreateStack, or from the events of the stack. Deletes the stack."""
    client = cloud.client("cloudformation")
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    try:
        client.create_stack(
            StackName=stack, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Message"]

    def rolled_back():
        status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        assert status != "CREATE_COMPLETE"
        return status == "ROLLBACK_COMPLETE"

    eventually(rolled_back, within=120)
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    delete(cloud, stack)
    return "\n".join(e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED")


def test_missing_image_rolls_back_the_stack(own, network, image):
    before, missing = resources_of(own), image.replace(":v1", ":none")
    template = (TEMPLATES / "fargate-service.yaml").read_text()
    why = failure(own, "broken", template, StackName="public-vpc", ServiceName="broken", ImageUrl=missing)
    assert "tasks failed to start" in why, why
    assert resources_of(own) == before


@pytest.mark.parametrize("change, expected", [
    (("Default: ''\n    Description: A cert", "Default: arn:aws:acm:x\n    Description: A cert"), "Certificate 'arn:aws:acm:x' not found"),
    (("Protocol: HTTP\n      DefaultActions", "Protocol: HTTPS\n      DefaultActions"), "HTTPS"),
    (("Type: application", "Type: gateway"), "gateway"),
    (("Type: AWS::ECS::Cluster", "Type: AWS::ECS::CapacityProvider"), "Unrecognized resource types: [AWS::ECS::CapacityProvider]"),
    (("InstanceTenancy: default", "InstanceTenancy: dedicated"), "dedicated"),
    (("MapPublicIpOnLaunch: true", "Ipv6Native: true"), "Resources/PublicSubnetOne/Properties/Ipv6Native"),
    (("GatewayId: !Ref InternetGateway", "GatewayId: !Ref Gateway"), "Unresolved resource dependencies [Gateway]"),
    (("Default: test", "Default: nowhere"), "Parameter 'Stage' must be one of AllowedValues"),
    (("!Select [0, !Cidr", "!Select [9, !Cidr"), "Select"),
])
def test_invalid_or_unsupported_parts_are_named(own, change, expected):
    before, text = resources_of(own), (TEMPLATES / "public-vpc.yaml").read_text()
    assert change[0] in text
    why = failure(own, f"broken-{uuid.uuid4().hex[:8]}", text.replace(*change))
    assert expected in why, why
    assert resources_of(own) == before


def test_template_for_another_account_is_refused(own):
    """The template of an environment contains its `account` and `region` as rules."""
    template, client = own.escale("template", SHOP, "--environment", "prod").stdout, own.client("cloudformation")
    needed = ["FrontendImage", "BackendImage", "CdnPublicKeyPem", "CdnPrivateKeyPem"]
    parameters = [{"ParameterKey": key, "ParameterValue": "x"} for key in needed]
    options = {"Parameters": parameters, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    with pytest.raises(botocore.exceptions.ClientError, match="the environment prod is for the account 123456789012"):
        client.create_stack(StackName="elsewhere", TemplateBody=template, **options)
    with pytest.raises(botocore.exceptions.ClientError, match="the environment prod is for the region eu-west-1"):
        other = template.replace("eu-west-3", "eu-west-1")
        client.create_stack(StackName="elsewhere", TemplateBody=other, **options)
    assert "elsewhere" not in [s["StackName"] for s in client.describe_stacks()["Stacks"]]


def test_shop_template_deploys(own, tmp_path):
    """Follows the steps of `escale template --help`, with skopeo instead of docker."""
    cloud, before = own, resources_of(own)
    subprocess.run([SHOP / "build"], check=True)
    create(cloud, "shop-images", cloud.escale("template", "--registry", SHOP).stdout)
    template = tmp_path / "shop.yaml"
    template.write_text(cloud.escale("template", SHOP, *postgres_setting()).stdout)

    images = {}
    for service in ("frontend", "backend"):
        program = (SHOP / service / f"bin/shop-{service}").read_bytes()
        config = {"User": "65534:65534", "Entrypoint": [f"/shop-{service}"]}
        layout(tmp_path / service, {f"shop-{service}": program}, config)
        images[service] = pushed(cloud, tmp_path / service, f"shop/{service}")

    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    site = f"http://shop.localhost:{cloud.env['ESCALE_WEB_PORT']}"
    deploy(
        cloud, "shop", template, FrontendImage=images["frontend"], BackendImage=images["backend"],
        SiteUrl=site, CdnPublicKeyPem=public, CdnPrivateKeyPem=key.read_text(),
    )
    shop = outputs(cloud, "shop")
    cloud.aws_cli("s3", "sync", str(SHOP / "frontend/dist"), f"s3://{shop['StaticBucketName']}/static/")

    page = fetch(cloud, site)
    assert page.status_code == 200 and "<html" in page.text.lower()
    style = fetch(cloud, site, "/static/shop.css")
    assert (style.status_code, hashlib.sha256(style.content).digest()) == (
        200, hashlib.sha256((SHOP / "frontend/dist/shop.css").read_bytes()).digest())
    assert fetch(cloud, site, "/api/items").json() == []
    balancer = f"http://{shop['LoadBalancerDns']}"
    assert fetch(cloud, balancer, "/api/health").status_code == 200

    # CloudFormation deletes only empty buckets, as on AWS, and a versioned bucket still has versions of deleted objects.
    empty(cloud.client("s3"), shop["StaticBucketName"])
    delete(cloud, "shop")
    [snapshot] = cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert re.fullmatch(r"shop-snapshot-dbinstance-[0-9a-z]+", snapshot["DBSnapshotIdentifier"])
    kept = resources_of(cloud)["buckets"]
    for bucket in kept:
        cloud.client("s3").delete_bucket(Bucket=bucket["Name"])
    delete(cloud, "shop-images")
    assert resources_of(cloud) == before
