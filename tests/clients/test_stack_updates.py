"""Stacks that change: unmodified clients update, replace, roll back, continue, cancel and predict."""

import json
import uuid

import botocore.exceptions
import pytest

from conftest import eventually

QUICK = {"Delay": 1, "MaxAttempts": 90}

TEMPLATE = """
Parameters:
  Days: { Type: Number, Default: 7 }
  Name: { Type: String, Default: "" }
Conditions:
  Named: !Not [!Equals [!Ref Name, ""]]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: { CidrBlock: 10.81.0.0/16, Tags: [{ Key: Name, Value: before }] }
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: { VpcId: !Ref Vpc, CidrBlock: 10.81.1.0/24 }
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: one
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8 }]
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: { RetentionInDays: !Ref Days, LogGroupName: !If [Named, !Ref Name, !Ref "AWS::NoValue"] }
  Where:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Ref Logs, Description: where logs go }
Outputs:
  Logs: { Value: !Ref Logs }
  Group: { Value: !Ref Group }
"""

# Another subnet whose block is taken, after all other changes.
TAKEN = """  Second:
    Type: AWS::EC2::Subnet
    DependsOn: [Group, Logs, Subnet, Where]
    Properties: { VpcId: !Ref Vpc, CidrBlock: 10.81.1.0/25 }
Outputs:"""


@pytest.fixture
def made(aws):
    """made(template, **options) creates a stack, deleted after the test, and returns its name."""
    cloudformation, names = aws("cloudformation"), []

    def make(template=TEMPLATE, **options):
        name = f"change-{uuid.uuid4().hex[:8]}"
        names.append(name)
        cloudformation.create_stack(StackName=name, TemplateBody=template, **options)
        wait(cloudformation, "stack_create_complete", name)
        return name

    yield make
    for name in reversed(names):
        cloudformation.delete_stack(StackName=name)
        wait(cloudformation, "stack_delete_complete", name)


def wait(cloudformation, what, name):
    cloudformation.get_waiter(what).wait(StackName=name, WaiterConfig=QUICK)


def update(cloudformation, name, template=None, until="stack_update_complete", **options):
    body = {"TemplateBody": template} if template else {"UsePreviousTemplate": True}
    cloudformation.update_stack(StackName=name, **body, **options)
    wait(cloudformation, until, name)


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]


def described(cloudformation, name):
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def outputs(cloudformation, name):
    return {o["OutputKey"]: o["OutputValue"] for o in described(cloudformation, name)["Outputs"]}


def physical(cloudformation, name):
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {r["LogicalResourceId"]: r.get("PhysicalResourceId") for r in found}


