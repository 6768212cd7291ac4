"""RDS: instances run, fail over, and are restored from snapshots."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from conftest import POSTGRES_MAJORS, eventually

PASSWORD = "correct-horse-battery"
SOON = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture(scope="module")
def rds(cloud):
    return cloud.client("rds")


@pytest.fixture(scope="module")
def network(cloud, rds):
    """A VPC with two subnets and a security group for databases."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{i}.0/24", AvailabilityZone=f"eu-west-3{z}")["Subnet"]["SubnetId"]
        for i, z in enumerate("ab")
    ]
    group = ec2.create_security_group(VpcId=vpc, GroupName="db", Description="databases")["GroupId"]
    # The group has no rule for replication between the nodes. AWS needs none either.
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=subnets)
    return {"vpc": vpc, "subnets": subnets, "group": group}


def create(rds, network, name, **extra):
    request = dict(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", EngineVersion=str(POSTGRES_MAJORS[-1]),
        AllocatedStorage=20, MasterUsername="app", MasterUserPassword=PASSWORD, DBName="shop",
        DBSubnetGroupName="data", VpcSecurityGroupIds=[network["group"]], BackupRetentionPeriod=0,
    )
    request.update(extra)
    return rds.create_db_instance(**{k: v for k, v in request.items() if v is not None})["DBInstance"]


def describe(rds, name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def wait_until_available(rds, name):
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)
    return describe(rds, name)


def wait_until_deleted(rds, name):
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)


def test_instance_is_restored_from_a_snapshot(rds, network):
    made = create(rds, network, "single")
    assert made["DBInstanceStatus"] == "creating" and "Endpoint" not in made
    seen = wait_until_available(rds, "single")
    assert seen["Endpoint"]["Port"] == 5432 and seen["Endpoint"]["Address"].startswith("single.")
    assert seen["MultiAZ"] is False and seen["AvailabilityZone"] == "eu-west-3a"

    rds.create_db_snapshot(DBSnapshotIdentifier="kept", DBInstanceIdentifier="single")
    rds.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="kept", WaiterConfig=SOON)
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="again", DBSnapshotIdentifier="kept", DBSubnetGroupName="data",
        VpcSecurityGroupIds=[network["group"]], BackupRetentionPeriod=0,
    )["DBInstance"]
    assert restored["MasterUsername"] == "app"
    wait_until_available(rds, "again")

    rds.delete_db_instance(DBInstanceIdentifier="again", SkipFinalSnapshot=True)
    rds.delete_db_instance(DBInstanceIdentifier="single", FinalDBSnapshotIdentifier="last")
    wait_until_deleted(rds, "again")
    wait_until_deleted(rds, "single")
    kept = {s["DBSnapshotIdentifier"]: s["Status"] for s in rds.describe_db_snapshots()["DBSnapshots"]}
    assert kept == {"kept": "available", "last": "available"}
    for name in kept:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def test_multi_az_fails_over(rds, network):
    create(rds, network, "pair", MultiAZ=True)
    before = wait_until_available(rds, "pair")
    assert before["MultiAZ"] is True
    zones = before["AvailabilityZone"], before["SecondaryAvailabilityZone"]
    assert sorted(zones) == ["eu-west-3a", "eu-west-3b"]
    # The instance is available only when its standby streams, so the standby can take over at once.
    assert [i["Normal"] for i in before["StatusInfos"]] == [True]
    rds.reboot_db_instance(DBInstanceIdentifier="pair", ForceFailover=True)
    after = wait_until_available(rds, "pair")
    assert (after["AvailabilityZone"], after["MultiAZ"]) == (zones[1], True)
    # As on AWS, available means that the primary accepts writes. The standby is reported again once it is rebuilt.
    standby = eventually(lambda: describe(rds, "pair").get("SecondaryAvailabilityZone"), within=60)
    assert standby == zones[0] and all(i["Normal"] for i in describe(rds, "pair")["StatusInfos"])
    events = rds.describe_events(SourceIdentifier="pair", SourceType="db-instance", EventCategories=["failover"])
    assert any("completed" in e["Message"] for e in events["Events"])
    rds.delete_db_instance(DBInstanceIdentifier="pair", SkipFinalSnapshot=True)
    wait_until_deleted(rds, "pair")


def test_managed_password_is_a_secret(cloud, rds, network):
    made = create(rds, network, "managed", MasterUserPassword=None, ManageMasterUserPassword=True)
    secrets, arn = cloud.client("secretsmanager"), made["MasterUserSecret"]["SecretArn"]
    value = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    assert value["username"] == "app" and len(value["password"]) == 28
    with pytest.raises(ClientError) as e:
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert e.value.response["Error"]["Code"] == "InvalidRequestException"
    wait_until_available(rds, "managed")
    rds.delete_db_instance(DBInstanceIdentifier="managed", SkipFinalSnapshot=True)
    wait_until_deleted(rds, "managed")
    with pytest.raises(ClientError) as e:
        secrets.describe_secret(SecretId=arn)
    assert e.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_stop_modify_start_and_parameters(rds, network):
    rds.create_db_parameter_group(
        DBParameterGroupName="tuned", DBParameterGroupFamily=f"postgres{POSTGRES_MAJORS[-1]}", Description="tuned"
    )
    create(rds, network, "changing", DBParameterGroupName="tuned")
    wait_until_available(rds, "changing")
    rds.modify_db_parameter_group(DBParameterGroupName="tuned", Parameters=[
        {"ParameterName": "max_connections", "ParameterValue": "42", "ApplyMethod": "pending-reboot"},
    ])
    status = lambda: describe(rds, "changing")["DBParameterGroups"][0]["ParameterApplyStatus"]
    deadline = time.monotonic() + 30
    while status() != "pending-reboot":
        assert time.monotonic() < deadline, status()
        time.sleep(0.1)
    rds.reboot_db_instance(DBInstanceIdentifier="changing")
    wait_until_available(rds, "changing")
    assert status() == "in-sync"
    rds.stop_db_instance(DBInstanceIdentifier="changing")
    deadline = time.monotonic() + 30
    while describe(rds, "changing")["DBInstanceStatus"] != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    rds.start_db_instance(DBInstanceIdentifier="changing")
    wait_until_available(rds, "changing")
    rds.delete_db_instance(DBInstanceIdentifier="changing", SkipFinalSnapshot=True)
    wait_until_deleted(rds, "changing")


def test_refuses_public_access_and_unknown_instances(rds, network):
    with pytest.raises(ClientError) as e:
        create(rds, network, "open", PubliclyAccessible=True)
    assert "PubliclyAccessible" in str(e.value)
    with pytest.raises(ClientError) as e:
        describe(rds, "none")
    assert e.value.response["Error"]["Code"] == "DBInstanceNotFound"
