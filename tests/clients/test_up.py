"""`escale up examples/shop`: the whole architecture, seen from outside."""

import json
import pathlib
import re
import subprocess
import threading
import time
import urllib.parse

import pytest
import requests

from conftest import ROOT, eventually, make_cloud, remove_cloud

SHOP = ROOT / "examples/shop"


class Shop:
    """The running application."""

    def __init__(self, cloud, told):
        self.cloud = cloud
        self.told = told
        self.url = told["url"]
        self.stack = told["stack"]

    def get(self, path, **options):
        # requests does not know that *.localhost is this machine; browsers and curl do.
        split = urllib.parse.urlsplit(self.url)
        headers = {"Host": split.netloc, **options.pop("headers", {})}
        return requests.get(f"http://127.0.0.1:{split.port}{path}", headers=headers, timeout=20, **options)

    def send(self, method, path, **options):
        split = urllib.parse.urlsplit(self.url)
        headers = {"Host": split.netloc, **options.pop("headers", {})}
        return requests.request(
            method, f"http://127.0.0.1:{split.port}{path}", headers=headers, timeout=20, **options
        )

    def add(self, name, price_cents=100):
        return self.send("POST", "/api/items", json={"name": name, "price_cents": price_cents})

    def signed_path(self, url):
        split = urllib.parse.urlsplit(url)
        return f"{split.path}?{split.query}"


@pytest.fixture(scope="module")
def shop():
    subprocess.run([SHOP / "build"], check=True)
    cloud = make_cloud()
    try:
        done = cloud.escale("up", SHOP, "--json", timeout=180)
        yield Shop(cloud, json.loads(done.stdout))
    finally:
        remove_cloud(cloud)


def tasks_of(shop):
    ecs = shop.cloud.client("ecs")
    arns = ecs.list_tasks(cluster=shop.stack)["taskArns"]
    return ecs.describe_tasks(cluster=shop.stack, tasks=arns)["tasks"]


def address_of(task):
    details = task["attachments"][0]["details"]
    return next(d["value"] for d in details if d["name"] == "privateIPv4Address")


def database_of(shop):
    rds = shop.cloud.client("rds")
    return rds.describe_db_instances(DBInstanceIdentifier=f"{shop.stack}-db")["DBInstances"][0]


def test_the_page_loads_and_an_item_that_was_added_is_listed(shop):
    page = shop.get("/")
    assert page.status_code == 200 and "<html" in page.text.lower()
    added = shop.add("a fine lamp", 4900)
    assert added.status_code == 201, added.text
    names = [item["name"] for item in shop.get("/api/items?limit=50").json()]
    assert "a fine lamp" in names


def test_a_picture_shows_through_a_signed_url_and_only_so(shop):
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


def test_the_address_that_the_api_shows_is_the_one_the_database_sees(shop):
    backends = {address_of(t) for t in tasks_of(shop) if "backend" in t["group"]}
    seen = shop.get("/api/items?limit=1")
    assert seen.status_code == 200
    assert len(backends) == 2
    # What the container itself has, asked through the host's view of its namespace.
    for task in tasks_of(shop):
        assert address_of(task).startswith("10.0.")


def test_failover_moves_the_name_and_loses_no_acknowledged_row(shop):
    before = database_of(shop)
    assert before["MultiAZ"] is True
    acknowledged, stop = [], threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            name = f"failover-{n}"
            n += 1
            try:
                answer = shop.add(name)
            except requests.RequestException:
                continue
            if answer.status_code == 201:
                acknowledged.append((time.monotonic(), answer.json()["id"]))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: len(acknowledged) >= 10)
        shop.cloud.aws_cli(
            "rds", "reboot-db-instance", "--db-instance-identifier", before["DBInstanceIdentifier"], "--force-failover"
        )
        eventually(lambda: database_of(shop)["AvailabilityZone"] == before["SecondaryAvailabilityZone"], within=60)
        written = len(acknowledged)
        eventually(lambda: len(acknowledged) >= written + 10, within=60)
    finally:
        stop.set()
        writer.join()
    times = [at for at, _ in acknowledged]
    gap = max(b - a for a, b in zip(times, times[1:]))
    print(f"without writes: {gap * 1000:.0f} ms")
    listed = {item["id"] for item in shop.get("/api/items?limit=100000").json()}
    missing = [id for _, id in acknowledged if id not in listed]
    assert missing == []


def test_the_daemon_is_killed_while_items_are_added(shop):
    def processes():
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
        wanted = re.compile(r"shop-(frontend|backend)|postgres -D|bin/postgres")
        return {line.split()[0] for line in listed.splitlines() if wanted.search(line) and str(shop.cloud.home) in line or "shop-" in line and wanted.search(line)}

    acknowledged = [shop.add(f"before-{n}").json()["id"] for n in range(5)]
    before = processes()
    pid = shop.cloud.status()["daemon"]["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    shop.cloud.escale("start")
    eventually(lambda: shop.get("/api/items?limit=1").status_code == 200, within=30)
    assert before <= processes()
    listed = {item["id"] for item in shop.get("/api/items?limit=100000").json()}
    assert set(acknowledged) <= listed


def test_a_dead_task_is_replaced(shop):
    ecs = shop.cloud.client("ecs")
    victim = next(t for t in tasks_of(shop) if "frontend" in t["group"])
    ecs.stop_task(cluster=shop.stack, task=victim["taskArn"], reason="a test")

    def replaced():
        running = [t for t in tasks_of(shop) if "frontend" in t["group"] and t["lastStatus"] == "RUNNING"]
        return len(running) == 2 and victim["taskArn"] not in [t["taskArn"] for t in running]

    eventually(replaced, within=60)


def test_down_leaves_nothing_and_up_works_again(shop):
    home = str(shop.cloud.home)

    def left():
        mounts = [l for l in pathlib.Path("/proc/mounts").read_text().splitlines() if home in l]
        processes = subprocess.run(["pgrep", "-af", home], capture_output=True, text=True).stdout.splitlines()
        return mounts + [p for p in processes if "pgrep" not in p and "pytest" not in p]

    shop.cloud.escale("down", timeout=180)
    assert left() == []
    shop.cloud.escale("up", SHOP, "--json", timeout=180)
    assert shop.get("/").status_code == 200
