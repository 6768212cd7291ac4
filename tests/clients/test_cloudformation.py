"""Stacks: unmodified clients create, describe, roll back and delete them."""

import json
import subprocess
import time
import uuid

import botocore.exceptions
import pytest

from conftest import eventually

NETWORK = """
AWSTemplateFormatVersion: "2010-09-09"
Description: A network and nothing else
Parameters:
  Block: { Type: String, Default: 10.77.0.0/16 }
  Word: { Type: String, Default: hush, NoEcho: true }
  Second: { Type: String, Default: "no", AllowedValues: ["yes", "no"] }
Conditions:
  HasSecond: !Equals [!Ref Second, "yes"]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Block
      Tags: [{ Key: Name, Value: !Sub "${AWS::StackName}-vpc" }]
  A:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
      AvailabilityZone: !Select [0, !GetAZs ""]
  B:
    Type: AWS::EC2::Subnet
    Condition: HasSecond
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
      AvailabilityZone: !Select [1, !GetAZs ""]
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub "${AWS::StackName}-vpc" } }
"""


@pytest.fixture
def stack(aws):
    """stack() returns a new stack name. The stacks with these names are deleted after the test."""
    cloudformation, names = aws("cloudformation"), []

    def name():
        names.append(f"test-{uuid.uuid4().hex[:8]}")
        return names[-1]

    yield name
    for made in reversed(names):
        cloudformation.delete_stack(StackName=made)
        waiter(cloudformation, "stack_delete_complete").wait(StackName=made, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def waiter(client, name):
    return client.get_waiter(name)


QUICK = {"Delay": 1, "MaxAttempts": 60}


def create(client, name, template, **more):
    made = client.create_stack(StackName=name, TemplateBody=template, **more)
    waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    return made["StackId"]


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]


def vpcs(aws, name):
    wanted = [{"Name": "tag:aws:cloudformation:stack-name", "Values": [name]}]
    return aws("ec2").describe_vpcs(Filters=wanted)["Vpcs"]


def test_stack_is_created_described_and_deleted(aws, stack):
    client, name = aws("cloudformation"), stack()
    arn = create(client, name, NETWORK, Tags=[{"Key": "team", "Value": "shop"}],
                 Parameters=[{"ParameterKey": "Second", "ParameterValue": "yes"}])
    shown = client.describe_stacks(StackName=name)["Stacks"][0]
    assert shown["StackId"] == arn and shown["Description"] == "A network and nothing else"
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in shown["Parameters"]}
    assert parameters == {"Block": "10.77.0.0/16", "Word": "****", "Second": "yes"}
    [vpc] = vpcs(aws, name)
    assert shown["Outputs"][0]["OutputValue"] == vpc["VpcId"]
    tags = {t["Key"]: t["Value"] for t in vpc["Tags"]}
    assert tags == {
        "Name": f"{name}-vpc", "team": "shop", "aws:cloudformation:stack-name": name,
        "aws:cloudformation:stack-id": arn, "aws:cloudformation:logical-id": "Vpc",
    }
    subnets = aws("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert sorted((s["CidrBlock"], s["AvailabilityZone"]) for s in subnets) == [
        ("10.77.0.0/24", "eu-west-3a"), ("10.77.1.0/24", "eu-west-3b"),
    ]
    resources = client.describe_stack_resources(StackName=name)["StackResources"]
    assert {r["LogicalResourceId"]: r["ResourceStatus"] for r in resources} == dict.fromkeys(["Vpc", "A", "B"], "CREATE_COMPLETE")
    assert client.get_template(StackName=name)["TemplateBody"] == NETWORK
    assert f"{name}-vpc" in [e["Name"] for e in client.list_exports()["Exports"]]

    client.delete_stack(StackName=name)
    waiter(client, "stack_delete_complete").wait(StackName=arn, WaiterConfig=QUICK)
    assert vpcs(aws, name) == []
    error = refusal(client.describe_stacks, StackName=name)
    assert (error["Code"], error["Message"]) == ("ValidationError", f"Stack with id {name} does not exist")
    assert client.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    events = client.describe_stack_events(StackName=arn)["StackEvents"]
    assert (events[-1]["ResourceStatus"], events[-1]["ResourceStatusReason"]) == ("CREATE_IN_PROGRESS", "User Initiated")
    assert (events[0]["LogicalResourceId"], events[0]["ResourceStatus"]) == (name, "DELETE_COMPLETE")


