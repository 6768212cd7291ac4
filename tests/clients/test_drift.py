"""Drift: what clients change behind a stack's back is reported, and nothing else."""

import json
import subprocess
import uuid

import botocore.exceptions
import pytest

from conftest import SHOP, postgres_setting

QUICK = {"Delay": 1, "MaxAttempts": 90}

TEMPLATE = """
Parameters:
  Word: { Type: String, NoEcho: true }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.78.0.0/16 } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.78.0.0/24 } }
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - { IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8 }
        - { IpProtocol: tcp, FromPort: "443", ToPort: "443", CidrIp: 10.0.0.0/8 }
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { Tags: [{ Key: team, Value: web }, { Key: cost, Value: "1" }] }
  # The client has no TLS, but the detection does not read the bucket as the client.
  Private: { Type: AWS::S3::Bucket }
  OnlyTls:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Private
      PolicyDocument:
        Statement:
          - { Effect: Deny, Principal: "*", Action: "s3:*", Resource: !GetAtt Private.Arn, Condition: { Bool: { "aws:SecureTransport": false } } }
  Logs: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 7 } }
  Gone: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: here } }
  Hidden: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Word } }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Action: "sts:AssumeRole", Principal: { Service: ecs-tasks.amazonaws.com } }]
  Cluster: { Type: AWS::ECS::Cluster }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Cpu: 256
      Memory: 512
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      ContainerDefinitions: [{ Name: web, Image: "none.invalid/web:1" }]
  Service:
    Type: AWS::ECS::Service
    Properties:
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      DesiredCount: 0
      LaunchType: FARGATE
      NetworkConfiguration:
        AwsvpcConfiguration: { Subnets: [!Ref Subnet], SecurityGroups: [!Ref Group] }
"""


@pytest.fixture(scope="module")
def stack(aws):
    """The name of a stack, and its physical ids."""
    client, name = aws("cloudformation"), f"drift-{uuid.uuid4().hex[:8]}"
    client.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "Word", "ParameterValue": "hush"}],
        Tags=[{"Key": "owner", "Value": "shop"}],
    )
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
        resources = client.describe_stack_resources(StackName=name)["StackResources"]
        yield name, {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
    finally:
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=QUICK)


def detected(client, name):
    """The finished detection."""
    detection = client.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    status = client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert status["DetectionStatus"] == "DETECTION_COMPLETE", status
    return status


def differences(client, name):
    """For each drifted resource its status and its differences."""
    found = {}
    answer = client.describe_stack_resource_drifts(
        StackName=name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )
    for drift in answer["StackResourceDrifts"]:
        lines = [
            (d["DifferenceType"], d["PropertyPath"], d["ExpectedValue"], d["ActualValue"])
            for d in drift["PropertyDifferences"]
        ]
        found[drift["LogicalResourceId"]] = (drift["StackResourceDriftStatus"], lines)
    return found


def change_behind_the_back(aws, physical):
    ec2 = aws("ec2")
    rule = {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "FromPort": 22, "ToPort": 22}
    ec2.authorize_security_group_ingress(GroupId=physical["Group"], IpPermissions=[rule])
    tags = [{"Key": "owner", "Value": "shop"}, {"Key": "team", "Value": "other"}, {"Key": "new", "Value": "x"}]
    aws("s3").put_bucket_tagging(Bucket=physical["Bucket"], Tagging={"TagSet": tags})
    aws("logs").put_retention_policy(logGroupName=physical["Logs"], retentionInDays=14)
    aws("ecs").update_service(cluster=physical["Cluster"], service=physical["Service"], desiredCount=1)
    aws("ssm").delete_parameter(Name=physical["Gone"])


