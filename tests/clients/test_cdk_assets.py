"""The AWS CDK as it is: `cdk bootstrap`, the default synthesizer with assets, and the commands that change a stack. Its programs are
those of cdk/package.json, which `cargo xtask setup` installs into target/cdk."""

import json
import pathlib
import shutil
import subprocess

import botocore.exceptions
import pytest

from conftest import REGION, ROOT, running_cloud
from images import busybox

HERE = pathlib.Path(__file__).parent / "cdk"
MODULES = ROOT / "target/cdk/node_modules"
ACCOUNT = "000000000000"
BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
QUICK = {"Delay": 1, "MaxAttempts": 120}


class Cdk:
    """The CDK's command line for a cloud, with the app cdk/app.js."""

    def __init__(self, cloud, folder):
        self.cloud = cloud
        self.folder = folder
        self.page = folder / "page.html"
        self.page.write_text("first")
        image = folder / "image"
        busybox(image / "image", Cmd=["sleep", "1000"])
        (image / "Dockerfile").write_text("FROM scratch\n")
        (folder / "store").mkdir()
        self.app = {
            "PAGE": str(self.page), "IMAGE": str(image), "GREETING": "hello", "STORE": str(folder / "store"),
            "CDK_DOCKER": str(HERE / "docker.sh"), "NODE_PATH": str(MODULES), "HOME": str(folder), "CI": "true",
            "CDK_DISABLE_VERSION_CHECK": "1", "NODE_NO_WARNINGS": "1",
        }
        # The app reads the context of the folder that it runs in.
        shutil.copy(HERE / "app.js", folder)

    def run(self, *args, check=True, **app):
        """Runs a command and returns everything that it prints."""
        command = [str(MODULES / ".bin/cdk"), "--app", "node app.js", "--no-notices", "--no-color", *args]
        done = subprocess.run(
            command, cwd=self.folder, env={**self.cloud.env, **self.cloud.root(), **self.app, **app},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )
        assert (done.returncode == 0) == check, f"cdk {' '.join(args)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def deploy(self, *args, **options):
        return self.run("deploy", "--require-approval", "never", *args, **options)

    def status(self, stack):
        [shown] = self.cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return shown["StackStatus"]


def refused(call, **arguments):
    """The code and the message of the error of a call."""
    with pytest.raises(botocore.exceptions.ClientError) as failed:
        call(**arguments)
    error = failed.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture(scope="module")
def cdk(tmp_path_factory):
    with running_cloud() as cloud:
        # The bucket of `cdk bootstrap` has a policy that denies everything else.
        cloud.use_https()
        made = Cdk(cloud, tmp_path_factory.mktemp("cdk"))
        made.run("bootstrap", f"aws://{ACCOUNT}/{REGION}")
        yield made


def test_bootstrap_makes_bucket_repository_and_roles(cdk):
    cloud = cdk.cloud
    assert cdk.status("CDKToolkit") == "CREATE_COMPLETE"
    version = cloud.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    assert int(version) >= 20
    s3 = cloud.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    [rule] = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert {rule["ID"] for rule in rules} == {"CleanupOldVersions", "AbortIncompleteMultipartUploads"}
    [repository] = cloud.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    iam = cloud.client("iam")
    attached = {
        role: [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=name(role))["AttachedPolicies"]]
        for role in ("lookup", "deploy", "cfn-exec", "file-publishing", "image-publishing")
    }
    assert attached == {
        "lookup": ["ReadOnlyAccess"], "deploy": ["AWSCloudFormationReadOnlyAccess"], "cfn-exec": ["AdministratorAccess"],
        "file-publishing": [], "image-publishing": [],
    }


def name(role):
    return f"cdk-hnb659fds-{role}-role-{ACCOUNT}-{REGION}"


def test_bootstrap_roles_can_do_only_their_task(cdk):
    def client(role, service):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name(role)}"
        keys = cdk.cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return cdk.cloud.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    assert client("lookup", "ec2").describe_vpcs()["Vpcs"]
    assert refused(client("lookup", "ec2").create_vpc, CidrBlock="10.8.0.0/16")[0] == "UnauthorizedOperation"
    # Its statement on S3 is for buckets of other accounts only.
    assert refused(client("deploy", "s3").create_bucket, Bucket="other")[0] == "AccessDenied"
    assert refused(client("deploy", "s3").put_object, Bucket=BUCKET, Key="k", Body=b"")[0] == "AccessDenied"
    client("file-publishing", "s3").put_object(Bucket=BUCKET, Key="k", Body=b"")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name('deploy')}"
    sts = cdk.cloud.client("sts")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="test", ExternalId="other")[0] == "AccessDenied"


def outputs(cdk, stack):
    [shown] = cdk.cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert shown["RoleARN"].endswith(name("cfn-exec"))
    return {o["OutputKey"]: o["OutputValue"] for o in shown["Outputs"]}


def content(cdk):
    made = outputs(cdk, "Files")
    return cdk.cloud.client("s3").get_object(Bucket=made["Bucket"], Key=made["Key"])["Body"].read().decode()


def greeting(cdk):
    return cdk.cloud.client("ssm").get_parameter(Name="/greeting")["Parameter"]["Value"]


