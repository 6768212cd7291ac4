"""`escale drill` on the shop: what clients notice of faults that no plan can see, and that a fault never outlives its drill.

Nothing of Escale is called to check a fault or its end: the tests look at processes and packet filters themselves.
"""

import json
import os
import pathlib
import signal
import subprocess
import time
import xml.etree.ElementTree

import pytest

from conftest import ESCALE, database_of, eventually, tasks_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="drills act on namespaces and processes of root")

PATHS = ["--path", "/", "--path", "/api/items"]
KEYS = {"error_seconds", "failed_requests", "requests", "rows_acknowledged", "rows_lost", "p50_ms", "p99_ms", "timeline"}


def drill(shop, *words):
    done = shop.cloud.escale("drill", *words, *PATHS, "--json", check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert KEYS <= figures.keys()
    # Requests were sent at the rate and none was left out, and a row was acknowledged in almost every second.
    seconds = figures["steady_ms"] / 1000 + 5
    assert figures["requests"] >= 20 * seconds * 0.8
    assert figures["rows_lost"] == 0 and figures["rows_acknowledged"] > 20 * seconds
    assert left_of_faults(shop) == {"tables": [], "stopped": [], "files": []}
    assert schemas_of_drills(shop) == "0"
    return figures


def namespaces(shop):
    return [str(p) for p in pathlib.Path(shop.cloud.home).glob("**/netns/vpcs/*/interfaces/*")]


def left_of_faults(shop):
    """What faults leave on the machine: packet filters, stopped processes, records."""
    def filters(namespace):
        return subprocess.run(["nsenter", f"--net={namespace}", "nft", "list", "tables"], capture_output=True, text=True).stdout

    inside = {os.stat(n).st_ino: n for n in namespaces(shop)}
    stopped = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state = (proc / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if os.stat(proc / "ns/net").st_ino in inside and state in "Tt":
                stopped.append(int(proc.name))
        except OSError:
            pass
    files = [p.name for p in pathlib.Path(shop.cloud.home, "faults").glob("*")]
    return {"tables": [n for n in namespaces(shop) if "escale_drill" in filters(n)], "stopped": stopped, "files": files}


def schemas_of_drills(shop):
    query = "select count(*) from pg_namespace where nspname = 'escale_drill'"
    return shop.cloud.escale("psql", "--", "-Atc", query).stdout.strip()


def whole(shop):
    seen = database_of(shop)
    return seen["DBInstanceStatus"] == "available" and seen.get("SecondaryAvailabilityZone")


def said_by(figures, service):
    return [e["what"] for e in figures["timeline"] if e["by"] == service]


def test_killed_task_is_replaced(shop, tmp_path):
    before = {t["taskArn"] for t in tasks_of(shop)}
    figures = drill(shop, "task", "--service", "backend", "--svg", tmp_path / "task.svg")
    after = {t["taskArn"] for t in tasks_of(shop)}
    assert len(before - after) == 1 and len(after) == len(before)
    gone = (before - after).pop().rsplit("/", 1)[1]
    assert gone[:8] in figures["fault"]
    assert figures["noticed"]["by"] in ("ecs", "elasticloadbalancing")
    assert any(gone[:8] in what and "STOPPED" in what for what in said_by(figures, "ecs"))
    assert figures["error_seconds"] <= 2, figures
    picture = xml.etree.ElementTree.parse(tmp_path / "task.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("failure", ["kill", "freeze", "cut"])
def test_lost_primary_loses_no_row(shop, failure):
    before = database_of(shop)
    figures = drill(shop, "db", "--failure", failure)
    assert whole(shop)
    after = database_of(shop)
    if failure != "kill":
        assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
        assert "Multi-AZ instance failover completed." in said_by(figures, "rds")
    assert figures["users_fine_ms"] < 10_000, figures


def test_lost_zone_loses_no_row(shop):
    zone = database_of(shop)["AvailabilityZone"]
    # Long enough for health checks to fail twice.
    figures = drill(shop, "az", "--hold", "30")
    assert zone in figures["fault"]
    assert "Multi-AZ instance failover completed." in said_by(figures, "rds")
    assert any("unhealthy" in what for what in said_by(figures, "elasticloadbalancing"))
    assert whole(shop)


@pytest.mark.parametrize("defect", ["missing-image", "unhealthy"])
def test_broken_deployment_is_undone_without_an_error(shop, defect):
    ecs = shop.cloud.client("ecs")
    revision = lambda: ecs.describe_services(cluster=shop.stack, services=["frontend"])["services"][0]["taskDefinition"]
    before = revision()
    figures = drill(shop, "deploy-bad", "--service", "frontend", "--defect", defect)
    assert revision() == before
    assert figures["failed_requests"] == 0, figures
    assert any("rolling back" in what or "rollback" in what.lower() for what in said_by(figures, "ecs")), said_by(figures, "ecs")


def test_lost_gateway_stops_the_way_out_of_one_zone_only(shop):
    figures = drill(shop, "nat")
    assert "NAT gateway" in figures["fault"]
    egress = figures["egress"]
    assert egress["failed"] > 0 and egress["error_seconds"] > 0, egress
    assert egress["connections"] > egress["failed"], "before the fault and after it they succeed"
    assert figures["failed_requests"] == 0 and figures["rows_lost"] == 0, figures


def test_ten_times_the_load_fails_no_request(shop):
    figures = drill(shop, "load")
    usual = 20 * (figures["steady_ms"] / 1000 + 5)
    assert figures["requests"] > 3 * usual and figures["failed_requests"] == 0, figures
    assert figures["rows_lost"] == 0 and 0 < figures["longest_pause_ms"] < 10_000


def start_drill(shop, *words):
    """A drill whose fault is in effect."""
    process = subprocess.Popen([ESCALE, "drill", *words, *PATHS, "--json", "--hold", "300"], env=shop.cloud.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: process.poll() is None and left_of_faults(shop)["tables"], within=120)
    return process


def guardian_of(process):
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for thread in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        children += (thread / "children").read_text().split()
    guardians = {int(c) for c in children if b"drill-guardian" in pathlib.Path(f"/proc/{c}/cmdline").read_bytes()}
    (only,) = guardians
    return only


def test_killed_drill_and_killed_daemon_leave_no_fault(shop):
    eventually(lambda: whole(shop), within=180)
    process = start_drill(shop, "az")
    left = left_of_faults(shop)
    # Tasks, a database server, a load balancer's node and a NAT gateway are cut off.
    assert len(left["tables"]) >= 4 and left["stopped"] and len(left["files"]) == 1
    os.kill(shop.cloud.status()["daemon"]["pid"], signal.SIGKILL)
    process.kill()
    begun = time.monotonic()
    eventually(lambda: left_of_faults(shop) == {"tables": [], "stopped": [], "files": []}, within=10)
    assert time.monotonic() - begun < 10
    process.communicate()
    shop.cloud.escale("start")
    eventually(lambda: whole(shop), within=300)
    assert shop.get("/api/items").status_code == 200


def test_fault_of_a_killed_guardian_is_lifted_by_the_next_daemon(shop):
    eventually(lambda: whole(shop), within=180)
    process = start_drill(shop, "nat")
    guardian = guardian_of(process)
    os.kill(guardian, signal.SIGKILL)
    process.kill()
    process.communicate()
    assert left_of_faults(shop)["tables"], "nobody is left to lift it"
    os.kill(shop.cloud.status()["daemon"]["pid"], signal.SIGKILL)
    shop.cloud.escale("start")
    assert left_of_faults(shop) == {"tables": [], "stopped": [], "files": []}


def test_refuses_what_it_cannot_drill(shop):
    def error_of(*words):
        done = shop.cloud.escale("drill", *words, check=False)
        assert done.returncode == 1 and done.stdout == ""
        return done.stderr

    assert "a drill of the environment 'prod' is not supported: it would need AWS Fault Injection Service" in error_of("task", "--env", "prod")
    assert "the service nosuch has no running task" in error_of("task", "--service", "nosuch")
    assert "shop has nothing in the zone 'eu-west-3z'. Its zones are: eu-west-3a, eu-west-3b" in error_of("az", "--zone", "eu-west-3z")