def test_fresh_stack_is_in_sync_and_changes_are_reported_exactly(aws, stack):
    client, (name, physical) = aws("cloudformation"), stack
    fresh = client.describe_stacks(StackName=name)["Stacks"][0]["DriftInformation"]
    assert fresh == {"StackDriftStatus": "NOT_CHECKED"}
    status = detected(client, name)
    assert differences(client, name) == {}
    assert (status["StackDriftStatus"], status["DriftedStackResourceCount"]) == ("IN_SYNC", 0)

    change_behind_the_back(aws, physical)
    status = detected(client, name)
    assert (status["StackDriftStatus"], status["DriftedStackResourceCount"]) == ("DRIFTED", 5)
    found = differences(client, name)
    added = {"CidrIp": "0.0.0.0/0", "FromPort": 22, "IpProtocol": "tcp", "ToPort": 22}
    [(kind, path, expected, actual)] = found["Group"][1]
    # The index is that in the service's list, whose order is not specified.
    assert (kind, path.rsplit("/", 1)[0], expected) == ("ADD", "/SecurityGroupIngress", "null")
    assert json.loads(actual) == added
    status, lines = found["Bucket"]
    assert status == "MODIFIED"
    assert [line[:2] for line in lines] == [
        ("NOT_EQUAL", "/Tags/0/Value"), ("REMOVE", "/Tags/1"), ("ADD", "/Tags/2"),
    ]
    assert lines[0][2:] == ("web", "other")
    assert json.loads(lines[1][2]) == {"Key": "cost", "Value": "1"} and lines[1][3] == "null"
    assert json.loads(lines[2][3]) == {"Key": "new", "Value": "x"}
    assert found["Logs"] == ("MODIFIED", [("NOT_EQUAL", "/RetentionInDays", "7", "14")])
    assert found["Service"] == ("MODIFIED", [("NOT_EQUAL", "/DesiredCount", "0", "1")])
    assert found["Gone"] == ("DELETED", [])
    assert set(found) == {"Group", "Bucket", "Logs", "Service", "Gone"}
    # The deletion of the stack must not wait for a task that never starts.
    aws("ecs").update_service(cluster=physical["Cluster"], service=physical["Service"], desiredCount=0)


def test_results_are_part_of_descriptions(aws, stack):
    client, (name, physical) = aws("cloudformation"), stack
    aws("logs").put_retention_policy(logGroupName=physical["Logs"], retentionInDays=30)
    drift = client.detect_stack_resource_drift(StackName=name, LogicalResourceId="Logs")["StackResourceDrift"]
    assert drift["StackResourceDriftStatus"] == "MODIFIED" and drift["PhysicalResourceId"] == physical["Logs"]
    assert json.loads(drift["ExpectedProperties"])["RetentionInDays"] == 7
    assert json.loads(drift["ActualProperties"])["RetentionInDays"] == 30
    shown = client.describe_stack_resource(StackName=name, LogicalResourceId="Logs")["StackResourceDetail"]
    assert shown["DriftInformation"]["StackResourceDriftStatus"] == "MODIFIED"
    assert shown["DriftInformation"]["LastCheckTimestamp"] == drift["Timestamp"]
    [described] = client.describe_stacks(StackName=name)["Stacks"]
    assert described["DriftInformation"]["StackDriftStatus"] == "DRIFTED"
    [listed] = [s for s in client.list_stacks()["StackSummaries"] if s["StackName"] == name]
    assert listed["DriftInformation"]["StackDriftStatus"] == "DRIFTED"


def test_secrets_are_not_shown(aws, stack):
    client, (name, physical) = aws("cloudformation"), stack
    aws("ssm").put_parameter(Name=physical["Hidden"], Value="louder", Overwrite=True)
    drift = client.detect_stack_resource_drift(StackName=name, LogicalResourceId="Hidden")["StackResourceDrift"]
    assert drift["StackResourceDriftStatus"] == "IN_SYNC"
    assert json.loads(drift["ActualProperties"])["Value"] == "****"


def test_unknown_resource_is_refused(aws, stack):
    client, (name, _) = aws("cloudformation"), stack
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.detect_stack_drift(StackName=name, LogicalResourceIds=["None"])
    assert error.value.response["Error"]["Message"] == f"Resource None does not exist for stack {name}"


def test_fresh_shop_is_in_sync(own_cloud):
    # Not the shared shop, which other tests change behind its stack's back.
    subprocess.run([SHOP / "build"], check=True)
    stack = json.loads(own_cloud.escale("up", SHOP, "--json", *postgres_setting(), timeout=180).stdout)["stack"]
    client = own_cloud.client("cloudformation")
    status = detected(client, stack)
    assert differences(client, stack) == {}
    assert status["StackDriftStatus"] == "IN_SYNC"
