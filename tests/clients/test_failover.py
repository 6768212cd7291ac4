"""A Multi-AZ instance fails over by itself, without a lost row, whatever way its primary fails.

`ESCALE_TEST_FAILOVERS=20` repeats each fault, and prints the figures of `cargo xtask soak failover`. `ESCALE_TEST_LOG=FILE` keeps the
daemon's log.
"""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import pytest

import failover
from conftest import POSTGRES_MAJORS, eventually, running_cloud
from test_ec2 import in_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the faults act on namespaces and processes of root")
ROUNDS = int(os.environ.get("ESCALE_TEST_FAILOVERS", "1"))
# A busy machine in CI delays everything; the series in docs/reliability.md has the figures.
LIMIT = 10
SOON = {"Delay": 1, "MaxAttempts": 120}


class Pair:
    def __init__(self, cloud, rds, ec2, folder):
        self.cloud, self.rds, self.folder = cloud, rds, folder
        vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.78.{i}.0/24", AvailabilityZone=f"eu-west-3{z}")["Subnet"]["SubnetId"]
            for i, z in enumerate("abc")
        ]
        group = ec2.create_security_group(VpcId=vpc, GroupName="db", Description="databases")["GroupId"]
        everyone = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.78.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everyone])
        rds.create_db_subnet_group(DBSubnetGroupName="pair", DBSubnetGroupDescription="two zones", SubnetIds=subnets[:2])
        rds.create_db_instance(
            DBInstanceIdentifier="pair", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
            EngineVersion=str(POSTGRES_MAJORS[-1]), MasterUsername="app", MasterUserPassword="correct-horse-battery",
            DBName="shop", DBSubnetGroupName="pair", VpcSecurityGroupIds=[group], BackupRetentionPeriod=0, MultiAZ=True,
        )
        self.wait_until_available()
        self.database = failover.Database(cloud, rds, "pair")
        rds.stop_db_instance(DBInstanceIdentifier="pair")
        eventually(lambda: self.describe()["DBInstanceStatus"] == "stopped", within=60)
        self.database.put_on_disks_of_their_own(folder)
        rds.start_db_instance(DBInstanceIdentifier="pair")
        self.wait_until_whole()
        made = ec2.create_network_interface(SubnetId=subnets[2], Groups=[group])["NetworkInterface"]
        prefix = in_namespace(cloud, vpc, made["NetworkInterfaceId"])
        eventually(lambda: os.path.exists(prefix[1].removeprefix("--net=")))
        self.clients = failover.Clients(prefix, self.describe()["Endpoint"], "10.78.0.2", folder / "history")

    def describe(self):
        return self.rds.describe_db_instances(DBInstanceIdentifier="pair")["DBInstances"][0]

    def events(self, since):
        pages = self.rds.get_paginator("describe_events").paginate(SourceIdentifier="pair", SourceType="db-instance")
        found = [e for page in pages for e in page["Events"]]
        return [e for e in found if e["Date"].timestamp() >= since]

    def wait_until_available(self):
        self.rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="pair", WaiterConfig=SOON)

    def wait_until_whole(self):
        def whole():
            seen = self.describe()
            return seen["DBInstanceStatus"] == "available" and "SecondaryAvailabilityZone" in seen and self.database.is_whole()
        eventually(whole, within=180)

    def check_rows(self):
        history = self.clients.history()
        found = failover.faults_of(history, self.clients.rows())
        # An attempt whose end was not recorded yet may be there.
        assert (found["lost"], found["twice"]) == ([], []), found

    @contextlib.contextmanager
    def writing(self):
        before = time.monotonic()
        eventually(lambda: len(failover.acknowledged(self.clients.history(before))) > 30, within=60)
        # A busy machine may have made the standby late meanwhile, and without it there is nothing to fail over to.
        self.wait_until_whole()
        yield

    def wait_for_writes(self, fault, kinds=("kept", "new")):
        """Waits until both kinds of clients write again; returns the seconds from the fault, by kind."""
        def again():
            recent = failover.acknowledged(self.clients.history(time.monotonic() - 1))
            return time.monotonic() - fault > 3 and all(any(a[0] == k for a in recent) for k in kinds)
        eventually(again, within=60)
        history = self.clients.history(fault - 2)
        return [failover.interruption(history, fault, kind) for kind in kinds]


@pytest.fixture(scope="module")
def pair():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="escale-disks-", dir="/var/tmp"))
    with running_cloud() as cloud:
        made = None
        try:
            made = Pair(cloud, cloud.client("rds"), cloud.client("ec2"), folder)
            yield made
        finally:
            if log := os.environ.get("ESCALE_TEST_LOG"):
                pathlib.Path(log).write_text(cloud.log())
            if made:
                made.clients.stop()
                for node in made.database.nodes():
                    node.heal()
                made.rds.stop_db_instance(DBInstanceIdentifier="pair")
                eventually(lambda: made.describe()["DBInstanceStatus"] == "stopped", within=60)
                made.database.unmount()
    shutil.rmtree(folder)


def report(name, taken):
    for kind, seconds in zip(("kept connections", "new clients"), zip(*taken)):
        ms = sorted(round(s * 1000) for s in seconds)
        print(f"figure: | {name} | {kind} | {len(ms)} | {statistics.median(ms):.0f} ms | {ms[-1]} ms |")


