"""RDS: restore to a point in time, copies of snapshots, windows, exported logs, and the events of all of them."""

import datetime
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

from conftest import POSTGRES_MAJORS, eventually
from test_ec2 import in_namespace

PASSWORD = "correct-horse-battery"
SOON = {"Delay": 1, "MaxAttempts": 120}
ROOT = pytest.mark.skipif("os.geteuid() != 0", reason="entering a network namespace needs root")

# A row each 100 ms, by the name of the database. Prints for each: its number, when it was sent, when it was acknowledged.
WRITER = """
import itertools, subprocess, sys, time, psycopg
name, port, numbers = sys.argv[1], sys.argv[2], itertools.count()
def address():
    return subprocess.run(["dig", "@10.81.0.2", "+short", name], capture_output=True, text=True).stdout.strip()
while True:
    try:
        where = {"host": address(), "port": port, "user": "app", "password": "correct-horse-battery", "dbname": "shop"}
        with psycopg.connect(**where, connect_timeout=1, autocommit=True, tcp_user_timeout=1000) as connection:
            connection.execute("create table if not exists t (n bigint primary key)")
            for n in numbers:
                sent = time.time()
                connection.execute("insert into t values (%s)", [n])
                print(n, sent, time.time(), flush=True)
                time.sleep(0.1)
    except psycopg.Error:
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def rds(cloud):
    return cloud.client("rds")


@pytest.fixture(scope="module")
def network(cloud, rds):
    return make_network(cloud, rds)


def make_network(cloud, rds):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.81.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.81.{i}.0/24", AvailabilityZone=f"eu-west-3{z}")["Subnet"]["SubnetId"]
        for i, z in enumerate("ab")
    ]
    groups = [ec2.create_security_group(VpcId=vpc, GroupName=n, Description=n)["GroupId"] for n in ("db", "client")]
    allowed = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": groups[1]}]}
    ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=[allowed])
    rds.create_db_subnet_group(DBSubnetGroupName="backups", DBSubnetGroupDescription="data", SubnetIds=subnets)
    made = ec2.create_network_interface(SubnetId=subnets[0], Groups=groups[1:])["NetworkInterface"]
    prefix = in_namespace(cloud, vpc, made["NetworkInterfaceId"])
    eventually(lambda: os.path.exists(prefix[1].removeprefix("--net=")))
    return {"group": groups[0], "client": prefix}


def create(rds, network, name, **extra):
    request = dict(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", EngineVersion=str(POSTGRES_MAJORS[-1]),
        AllocatedStorage=20, MasterUsername="app", MasterUserPassword=PASSWORD, DBName="shop",
        DBSubnetGroupName="backups", VpcSecurityGroupIds=[network["group"]], BackupRetentionPeriod=1,
    )
    return rds.create_db_instance(**{**request, **extra})["DBInstance"]


def describe(rds, name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def wait_until_available(rds, name):
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)
    return describe(rds, name)


def delete(rds, *names):
    for name in names:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for name in names:
        rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name, WaiterConfig=SOON)


def code(error):
    return error.value.response["Error"]["Code"]


def psql(network, endpoint, sql):
    resolved = subprocess.run(
        [*network["client"], "dig", "@10.81.0.2", "+short", endpoint["Address"]], capture_output=True, text=True
    ).stdout.strip()
    done = subprocess.run(
        [*network["client"], "psql", "-h", resolved, "-U", "app", "-d", "shop", "-Atc", sql],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PGPASSWORD": PASSWORD},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def restorable(rds, name):
    at = describe(rds, name).get("LatestRestorableTime")
    return at.timestamp() if at else 0


@ROOT
def test_restores_to_a_second_across_a_failover(rds, network, tmp_path):
    create(rds, network, "source", MultiAZ=True)
    endpoint = wait_until_available(rds, "source")["Endpoint"]
    # As on AWS, the first backup follows the creation.
    eventually(lambda: restorable(rds, "source"), within=150, every=0.5)
    file = tmp_path / "written"
    with file.open("w") as out:
        command = [*network["client"], sys.executable, "-c", WRITER, endpoint["Address"], str(endpoint["Port"])]
        writer = subprocess.Popen(command, stdout=out)
    written = lambda: [tuple(map(float, line.split())) for line in file.read_text().splitlines() if line.count(" ") == 2]
    wait_for_more = lambda: (lambda n: eventually(lambda: len(written()) > n + 30, within=60))(len(written()))
    try:
        wait_for_more()
        before = int(time.time())
        wait_for_more()
        rds.reboot_db_instance(DBInstanceIdentifier="source", ForceFailover=True)
        wait_until_available(rds, "source")
        wait_for_more()
        after = int(time.time())
        wait_for_more()
    finally:
        writer.kill()
        writer.wait()
    rows = written()
    eventually(lambda: restorable(rds, "source") > rows[-1][2] + 1, within=150, every=0.5)
    [kept] = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="source")["DBInstanceAutomatedBackups"]
    window = kept["RestoreWindow"]
    assert kept["Status"] == "active" and window["EarliestTime"].timestamp() < rows[0][1]
    assert window["LatestTime"].timestamp() > rows[-1][2]
    assert kept["DBInstanceAutomatedBackupsArn"].rpartition(":")[2].startswith("ab-")
    with pytest.raises(ClientError) as e:
        rds.describe_db_instance_automated_backups(DBInstanceIdentifier="none")
    assert code(e) == "DBInstanceAutomatedBackupNotFound"
    with pytest.raises(ClientError) as e:
        restore(rds, network, "never", RestoreTime=datetime.datetime.fromtimestamp(time.time() + 600, datetime.timezone.utc))
    assert code(e) == "InvalidParameterValue" and "later than" in str(e.value)
    restore(rds, network, "early", RestoreTime=datetime.datetime.fromtimestamp(before, datetime.timezone.utc))
    restore(rds, network, "late", RestoreTime=datetime.datetime.fromtimestamp(after, datetime.timezone.utc))
    restore(rds, network, "latest", UseLatestRestorableTime=True)
    for name, until in (("early", before), ("late", after), ("latest", time.time())):
        found = {int(n) for n in psql(network, wait_until_available(rds, name)["Endpoint"], "select n from t")}
        assert {int(n) for n, _, acknowledged in rows if acknowledged <= until} <= found, name
        assert {int(n) for n, sent, _ in rows if sent > until} & found == set(), name
    messages = [e["Message"] for e in rds.describe_events(SourceIdentifier="early", SourceType="db-instance")["Events"]]
    assert any("Restoring from DB instance source" in m for m in messages) and "Restored to a point in time" in messages
    delete(rds, "early", "late", "latest", "source")


def restore(rds, network, name, **when):
    return rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="source", TargetDBInstanceIdentifier=name, DBSubnetGroupName="backups",
        VpcSecurityGroupIds=[network["group"]], BackupRetentionPeriod=0, **when,
    )["DBInstance"]


@ROOT
def test_killed_daemon_loses_no_backup_and_no_restoration(own_cloud):
    rds = own_cloud.client("rds")
    network = make_network(own_cloud, rds)
    create(rds, network, "source")
    endpoint = wait_until_available(rds, "source")["Endpoint"]
    eventually(lambda: restorable(rds, "source"), within=150, every=0.5)

    def kill():
        pid = own_cloud.status()["daemon"]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))

    kill()
    # The server archives while no daemon runs.
    address = endpoint["Address"]
    psql(network, endpoint, "create table t (n bigint); insert into t select generate_series(1, 1000)")
    own_cloud.escale("start")
    written = time.time()
    eventually(lambda: restorable(rds, "source") > written, within=150, every=0.5)
    restore(rds, network, "copy", UseLatestRestorableTime=True)
    for _ in range(3):
        time.sleep(0.4)
        kill()
        own_cloud.escale("start")
    endpoint = wait_until_available(rds, "copy")["Endpoint"]
    assert endpoint["Address"] != address and psql(network, endpoint, "select count(*) from t") == ["1000"]
    delete(rds, "copy", "source")
    assert os.listdir(own_cloud.home + "/postgres/archives") == []


@ROOT
def test_copied_snapshot_outlives_its_source(rds, network):
    create(rds, network, "copied", BackupRetentionPeriod=0)
    endpoint = wait_until_available(rds, "copied")["Endpoint"]
    assert "LatestRestorableTime" not in describe(rds, "copied")
    with pytest.raises(ClientError) as e:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="copied", TargetDBInstanceIdentifier="x", UseLatestRestorableTime=True
        )
    assert code(e) == "PointInTimeRestoreNotEnabled"
    psql(network, endpoint, "create table t (n bigint); insert into t values (7)")
    rds.create_db_snapshot(DBSnapshotIdentifier="one", DBInstanceIdentifier="copied", Tags=[{"Key": "k", "Value": "v"}])
    with pytest.raises(ClientError) as e:
        rds.copy_db_snapshot(SourceDBSnapshotIdentifier="none", TargetDBSnapshotIdentifier="two")
    assert code(e) == "DBSnapshotNotFound"
    rds.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="one", WaiterConfig=SOON)
    made = rds.copy_db_snapshot(SourceDBSnapshotIdentifier="one", TargetDBSnapshotIdentifier="Two", CopyTags=True)["DBSnapshot"]
    assert made["DBSnapshotIdentifier"] == "two" and made["TagList"] == [{"Key": "k", "Value": "v"}]
    rds.delete_db_snapshot(DBSnapshotIdentifier="one")
    rds.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="two", WaiterConfig=SOON)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="again", DBSnapshotIdentifier="two", DBSubnetGroupName="backups",
        VpcSecurityGroupIds=[network["group"]], BackupRetentionPeriod=0,
    )
    assert psql(network, wait_until_available(rds, "again")["Endpoint"], "select n from t") == ["7"]
    rds.delete_db_snapshot(DBSnapshotIdentifier="two")
    delete(rds, "copied", "again")


def test_windows_are_checked_and_lower_cased(rds, network):
    made = create(rds, network, "windows", PreferredMaintenanceWindow="Mon:01:00-MON:02:00", BackupRetentionPeriod=0)
    assert made["PreferredMaintenanceWindow"] == "mon:01:00-mon:02:00"
    for change in (
        {"PreferredMaintenanceWindow": "mon:03:00-mon:04:00"},
        {"PreferredBackupWindow": "01:30-02:30"},
        {"PreferredBackupWindow": "05:00-05:10"},
        {"PreferredMaintenanceWindow": "monday"},
    ):
        with pytest.raises(ClientError) as e:
            rds.modify_db_instance(DBInstanceIdentifier="windows", **change)
        assert code(e) == "InvalidParameterValue", change
    changed = rds.modify_db_instance(DBInstanceIdentifier="windows", PreferredBackupWindow="05:00-05:30")["DBInstance"]
    assert changed["PreferredBackupWindow"] == "05:00-05:30"
    assert rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
    with pytest.raises(ClientError) as e:
        rds.apply_pending_maintenance_action(
            ResourceIdentifier=made["DBInstanceArn"], ApplyAction="db-upgrade", OptInType="immediate"
        )
    assert code(e) == "ResourceNotFoundFault"
    delete(rds, "windows")


@ROOT
def test_log_is_exported(cloud, rds, network):
    create(rds, network, "logged", BackupRetentionPeriod=0, EnableCloudwatchLogsExports=["postgresql"])
    seen = wait_until_available(rds, "logged")
    assert seen["EnabledCloudwatchLogsExports"] == ["postgresql"]
    with pytest.raises(AssertionError):
        psql(network, seen["Endpoint"], "select a_name_that_nobody_has")
    logs = cloud.client("logs")

    def events():
        try:
            found = logs.filter_log_events(logGroupName="/aws/rds/instance/logged/postgresql", filterPattern="a_name_that_nobody_has")
        except logs.exceptions.ResourceNotFoundException:
            return []
        return found["events"]

    found = eventually(events, within=30)
    assert found[0]["logStreamName"] == "logged.0" and abs(found[0]["timestamp"] / 1000 - time.time()) < 60
    delete(rds, "logged")


def items(shop):
    return {item["name"] for item in shop.get("/api/items").json()}


def media(shop):
    return next(b["Name"] for b in shop.cloud.client("s3").list_buckets()["Buckets"] if "media" in b["Name"])


def put(shop, key, body, **more):
    shop.cloud.client("s3").put_object(Bucket=media(shop), Key=key, Body=body, **more)


def content(shop, key):
    return shop.cloud.client("s3").get_object(Bucket=media(shop), Key=key)


def restored_databases(shop):
    found = shop.cloud.client("rds").describe_db_instances()["DBInstances"]
    return [d["DBInstanceIdentifier"] for d in found if d["DBInstanceIdentifier"].startswith("restored-")]


@ROOT
def test_application_returns_to_a_file(shop, tmp_path):
    shop.add("in the backup")
    large, odd = os.urandom(20 << 20), "backups/a +ü&?.txt"
    put(shop, "backups/large", large)
    put(shop, odd, b"odd", ContentType="text/x-odd", Metadata={"of": "me"})
    put(shop, "backups/empty", b"")
    file = tmp_path / "shop.backup"
    done = json.loads(shop.cloud.escale("--json", "backup", file, "--app", "shop").stdout)
    assert done["databases"] == 1 and done["objects"] >= 3 and file.stat().st_size == done["bytes"]
    assert file.stat().st_mode & 0o777 == 0o600 and os.listdir(tmp_path) == ["shop.backup"]
    again = shop.cloud.escale("backup", file, "--app", "shop", check=False)
    assert again.returncode != 0 and "exists already" in again.stderr

    shop.add("after the backup")
    put(shop, "backups/large", b"other")
    put(shop, "backups/new", b"new")
    shop.cloud.client("s3").delete_object(Bucket=media(shop), Key=odd)
    # A damaged file changes nothing.
    damaged = tmp_path / "damaged"
    damaged.write_bytes(file.read_bytes())
    with damaged.open("r+b") as f:
        f.seek(file.stat().st_size // 2)
        f.write(b"\0damage\0")
    refused = shop.cloud.escale("restore", damaged, "--app", "shop", "--yes", check=False)
    assert refused.returncode != 0 and "checksum" in refused.stderr
    asked = shop.cloud.escale("restore", file, "--app", "shop", check=False)
    assert asked.returncode != 0 and "--yes" in asked.stderr
    assert "after the backup" in items(shop) and content(shop, "backups/large")["Body"].read() == b"other"

    shop.cloud.escale("restore", file, "--app", "shop", "--yes")
    names = eventually(lambda: shop.get("/api/items").status_code == 200 and items(shop))
    assert "in the backup" in names and "after the backup" not in names
    assert content(shop, "backups/large")["Body"].read() == large
    back = content(shop, odd)
    assert (back["Body"].read(), back["ContentType"], back["Metadata"]) == (b"odd", "text/x-odd", {"of": "me"})
    assert content(shop, "backups/empty")["ContentLength"] == 0
    listed = shop.cloud.client("s3").list_objects_v2(Bucket=media(shop), Prefix="backups/")["Contents"]
    assert sorted(o["Key"] for o in listed) == sorted(["backups/large", "backups/empty", odd])


@ROOT
def test_database_returns_to_a_snapshot_and_to_the_latest_time(shop):
    shop.add("in the snapshot")
    made = json.loads(shop.cloud.escale("--json", "snapshot", "--app", "shop").stdout)
    shop.add("after the snapshot")
    listed = json.loads(shop.cloud.escale("--json", "snapshot", "--list", "--app", "shop").stdout)
    assert made["snapshot"] in [s["name"] for s in listed["snapshots"]]
    shop.cloud.escale("restore", "--snapshot", made["snapshot"], "--app", "shop", "--yes")
    names = eventually(lambda: shop.get("/api/items").status_code == 200 and items(shop))
    assert "in the snapshot" in names and "after the snapshot" not in names
    # The restoration itself is in the archive soon.
    shop.add("before the mistake")
    now = time.time() + 1
    latest = lambda: json.loads(shop.cloud.escale("--json", "snapshot", "--list", "--app", "shop").stdout)["latest_restorable_time"]
    at = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0
    eventually(lambda: at(latest()) > now, within=150, every=1)
    shop.add("the mistake")
    when = datetime.datetime.fromtimestamp(int(now) + 1, datetime.timezone.utc).isoformat()
    wrong = shop.cloud.escale("restore", "--time", "yesterday", "--app", "shop", "--yes", check=False)
    assert wrong.returncode != 0 and "'yesterday' is no time" in wrong.stderr
    shop.cloud.escale("restore", "--time", when, "--app", "shop", "--yes")
    names = eventually(lambda: shop.get("/api/items").status_code == 200 and items(shop))
    assert "before the mistake" in names and "the mistake" not in names
    eventually(lambda: not restored_databases(shop), within=60)
