"""`escale up examples/shop`: black-box tests of the whole architecture."""

import pathlib
import subprocess
import threading
import time
import urllib.parse

import requests

from conftest import (
    ESCALE,
    SHOP,
    address_of,
    container_pid,
    database_of,
    eventually,
    host_tables,
    inside,
    postgres_setting,
    processes_of,
    tasks_of,
)

# PostgreSQL admits this role only over the Unix socket.
SUPERVISOR = "supervisor"


def sql(folder, query):
    """Runs a query as the supervisor over the socket in this folder. The path is too long for a socket address, so psql runs in the
    folder and uses /proc/self/cwd."""
    program = ["psql", "-h", "/proc/self/cwd", "-U", SUPERVISOR, "-d", "postgres", "-Atc", query]
    done = subprocess.run(["runuser", "-u", "postgres", "--", *program], capture_output=True, text=True, timeout=20, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def primary_of(shop):
    """The folder that contains the primary's socket."""
    sockets = [s.parent for s in pathlib.Path(shop.cloud.home, "postgres").rglob(".s.PGSQL.5432")]
    assert len(sockets) == 2
    [primary] = [s for s in sockets if sql(s, "select pg_is_in_recovery()") == ["f"]]
    return primary


def test_the_page_loads_and_a_new_item_is_listed(shop):
    page = shop.get("/")
    assert page.status_code == 200 and "<html" in page.text.lower()
    added = shop.add("a fine lamp", 4900)
    assert added.status_code == 201, added.text
    names = [item["name"] for item in shop.get("/api/items?limit=50").json()]
    assert "a fine lamp" in names


def test_a_picture_needs_a_signed_url(shop):
    item = shop.add("a picture frame").json()
    png = b"\x89PNG\r\n\x1a\n" + bytes(64)
    stored = shop.send("PUT", f"/api/items/{item['id']}/picture", data=png, headers={"Content-Type": "image/png"})
    assert stored.status_code in (200, 201), stored.text
    signed = shop.get(f"/api/items/{item['id']}/picture").json()["url"]
    path = shop.signed_path(signed)
    shown = shop.get(path)
    assert shown.status_code == 200 and shown.content == png
    bare = shop.get(urllib.parse.urlsplit(signed).path)
    assert bare.status_code == 403


def test_static_files_come_from_the_cache_the_second_time(shop):
    first = shop.get("/static/shop.css")
    assert first.status_code == 200
    second = shop.get("/static/shop.css")
    assert second.headers["X-Cache"] == "Hit from cloudfront"


def test_four_tasks_in_two_zones_and_all_targets_healthy(shop):
    tasks = tasks_of(shop)
    assert len(tasks) == 4 and {t["lastStatus"] for t in tasks} == {"RUNNING"}
    assert len({t["availabilityZone"] for t in tasks}) == 2
    elb = shop.cloud.client("elbv2")
    for group in elb.describe_target_groups()["TargetGroups"]:
        health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        assert [h["TargetHealth"]["State"] for h in health] == ["healthy", "healthy"]


def test_api_task_and_database_agree_on_a_tasks_address(shop):
    backends = {address_of(t) for t in tasks_of(shop) if "backend" in t["group"]}
    assert len(backends) == 2
    for task in tasks_of(shop):
        pid = container_pid(shop.cloud, task)
        assert f"inet {address_of(task)}/" in inside(pid, "ip", "-4", "addr", "show", "dev", "eth0").stdout
    primary = primary_of(shop)
    seen = sql(primary, "select distinct client_addr from pg_stat_activity where usename <> 'postgres' and client_addr is not null")
    assert {a.split("/")[0] for a in seen} >= backends
    assert sql(primary, "select sync_state from pg_stat_replication") == ["sync"]


def is_synchronous(shop):
    """Whether the standby replicates synchronously. After a failover, it is rebuilt and does not run for a while."""
    query = "select count(*) from pg_stat_replication where sync_state = 'sync'"
    try:
        return sql(primary_of(shop), query) == ["1"]
    except (AssertionError, ValueError):
        return False


class Writer:
    """Adds items one after the other until the block ends, and records the acknowledged ones with their time."""

    def __init__(self, shop, prefix):
        self.shop, self.prefix = shop, prefix
        self.acknowledged, self.stop = [], threading.Event()
        self.thread = threading.Thread(target=self.write)

    def write(self):
        n = 0
        while not self.stop.is_set():
            n += 1
            try:
                answer = self.shop.add(f"{self.prefix}-{n}")
            except requests.RequestException:
                continue
            if answer.status_code == 201:
                self.acknowledged.append((time.monotonic(), answer.json()["id"]))

    def __enter__(self):
        self.thread.start()
        self.more(10)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def more(self, count):
        """Waits for further acknowledgements."""
        written = len(self.acknowledged)
        eventually(lambda: len(self.acknowledged) >= written + count, within=60)

    def gap_ms(self):
        times = [at for at, _ in self.acknowledged]
        return max(b - a for a, b in zip(times, times[1:])) * 1000

    def missing(self):
        listed = {item["id"] for item in self.shop.get("/api/items?limit=100000").json()}
        return [id for _, id in self.acknowledged if id not in listed]


def test_failover_moves_the_name_and_loses_no_acknowledged_row(shop):
    before = database_of(shop)
    assert before["MultiAZ"] is True
    with Writer(shop, "failover") as writer:
        shop.cloud.aws_cli(
            "rds", "reboot-db-instance", "--db-instance-identifier", before["DBInstanceIdentifier"], "--force-failover"
        )
        eventually(lambda: database_of(shop)["AvailabilityZone"] == before["SecondaryAvailabilityZone"], within=60)
        writer.more(10)
    print(f"failover, without writes: {writer.gap_ms():.0f} ms")
    assert writer.missing() == []


def test_a_killed_daemon_loses_no_acknowledged_row(shop):
    def lasting():
        """The processes that must survive. PostgreSQL's backend processes come and go with the connections of clients; a new one has
        its server's command line until it sets its title."""
        called, parents = {}, {}
        for pid in processes_of(shop.cloud):
            try:
                called[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                parents[pid] = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # the process has ended meanwhile
        named = {pid for pid, name in called.items() if not name.startswith(b"postgres: ")}
        return {(pid, called[pid]) for pid in named if called.get(parents[pid]) != called[pid]}

    # The processes that rebuild the standby after the failover end by themselves.
    eventually(lambda: is_synchronous(shop), within=60)
    with Writer(shop, "killed") as writer:
        pid = shop.cloud.status()["daemon"]["pid"]
        before = lasting()
        assert len(before) >= 6  # four tasks and two databases, at least
        subprocess.run(["kill", "-9", str(pid)], check=True)
        shop.cloud.escale("start")
        writer.more(10)
    print(f"kill -9, without writes: {writer.gap_ms():.0f} ms")
    assert before - lasting() == set()
    assert writer.missing() == []


def test_a_dead_task_is_replaced(shop):
    ecs = shop.cloud.client("ecs")
    victim = next(t for t in tasks_of(shop) if "frontend" in t["group"])
    ecs.stop_task(cluster=shop.stack, task=victim["taskArn"], reason="a test")

    def replaced():
        running = [t for t in tasks_of(shop) if "frontend" in t["group"] and t["lastStatus"] == "RUNNING"]
        return len(running) == 2 and victim["taskArn"] not in [t["taskArn"] for t in running]

    eventually(replaced, within=60)


def test_a_changed_static_file_is_served_at_once(shop):
    file = SHOP / "frontend/dist/shop.css"
    s3 = shop.cloud.client("s3")
    made = shop.cloud.client("cloudformation").describe_stack_resource(StackName="shop-local", LogicalResourceId="StaticBucket")
    bucket = made["StackResourceDetail"]["PhysicalResourceId"]

    def versions():
        return len(s3.list_object_versions(Bucket=bucket, Prefix="static/shop.css")["Versions"])

    def up():
        shop.cloud.escale("up", SHOP, "--json", *postgres_setting(), timeout=180)

    def served(words):
        return eventually(lambda: words in shop.get("/static/shop.css").content, within=10)

    before = shop.get("/static/shop.css")
    assert before.status_code == 200
    assert shop.get("/static/shop.css").headers["x-cache"] == "Hit from cloudfront"
    css, count = file.read_bytes(), versions()
    try:
        file.write_bytes(css + b"/* changed */")
        up()
        assert served(b"/* changed */") and versions() == count + 1
        shop.get("/static/shop.css")
        up()
        assert versions() == count + 1, "an unchanged file is not uploaded again"
        assert shop.get("/static/shop.css").headers["x-cache"] == "Hit from cloudfront", "an unchanged file is not invalidated"
        # An `up` that ended after its upload and before its invalidation leaves this state.
        file.write_bytes(css + b"/* cut off */")
        s3.put_object(Bucket=bucket, Key="static/shop.css", Body=file.read_bytes(), ContentType="text/css; charset=utf-8")
        up()
        assert served(b"/* cut off */")
    finally:
        file.write_bytes(css)
        up()


def test_concurrent_up_commands_wait_for_each_other(shop):
    again = [
        subprocess.Popen([ESCALE, "up", SHOP, *postgres_setting()], env=shop.cloud.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=180)[1].decode() for process in again]
    assert [process.returncode for process in again] == [0, 0], errors


def test_other_users_cannot_read_the_state(shop):
    state = pathlib.Path(shop.cloud.home) / "state.db"
    assert [state.with_name(state.name + end).stat().st_mode & 0o077 for end in ("", "-wal", "-shm")] == [0, 0, 0]
    assert all((state.with_name(name).stat().st_mode & 0o077) == 0 for name in ("objects", "images", "logs", "cdn"))


def test_output_into_a_closed_pipe_is_no_error(shop):
    done = subprocess.run(["sh", "-c", f"{ESCALE} status --json | head -c 1"], env=shop.cloud.env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{", "")


def test_down_leaves_nothing_and_up_works_again(shop):
    home, tag = str(shop.cloud.home), shop.cloud.tag()

    def cgroups():
        # The installation's own cgroup may stay until `reset`; it must have no children.
        return [str(c) for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{tag}") for c in top.rglob("*") if c.is_dir()]

    def namespaces():
        mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
        return [m for m in mounts if home in m and "/vpcs/" in m or home in m and " nsfs " not in m]

    shop.cloud.escale("down", "--yes", timeout=180)
    assert processes_of(shop.cloud) == set()
    assert (namespaces(), cgroups()) == ([], [])
    assert host_tables() == shop.host_tables
    shop.cloud.escale("up", SHOP, "--json", *postgres_setting(), timeout=180)
    assert shop.get("/").status_code == 200