def test_stack_with_a_file_is_deployed_changed_rolled_back_and_destroyed(cdk):
    cdk.deploy("Files")
    assert (content(cdk), greeting(cdk)) == ("first", "hello")
    assert "There were no differences" in cdk.run("diff", "Files")
    assert "no changes" in cdk.deploy("Files")

    cdk.page.write_text("second")
    difference = cdk.run("diff", "Files", GREETING="good day")
    assert "[~] AWS::SSM::Parameter Greeting" in difference and "good day" in difference
    # The difference comes from a change set, which is deleted again.
    assert not cdk.cloud.client("cloudformation").list_change_sets(StackName="Files")["Summaries"]
    assert greeting(cdk) == "hello"
    cdk.deploy("Files", GREETING="good day")
    assert (content(cdk), greeting(cdk)) == ("second", "good day")

    broken = {"GREETING": "bad day", "BROKEN": "yes"}
    assert "already exists" in cdk.deploy("Files", "--no-rollback", check=False, **broken)
    assert (cdk.status("Files"), greeting(cdk)) == ("UPDATE_FAILED", "bad day")
    cdk.run("rollback", "Files")
    assert (cdk.status("Files"), greeting(cdk)) == ("UPDATE_ROLLBACK_COMPLETE", "good day")

    ssm = cdk.cloud.client("ssm")
    ssm.put_parameter(Name="/imported", Type="String", Value="there before")
    (cdk.folder / "mapping.json").write_text(json.dumps({"Imported": {"Name": "/imported"}}))
    cdk.run("import", "Files", "--resource-mapping", "mapping.json", "--force", GREETING="good day", IMPORTED="there before")
    assert cdk.status("Files") == "IMPORT_COMPLETE"
    cdk.deploy("Files", GREETING="good day", IMPORTED="changed")
    assert ssm.get_parameter(Name="/imported")["Parameter"]["Value"] == "changed"
    cdk.deploy("Files", GREETING="good day")

    assert "No drift detected" in cdk.run("drift", "Files")
    cdk.cloud.client("ssm").put_parameter(Name="/greeting", Value="from somebody else", Overwrite=True)
    drift = cdk.run("drift", "--fail", "Files", check=False)
    assert "/Value" in drift and "from somebody else" in drift and "good day" in drift
    assert "1 resource has drifted" in drift

    cdk.run("destroy", "--force", "Files")
    assert refused(cdk.cloud.client("cloudformation").describe_stacks, StackName="Files")[0] == "ValidationError"
    assert refused(cdk.cloud.client("ssm").get_parameter, Name="/greeting")[0] == "ParameterNotFound"


def test_image_asset_runs_in_the_vpc_that_was_looked_up(cdk):
    ec2, ecs = cdk.cloud.client("ec2"), cdk.cloud.client("ecs")
    [default] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    cdk.deploy("Web")
    looked_up = json.loads((cdk.folder / "cdk.context.json").read_text())
    assert [v["vpcId"] for v in looked_up.values()] == [default["VpcId"]]
    [cluster] = ecs.list_clusters()["clusterArns"]
    [running] = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
    [task] = ecs.describe_tasks(cluster=cluster, tasks=[running])["tasks"]
    [pushed] = cdk.cloud.client("ecr").describe_images(
        repositoryName=f"cdk-hnb659fds-container-assets-{ACCOUNT}-{REGION}")["imageDetails"]
    [container] = task["containers"]
    assert container["lastStatus"] == "RUNNING" and container["imageDigest"] == pushed["imageDigest"]
    assert container["image"].endswith(pushed["imageTags"][0])
    cdk.run("destroy", "--force", "Web")
    assert ecs.list_clusters()["clusterArns"] == []


def test_aws_cli_packages_and_deploys(cdk, tmp_path):
    """A condition excludes the packaged resource, whose type is not supported: packaging itself reads no conditions."""
    (tmp_path / "job.py").write_text("print('hello')")
    (tmp_path / "template.yaml").write_text("""
Conditions: {Never: !Equals [a, b]}
Resources:
  Job: {Type: AWS::Glue::Job, Condition: Never, Properties: {Command: {Name: x, ScriptLocation: job.py}, Role: x}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Name: /packaged, Type: String, Value: one}}
""")
    packaged = tmp_path / "packaged.yaml"
    cli = cdk.cloud.aws_cli
    cli("cloudformation", "package", "--template-file", str(tmp_path / "template.yaml"), "--s3-bucket", BUCKET,
        "--output-template-file", str(packaged))
    [key] = [line.split(f"s3://{BUCKET}/")[1] for line in packaged.read_text().splitlines() if "s3://" in line]
    assert cdk.cloud.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"print('hello')"
    cloudformation = cdk.cloud.client("cloudformation")
    cloudformation.create_stack(StackName="packaged", TemplateBody=packaged.read_text())
    cloudformation.get_waiter("stack_create_complete").wait(StackName="packaged", WaiterConfig=QUICK)
    packaged.write_text(packaged.read_text().replace("one", "two"))
    # The template itself is uploaded, too.
    cli("cloudformation", "deploy", "--stack-name", "packaged", "--s3-bucket", BUCKET, "--template-file", str(packaged))
    assert cdk.cloud.client("ssm").get_parameter(Name="/packaged")["Parameter"]["Value"] == "two"
    cloudformation.delete_stack(StackName="packaged")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="packaged", WaiterConfig=QUICK)


def test_automatic_import_of_an_existing_resource_is_refused_by_name(cdk):
    cloudformation = cdk.cloud.client("cloudformation")
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": BUCKET}}
    wanted = {
        "StackName": "imported", "ChangeSetName": "c", "ChangeSetType": "CREATE", "ImportExistingResources": True,
        "TemplateBody": json.dumps({"Resources": {"Bucket": bucket}}),
    }
    code, message = refused(cloudformation.create_change_set, **wanted)
    assert code == "NotImplemented" and f"AWS::S3::Bucket {BUCKET}" in message
    wanted["TemplateBody"] = wanted["TemplateBody"].replace(BUCKET, "new-name")
    cloudformation.create_change_set(**wanted)
    [change] = cloudformation.describe_change_set(StackName="imported", ChangeSetName="c")["Changes"]
    assert change["ResourceChange"]["Action"] == "Add"
    cloudformation.delete_stack(StackName="imported")
