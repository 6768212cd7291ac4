"""Templates of the CDK's usual constructs, deployed with the calls of its command line. templates/cdk-app.js describes how
the templates were made."""

import json
import pathlib

from conftest import POSTGRES_MAJORS
from images import busybox, push, token
from test_deploy import fetch, resources_of

TEMPLATES = pathlib.Path(__file__).parent / "templates"
QUICK = {"Delay": 1, "MaxAttempts": 120}


def create(cloudformation, stack, template):
    """Creates a stack with a change set, like `cdk deploy`. Returns its outputs and the properties that the change set shows."""
    text = (TEMPLATES / template).read_text()
    if 15 not in POSTGRES_MAJORS:  # the template's version
        text = text.replace('"EngineVersion": "15"', f'"EngineVersion": "{POSTGRES_MAJORS[-1]}"')
    named = {"StackName": stack, "ChangeSetName": "cdk-deploy-change-set"}
    cloudformation.create_change_set(
        **named, ChangeSetType="CREATE", TemplateBody=text, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        IncludeNestedStacks=True, ImportExistingResources=False)
    shown = cloudformation.describe_change_set(**named, IncludePropertyValues=True)
    assert shown["Status"] == "CREATE_COMPLETE" and len(shown["Changes"]) == len(json.loads(text)["Resources"])
    assert cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"] == ""
    cloudformation.execute_change_set(**named)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=QUICK)
    made = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {o["OutputKey"]: o["OutputValue"] for o in made}, {
        c["ResourceChange"]["LogicalResourceId"]: json.loads(c["ResourceChange"]["AfterContext"])["Properties"]
        for c in shown["Changes"] if "AfterContext" in c["ResourceChange"]
    }


def delete(cloudformation, stack):
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=QUICK)


def test_cdk_deploys_service_database_and_distribution(own_cloud, tmp_path):
    cloudformation, ecr, before = own_cloud.client("cloudformation"), own_cloud.client("ecr"), resources_of(own_cloud)
    create(cloudformation, "Repo", "cdk-repository.json")
    busybox(tmp_path / "image", "hello from the cdk", Cmd=["httpd", "-f", "-h", "/www", "-p", "8080"])
    [repository] = ecr.describe_repositories()["repositories"]
    push(tmp_path / "image", repository["repositoryUri"], "v1", token(ecr))

    outputs, after = create(cloudformation, "Shop", "cdk-shop.json")
    [vpc] = [p for name, p in after.items() if name.startswith("Vpc") and "CidrBlock" in p and "VpcId" not in p]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    assert {p["VpcId"] for p in after.values() if "VpcId" in p} == {"{{changeSet:KNOWN_AFTER_APPLY}}"}
    [url] = [value for name, value in outputs.items() if "URL" in name]
    page = fetch(own_cloud, url)
    assert (page.status_code, page.text) == (200, "hello from the cdk")

    # The secret contains the endpoint of its database.
    [database] = own_cloud.client("rds").describe_db_instances()["DBInstances"]
    assert database["MultiAZ"]
    secrets = own_cloud.client("secretsmanager")
    [secret] = secrets.list_secrets()["SecretList"]
    value = json.loads(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"])
    assert value.pop("password")
    assert value == {
        "username": database["MasterUsername"], "engine": "postgres", "host": database["Endpoint"]["Address"],
        "port": database["Endpoint"]["Port"], "dbInstanceIdentifier": database["DBInstanceIdentifier"],
    }

    delete(cloudformation, "Shop")
    # The CDK's log group has DeletionPolicy Retain.
    logs = own_cloud.client("logs")
    [group] = logs.describe_log_groups()["logGroups"]
    logs.delete_log_group(logGroupName=group["logGroupName"])
    delete(cloudformation, "Repo")
    assert resources_of(own_cloud) == before