PRIMARY = {
    "primary killed": "kill",
    "primary cannot start": "kill_for_good",
    "primary frozen": "freeze",
    "primary's disk stuck": "stick_disk",
    "primary cut off": "cut",
    "primary's zone lost": "lose_zone",
}
STANDBY = {
    "standby cannot start": "kill_for_good",
    "standby frozen": "freeze",
    "standby's disk stuck": "stick_disk",
    "standby cut off": "cut",
}


@pytest.mark.parametrize("name", PRIMARY)
def test_instance_fails_over_when_its_primary_is_lost(pair, name):
    taken = []
    for _ in range(ROUNDS):
        pair.wait_until_whole()
        with pair.writing():
            primary, standby = pair.database.nodes()
            since, fault = time.time() - 0.01, time.monotonic()
            getattr(primary, PRIMARY[name])()
            try:
                taken.append(pair.wait_for_writes(fault))
                now = pair.describe()
                # A killed one may be back before the verdict, and one that cannot start is copied anew.
                if name not in ("primary killed", "primary cannot start"):
                    assert now["AvailabilityZone"] == standby.zone
                    # While the fault lasts, no standby is shown, and the instance is available.
                    assert now["DBInstanceStatus"] == "available" and "SecondaryAvailabilityZone" not in now
                    story = [e["Message"] for e in pair.events(since) if e["EventCategories"] == ["failover"]]
                    assert story == [
                        "Multi-AZ instance failover started.",
                        "Multi-AZ failover to standby complete - DNS propagation may take a few minutes.",
                        "Multi-AZ instance failover completed.",
                    ], story
            finally:
                primary.heal()
        pair.wait_until_whole()
        assert name == "primary killed" or pair.describe()["SecondaryAvailabilityZone"] == primary.zone
        pair.check_rows()
    report(name, taken)
    assert max(max(t) for t in taken) < LIMIT, taken


@pytest.mark.parametrize("name", STANDBY)
def test_primary_goes_on_alone_when_its_standby_is_lost(pair, name):
    taken = []
    for _ in range(ROUNDS):
        pair.wait_until_whole()
        with pair.writing():
            primary, standby = pair.database.nodes()
            fault = time.monotonic()
            getattr(standby, STANDBY[name])()
            try:
                taken.append(pair.wait_for_writes(fault))
                assert pair.describe()["AvailabilityZone"] == primary.zone
            finally:
                standby.heal()
        # Synchronous replication returns by itself.
        pair.wait_until_whole()
        assert pair.describe()["AvailabilityZone"] == primary.zone
        pair.check_rows()
    report(name, taken)
    assert max(max(t) for t in taken) < LIMIT, taken


@pytest.mark.skipif(not failover.FREEZER.exists(), reason="only the freezer of cgroup v1 stops a process so that it cannot be killed")
def test_standby_is_replaced_although_its_frozen_processes_do_not_end(pair):
    pair.wait_until_whole()
    with pair.writing():
        primary, standby = pair.database.nodes()
        standby.freeze()
        try:
            frozen = set(standby.processes())
            eventually(lambda: "SecondaryAvailabilityZone" not in pair.describe(), within=30)
            # A change counts although there is no standby.
            pair.rds.modify_db_instance(DBInstanceIdentifier="pair", MasterUserPassword="correct-horse-battery", ApplyImmediately=True)
            eventually(lambda: pair.describe()["DBInstanceStatus"] == "available", within=60)
            eventually(lambda: "SecondaryAvailabilityZone" in pair.describe() and pair.database.is_whole(), within=240)
            assert all(os.path.exists(f"/proc/{pid}") for pid in frozen), "the frozen processes are still there"
            assert frozen.isdisjoint(standby.processes())
        finally:
            standby.heal()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in frozen), within=30)
    pair.wait_until_whole()
    pair.check_rows()


def lose_what_the_standby_lacks(pair):
    """Cuts the standby off for half a second while clients write, then the primary for good."""
    pair.wait_until_whole()
    with pair.writing():
        primary, standby = pair.database.nodes()
        standby.cut()
        time.sleep(0.4)
        fault = time.monotonic()
        primary.lose_zone()
        standby.join()
        try:
            pair.wait_for_writes(fault)
        finally:
            primary.heal()
    assert pair.describe()["AvailabilityZone"] == standby.zone
    pair.wait_until_whole()
    return failover.faults_of(pair.clients.history(), pair.clients.rows())


def test_check_finds_lost_rows_without_synchronous_replication(pair):
    assert lose_what_the_standby_lacks(pair)["lost"] == []
    primary, _ = pair.database.nodes()
    port = pair.database.record()["port"]
    # What no user can do: commits no longer wait, and the plane does not know.
    failover.sql(primary, port, "alter system set synchronous_standby_names = ''")
    failover.sql(primary, port, "select pg_reload_conf()")
    try:
        assert lose_what_the_standby_lacks(pair)["lost"] != []
    finally:
        for node in pair.database.nodes():
            with contextlib.suppress(AssertionError):
                failover.sql(node, port, "alter system reset synchronous_standby_names")
                failover.sql(node, port, "select pg_reload_conf()")
