"""RDS: read replicas follow their source over failovers and crashes, serve reads, and are promoted."""

import json
import os
import signal

import pytest
from botocore.exceptions import ClientError

import failover
from conftest import POSTGRES_MAJORS, eventually, running_cloud
from test_ec2 import in_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="clients run in network namespaces")
SOON = {"Delay": 1, "MaxAttempts": 120}
COUNT = "with connect() as c: print(c.execute('select count(*) from t').fetchone()[0])"
MAJOR = str(POSTGRES_MAJORS[-1])


class Network:
    """A VPC with subnets in three zones, and a place for clients in it."""

    def __init__(self, cloud):
        self.cloud, self.rds, ec2 = cloud, cloud.client("rds"), cloud.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.79.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.79.{i}.0/24", AvailabilityZone=f"eu-west-3{z}")["Subnet"]["SubnetId"]
            for i, z in enumerate("abc")
        ]
        self.group = ec2.create_security_group(VpcId=vpc, GroupName="db", Description="databases")["GroupId"]
        # Clients only: no rule lets a replica reach its source. AWS needs none either.
        client = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.79.2.200/32"}]}
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[client])
        self.rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=self.subnets)
        made = ec2.create_network_interface(SubnetId=self.subnets[2], Groups=[self.group], PrivateIpAddress="10.79.2.200")
        self.prefix = in_namespace(cloud, vpc, made["NetworkInterface"]["NetworkInterfaceId"])
        eventually(lambda: os.path.exists(self.prefix[1].removeprefix("--net=")))

    def describe(self, name):
        return self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def available(self, name):
        self.rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)
        return self.describe(name)

    def deleted(self, name):
        self.rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)

    def create(self, name, **extra):
        return self.rds.create_db_instance(**{
            "DBInstanceIdentifier": name, "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": 20,
            "EngineVersion": MAJOR, "MasterUsername": "app", "MasterUserPassword": "correct-horse-battery", "DBName": "shop",
            "DBSubnetGroupName": "data", "VpcSecurityGroupIds": [self.group], **extra,
        })["DBInstance"]

    def replicate(self, name, source, **extra):
        request = {"VpcSecurityGroupIds": [self.group], **extra}
        made = self.rds.create_db_instance_read_replica(DBInstanceIdentifier=name, SourceDBInstanceIdentifier=source, **request)
        return made["DBInstance"]

    def run(self, name, code):
        """Runs code with a connection to the instance, by its own name."""
        endpoint = self.describe(name)["Endpoint"]
        return failover.run(self.prefix, [endpoint["Address"], str(endpoint["Port"]), "10.79.0.2"], code).strip()

    def sql(self, name, statement):
        return self.run(name, f"with connect() as c: c.execute({statement!r})")

    def has_rows(self, name, rows):
        def count():
            # While the server restarts there is no connection.
            try:
                return self.run(name, COUNT) == str(rows)
            except AssertionError:
                return False
        eventually(count, within=90)

    def replication(self, name):
        infos = self.describe(name).get("StatusInfos", [])
        return [i["Status"] for i in infos if i["StatusType"] == "read replication"]

    def kill(self, name):
        for node in failover.Database(self.cloud, self.rds, name).nodes():
            node.kill()


@pytest.fixture(scope="module")
def network():
    with running_cloud() as cloud:
        yield Network(cloud)


def code_of(call, **request):
    with pytest.raises(ClientError) as refused:
        call(**request)
    return refused.value.response["Error"]["Code"]


