"""`escale up` of an application that runs: `--watch`, release commands, and what services of one application share."""

import queue
import shutil
import signal
import subprocess
import threading

import pytest
import requests

from conftest import ESCALE, eventually
from images import busybox, push, token

SERVER = """FROM scratch
COPY bin /bin
COPY page /www/index.html
ENTRYPOINT ["/bin/busybox"]
CMD ["httpd", "-f", "-p", "3000", "-h", "/www"]
"""


# Old tasks leave at once, so that a rollout takes a few seconds: the server ignores SIGTERM, because it is process 1.
def at_once(*services):
    return "overrides:\n" + "".join(
        f'  {s}TargetGroup.TargetGroupAttributes.0.Value: "0"\n  {s}Task.ContainerDefinitions.0.StopTimeout: 1\n'
        for s in services
    )


AT_ONCE = at_once("Web", "Api")


def service(folder, name, page, dockerfile=SERVER):
    """A folder from which `up` builds a web server with one page."""
    at = folder / name
    at.mkdir()
    (at / "bin").mkdir()
    shutil.copy("/bin/busybox", at / "bin/busybox")
    (at / "bin/sh").symlink_to("busybox")
    (at / "page").write_text(page)
    (at / "Dockerfile").write_text(dockerfile)
    return at


def manifest(folder, services, rest=""):
    text = "app: notes\nnetwork: { cidr: 10.9.0.0/16, azs: 2, nat: single }\nservices:\n"
    (folder / "escale.yaml").write_text(text + "".join(f"  {line}\n" for line in services) + rest)


def get(cloud, path="/"):
    at = f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}{path}"
    return requests.get(at, headers={"Host": "notes.localhost"}, timeout=10)


def definitions(cloud):
    """The task definition of each service."""
    found = cloud.client("ecs").describe_services(cluster="notes-local", services=["web", "api"])["services"]
    return {s["serviceName"]: s["taskDefinition"] for s in found}


class Watching:
    """`escale up --watch`, line by line."""

    def __init__(self, cloud, folder):
        self.process = subprocess.Popen(
            [ESCALE, "up", folder, "--watch"], env=cloud.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line.strip()) for line in self.process.stdout], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def line(self, within=120):
        return self.lines.get(timeout=within)

    def until(self, start):
        while not (line := self.line()).startswith(start):
            pass
        return line


def test_watch_rolls_out_only_what_changed(own_cloud, tmp_path):
    web, _ = service(tmp_path, "web", "first"), service(tmp_path, "api", "of the api")
    (web / ".dockerignore").write_text("out\n")
    (tmp_path / "files/deep").mkdir(parents=True)
    (tmp_path / "files/deep/a.txt").write_text("old")
    services = [
        "web: { build: ./web, port: 3000, path: /, count: 1, deploy: { healthy: 0% } }",
        "api: { build: ./api, port: 3000, path: /api/*, health: /, count: 1 }",
    ]
    buckets = "buckets: { files: { path: /files/*, sync: ./files } }\n" + AT_ONCE
    manifest(tmp_path, services, buckets)
    with Watching(own_cloud, tmp_path) as watch:
        watch.until("Watching notes for changes.")
        before = definitions(own_cloud)

        # What .dockerignore excludes starts no round: the next line is about the page.
        (web / "out").mkdir()
        (web / "out/built").write_text("by a compiler")
        (web / "page").write_text("second")
        line = watch.line()
        assert line.startswith("web (web/page): ") and " failed" not in line, line
        eventually(lambda: get(own_cloud).text == "second")
        after = definitions(own_cloud)
        assert after["web"] != before["web"] and after["api"] == before["api"]

        # A failed build ends nothing. A new folder is watched, too.
        (web / "Dockerfile").write_text(SERVER + "COPY missing /\n")
        assert "web (web/Dockerfile): failed: the image of the service web could not be built" in watch.line()
        assert get(own_cloud).text == "second"
        (web / "more").mkdir()
        (web / "Dockerfile").write_text(SERVER + "COPY more /www/more\n")
        assert "failed" not in watch.line()
        (web / "more/x").write_text("added")
        assert watch.line().startswith("web (web/more/x): ")
        assert eventually(lambda: get(own_cloud, "/more/x").text == "added")

        (tmp_path / "files/deep/a.txt").write_text("new")
        assert watch.line().startswith("files (files/deep/a.txt): files uploaded")
        assert eventually(lambda: get(own_cloud, "/files/deep/a.txt").text == "new")

        manifest(tmp_path, [services[0].replace("count: 1", "count: 1, env: { A: b }"), services[1]], buckets + "nonsense: 1\n")
        assert "failed: unknown key `nonsense`" in watch.line()
        manifest(tmp_path, [services[0].replace("count: 1", "count: 1, env: { A: b }"), services[1]], buckets)
        line = watch.until("escale.yaml (escale.yaml): ")
        assert "failed" not in line, line
        ecs = own_cloud.client("ecs")
        now = ecs.describe_task_definition(taskDefinition=definitions(own_cloud)["web"])["taskDefinition"]
        assert {"name": "A", "value": "b"} in now["containerDefinitions"][0]["environment"]

        watch.process.send_signal(signal.SIGINT)
        watch.until("The watch has ended. notes keeps running.")
        assert watch.process.wait(timeout=20) == 0
    assert get(own_cloud).text == "second"


