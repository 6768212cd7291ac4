"""A Multi-AZ instance fails over by itself, without a lost row, whatever way its primary fails.

`ESCALE_TEST_FAILOVERS=20` repeats each fault, and prints the figures of `cargo xtask soak failover`. `ESCALE_TEST_HISTORY=10` checks the
history of concurrent clients over ten rounds of all faults in the random order of `ESCALE_TEST_SEED`. `ESCALE_TEST_LOG=FILE` keeps the
daemon's log, `ESCALE_TEST_KEEP=FOLDER` the histories.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError

import failover
import history
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
        self.prefix, endpoint = prefix, self.describe()["Endpoint"]
        self.where = [endpoint["Address"], str(endpoint["Port"]), "10.78.0.2"]
        self.clients = failover.Clients(prefix, self.where, folder / "history")

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


def test_instance_works_while_the_disk_of_its_standby_is_stuck(pair):
    pair.wait_until_whole()
    with pair.writing():
        primary, standby = pair.database.nodes()
        since, fault = time.time() - 0.01, time.monotonic()
        standby.stick_disk()
        try:
            pair.wait_for_writes(fault)
            eventually(lambda: "SecondaryAvailabilityZone" not in pair.describe(), within=30)
            # No step that waits for the stuck disk holds up a change of the primary.
            pair.rds.modify_db_instance(DBInstanceIdentifier="pair", MasterUserPassword="correct-horse-battery", ApplyImmediately=True)
            eventually(lambda: pair.describe()["DBInstanceStatus"] == "available", within=60)
            assert not pair.database.is_whole()
            # Its server streams nevertheless. Each attempt to wait for it again would hold up all commits for a second, until it is given up once more.
            given_up = [e["Message"] for e in pair.events(since) if "commits no longer wait" in e["Message"]]
            assert len(given_up) == 1, given_up
        finally:
            standby.heal()
        eventually(lambda: "SecondaryAvailabilityZone" in pair.describe() and pair.database.is_whole(), within=240)
        assert pair.describe()["AvailabilityZone"] == primary.zone
    pair.check_rows()


class Round:
    """Concurrent writers and readers, whose history is checked at its end."""

    WRITERS, numbers = 6, iter(range(1, 1000))

    def __init__(self, pair):
        self.pair, self.base = pair, next(Round.numbers) * 10_000_000
        self.file = pathlib.Path(os.environ.get("ESCALE_TEST_KEEP", pair.folder)) / f"history-{self.base}"
        self.file.touch()
        create = "create table if not exists history (n bigint); create index if not exists history_n on history (n)"
        failover.run(pair.prefix, pair.where, f"with connect() as c: c.execute({create!r})")
        arguments = [*pair.where, str(self.file), "history", str(self.base), str(self.WRITERS)]
        self.process = failover.start(pair.prefix, arguments)

    def __enter__(self):
        self.wait_for_writes()
        self.pair.wait_until_whole()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def events(self):
        text = self.file.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for_writes(self):
        """Until clients write again."""
        size = self.file.stat().st_size
        def some():
            with self.file.open() as file:
                file.seek(size)
                return file.read().count('["ok"') > 30
        eventually(some, within=120)

    def check(self):
        """After the clients have ended and the pair is whole: no write is still waiting."""
        events = self.events()
        rows = failover.rows(self.pair.prefix, self.pair.where, f"history where n >= {self.base}")
        return history.outcomes(events), history.check(events, rows)


def wait_until_no_verdict_is_pending(pair):
    """A fault that has just ended may still lead to a failover. The old primary is to be rewound then, and the new one is the only copy, which
    a test may not destroy."""
    def steady():
        pair.wait_until_whole()
        epoch = pair.database.record()["epoch"]
        time.sleep(2)
        return pair.database.is_whole() and pair.database.record()["epoch"] == epoch
    eventually(steady, within=300)


def act(pair, fault):
    """Injects a fault; returns the node to heal."""
    primary, standby = pair.database.nodes()
    if fault == "forced failover":
        # It is refused while there is no standby.
        with contextlib.suppress(ClientError):
            pair.rds.reboot_db_instance(DBInstanceIdentifier="pair", ForceFailover=True)
        return primary
    if fault.endswith("cannot start"):
        wait_until_no_verdict_is_pending(pair)
        primary, standby = pair.database.nodes()
    node = primary if fault in PRIMARY else standby
    getattr(node, {**PRIMARY, **STANDBY}[fault])()
    return node


def schedule(seed):
    """All faults in random order. Each is held for a random time, some shorter than it takes to notice them. After some of them the next one
    follows before the pair is whole again, and some meet another one. The destruction of a node's files needs a whole pair, as the
    only copy may be its victim."""
    rng = random.Random(seed)
    faults = [*PRIMARY, *STANDBY, "forced failover"]
    rng.shuffle(faults)
    lasting = lambda fault: fault.endswith("cannot start")
    found = []
    for fault in faults:
        others = [f for f in faults if not lasting(f) and (f in PRIMARY) != (fault in PRIMARY)]
        second = rng.choice(others) if not lasting(fault) and rng.random() < 0.25 else None
        found.append((fault, rng.choice([0.3, 1, 3, 6]) * rng.uniform(0.5, 1), second, rng.random() < 0.7))
    return [(f, hold, second, whole or lasting(following)) for (f, hold, second, whole), (following, *_) in zip(found, [*found[1:], ("", )])]


def run_round(pair, faults):
    with Round(pair) as clients:
        for fault, hold, second, wait_until_whole in faults:
            healed = []
            try:
                healed.append(act(pair, fault))
                time.sleep(hold)
                if second:
                    healed.append(act(pair, second))
                    time.sleep(hold)
            finally:
                for node in healed:
                    node.heal()
            if wait_until_whole:
                pair.wait_until_whole()
                clients.wait_for_writes()
        pair.wait_until_whole()
        clients.wait_for_writes()
    pair.wait_until_whole()
    return clients.check()


def in_words(faults):
    return ", ".join(f"{fault}{f' and {second}' if second else ''} for {hold:.1f} s{'' if whole else ' ->'}" for fault, hold, second, whole in faults)


SHORT = [("primary frozen", 3, None, True), ("standby cut off", 2, None, False), ("forced failover", 0.1, None, True)]


def test_history_of_concurrent_clients_is_consistent(pair):
    count, seed = int(os.environ.get("ESCALE_TEST_HISTORY", "0")), int(os.environ.get("ESCALE_TEST_SEED", "1"))
    rounds = [(seed + i, schedule(seed + i)) for i in range(count)] or [("fixed", SHORT)]
    total, violations = Counter(), []
    for number, faults in rounds:
        pair.wait_until_whole()
        counts, found = run_round(pair, faults)
        total.update(counts)
        found = {kind: some[:5] for kind, some in found.items() if some}
        if found:
            violations.append((number, in_words(faults), found))
        print(f"round: {number} {counts} {found or 'consistent'}: {in_words(faults)}", flush=True)
    print(f"history: | {len(rounds)} | {sum(len(f) for _, f in rounds)} | {' | '.join(str(total[k]) for k in ('acknowledged', 'failed', 'unknown', 'reads'))} | {len(violations)} |")
    assert total["acknowledged"] > 100 and not violations, violations


def lose_what_the_standby_lacks(pair):
    """Cuts the standby off for half a second while clients write, then the primary for good."""
    pair.wait_until_whole()
    with Round(pair) as clients:
        primary, standby = pair.database.nodes()
        standby.cut()
        time.sleep(0.4)
        primary.lose_zone()
        standby.join()
        try:
            clients.wait_for_writes()
        finally:
            primary.heal()
    assert pair.describe()["AvailabilityZone"] == standby.zone
    pair.wait_until_whole()
    return clients.check()[1]


def test_check_finds_lost_rows_without_synchronous_replication(pair):
    """The same faults, and the same check of the history, with synchronous replication and without."""
    assert not any(lose_what_the_standby_lacks(pair).values())
    primary, _ = pair.database.nodes()
    port = pair.database.record()["port"]
    # What no user can do: commits no longer wait, and the plane does not know.
    failover.sql(primary, port, "alter system set synchronous_standby_names = ''")
    failover.sql(primary, port, "select pg_reload_conf()")
    try:
        found = lose_what_the_standby_lacks(pair)
        assert found["lost"] != [] and found["twice"] == found["invented"] == [], found
    finally:
        for node in pair.database.nodes():
            with contextlib.suppress(AssertionError):
                failover.sql(node, port, "alter system reset synchronous_standby_names")
                failover.sql(node, port, "select pg_reload_conf()")
