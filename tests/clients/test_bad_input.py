"""Bad input: each error names the object, the place and the fix, and the command leaves nothing behind."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import time

import botocore.exceptions
import pytest
import requests

from conftest import ESCALE, Cloud, eventually, host_tables, make_cloud, processes_of, remove_cloud

# Debug output that no user should see.
DEBUG = re.compile(r"panicked|RUST_BACKTRACE|\b(Err|Ok|Some)\(|\bNone\b|\w+ \{ \w+: |\\n")

SERVES = 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000"]'


@pytest.fixture
def nothing():
    """An installation that does not exist yet. After the test nothing of it may be left, and a start must succeed."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    top.chmod(0o755)
    cloud, tables = Cloud(top / "home"), host_tables()
    try:
        yield cloud
        files = [f for f in cloud.home.rglob("*") if f.is_file()] if cloud.home.exists() else []
        assert [f for f in files if "builds" not in f.parts] == [], "the home is left half created"
        assert marks_of(cloud) == ([], set(), []) and host_tables() == tables
        cloud.escale("start")
        assert cloud.client("sts").get_caller_identity()["Account"]
    finally:
        cloud.escale("reset", "--yes")
        shutil.rmtree(top)


def marks_of(cloud):
    """An installation's mounts, processes and cgroups on the machine."""
    mounts = [m for m in pathlib.Path("/proc/mounts").read_text().splitlines() if str(cloud.home) in m]
    tops = [top for name in (cloud.tag(), f"escale.{cloud.tag()}") for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}")]
    groups = [str(c) for top in tops for c in top.rglob("*/")]
    return mounts, processes_of(cloud), groups


def refused(cloud, *words, program=(ESCALE,), env=None):
    """The error's text. Checks that --json prints the same error as JSON."""
    results = []
    for form in ([], ["--json"]):
        command = [*program, *form, *map(str, words)]
        done = subprocess.run(command, env={**cloud.env, **(env or {})}, capture_output=True, text=True, timeout=120)
        assert done.returncode != 0, f"{done.stdout}\n{done.stderr}"
        results.append(done)
    text, answer = results[0].stderr, json.loads(results[1].stdout)["error"]
    assert not DEBUG.search(text), text
    last = text[text.index("error: ") :]
    # Later lines of some errors name something that differs each time, such as a process or a task.
    assert answer["message"].splitlines()[0] in last and len(answer["because"]) == last.count("  because: ")
    return last


def application(folder, manifest=None, dockerfile=None, service="{ build: ./web, port: 3000, path: /, health: / }"):
    """Writes a manifest with one service and the source of its image."""
    web = folder / "web"
    web.mkdir()
    shutil.copy("/bin/busybox", web / "busybox")
    (web / "Dockerfile").write_text(dockerfile or f"FROM scratch\nCOPY busybox /bin/busybox\n{SERVES}\n")
    text = manifest or f"app: bad\nservices:\n  web: {service}\nnetwork: {{ cidr: 10.9.0.0/16, azs: 2 }}\n"
    (folder / "escale.yaml").write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize("manifest, expected", [
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000, path: /, helth: / }\n",
     ["error: unknown key `helth` in service `web`", "escale.yaml:3:45", "did you mean `health`?"]),
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000 }\nnetwork: { cidr: 10.9.0.0/33 }\n",
     ["`cidr` cannot be `10.9.0.0/33`", "escale.yaml:4:18", "write it like `10.0.0.0/16`"]),
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000 }\nnetwork: { cidr: 10.9.1.0/16 }\n",
     ["`cidr` cannot be `10.9.1.0/16`", "escale.yaml:4:18", "without host bits"]),
    ("app: bad\nservices: {\n", ["escale.yaml:"]),
])
def test_reports_error_in_manifest_with_its_place(nothing, tmp_path, manifest, expected):
    text = refused(nothing, "up", application(tmp_path, manifest))
    assert all(t in text for t in expected), text
    assert not nothing.home.exists()