def test_failed_creation_rolls_back_with_reason(aws, stack):
    client, name = aws("cloudformation"), stack()
    template = {"Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.78.0.0/16"}},
        "Far": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "192.168.0.0/24"}},
    }}
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    with pytest.raises(botocore.exceptions.WaiterError):
        waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)

    # Not with the client's waiter for rollbacks, which waits for UPDATE_ROLLBACK_COMPLETE.
    def rolled_back():
        return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"

    eventually(rolled_back, within=60)
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    reasons = {(e["LogicalResourceId"], e["ResourceStatus"]): e.get("ResourceStatusReason", "") for e in events}
    assert "192.168.0.0/24" in reasons["Far", "CREATE_FAILED"]
    assert reasons[name, "ROLLBACK_IN_PROGRESS"] == (
        "The following resource(s) failed to create: [Far]. Rollback requested by user."
    )
    assert vpcs(aws, name) == []


@pytest.mark.parametrize("template, expected", [
    ("Resources: { A: { Type: AWS::X::Y } }", "Template format error: Unrecognized resource types: [AWS::X::Y]"),
    ("Resources: { A: { Type: AWS::EC2::VPC, Properties: { Colour: red } } }", "extraneous key [Colour] is not permitted"),
    ("Resources: { A: { Type: AWS::EC2::Subnet, Properties: { CidrBlock: [] } } }", "#: required key [VpcId] not found"),
    ("Resources: { A: { Type: AWS::EC2::Subnet, Properties: { CidrBlock: [] } } }", "#/CidrBlock: expected type: String, found: JSONArray"),
    ("Resources: { A: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 8 } } }", "keyword [enum]"),
    ("Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref B } } }", "Unresolved resource dependencies [B]"),
    ("Resources: { A: { Type: AWS::SQS::Queue } }", "[AWS::SQS::Queue]"),
    ("Resources: {}", "At least one Resources member must be defined."),
    ("Resources: { A: { Type: AWS::EC2::VPC, DeletionPolicy: Snapshot } }", "does not support deletion policy Snapshot"),
    ("Parameters: { P: { Type: String } }\nResources: { A: { Type: AWS::EC2::VPC } }", "Parameters: [P] must have values"),
])
def test_invalid_template_creates_nothing(aws, template, expected):
    name = f"broken-{uuid.uuid4().hex[:8]}"
    error = refusal(aws("cloudformation").create_stack, StackName=name, TemplateBody=template)
    assert error["Code"] == "ValidationError" and expected in error["Message"]
    assert refusal(aws("cloudformation").describe_stacks, StackName=name)["Code"] == "ValidationError"


def test_protected_or_imported_stack_is_not_deleted(aws, stack):
    client, one, two = aws("cloudformation"), stack(), stack()
    create(client, one, NETWORK)
    importing = {"Resources": {"S": {"Type": "AWS::EC2::Subnet", "Properties": {
        "VpcId": {"Fn::ImportValue": f"{one}-vpc"}, "CidrBlock": "10.77.200.0/24"}}}}
    create(client, two, json.dumps(importing))
    assert client.list_imports(ExportName=f"{one}-vpc")["Imports"] == [two]
    assert "in use by " + two in refusal(client.delete_stack, StackName=one)["Message"]
    client.update_termination_protection(StackName=two, EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in refusal(client.delete_stack, StackName=two)["Message"]
    client.update_termination_protection(StackName=two, EnableTerminationProtection=False)


def test_cli_deploy_creates_updates_and_finds_no_changes(cloud, aws, stack, tmp_path):
    name, template = stack(), tmp_path / "network.yaml"
    template.write_text(NETWORK)

    def deploy(*more):
        # The CLI names its change sets by the second, so two within one second collide, here as on AWS.
        time.sleep(1.1)
        options = ["--stack-name", name, "--template-file", str(template), "--no-fail-on-empty-changeset", *more]
        return cloud.aws_cli("cloudformation", "deploy", *options).stdout

    assert "Successfully created/updated stack" in deploy()
    assert "No changes to deploy" in deploy()
    assert "Successfully created/updated stack" in deploy("--parameter-overrides", "Second=yes")
    (vpc,) = vpcs(aws, name)
    subnets = aws("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert len(subnets) == 2


def test_creation_continues_after_daemon_is_killed(own_cloud):
    client = own_cloud.client("cloudformation")
    rows = {f"Vpc{i}": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": f"10.{i}.0.0/16"}} for i in range(1, 40)}
    client.create_stack(StackName="many", TemplateBody=json.dumps({"Resources": rows}))
    subprocess.run(["kill", "-9", str(own_cloud.status()["daemon"]["pid"])], check=True)
    own_cloud.escale("start")
    waiter(client, "stack_create_complete").wait(StackName="many", WaiterConfig=QUICK)
    own = [{"Name": "is-default", "Values": ["false"]}]
    assert len(own_cloud.client("ec2").describe_vpcs(Filters=own)["Vpcs"]) == len(rows)
