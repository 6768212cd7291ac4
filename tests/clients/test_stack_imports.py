"""Change sets of the type IMPORT: existing resources become resources of a stack."""

import json
import uuid

import botocore.exceptions
import pytest

QUICK = {"Delay": 1, "MaxAttempts": 60}


def template(bucket, group, days=7, **more):
    return json.dumps({"Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": bucket}},
        "Group": {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Delete",
                  "Properties": {"LogGroupName": group, "RetentionInDays": days}},
        **more,
    }, "Outputs": {"Bucket": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}}}})


def test_existing_bucket_and_log_group_become_a_stack(aws):
    cloudformation, s3, logs = aws("cloudformation"), aws("s3"), aws("logs")
    name = f"import-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket=name, Key="kept", Body=b"of before")
    logs.create_log_group(logGroupName=f"/{name}")
    logs.put_retention_policy(logGroupName=f"/{name}", retentionInDays=7)
    [of_group] = [s for s in cloudformation.get_template_summary(TemplateBody=template(name, f"/{name}"))["ResourceIdentifierSummaries"]
                  if s["ResourceType"] == "AWS::Logs::LogGroup"]
    assert (of_group["LogicalResourceIds"], of_group["ResourceIdentifiers"]) == (["Group"], ["LogGroupName"])

    named = {"StackName": name, "ChangeSetName": "import"}
    wanted = [
        {"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "Bucket", "ResourceIdentifier": {"BucketName": name}},
        {"ResourceType": "AWS::Logs::LogGroup", "LogicalResourceId": "Group", "ResourceIdentifier": {"LogGroupName": f"/{name}"}},
    ]
    cloudformation.create_change_set(
        **named, ChangeSetType="IMPORT", ResourcesToImport=wanted, TemplateBody=template(name, f"/{name}"),
        Tags=[{"Key": "team", "Value": "web"}])
    cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=QUICK)
    changes = [c["ResourceChange"] for c in cloudformation.describe_change_set(**named)["Changes"]]
    assert {(c["Action"], c["PhysicalResourceId"]) for c in changes} == {("Import", name), ("Import", f"/{name}")}
    cloudformation.execute_change_set(**named)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=name, WaiterConfig=QUICK)
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == f"arn:aws:s3:::{name}"
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert (tags["team"], tags["aws:cloudformation:logical-id"]) == ("web", "Bucket")
    assert s3.get_object(Bucket=name, Key="kept")["Body"].read() == b"of before"

    # From now on the stack changes and deletes them.
    cloudformation.update_stack(StackName=name, TemplateBody=template(name, f"/{name}", days=30))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=QUICK)
    [group] = logs.describe_log_groups(logGroupNamePrefix=f"/{name}")["logGroups"]
    assert group["retentionInDays"] == 30
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert logs.describe_log_groups(logGroupNamePrefix=f"/{name}")["logGroups"] == []
    assert s3.get_object(Bucket=name, Key="kept")["Body"].read() == b"of before"
    s3.delete_object(Bucket=name, Key="kept")
    s3.delete_bucket(Bucket=name)


def test_import_of_a_missing_resource_leaves_the_stack_as_it_was(aws):
    cloudformation = aws("cloudformation")
    name = f"import-{uuid.uuid4().hex[:8]}"
    handle = {"Own": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": handle}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    wanted = [{"ResourceType": "AWS::Logs::LogGroup", "LogicalResourceId": "Group", "ResourceIdentifier": {"LogGroupName": f"/{name}"}}]
    group = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Delete"}
    named = {"StackName": name, "ChangeSetName": "import"}
    body = {"ChangeSetType": "IMPORT", "ResourcesToImport": wanted}
    cloudformation.create_change_set(**named, **body, TemplateBody=json.dumps({"Resources": {**handle, "Group": group}}))
    cloudformation.execute_change_set(**named)
    with pytest.raises(botocore.exceptions.WaiterError):
        cloudformation.get_waiter("stack_import_complete").wait(StackName=name, WaiterConfig=QUICK)
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    [row] = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    assert row["LogicalResourceId"] == "Own"
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=QUICK)