def last_events(cloudformation, name):
    """`Logical STATUS` of the last operation, oldest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    lines = []
    for event in (e for page in pages for e in page["StackEvents"]):
        lines.insert(0, f"{event['LogicalResourceId']} {event['ResourceStatus']}")
        if event.get("ResourceStatusReason") == "User Initiated":
            return lines


def test_update_in_place_keeps_the_resources(aws, made):
    cloudformation, ec2, logs = aws("cloudformation"), aws("ec2"), aws("logs")
    name = made()
    before = physical(cloudformation, name)
    changed = TEMPLATE.replace("Value: before", "Value: after").replace("FromPort: 80, ToPort: 80", "FromPort: 81, ToPort: 81")
    update(cloudformation, name, changed, Parameters=[{"ParameterKey": "Days", "ParameterValue": "30"}])
    assert physical(cloudformation, name) == before
    group = ec2.describe_security_groups(GroupIds=[before["Group"]])["SecurityGroups"][0]
    assert [p["FromPort"] for p in group["IpPermissions"]] == [81]
    vpc = ec2.describe_vpcs(VpcIds=[before["Vpc"]])["Vpcs"][0]
    assert {"Key": "Name", "Value": "after"} in vpc["Tags"]
    found = logs.describe_log_groups(logGroupNamePrefix=before["Logs"])["logGroups"][0]
    assert found["retentionInDays"] == 30
    events = last_events(cloudformation, name)
    # Nothing else was touched.
    assert sorted(events) == sorted(
        [f"{name} {s}" for s in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE")]
        + [f"{r} {s}" for r in ("Vpc", "Group", "Logs") for s in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")]
    )
    error = refusal(
        cloudformation.update_stack,
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Days", "UsePreviousValue": True}],
    )
    assert (error["Code"], error["Message"]) == ("ValidationError", "No updates are to be performed.")


def test_replacement_changes_what_refers_to_it_and_deletes_the_old_one_last(aws, made):
    cloudformation, logs, ssm = aws("cloudformation"), aws("logs"), aws("ssm")
    name = made()
    before = physical(cloudformation, name)
    wanted = f"/renamed/{name}"
    update(cloudformation, name, Parameters=[{"ParameterKey": "Name", "ParameterValue": wanted}])
    after = physical(cloudformation, name)
    assert after["Logs"] == wanted == outputs(cloudformation, name)["Logs"]
    assert {k: v for k, v in after.items() if k != "Logs"} == {k: v for k, v in before.items() if k != "Logs"}
    assert ssm.get_parameter(Name=before["Where"])["Parameter"]["Value"] == wanted
    assert logs.describe_log_groups(logGroupNamePrefix=before["Logs"])["logGroups"] == []
    events = last_events(cloudformation, name)
    assert events.index("Where UPDATE_COMPLETE") < events.index("Logs DELETE_IN_PROGRESS")


def test_failed_update_returns_to_the_old_state(aws, made):
    cloudformation, ec2, logs = aws("cloudformation"), aws("ec2"), aws("logs")
    name = made()
    before = physical(cloudformation, name)
    # The subnet's block is taken, after the other changes.
    broken = (
        TEMPLATE.replace("Value: before", "Value: after")
        .replace("GroupDescription: one", "GroupDescription: two")
        .replace("RetentionInDays: !Ref Days", "RetentionInDays: 30")
        .replace("Outputs:", TAKEN, 1)
    )
    cloudformation.update_stack(StackName=name, TemplateBody=broken)
    eventually(lambda: described(cloudformation, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")
    assert physical(cloudformation, name) == before
    vpc = ec2.describe_vpcs(VpcIds=[before["Vpc"]])["Vpcs"][0]
    assert {"Key": "Name", "Value": "before"} in vpc["Tags"]
    assert logs.describe_log_groups(logGroupNamePrefix=before["Logs"])["logGroups"][0]["retentionInDays"] == 7
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [before["Vpc"]]}])["SecurityGroups"]
    assert {g["GroupId"] for g in groups if g["GroupName"] != "default"} == {before["Group"]}
    assert cloudformation.get_template(StackName=name)["TemplateBody"] == TEMPLATE
    events = last_events(cloudformation, name)
    assert events.index("Second CREATE_FAILED") < events.index(f"{name} UPDATE_ROLLBACK_IN_PROGRESS")


def test_failed_update_can_be_kept_and_rolled_back_later(aws, made):
    cloudformation, logs = aws("cloudformation"), aws("logs")
    name = made()
    broken = TEMPLATE.replace("RetentionInDays: !Ref Days", "RetentionInDays: 30").replace("Outputs:", TAKEN, 1)
    cloudformation.update_stack(StackName=name, TemplateBody=broken, DisableRollback=True)
    eventually(lambda: described(cloudformation, name)["StackStatus"] == "UPDATE_FAILED")
    group = physical(cloudformation, name)["Logs"]
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 30
    cloudformation.rollback_stack(StackName=name)
    eventually(lambda: described(cloudformation, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    assert "cannot be rolled back" in refusal(cloudformation.rollback_stack, StackName=name)["Message"]


def test_change_set_predicts_the_update(aws, made):
    cloudformation = aws("cloudformation")
    name = made()
    changed = TEMPLATE.replace("GroupDescription: one", "GroupDescription: two").replace("Value: before", "Value: after")
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="next",
        TemplateBody=changed,
        Parameters=[{"ParameterKey": "Days", "ParameterValue": "14"}],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName="next")
    seen = cloudformation.describe_change_set(StackName=name, ChangeSetName="next", IncludePropertyValues=True)
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in seen["Changes"]}
    assert {k: (c["Action"], c["Replacement"]) for k, c in changes.items()} == {
        "Vpc": ("Modify", "False"),
        "Group": ("Modify", "True"),
        "Logs": ("Modify", "False"),
    }
    detail = changes["Logs"]["Details"][0]
    assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ParameterReference", "Days")
    assert (detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]) == ("7", "14")
    assert changes["Group"]["PolicyAction"] == "ReplaceAndDelete"
    before = physical(cloudformation, name)
    cloudformation.execute_change_set(StackName=name, ChangeSetName="next")
    wait(cloudformation, "stack_update_complete", name)
    after = physical(cloudformation, name)
    assert {k for k in before if before[k] != after[k]} == {"Group"}


def test_stack_acts_with_the_role_that_it_was_given(aws, made):
    cloudformation, iam = aws("cloudformation"), aws("iam")
    role = f"deployer-{uuid.uuid4().hex[:8]}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    def allow(*actions):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(document))

    template = "Resources: { L: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 7 } } }"
    error = refusal(
        cloudformation.create_stack, StackName="nobody", TemplateBody=template, RoleARN=arn.replace(role, "missing")
    )
    assert "is invalid or cannot be assumed" in error["Message"]
    allow("logs:*")
    name = made(template, RoleARN=arn)
    assert described(cloudformation, name)["RoleARN"] == arn
    # A later update has the role's permissions, although root asks for it.
    allow("logs:Describe*")
    cloudformation.update_stack(StackName=name, TemplateBody=template.replace("7", "14"))
    eventually(lambda: described(cloudformation, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")
    reasons = [
        e.get("ResourceStatusReason", "")
        for e in cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        if e["ResourceStatus"] == "UPDATE_FAILED"
    ]
    assert any("AccessDenied" in r and "logs:PutRetentionPolicy" in r for r in reasons), reasons
    allow("logs:*")
    cloudformation.update_stack(StackName=name, TemplateBody=template.replace("7", "14"))
    wait(cloudformation, "stack_update_complete", name)
