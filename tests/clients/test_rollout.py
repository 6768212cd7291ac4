"""`escale up` again: each change is rolled out under load without a failed request, a bad one is undone, and data stays."""

import json
import shutil
import subprocess
import threading
import time

import pytest

from conftest import SHOP, Shop, eventually, host_tables, make_cloud, postgres_setting, remove_cloud


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A copy of the shop, whose manifest the tests change, deployed on a cloud of its own."""
    subprocess.run([SHOP / "build"], check=True)
    folder = tmp_path_factory.mktemp("app") / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("target", "src"))
    cloud, tables = make_cloud(), host_tables()
    try:
        app = Shop(cloud, json.loads(cloud.escale("up", folder, "--json", *postgres_setting()).stdout), tables)
        app.folder = folder
        yield app
    finally:
        remove_cloud(cloud)


class Load:
    """Requests from several threads while a block runs; counts the failed ones."""

    def __init__(self, app, path="/api/items", threads=4):
        self.app, self.path = app, path
        self.done, self.failed, self.over = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(threads)]

    def work(self):
        while not self.over.is_set():
            try:
                answer = self.app.get(self.path)
                if answer.status_code != 200:
                    self.failed.append(answer.status_code)
            except Exception as error:
                self.failed.append(repr(error))
            self.done += 1
            time.sleep(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def edit(app, *changes, file="escale.yaml"):
    path = app.folder / file
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)


def up(app, *more, check=True):
    return app.cloud.escale("up", app.folder, *postgres_setting(), *more, check=check, timeout=240)


def test_changes_roll_out_under_load_and_rows_stay(app):
    app.add("kept")
    with Load(app) as load:
        edit(app, ("LOG_LEVEL: info", "LOG_LEVEL: warn"))
        assert "backend.Environment.LOG_LEVEL info → warn" in up(app).stderr
        edit(app, ("env: { LOG_LEVEL", "count: 3\n    env: { LOG_LEVEL"))
        assert "(1 changed)" in up(app).stdout
        edit(app, ("buckets:\n", "buckets:\n  extra: { path: /extra/* }\n"))
        assert "2 created" in up(app).stdout
        edit(app, ("ENTRYPOINT", "LABEL version=2\nENTRYPOINT"), file="frontend/Dockerfile")
        up(app)
        edit(app, ("multi_az: true", "multi_az: false"))
        up(app)
        edit(app, ("multi_az: false, backups", "multi_az: true, backups"))
        up(app)
    assert load.failed == [] and load.done > 100, (load.failed[:10], load.done)
    assert "kept" in app.get("/api/items").text
    tasks = app.cloud.client("ecs").list_tasks(cluster=app.stack, serviceName="backend")["taskArns"]
    assert len(tasks) == 3
    assert "nothing changed" in up(app).stdout


def test_a_bad_image_and_a_wrong_health_check_are_undone(app):
    with Load(app, "/") as load:
        edit(app, ('ENTRYPOINT ["/shop-frontend"]', 'ENTRYPOINT ["/missing"]'), file="frontend/Dockerfile")
        done = up(app, check=False)
        assert done.returncode == 1 and "shop runs as before" in done.stderr
        assert "was returned to the state before" in done.stderr and "/missing" in done.stderr
        edit(app, ('ENTRYPOINT ["/missing"]', 'ENTRYPOINT ["/shop-frontend"]'), file="frontend/Dockerfile")
        edit(app, ("health: /healthz", "health: /wrong"))
        done = up(app, check=False)
        assert done.returncode == 1 and "The release was undone." in done.stderr, done.stderr
        assert "do not pass the new health check /wrong" in done.stderr
    assert load.failed == [], load.failed[:10]
    groups = app.cloud.client("elbv2").describe_target_groups()["TargetGroups"]
    assert {g["HealthCheckPath"] for g in groups} == {"/healthz", "/api/health"}
    edit(app, ("health: /wrong", "health: /healthz"))


def test_diff_history_and_rollback(app):
    assert "nothing changed" in app.cloud.escale("diff", app.folder, *postgres_setting()).stdout
    edit(app, ("LOG_LEVEL: warn", "LOG_LEVEL: error"))
    seen = json.loads(app.cloud.escale("diff", app.folder, "--json", *postgres_setting()).stdout)
    assert [c["logical_id"] for c in seen["changes"] if c["action"] == "replace"] == ["BackendTask"]
    before = len(json.loads(app.cloud.escale("history", "--json").stdout)["releases"])
    up(app)
    releases = json.loads(app.cloud.escale("history", "--json").stdout)["releases"]
    assert len(releases) == before + 1 and releases[-1]["present"]

    def level():
        ecs = app.cloud.client("ecs")
        service = ecs.describe_services(cluster=app.stack, services=["backend"])["services"][0]
        definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        return {e["name"]: e["value"] for e in definition["containerDefinitions"][0]["environment"]}["LOG_LEVEL"]

    assert level() == "error"
    done = app.cloud.escale("rollback")
    target = [r["release"] for r in releases if r["outcome"] == "done"][-2]
    assert f"has the content of release {target} again" in done.stdout
    assert level() == "warn"
    # A rollback never touches data: release 1 has no bucket `extra`.
    refused = app.cloud.escale("rollback", "1", check=False)
    assert refused.returncode == 1 and "a rollback never touches data" in refused.stderr
    edit(app, ("LOG_LEVEL: error", "LOG_LEVEL: warn"))


def test_up_asks_before_it_deletes_data(app):
    s3 = app.cloud.client("s3")
    resources = app.cloud.client("cloudformation").describe_stack_resources(StackName=app.stack)["StackResources"]
    bucket = next(r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"] == "ExtraBucket")
    s3.put_object(Bucket=bucket, Key="extra/a", Body=b"a")
    edit(app, ("  extra: { path: /extra/* }\n", ""))
    refused = up(app, check=False)
    assert refused.returncode == 1 and bucket in refused.stderr and "Pass --yes" in refused.stderr
    assert s3.get_object(Bucket=bucket, Key="extra/a")["Body"].read() == b"a"
    up(app, "--yes")
    assert bucket not in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    eventually(lambda: app.get("/").status_code == 200)