def test_reports_missing_manifest(nothing, tmp_path):
    text = refused(nothing, "up", tmp_path / "nowhere")
    assert f"the manifest {tmp_path}/nowhere" in text and "does not exist" in text and "`escale up FOLDER`" in text


@pytest.mark.parametrize("dockerfile, expected", [
    (None, ["the service web", "web/Dockerfile, which cannot be read", "name an existing image with `image:`"]),
    ("FROM scratch\nCOPIE a /a\n", ["web/Dockerfile:2: unknown instruction `COPIE`"]),
    ("FROM scratch\nCOPY absent /a\n", ["the image of the service web", "web/Dockerfile:2: there is no `absent`"]),
])
def test_reports_why_an_image_cannot_be_built(nothing, tmp_path, dockerfile, expected):
    folder = application(tmp_path, dockerfile=dockerfile)
    if dockerfile is None:
        (folder / "web/Dockerfile").unlink()
    text = refused(nothing, "up", folder)
    assert all(t in text for t in expected), text


def hidden(*programs):
    """The command prefix that hides these programs or folders, with mounts in a new mount namespace."""
    paths = [shutil.which(p) for p in programs if not p.startswith("/")]
    over = [f"mount --bind /dev/null {os.path.realpath(p)}" for p in paths if p]
    over += [f"mount -t tmpfs none {p}" for p in programs if p.startswith("/")]
    return ["unshare", "--mount", "sh", "-c", " && ".join([*over, f'exec {ESCALE} "$@"']), "escale"]


def test_reports_base_image_whose_registry_does_not_answer(nothing, tmp_path):
    # Names below .invalid never exist.
    dockerfile = f"FROM some.registry.invalid/team/base:1\nCOPY busybox /bin/busybox\n{SERVES}\n"
    text = refused(nothing, "up", application(tmp_path, dockerfile=dockerfile))
    assert "the image of the service web could not be built" in text
    assert "web/Dockerfile:1: FROM some.registry.invalid/team/base:1: lookup some.registry.invalid: " in text


@pytest.mark.parametrize("lacks, expected", [
    (["nft"], ["nft: ", "apt-get install nftables"]),
    (["conntrack"], ["conntrack: ", "apt-get install conntrack"]),
    (["crun", "runc"], ["crun: ", "OCI runtime", "apt-get install crun"]),
])
def test_reports_missing_package(nothing, tmp_path, lacks, expected):
    folder = application(tmp_path)
    for words in (["up", folder], ["start"]):
        text = refused(nothing, *words, program=hidden(*lacks))
        assert "this machine does not meet the requirements" in text and all(t in text for t in expected), text
    assert not nothing.home.exists()


def test_reports_missing_postgresql_for_a_database(nothing, tmp_path):
    folder = application(tmp_path)
    with (folder / "escale.yaml").open("a") as manifest:
        manifest.write("database:\n  db: { engine: postgres 15, size: db.t4g.micro, storage: 20..100GB }\n")
    text = refused(nothing, "up", folder, program=hidden("/usr/lib/postgresql"))
    assert "postgresql: databases need PostgreSQL's programs. Install them: apt-get install postgresql-15" in text


def test_starts_with_an_incomplete_search_path(nothing):
    for path in ("/usr/bin:/bin", "/nowhere"):
        subprocess.run([ESCALE, "start"], env={**nothing.env, "PATH": path}, check=True, timeout=60)
        nothing.escale("reset", "--yes")


def test_reports_missing_root_privileges(nothing):
    top = nothing.home.parent
    program = top / "escale"
    shutil.copy(ESCALE, program)  # the tested binary may be in a folder that other users cannot enter
    (folder := top / "application").mkdir()
    application(folder)
    os.chown(top, 65534, 65534)  # the user could create a home there, but the error must come first
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program]
    for words in (["up", folder], ["start"]):
        text = refused(nothing, *words, program=unprivileged)
        assert "root: networks and container limits need root" in text and "sudo" in text, text
    assert not nothing.home.exists()


