"""RDS: instances run, fail over, and are restored from snapshots."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

from conftest import POSTGRES_MAJORS, eventually
from test_ec2 import in_namespace

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


# Inserts increasing numbers, and prints those that the server has acknowledged. Connects again by the name after each error.
WRITER = """
import itertools, subprocess, sys, psycopg
name, port, numbers = sys.argv[1], sys.argv[2], itertools.count()
def address():
    return subprocess.run(["dig", "@10.77.0.2", "+short", name], capture_output=True, text=True).stdout.strip()
while True:
    try:
        where = {"host": address(), "port": port, "user": "app", "password": "correct-horse-battery", "dbname": "shop"}
        with psycopg.connect(**where, connect_timeout=2, autocommit=True) as connection:
            connection.execute("create table if not exists t (n bigint primary key)")
            for n in numbers:
                connection.execute("insert into t values (%s)", [n])
                print(n, flush=True)
    except psycopg.Error:
        pass
"""

READER = """
import subprocess, sys, psycopg
name, port = sys.argv[1:]
address = subprocess.run(["dig", "@10.77.0.2", "+short", name], capture_output=True, text=True).stdout.strip()
where = {"host": address, "port": port, "user": "app", "password": "correct-horse-battery", "dbname": "shop"}
with psycopg.connect(**where, connect_timeout=5) as connection:
    for row in connection.execute("select n from t"):
        print(row[0])