def test_replica_follows_a_multi_az_source_and_is_promoted(network):
    rds = network.rds
    source = network.create("shop", MultiAZ=True, BackupRetentionPeriod=1)
    network.available("shop")
    network.sql("shop", "create table t (n bigint primary key)")
    network.sql("shop", "insert into t values (1)")
    made = network.replicate("copy", source["DBInstanceArn"], Tags=[{"Key": "team", "Value": "reports"}])
    assert made["DBInstanceStatus"] == "creating" and made["ReadReplicaSourceDBInstanceIdentifier"] == "shop"
    seen = network.available("copy")
    assert seen["Endpoint"]["Address"].startswith("copy.") and seen["AvailabilityZone"] == "eu-west-3c"
    assert (seen["BackupRetentionPeriod"], seen["MasterUsername"], network.replication("copy")) == (0, "app", ["replicating"])
    assert network.describe("shop")["ReadReplicaDBInstanceIdentifiers"] == ["copy"]
    network.has_rows("copy", 1)
    refused = "with connect() as c:\n try: c.execute('insert into t values (0)')\n except psycopg.Error as e: print(e.sqlstate)"
    assert network.run("copy", refused) == "25006"

    # A failover of the source.
    rds.reboot_db_instance(DBInstanceIdentifier="shop", ForceFailover=True)
    network.available("shop")
    network.sql("shop", "insert into t values (2)")
    network.has_rows("copy", 2)

    # A lost replica holds up no commit, and returns by itself. So does a source, and both after the daemon.
    network.kill("copy")
    network.sql("shop", "insert into t values (3)")
    network.has_rows("copy", 3)
    network.kill("shop")
    os.kill(network.cloud.status()["daemon"]["pid"], signal.SIGKILL)
    network.cloud.escale("start")
    network.available("shop")
    network.sql("shop", "insert into t values (4)")
    network.has_rows("copy", 4)
    eventually(lambda: network.replication("copy") == ["replicating"], within=60)

    assert code_of(rds.stop_db_instance, DBInstanceIdentifier="shop") == "InvalidDBInstanceState"
    promoted = rds.promote_read_replica(DBInstanceIdentifier="copy", BackupRetentionPeriod=2, PreferredBackupWindow="04:00-04:30")
    assert promoted["DBInstance"]["DBInstanceStatus"] == "modifying"
    eventually(lambda: "ReadReplicaSourceDBInstanceIdentifier" not in network.describe("copy"), within=60)
    seen = network.available("copy")
    assert (seen["BackupRetentionPeriod"], seen["PreferredBackupWindow"]) == (2, "04:00-04:30")
    assert network.describe("shop")["ReadReplicaDBInstanceIdentifiers"] == []
    network.sql("copy", "insert into t values (5), (6)")
    assert (network.run("copy", COUNT), network.run("shop", COUNT)) == ("6", "4")
    eventually(lambda: "LatestRestorableTime" in network.describe("copy"), within=90)
    events = rds.describe_events(SourceIdentifier="copy", SourceType="db-instance", EventCategories=["read replica"])["Events"]
    assert any("promoted" in e["Message"] for e in events)
    for name in ("copy", "shop"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        network.deleted(name)


def test_deletion_of_the_source_leaves_an_independent_instance(network):
    rds = network.rds
    network.create("single", BackupRetentionPeriod=0)
    network.available("single")
    replicate = {"DBInstanceIdentifier": "reader", "SourceDBInstanceIdentifier": "single"}
    assert code_of(rds.create_db_instance_read_replica, **replicate) == "InvalidDBInstanceState"
    rds.modify_db_instance(DBInstanceIdentifier="single", BackupRetentionPeriod=1, ApplyImmediately=True)
    network.available("single")
    network.sql("single", "create table t as select n from generate_series(1, 1000) n")
    network.replicate("reader", "single")
    network.available("reader")
    network.has_rows("reader", 1000)
    assert code_of(rds.delete_db_instance, DBInstanceIdentifier="reader") == "InvalidParameterCombination"
    rds.delete_db_instance(DBInstanceIdentifier="single", SkipFinalSnapshot=True)
    network.deleted("single")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in network.available("reader")
    network.sql("reader", "insert into t values (0)")
    assert network.run("reader", COUNT) == "1001"
    rds.delete_db_instance(DBInstanceIdentifier="reader", SkipFinalSnapshot=True)
    network.deleted("reader")


def test_stack_has_a_replica_and_promotes_it(network):
    cloudformation = network.cloud.client("cloudformation")
    common = {
        "DBInstanceClass": "db.t4g.micro", "VPCSecurityGroups": [network.group],
    }
    source = {
        **common, "Engine": "postgres", "EngineVersion": MAJOR, "AllocatedStorage": "20", "MasterUsername": "app",
        "MasterUserPassword": "correct-horse-battery", "DBName": "shop", "DBSubnetGroupName": "data", "BackupRetentionPeriod": 1,
    }
    replica = {**common, "SourceDBInstanceIdentifier": {"Ref": "Source"}}

    def template(replica):
        resources = {"Source": source, "Replica": replica}
        typed = {name: {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": p} for name, p in resources.items()}
        return json.dumps({"Resources": typed, "Outputs": {"Name": {"Value": {"Ref": "Replica"}}}})

    cloudformation.create_stack(StackName="replicated", TemplateBody=template(replica))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="replicated", WaiterConfig=SOON)
    name = cloudformation.describe_stacks(StackName="replicated")["Stacks"][0]["Outputs"][0]["OutputValue"]
    assert network.replication(name) == ["replicating"]
    cloudformation.update_stack(StackName="replicated", TemplateBody=template({**common, "BackupRetentionPeriod": 1}))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="replicated", WaiterConfig=SOON)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in network.describe(name)
    cloudformation.delete_stack(StackName="replicated")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="replicated", WaiterConfig=SOON)