@pytest.mark.parametrize("variable, kind", [
    ("ESCALE_ENDPOINT", socket.SOCK_STREAM),
    ("ESCALE_WEB_PORT", socket.SOCK_STREAM),
    ("ESCALE_DNS_PORT", socket.SOCK_STREAM),
    ("ESCALE_DNS_PORT", socket.SOCK_DGRAM),
])
def test_reports_port_in_use(nothing, tmp_path, variable, kind):
    port, folder = int(nothing.env[variable].rpartition(":")[2]), application(tmp_path)
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        text = refused(nothing, "up", folder)
        assert f"127.0.0.1:{port} is in use by another program" in text and f"{variable}=" in text, text


@pytest.mark.parametrize("variable, value, expected", [
    ("ESCALE_ENDPOINT", "0.0.0.0:4566", "on loopback only"),
    ("ESCALE_ENDPOINT", "somewhere", "expected address:port, for example 127.0.0.1:4566"),
    ("ESCALE_ACCOUNT", "12", "12 digits"),
    ("ESCALE_WEB_PORT", "http", "this is not a port number"),
])
def test_refuses_invalid_setting(nothing, variable, value, expected):
    text = refused(nothing, "start", env={variable: value})
    assert f"{variable}={value}: " in text and expected in text, text


def test_stack_with_overlapping_subnets_is_rolled_back_with_the_reason(aws):
    client, name = aws("cloudformation"), "overlap"
    subnet = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.79.0.0/24"}}
    other = {**subnet, "DependsOn": "One", "Properties": {**subnet["Properties"], "CidrBlock": "10.79.0.128/25"}}
    vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.79.0.0/16"}}
    client.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Vpc": vpc, "One": subnet, "Two": other}})
    )
    with pytest.raises(botocore.exceptions.WaiterError):
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    eventually(lambda: client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    [why] = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "10.79.0.128/25" in why and "conflicts with another subnet" in why, why
    client.delete_stack(StackName=name)


def assert_nothing_left(cloud):
    """Checks that nothing of the failed application is left, neither in the cloud nor on the machine nor in the home."""
    assert cloud.client("cloudformation").describe_stacks()["Stacks"] == []
    assert [v["VpcId"] for v in cloud.client("ec2").describe_vpcs()["Vpcs"] if not v["IsDefault"]] == []
    assert cloud.client("ecs").list_clusters()["clusterArns"] == []
    assert [r["repositoryName"] for r in cloud.client("ecr").describe_repositories()["repositories"]] == []
    apps = pathlib.Path(cloud.home, "apps")
    assert not apps.exists() or list(apps.iterdir()) == []
    # A new daemon prepares the first database, whose processes end by themselves.
    eventually(lambda: processes_of(cloud) == set())
    mounts, _, groups = marks_of(cloud)
    assert groups == [] and [m for m in mounts if "/vpcs/" in m or "/containers/" in m] == []


ROLLED_BACK = "All resources of `bad` were rolled back. Fix the error above and run `escale up` again."


def failed_up(cloud, folder):
    """Runs an `up` that fails at the stack, checks that only the daemon, which ran before, is left, and returns the error."""
    done = cloud.escale("up", folder, "--json", check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    text = error["message"]
    assert not DEBUG.search(text), text
    assert "the stack bad-local could not be created" in text
    assert error["outcome"] == ROLLED_BACK
    assert_nothing_left(cloud)
    return text


def test_up_reports_why_tasks_exit_and_works_after_the_fix(own_cloud, tmp_path):
    words = "echo reading the settings; echo 'DATABASE_URL is not set' >&2; exit 3"
    broken = f'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "sh", "-c", "{words}"]\n'
    folder = application(tmp_path, dockerfile=broken)
    text = failed_up(own_cloud, folder)
    # The service, the container, its exit code, the reason that this ends the task, and its last output.
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert "Essential container in task exited" in text and "Container web: exit code 3." in text
    assert text.endswith("Its last output:\n    reading the settings\n    DATABASE_URL is not set")

    (folder / "web/Dockerfile").write_text(broken.replace(words, "exec nothing"))
    assert "exit code 127" in (text := failed_up(own_cloud, folder)) and "nothing: not found" in text
    (folder / "web/Dockerfile").write_text(broken.replace("/bin/busybox\", \"sh", "/bin/absent\", \"sh"))
    text = failed_up(own_cloud, folder)
    assert "CannotStartContainerError" in text and "/bin/absent" in text

    # After the fix it works.
    (folder / "web/Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY page /index.html\n{SERVES}\n")
    (folder / "web/page").write_text("it works")
    own_cloud.escale("up", folder)
    page = requests.get(f"http://127.0.0.1:{own_cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": "bad.localhost"}, timeout=10)
    assert page.text == "it works"

    def page():
        url = f"http://127.0.0.1:{own_cloud.env['ESCALE_WEB_PORT']}/"
        return requests.get(url, headers={"Host": "bad.localhost"}, timeout=10).text

    # A change is rolled out, and a change that fails leaves the version before.
    good = (folder / "web/Dockerfile").read_text()
    (folder / "web/page").write_text("changed")
    own_cloud.escale("up", folder)
    assert page() == "changed"
    (folder / "web/Dockerfile").write_text(broken)
    done = own_cloud.escale("up", folder, check=False)
    assert done.returncode == 1 and "could not be updated and was returned to the state before" in done.stderr
    assert "DATABASE_URL is not set" in done.stderr and "\nbad runs as before." in done.stderr, done.stderr
    assert page() == "changed" and own_cloud.status()["stack"]["status"] == "UPDATE_ROLLBACK_COMPLETE"
    (folder / "web/Dockerfile").write_text(good)
    (folder / "web/page").write_text("again")
    own_cloud.escale("up", folder)
    assert page() == "again"


# Ends on SIGTERM, which a shell as a container's first process ignores by default.
ENDS = 'ENTRYPOINT ["/bin/busybox", "sh", "-c", "trap exit TERM; /bin/busybox httpd -f -p 3000 & wait"]'


@pytest.mark.parametrize("service, request_sent, saw", [
    ("port: 9999, path: /, health: { path: /, grace: 9s }", r"GET http://10\.9\.\d+\.\d+:9999/", "connection refused, nothing listens on port 9999"),
    ("port: 3000, path: /, health: { path: /nope, grace: 9s }", r"GET http://10\.9\.\d+\.\d+:3000/nope", "answered 404, expected 200"),
])
def test_up_reports_failing_health_check(own_cloud, tmp_path, service, request_sent, saw):
    dockerfile = f"FROM scratch\nCOPY busybox /bin/busybox\n{ENDS}\n"
    folder, began = application(tmp_path, service=f"{{ build: ./web, {service} }}", dockerfile=dockerfile), time.monotonic()
    stack = {"StackName": "bad-local", "LogicalResourceId": "WebService"}

    def waited_for():
        try:
            shown = own_cloud.client("cloudformation").describe_stack_resource(**stack)["StackResourceDetail"]
        except botocore.exceptions.ClientError:
            return None  # the resource is not in the stack yet
        return re.fullmatch(f"failing: health check {request_sent}: {saw}", shown.get("ResourceStatusReason", ""))

    with concurrent.futures.ThreadPoolExecutor() as beside:
        failing = beside.submit(failed_up, own_cloud, folder)
        # The progress view shows it long before the deployment fails.
        assert eventually(waited_for, within=30)
        text = failing.result()
    # The grace period passes twice.
    assert time.monotonic() - began < 60
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert re.search(r"Task failed ELB health checks in \(target-group arn:aws:elasticloadbalancing:[^)]*\)", text), text
    assert re.search(rf"Its last check: {request_sent}: {saw}\.", text), text
    assert "(HealthCheckGracePeriodSeconds)" in text


@pytest.mark.parametrize("service, line", [
    ("port: 3000, path: /, health: { path: /nope }", r"GET http://10\.9\.\d+\.\d+:3000/nope: answered 404, expected 200"),
    ("port: 9999, path: /, health: { path: / }", r"GET http://10\.9\.\d+\.\d+:9999/: connection refused, nothing listens on port 9999"),
])
def test_up_prints_failing_health_check_at_once(own_cloud, tmp_path, service, line):
    """`up` does not wait the minutes until the deployment fails. It prints the line without a terminal, too."""
    dockerfile = f"FROM scratch\nCOPY busybox /bin/busybox\n{ENDS}\n"
    folder = application(tmp_path, service=f"{{ build: ./web, {service} }}", dockerfile=dockerfile)
    up = subprocess.Popen([ESCALE, "up", str(folder)], env=own_cloud.env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        ecs = own_cloud.client("ecs")
        running = lambda: ecs.list_tasks(cluster=ecs.list_clusters()["clusterArns"][0], desiredStatus="RUNNING")["taskArns"]
        with concurrent.futures.ThreadPoolExecutor() as beside:
            reported = beside.submit(next, (l for l in up.stderr if re.fullmatch(f"  WebService: health check {line}\n", l)), None)
            found = reported.result(timeout=90)
            assert found and up.poll() is None
            # As on AWS, the first task still runs: reporting the check does not stop it earlier.
            assert running()
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(timeout=30)
        up.stderr.close()
    # An empty default VPC does not keep the daemon running.
    assert "The daemon has stopped" in own_cloud.escale("down", "bad").stdout
    assert own_cloud.status()["daemon"]["pid"] is None


@pytest.fixture
def no_daemon():
    """An installation without a daemon. After the test nothing of it may run."""
    made, tables = make_cloud(), host_tables()
    try:
        yield made
        assert made.status()["daemon"]["pid"] is None
        assert marks_of(made) == ([], set(), []) and host_tables() == tables
    finally:
        remove_cloud(made)


def test_up_that_fails_after_the_stack_is_rolled_back(no_daemon, tmp_path):
    """The stack was complete already. The daemon that was started for this `up` ends, too."""
    folder = application(tmp_path, dockerfile=f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY Dockerfile /index.html\n{ENDS}\n")
    # A path that the file system accepts but that is too long for an S3 key.
    deep = folder.joinpath("dist", *["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "page.css").write_text("a")
    with (folder / "escale.yaml").open("a") as manifest:
        manifest.write("buckets:\n  static: { path: /static/*, sync: ./dist }\n  media: { path: /media/*, signed: true }\n")
    done = no_daemon.escale("up", folder, check=False)
    assert done.returncode == 1
    text = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert "KeyTooLongError" in text[0]
    assert text[1:] == [ROLLED_BACK, "The daemon that was started for this command has stopped."]
    assert no_daemon.status()["daemon"]["pid"] is None
    no_daemon.escale("start")
    assert_nothing_left(no_daemon)
    no_daemon.escale("stop")
    no_daemon.escale("reset", "--yes")


def test_failed_up_keeps_repositories_that_existed_before(own_cloud, tmp_path):
    """A user who deployed `escale template --registry` may have pushed images to them."""
    folder = application(tmp_path, dockerfile='FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "false"]\n')
    template = own_cloud.escale("template", folder, "--registry", "--json").stdout.strip()
    client = own_cloud.client("cloudformation")
    client.create_stack(StackName="bad-registry", TemplateBody=template)
    client.get_waiter("stack_create_complete").wait(StackName="bad-registry", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    done = own_cloud.escale("up", folder, check=False)
    assert "the stack bad-local could not be created" in done.stderr
    assert ROLLED_BACK in done.stderr and "The stack bad-registry existed before and was kept." in done.stderr
    assert [s["StackName"] for s in client.describe_stacks()["Stacks"]] == ["bad-registry"]
    client.delete_stack(StackName="bad-registry")


@pytest.fixture
def hanging(own_cloud, tmp_path):
    """A running `up` whose stack is in progress and whose tasks never become healthy."""
    waits = "trap exit TERM; /bin/busybox sleep 1000 & wait"
    sleeps = f'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "sh", "-c", "{waits}"]\n'
    folder = application(tmp_path, dockerfile=sleeps)
    command = [ESCALE, "up", str(folder)]
    up = subprocess.Popen(command, env=own_cloud.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: own_cloud.client("ecs").list_clusters()["clusterArns"])
        yield own_cloud, up, folder
    finally:
        up.kill()
        up.wait()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_up_keeps_its_stacks_and_names_the_next_commands(hanging, sent):
    """`up` keeps the stacks, because the user may want to continue. One line names them and both commands."""
    cloud, up, folder = hanging
    up.send_signal(sent)
    _, stderr = up.communicate(timeout=30)
    assert up.returncode == 130
    stacks = "bad-local (CREATE_IN_PROGRESS), bad-registry (CREATE_COMPLETE)"
    assert stderr.splitlines()[-1] == (
        f"error: interrupted. These stacks exist: {stacks}. Run `escale up {folder}` to continue, or `escale down bad` to "
        "remove the application"
    )
    assert cloud.status()["stack"]["status"] == "CREATE_IN_PROGRESS"
    # The stack continues without the command, and running tasks are not reported as healthy.
    progress = "2/2 running, deploying: 2 of 2 new tasks running, not all healthy yet"
    eventually(lambda: progress in cloud.escale("status").stdout)
    cloud.escale("down", "bad")
    assert cloud.status()["daemon"]["pid"] is None
    cloud.escale("start")
    assert_nothing_left(cloud)


def test_up_reports_that_the_daemon_died_and_how_to_remove_the_resources(hanging):
    cloud, up, _ = hanging
    os.kill(cloud.status()["daemon"]["pid"], signal.SIGKILL)
    _, stderr = up.communicate(timeout=30)
    assert up.returncode == 1
    error = stderr[stderr.index("error: ") :]
    assert f"the daemon does not answer at 127.0.0.1:{cloud.port}" in error.splitlines()[0]
    assert "The resources of `bad` could not be rolled back: the daemon" in error
    assert error.endswith("Run `escale down bad` to remove them.\n")
    cloud.escale("down", "bad")
    cloud.escale("start")
    assert_nothing_left(cloud)


def named(folder, image):
    return application(folder, service=f'{{ image: "{image}", port: 3000, path: /, health: / }}')


def test_refuses_image_of_a_registry_that_does_not_answer(own_cloud, tmp_path):
    """The error comes before any stack is created."""
    text = refused(own_cloud, "up", named(tmp_path, "some.registry.invalid/team/web:1"))
    assert "the service web cannot start from some.registry.invalid/team/web:1\n  because: lookup some.registry.invalid: " in text
    assert own_cloud.client("cloudformation").describe_stacks()["Stacks"] == []


def test_refuses_name_that_no_registry_has(nothing, tmp_path):
    text = refused(nothing, "up", named(tmp_path, "ghcr.io/Team/web:1"))
    assert "the service web: `ghcr.io/Team/web:1` is not a valid image name" in text
    assert not nothing.home.exists()


def test_refuses_image_that_is_not_in_the_registry(own_cloud, tmp_path):
    """The error comes before any stack is created."""
    image = f"127.0.0.1:{own_cloud.port}/team/web:1"
    folder = named(tmp_path, image)
    text = refused(own_cloud, "up", folder)
    assert f"the service web cannot start from {image}" in text
    assert "escale aws ecr create-repository --repository-name team/web" in text
    own_cloud.client("ecr").create_repository(repositoryName="team/web")
    text = refused(own_cloud, "up", folder)
    assert "the repository team/web has no image 1. Push it: skopeo copy" in text
    stacks = own_cloud.client("cloudformation")
    assert stacks.describe_stacks()["Stacks"] == [] and stacks.list_stacks()["StackSummaries"] == []


def test_daemon_keeps_running_after_an_error_whose_fix_needs_it(tmp_path):
    cloud = make_cloud()
    try:
        done = cloud.escale("up", named(tmp_path, f"127.0.0.1:{cloud.port}/team/web:1"), check=False)
        assert done.returncode == 1 and done.stderr.endswith("The daemon keeps running. Run `escale stop` to stop it.\n"), done.stderr
        assert cloud.client("ecr").describe_repositories()["repositories"] == []
    finally:
        remove_cloud(cloud)