"""


@pytest.fixture(scope="module")
def client(cloud, network):
    """The command prefix of a program that may connect to the databases of the network."""
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(VpcId=network["vpc"], GroupName="client", Description="clients")["GroupId"]
    allowed = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 6000, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=network["group"], IpPermissions=[allowed])
    made = ec2.create_network_interface(SubnetId=network["subnets"][0], Groups=[group])["NetworkInterface"]
    prefix = in_namespace(cloud, network["vpc"], made["NetworkInterfaceId"])
    eventually(lambda: os.path.exists(prefix[1].removeprefix("--net=")))
    return prefix


class Writer:
    """A client that writes all the time."""

    def __init__(self, client, endpoint, folder):
        self.file = folder / "acknowledged"
        command = [*client, sys.executable, "-c", WRITER, endpoint["Address"], str(endpoint["Port"])]
        with self.file.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out)

    def acknowledged(self):
        return {int(n) for n in self.file.read_text().split()}

    def wait_for_more(self):
        before = len(self.acknowledged())
        eventually(lambda: len(self.acknowledged()) > before + 50, within=60)


@contextlib.contextmanager
def writing(client, endpoint, folder):
    writer = Writer(client, endpoint, folder)
    try:
        writer.wait_for_more()
        yield writer
    finally:
        writer.process.kill()
        writer.process.wait()


def rows(client, endpoint):
    command = [*client, sys.executable, "-c", READER, endpoint["Address"], str(endpoint["Port"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {int(n) for n in done.stdout.split()}


def modify(rds, name, **changes):
    return rds.modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **changes)["DBInstance"]


def interfaces(cloud, name):
    ours = [{"Name": "description", "Values": [f"RDSNetworkInterface {name}"]}]
    return len(cloud.client("ec2").describe_network_interfaces(Filters=ours)["NetworkInterfaces"])


@pytest.mark.skipif("os.geteuid() != 0", reason="entering a network namespace needs root")
def test_standby_is_added_and_removed_under_writes_without_a_lost_row(cloud, rds, network, client, tmp_path):
    create(rds, network, "scaled")
    endpoint = wait_until_available(rds, "scaled")["Endpoint"]
    with writing(client, endpoint, tmp_path) as writer:
        assert modify(rds, "scaled", MultiAZ=True)["DBInstanceStatus"] == "modifying"
        with pytest.raises(ClientError) as e:
            modify(rds, "scaled", MultiAZ=False)
        assert e.value.response["Error"]["Code"] == "InvalidDBInstanceState"
        seen = wait_until_available(rds, "scaled")
        assert (seen["MultiAZ"], seen["SecondaryAvailabilityZone"]) == (True, "eu-west-3b")
        assert interfaces(cloud, "scaled") == 2
        writer.wait_for_more()
        # The standby has every row, so it can take over.
        rds.reboot_db_instance(DBInstanceIdentifier="scaled", ForceFailover=True)
        assert wait_until_available(rds, "scaled")["AvailabilityZone"] == "eu-west-3b"
        writer.wait_for_more()
        modify(rds, "scaled", MultiAZ=False)
        seen = wait_until_available(rds, "scaled")
        assert (seen["MultiAZ"], seen["AvailabilityZone"]) == (False, "eu-west-3b")
        assert "SecondaryAvailabilityZone" not in seen
        eventually(lambda: interfaces(cloud, "scaled") == 1)
        writer.wait_for_more()
    assert writer.acknowledged() - rows(client, endpoint) == set()
    rds.delete_db_instance(DBInstanceIdentifier="scaled", SkipFinalSnapshot=True)
    wait_until_deleted(rds, "scaled")


@pytest.mark.skipif("os.geteuid() != 0", reason="entering a network namespace needs root")
def test_renamed_instance_keeps_its_rows_and_moves_its_name_and_port(rds, network, client, tmp_path):
    create(rds, network, "old-name")
    before = wait_until_available(rds, "old-name")
    with writing(client, before["Endpoint"], tmp_path) as writer:
        pass
    made = modify(rds, "old-name", NewDBInstanceIdentifier="New-Name", DBPortNumber=5999)
    assert made["DBInstanceIdentifier"] == "new-name" and made["DBInstanceArn"].endswith(":db:new-name")
    after = wait_until_available(rds, "new-name")
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert after["Endpoint"]["Address"].startswith("new-name.") and after["Endpoint"]["Port"] == 5999
    assert writer.acknowledged() - rows(client, after["Endpoint"]) == set()
    with pytest.raises(ClientError) as e:
        describe(rds, "old-name")
    assert e.value.response["Error"]["Code"] == "DBInstanceNotFound"
    old = subprocess.run([*client, "dig", "@10.77.0.2", "+short", before["Endpoint"]["Address"]], capture_output=True, text=True)
    assert old.stdout == ""
    # The old name is free.
    create(rds, network, "old-name")
    with pytest.raises(ClientError) as e:
        modify(rds, "new-name", NewDBInstanceIdentifier="old-name")
    assert e.value.response["Error"]["Code"] == "DBInstanceAlreadyExists"
    for name in ("old-name", "new-name"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for name in ("old-name", "new-name"):
        wait_until_deleted(rds, name)


def test_stack_changes_an_instance_in_place_and_takes_it_back(cloud, rds, network):
    cfn = cloud.client("cloudformation")

    def template(broken=False, **changes):
        properties = {
            "DBInstanceIdentifier": "of-stack", "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": "20",
            "EngineVersion": str(POSTGRES_MAJORS[-1]), "MasterUsername": "app", "MasterUserPassword": PASSWORD,
            "DBSubnetGroupName": "data", "VPCSecurityGroups": [network["group"]], "BackupRetentionPeriod": 0, **changes,
        }
        resources = {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": properties, "DeletionPolicy": "Delete"}}
        if broken:
            group = {"DBSubnetGroupDescription": "one zone", "SubnetIds": network["subnets"][:1]}
            resources["Group"] = {"Type": "AWS::RDS::DBSubnetGroup", "DependsOn": "Db", "Properties": group}
        return json.dumps({"Resources": resources})

    def wait(what):
        cfn.get_waiter(what).wait(StackName="database", WaiterConfig=SOON)
        seen = describe(rds, "of-stack")
        assert seen["DBInstanceStatus"] == "available"
        return seen

    cfn.create_stack(StackName="database", TemplateBody=template())
    before = wait("stack_create_complete")
    cfn.update_stack(StackName="database", TemplateBody=template(MultiAZ=True, BackupRetentionPeriod=3))
    seen = wait("stack_update_complete")
    assert (seen["MultiAZ"], seen["SecondaryAvailabilityZone"]) == (True, "eu-west-3b")
    assert (seen["BackupRetentionPeriod"], seen["DbiResourceId"]) == (3, before["DbiResourceId"])
    # Another resource fails, so the change is taken back. Storage never shrinks.
    cfn.update_stack(StackName="database", TemplateBody=template(broken=True, AllocatedStorage="30", BackupRetentionPeriod=3))
    seen = wait("stack_rollback_complete")
    assert (seen["MultiAZ"], seen["SecondaryAvailabilityZone"], seen["AllocatedStorage"]) == (True, "eu-west-3b", 30)
    assert seen["DbiResourceId"] == before["DbiResourceId"]
    cfn.delete_stack(StackName="database")
    cfn.get_waiter("stack_delete_complete").wait(StackName="database", WaiterConfig=SOON)