def test_release_commands_run_before_services_move(own_cloud, tmp_path):
    web, _ = service(tmp_path, "web", "first"), service(tmp_path, "api", "of the api")
    (web / "page").write_text("first")
    command = "[sh, -c, 'echo releasing $(cat /www/index.html) with $LEVEL; ! grep wrong /www/index.html']"
    services = [
        "web: { build: ./web, port: 3000, path: /, count: 1, env: { LEVEL: high }, release: " + command + " }",
        "api: { build: ./api, port: 3000, path: /api/*, health: /, count: 1 }",
    ]
    manifest(tmp_path, services, AT_ONCE)
    own_cloud.escale("up", tmp_path)
    ecs = own_cloud.client("ecs")

    def tasks(status, **options):
        arns = ecs.list_tasks(cluster="notes-local", desiredStatus=status, **options)["taskArns"]
        return ecs.describe_tasks(cluster="notes-local", tasks=arns)["tasks"] if arns else []

    [released] = tasks("STOPPED", startedBy="release")
    assert released["containers"][0]["exitCode"] == 0
    assert all(task["createdAt"] >= released["stoppedAt"] for task in tasks("RUNNING")) and len(tasks("RUNNING")) == 2
    before = definitions(own_cloud)

    # Something else runs in the cloud, so `down` below does not end the daemon.
    own_cloud.client("ec2").create_vpc(CidrBlock="10.10.0.0/16")

    # A failed command leaves all services as they were, and the error shows its output.
    (web / "page").write_text("wrong")
    (tmp_path / "api/page").write_text("of the new api")
    failed = own_cloud.escale("up", tmp_path, check=False)
    assert failed.returncode == 1
    assert "the release command of web failed, so no service was changed: it ended with exit code 1. Its last lines:\n" in failed.stderr
    assert "  releasing wrong with high" in failed.stderr and "notes runs as before." in failed.stderr
    assert definitions(own_cloud) == before and get(own_cloud).text == "first"

    # It is repeated even if nothing changed since.
    assert own_cloud.escale("up", tmp_path, check=False).returncode == 1

    (web / "page").write_text("second")
    own_cloud.escale("up", tmp_path)
    assert get(own_cloud).text == "second"
    after = definitions(own_cloud)
    assert after["web"] != before["web"] and after["api"] != before["api"]
    for name, definition in after.items():
        active = ecs.list_task_definitions(familyPrefix=f"notes-local-{name}", status="ACTIVE")["taskDefinitionArns"]
        assert active == [definition]
    assert len(own_cloud.escale("history").stdout.splitlines()) == 2

    # A change that is none of the command's starts no command, and no change starts nothing.
    commands = len(tasks("STOPPED", startedBy="release"))
    assert commands == 4
    own_cloud.escale("up", tmp_path, "--set", "services.api.count=2")
    assert "nothing changed" in own_cloud.escale("up", tmp_path, "--set", "services.api.count=2").stdout
    assert len(tasks("STOPPED", startedBy="release")) == commands and definitions(own_cloud) == after

    # What the manifest no longer has is removed only after the release command has succeeded.
    groups = {task["group"] for task in tasks("RUNNING")}
    (web / "page").write_text("wrong")
    manifest(tmp_path, services[:1], at_once("Web"))
    assert own_cloud.escale("up", tmp_path, "--yes", check=False).returncode == 1
    assert {task["group"] for task in tasks("RUNNING")} == groups and len(groups) == 2
    (web / "page").write_text("third")
    own_cloud.escale("up", tmp_path, "--yes")
    assert get(own_cloud).text == "third" and len(ecs.list_services(cluster="notes-local")["serviceArns"]) == 1

    # `down` removes the definition, too, that a failed release has left.
    (web / "page").write_text("wrong")
    assert own_cloud.escale("up", tmp_path, check=False).returncode == 1
    assert len(ecs.list_task_definitions(familyPrefix="notes-local-web", status="ACTIVE")["taskDefinitionArns"]) == 2
    own_cloud.escale("down", "--yes")
    assert ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []


ANSWER = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "$GREETING $NAME"
/bin/busybox wget -qO- "$API_URL/"
"""


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_services_call_each_other_and_have_sidecars(own_cloud, tmp_path):
    ecr = own_cloud.client("ecr")
    uri = ecr.create_repository(repositoryName="team/tool")["repository"]["repositoryUri"]
    busybox(tmp_path / "tool", Entrypoint=["/bin/busybox"])
    push(tmp_path / "tool", uri, "1", token(ecr))
    web, api = service(tmp_path, "web", "page"), service(tmp_path, "api", "of the api")
    (web / "answer").write_text(ANSWER)
    (web / "answer").chmod(0o755)
    (web / "Dockerfile").write_text(SERVER + "COPY answer /www/cgi-bin/answer\n")
    (api / "Dockerfile").write_text(SERVER.replace("3000", "3001"))
    (tmp_path / "web.env").write_text("# settings\nexport GREETING='hello $there'\nNAME=file\n")
    services = [
        "web: { build: ./web, port: 3000, path: /, count: 1, env_file: web.env, env: { NAME: own }, uses: [api], egress: [587], "
        "depends: { init: succeeded }, sidecars: { "
        "init: { image: 'IMAGE', command: echo prepared, essential: false }, "
        "beside: { image: 'IMAGE', command: sleep 1000, env: { A: b }, depends: { init: completed } } } }".replace("IMAGE", f"{uri}:1"),
        "api: { build: ./api, port: 3001, count: 1 }",
        "other: { build: ./api, count: 1 }",
    ]
    manifest(tmp_path, services)
    own_cloud.escale("up", tmp_path)
    assert get(own_cloud, "/cgi-bin/answer").text == "hello $there own\nof the api"

    ecs, ec2 = own_cloud.client("ecs"), own_cloud.client("ec2")
    [arn] = ecs.list_tasks(cluster="notes-local", serviceName="web")["taskArns"]
    [task] = ecs.describe_tasks(cluster="notes-local", tasks=[arn])["tasks"]
    states = {c["name"]: (c["lastStatus"], c.get("exitCode")) for c in task["containers"]}
    assert states == {"web": ("RUNNING", None), "beside": ("RUNNING", None), "init": ("STOPPED", 0)}

    groups = {g["Description"]: g for g in ec2.describe_security_groups()["SecurityGroups"]}

    def leaving(of):
        rules = groups[of]["IpPermissionsEgress"]
        ranges = {(r["IpProtocol"], r["FromPort"], i["CidrIp"]) for r in rules for i in r["IpRanges"]}
        return {r for r in ranges if r[1] != 53}, {(r["FromPort"], g["GroupId"]) for r in rules for g in r["UserIdGroupPairs"]}

    internal = groups["Services to services"]["GroupId"]
    everywhere = "0.0.0.0/0"
    assert leaving("Tasks of web") == ({("tcp", 443, everywhere), ("tcp", 587, everywhere)}, {(3001, internal)})
    assert leaving("Tasks of other") == ({("tcp", 443, everywhere), ("tcp", 80, everywhere)}, set())
    [entering] = groups["Tasks of api"]["IpPermissions"]
    assert (entering["FromPort"], [g["GroupId"] for g in entering["UserIdGroupPairs"]]) == (3001, [internal])
