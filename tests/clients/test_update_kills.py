"""The daemon is killed at random points of updates: each update ends, and nothing is left over."""

import os
import random
import signal
import time

from conftest import eventually

# `cargo xtask soak kills` sets a larger number.
KILLS = int(os.environ.get("ESCALE_TEST_KILLS", "5"))
SEED = int(os.environ.get("ESCALE_TEST_SEED", "0"))

DONE = ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def template(choice):
    """A stack whose parts depend on each other; `choice` is a random source that decides about each."""
    parts = [
        "  Vpc:\n    Type: AWS::EC2::VPC\n    Properties: { CidrBlock: 10.91.0.0/16, Tags: [{ Key: Name, Value: %s }] }"
        % choice.choice("abc")
    ]
    for n in range(4):
        if choice.random() < 0.7:
            parts.append(
                f"  Subnet{n}:\n    Type: AWS::EC2::Subnet\n"
                f"    Properties: {{ VpcId: !Ref Vpc, CidrBlock: 10.91.{n + 10 * choice.randrange(3)}.0/24 }}"
            )
    for n in range(4):
        if choice.random() < 0.7:
            port = 8000 + choice.randrange(3)
            parts.append(
                f"  Group{n}:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      VpcId: !Ref Vpc\n"
                f"      GroupDescription: {choice.choice(['one', 'two'])}\n"
                f"      SecurityGroupIngress: [{{ IpProtocol: tcp, FromPort: {port}, ToPort: {port}, CidrIp: 10.0.0.0/8 }}]"
            )
    for n in range(4):
        parts.append(
            f"  Logs{n}:\n    Type: AWS::Logs::LogGroup\n"
            f"    Properties: {{ LogGroupName: !Sub '/${{AWS::StackName}}/{n}-{choice.randrange(2)}', RetentionInDays: {choice.choice([1, 3, 5])} }}"
        )
        parts.append(
            f"  Where{n}:\n    Type: AWS::SSM::Parameter\n"
            f"    Properties: {{ Type: String, Value: !Sub '${{Logs{n}}}-{choice.randrange(2)}' }}"
        )
    if choice.random() < 0.4:
        # Cannot be created, after everything else.
        names = [part.split(":")[0].strip() for part in parts]
        parts.append(
            f"  Taken:\n    Type: AWS::EC2::Subnet\n    DependsOn: [{', '.join(names)}]\n"
            "    Properties: { VpcId: !Ref Vpc, CidrBlock: 10.99.0.0/24 }"
        )
    return "Resources:\n" + "\n".join(parts) + "\n"


def left(cloud):
    """Everything outside of the default VPC that stacks could leave."""
    ec2 = cloud.client("ec2")
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]

    def ids(found, key):
        return sorted(item[key] for item in found if item["VpcId"] != default)

    return {
        "vpcs": ids(ec2.describe_vpcs()["Vpcs"], "VpcId"),
        "subnets": ids(ec2.describe_subnets()["Subnets"], "SubnetId"),
        "groups": ids(
            [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"], "GroupId"
        ),
        "logs": sorted(g["logGroupName"] for g in cloud.client("logs").describe_log_groups()["logGroups"]),
        "parameters": sorted(p["Name"] for p in cloud.client("ssm").describe_parameters()["Parameters"]),
    }


def of_the_stack(cloud):
    kinds = {
        "AWS::EC2::VPC": "vpcs",
        "AWS::EC2::Subnet": "subnets",
        "AWS::EC2::SecurityGroup": "groups",
        "AWS::Logs::LogGroup": "logs",
        "AWS::SSM::Parameter": "parameters",
    }
    found = {name: [] for name in kinds.values()}
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="kills")
    for resource in (r for page in pages for r in page["StackResourceSummaries"]):
        found[kinds[resource["ResourceType"]]].append(resource["PhysicalResourceId"])
    return {name: sorted(ids) for name, ids in found.items()}


def test_updates_end_after_kills_and_leave_nothing(own_cloud):
    choice = random.Random(SEED)
    cloudformation = own_cloud.client("cloudformation")
    first = template(random.Random(1)).split("  Taken:")[0]
    cloudformation.create_stack(StackName="kills", TemplateBody=first)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="kills", WaiterConfig={"Delay": 1})
    outcomes, kills = {}, 0
    while kills < KILLS:
        try:
            cloudformation.update_stack(StackName="kills", TemplateBody=template(choice))
        except cloudformation.exceptions.ClientError as error:
            assert "No updates are to be performed" in str(error), error
            continue
        # Several kills may hit one update.
        for _ in range(choice.choice([1, 1, 2])):
            time.sleep(choice.random() * 0.25)
            os.kill(own_cloud.status()["daemon"]["pid"], signal.SIGKILL)
            own_cloud.escale("start")
            kills += 1

        def status():
            return cloudformation.describe_stacks(StackName="kills")["Stacks"][0]["StackStatus"]

        eventually(lambda: status() in DONE, within=60)
        outcomes[status()] = outcomes.get(status(), 0) + 1
        assert left(own_cloud) == of_the_stack(own_cloud)
    print(f"{kills} kills: {outcomes}")
    cloudformation.delete_stack(StackName="kills")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="kills", WaiterConfig={"Delay": 1})
    assert not any(left(own_cloud).values())
