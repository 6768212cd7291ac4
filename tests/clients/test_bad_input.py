"""Bad input: each is refused by an error that names the thing, the place and the way out, and leaves nothing behind."""

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

# What a program shows when it has not thought of its reader.
DEBUG = re.compile(r"panicked|RUST_BACKTRACE|\b(Err|Ok|Some)\(|\bNone\b|\w+ \{ \w+: |\\n")

SERVES = 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000"]'


@pytest.fixture
def nothing():
    """An installation that is not there yet. After the test nothing of it may be left, and it must be possible to make it."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    top.chmod(0o755)
    cloud, tables = Cloud(top / "home"), host_tables()
    try:
        yield cloud
        files = [f for f in cloud.home.rglob("*") if f.is_file()] if cloud.home.exists() else []
        assert [f for f in files if "builds" not in f.parts] == [], "a home half made"
        assert marks_of(cloud) == ([], set(), []) and host_tables() == tables
        cloud.escale("start")
        assert cloud.client("sts").get_caller_identity()["Account"]
    finally:
        cloud.escale("reset", "--yes")
        shutil.rmtree(top)


def marks_of(cloud):
    """What an installation leaves on a machine while it runs: mounts, processes, cgroups."""
    mounts = [m for m in pathlib.Path("/proc/mounts").read_text().splitlines() if str(cloud.home) in m]
    tops = [top for name in (cloud.tag(), f"escale.{cloud.tag()}") for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}")]
    groups = [str(c) for top in tops for c in top.rglob("*/")]
    return mounts, processes_of(cloud), groups


def refused(cloud, *words, program=(ESCALE,), env=None):
    """The error's text. With --json the same comes as JSON."""
    told = []
    for form in ([], ["--json"]):
        command = [*program, *form, *map(str, words)]
        done = subprocess.run(command, env={**cloud.env, **(env or {})}, capture_output=True, text=True, timeout=120)
        assert done.returncode != 0, f"{done.stdout}\n{done.stderr}"
        told.append(done)
    text, answer = told[0].stderr, json.loads(told[1].stdout)["error"]
    assert not DEBUG.search(text), text
    last = text[text.index("error: ") :]
    # Some errors name what is new each time (a process, a task): then the first line is compared.
    assert answer["message"].splitlines()[0] in last and len(answer["because"]) == last.count("  because: ")
    return last


def application(folder, manifest=None, dockerfile=None, service="{ build: ./web, port: 3000, path: /, health: / }"):
    """A manifest with one service, and what it is built from."""
    web = folder / "web"
    web.mkdir()
    shutil.copy("/bin/busybox", web / "busybox")
    (web / "Dockerfile").write_text(dockerfile or f"FROM scratch\nCOPY busybox /bin/busybox\n{SERVES}\n")
    text = manifest or f"app: bad\nservices:\n  web: {service}\nnetwork: {{ cidr: 10.9.0.0/16, azs: 2 }}\n"
    (folder / "escale.yaml").write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize("manifest, told", [
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000, path: /, helth: / }\n",
     ["error: unknown key `helth` in service `web`", "escale.yaml:3:45", "did you mean `health`?"]),
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000 }\nnetwork: { cidr: 10.9.0.0/33 }\n",
     ["`cidr` cannot be `10.9.0.0/33`", "escale.yaml:4:18", "write it like `10.0.0.0/16`"]),
    ("app: bad\nservices:\n  web: { build: ./web, port: 3000 }\nnetwork: { cidr: 10.9.1.0/16 }\n",
     ["`cidr` cannot be `10.9.1.0/16`", "escale.yaml:4:18", "on its own boundary"]),
    ("app: bad\nservices: {\n", ["escale.yaml:"]),
])
def test_a_manifest_with_a_fault(nothing, tmp_path, manifest, told):
    text = refused(nothing, "up", application(tmp_path, manifest))
    assert all(t in text for t in told), text
    assert not nothing.home.exists()


def test_a_manifest_that_is_not_there(nothing, tmp_path):
    text = refused(nothing, "up", tmp_path / "nowhere")
    assert f"there is no manifest {tmp_path}/nowhere" in text and "`escale up FOLDER`" in text


@pytest.mark.parametrize("dockerfile, told", [
    (None, ["the service web", "web/Dockerfile, which cannot be read", "name a finished image with `image:`"]),
    ("FROM scratch\nCOPIE a /a\n", ["web/Dockerfile:2: unknown instruction `COPIE`"]),
    ("FROM scratch\nCOPY absent /a\n", ["the image of the service web", "web/Dockerfile:2: there is no `absent`"]),
])
def test_an_image_that_cannot_be_built(nothing, tmp_path, dockerfile, told):
    folder = application(tmp_path, dockerfile=dockerfile)
    if dockerfile is None:
        (folder / "web/Dockerfile").unlink()
    text = refused(nothing, "up", folder)
    assert all(t in text for t in told), text


def hidden(*programs):
    """Runs a command on a machine that lacks these programs, or folders: for it alone other things lie over them."""
    paths = [shutil.which(p) for p in programs if not p.startswith("/")]
    over = [f"mount --bind /dev/null {os.path.realpath(p)}" for p in paths if p]
    over += [f"mount -t tmpfs none {p}" for p in programs if p.startswith("/")]
    return ["unshare", "--mount", "sh", "-c", " && ".join([*over, f'exec {ESCALE} "$@"']), "escale"]


def test_a_base_image_whose_registry_does_not_answer(nothing, tmp_path):
    dockerfile = f"FROM some.registry.invalid/team/base:1\nCOPY busybox /bin/busybox\n{SERVES}\n"
    folder = application(tmp_path, dockerfile=dockerfile)
    # The name is reserved for what does not exist: nobody answers, with any builder.
    if any(shutil.which(engine) for engine in ("podman", "buildah")):
        text = refused(nothing, "up", folder)
        assert "the image of the service web could not be built" in text and "some.registry.invalid" in text
        assert "no such host" in text or "dial" in text, text
    text = refused(nothing, "up", folder, program=hidden("docker", "podman", "buildah"))
    assert "web/Dockerfile:1: FROM some.registry.invalid/team/base:1, which has to be pulled" in text
    assert "apt-get install buildah" in text


@pytest.mark.parametrize("lacks, told", [
    (["nft"], ["nft: ", "apt-get install nftables"]),
    (["conntrack"], ["conntrack: ", "apt-get install conntrack"]),
    (["crun", "runc"], ["crun: ", "OCI runtime", "apt-get install crun"]),
])
def test_a_package_that_is_missing(nothing, tmp_path, lacks, told):
    folder = application(tmp_path)
    for words in (["up", folder], ["start"]):
        text = refused(nothing, *words, program=hidden(*lacks))
        assert "this machine lacks something" in text and all(t in text for t in told), text
    assert not nothing.home.exists()


def test_a_database_without_postgresql(nothing, tmp_path):
    folder = application(tmp_path)
    with (folder / "escale.yaml").open("a") as manifest:
        manifest.write("database:\n  db: { engine: postgres 15, size: db.t4g.micro, storage: 20..100GB }\n")
    text = refused(nothing, "up", folder, program=hidden("/usr/lib/postgresql"))
    assert "postgresql: databases need PostgreSQL's programs: apt-get install postgresql-15" in text


def test_a_search_path_that_lacks_the_machine_s_programs(nothing):
    for path in ("/usr/bin:/bin", "/nowhere"):
        subprocess.run([ESCALE, "start"], env={**nothing.env, "PATH": path}, check=True, timeout=60)
        nothing.escale("reset", "--yes")


def test_without_privileges(nothing):
    top = nothing.home.parent
    program = top / "escale"
    shutil.copy(ESCALE, program)  # the one that is tested may lie where nobody else may look
    (folder := top / "application").mkdir()
    application(folder)
    os.chown(top, 65534, 65534)  # it may make its home there, and does not get so far
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program]
    for words in (["up", folder], ["start"]):
        text = refused(nothing, *words, program=nobody)
        assert "root: networks and container limits need root" in text and "sudo" in text, text
    assert not nothing.home.exists()


@pytest.mark.parametrize("variable, kind", [
    ("ESCALE_ENDPOINT", socket.SOCK_STREAM),
    ("ESCALE_WEB_PORT", socket.SOCK_STREAM),
    ("ESCALE_DNS_PORT", socket.SOCK_STREAM),
    ("ESCALE_DNS_PORT", socket.SOCK_DGRAM),
])
def test_a_port_that_is_in_use(nothing, tmp_path, variable, kind):
    port, folder = int(nothing.env[variable].rpartition(":")[2]), application(tmp_path)
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        text = refused(nothing, "up", folder)
        assert f"127.0.0.1:{port} is in use by another program" in text and f"{variable}=" in text, text


@pytest.mark.parametrize("variable, value, told", [
    ("ESCALE_ENDPOINT", "0.0.0.0:4566", "on loopback only"),
    ("ESCALE_ENDPOINT", "somewhere", "expected address:port, as 127.0.0.1:4566"),
    ("ESCALE_ACCOUNT", "12", "12 digits"),
    ("ESCALE_WEB_PORT", "http", "not a port"),
])
def test_a_setting_that_cannot_be(nothing, variable, value, told):
    text = refused(nothing, "start", env={variable: value})
    assert f"{variable}={value}: " in text and told in text, text


def test_subnets_that_overlap(aws):
    """In a template: the reason is told, and what was made before is gone again."""
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


def nothing_of_it(cloud):
    """Of the application that failed nothing stays, neither in the cloud nor on the machine nor in the home."""
    assert cloud.client("cloudformation").describe_stacks()["Stacks"] == []
    assert [v["VpcId"] for v in cloud.client("ec2").describe_vpcs()["Vpcs"] if not v["IsDefault"]] == []
    assert cloud.client("ecs").list_clusters()["clusterArns"] == []
    assert [r["repositoryName"] for r in cloud.client("ecr").describe_repositories()["repositories"]] == []
    apps = pathlib.Path(cloud.home, "apps")
    assert not apps.exists() or list(apps.iterdir()) == []
    # A daemon that has just begun prepares the first database.
    eventually(lambda: processes_of(cloud) == set())
    mounts, _, groups = marks_of(cloud)
    assert groups == [] and [m for m in mounts if "/vpcs/" in m or "/containers/" in m] == []


def failed_up(cloud, folder):
    """An `up` that gets as far as the stack: gives the error, and sees that only the daemon, which was there before, is left."""
    done = cloud.escale("up", folder, "--json", check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    text = error["message"]
    assert not DEBUG.search(text), text
    assert "the stack bad-local could not be created" in text
    assert error["outcome"] == "nothing of bad stays; mend it and say `escale up` again"
    nothing_of_it(cloud)
    return text


def test_an_image_that_exits_at_once(own_cloud, tmp_path):
    words = "echo reading the settings; echo 'DATABASE_URL is not set' >&2; exit 3"
    broken = f'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "sh", "-c", "{words}"]\n'
    folder = application(tmp_path, dockerfile=broken)
    text = failed_up(own_cloud, folder)
    # Which service and container, how it ended and why that is the end of the task, and what it said.
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert "Essential container in task exited" in text and "Container web: exit code 3." in text
    assert text.endswith("It wrote last:\n    reading the settings\n    DATABASE_URL is not set")

    (folder / "web/Dockerfile").write_text(broken.replace(words, "exec nothing"))
    assert "exit code 127" in (text := failed_up(own_cloud, folder)) and "nothing: not found" in text
    (folder / "web/Dockerfile").write_text(broken.replace("/bin/busybox\", \"sh", "/bin/absent\", \"sh"))
    text = failed_up(own_cloud, folder)
    assert "CannotStartContainerError" in text and "/bin/absent" in text

    # Mended, it works.
    (folder / "web/Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY page /index.html\n{SERVES}\n")
    (folder / "web/page").write_text("well again")
    own_cloud.escale("up", folder)
    page = requests.get(f"http://127.0.0.1:{own_cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": "bad.localhost"}, timeout=10)
    assert page.text == "well again"

    # What stands is not removed by an `up` that fails.
    (folder / "web/page").write_text("changed")
    done = own_cloud.escale("up", folder, check=False)
    assert done.returncode == 1 and "stacks cannot be updated here yet" in done.stderr
    assert done.stderr.endswith("bad stood before and is left as it is\n"), done.stderr
    page = requests.get(f"http://127.0.0.1:{own_cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": "bad.localhost"}, timeout=10)
    assert page.text == "well again" and own_cloud.status()["stack"]["status"] == "CREATE_COMPLETE"


# Ends when it is told to, as a shell that is a container's first process does not by itself.
ENDS = 'ENTRYPOINT ["/bin/busybox", "sh", "-c", "trap exit TERM; /bin/busybox httpd -f -p 3000 & wait"]'


@pytest.mark.parametrize("service, request_sent, saw", [
    ("port: 9999, path: /, health: { path: /, grace: 9s }", r"GET http://10\.9\.\d+\.\d+:9999/", "connection refused, nothing listens on port 9999"),
    ("port: 3000, path: /, health: { path: /nope, grace: 9s }", r"GET http://10\.9\.\d+\.\d+:3000/nope", "answered 404, expected 200"),
])
def test_a_wrong_port_or_health_path(own_cloud, tmp_path, service, request_sent, saw):
    dockerfile = f"FROM scratch\nCOPY busybox /bin/busybox\n{ENDS}\n"
    folder, began = application(tmp_path, service=f"{{ build: ./web, {service} }}", dockerfile=dockerfile), time.monotonic()
    stack = {"StackName": "bad-local", "LogicalResourceId": "WebService"}

    def waited_for():
        try:
            shown = own_cloud.client("cloudformation").describe_stack_resource(**stack)["StackResourceDetail"]
        except botocore.exceptions.ClientError:
            return None  # it has not begun
        return re.fullmatch(f"failing: health check {request_sent}: {saw}", shown.get("ResourceStatusReason", ""))

    with concurrent.futures.ThreadPoolExecutor() as beside:
        failing = beside.submit(failed_up, own_cloud, folder)
        # Long before it fails; the progress view shows it.
        assert eventually(waited_for, within=30)
        text = failing.result()
    # The grace period is waited for twice.
    assert time.monotonic() - began < 60
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert re.search(r"Task failed ELB health checks in \(target-group arn:aws:elasticloadbalancing:[^)]*\)", text), text
    assert re.search(rf"Its last check: {request_sent}: {saw}\.", text), text
    assert "(HealthCheckGracePeriodSeconds)" in text


@pytest.mark.parametrize("service, line", [
    ("port: 3000, path: /, health: { path: /nope }", r"GET http://10\.9\.\d+\.\d+:3000/nope: answered 404, expected 200"),
    ("port: 9999, path: /, health: { path: / }", r"GET http://10\.9\.\d+\.\d+:9999/: connection refused, nothing listens on port 9999"),
])
def test_a_failing_check_is_reported_at_once(own_cloud, tmp_path, service, line):
    """Not after the minutes that a deployment takes to fail for good: as a line that stays, also where there is no terminal."""
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
            # The first task has not been given up for it: what AWS does, happens as it does there.
            assert running()
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(timeout=30)
        up.stderr.close()
    # The default VPC, in which nothing runs, keeps no daemon alive.
    assert "the daemon has stopped" in own_cloud.escale("down", "bad").stdout
    assert own_cloud.status()["daemon"]["pid"] is None


@pytest.fixture
def no_daemon():
    """An installation without a daemon; after the test nothing may run for it."""
    made, tables = make_cloud(), host_tables()
    try:
        yield made
        assert made.status()["daemon"]["pid"] is None
        assert marks_of(made) == ([], set(), []) and host_tables() == tables
    finally:
        remove_cloud(made)


def test_an_up_that_fails_in_its_last_steps(no_daemon, tmp_path):
    """The stack stood already; and the daemon that was started for it ends with it."""
    folder = application(tmp_path, dockerfile=f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY Dockerfile /index.html\n{ENDS}\n")
    # Longer than a key of S3 may be: the file system takes it, the bucket does not.
    deep = folder.joinpath("dist", *["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "page.css").write_text("a")
    with (folder / "escale.yaml").open("a") as manifest:
        manifest.write("buckets:\n  static: { path: /static/*, sync: ./dist }\n  media: { path: /media/*, signed: true }\n")
    done = no_daemon.escale("up", folder, check=False)
    assert done.returncode == 1
    text = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert "KeyTooLongError" in text[0]
    assert text[1:] == ["nothing of bad stays; mend it and say `escale up` again", "the daemon that was started for it has stopped"]
    assert no_daemon.status()["daemon"]["pid"] is None
    no_daemon.escale("start")
    nothing_of_it(no_daemon)
    no_daemon.escale("stop")
    no_daemon.escale("reset", "--yes")


def test_repositories_of_ones_own_outlive_an_up_that_fails(own_cloud, tmp_path):
    """They were deployed by hand, with `escale template --registry`, and may hold what was pushed by hand."""
    folder = application(tmp_path, dockerfile='FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "false"]\n')
    template = own_cloud.escale("template", folder, "--registry", "--json").stdout.strip()
    client = own_cloud.client("cloudformation")
    client.create_stack(StackName="bad-registry", TemplateBody=template)
    client.get_waiter("stack_create_complete").wait(StackName="bad-registry", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    done = own_cloud.escale("up", folder, check=False)
    assert "the stack bad-local could not be created" in done.stderr
    assert "nothing of bad stays" in done.stderr and "the stack bad-registry was there before and stays" in done.stderr
    assert [s["StackName"] for s in client.describe_stacks()["Stacks"]] == ["bad-registry"]
    client.delete_stack(StackName="bad-registry")


@pytest.fixture
def hanging(own_cloud, tmp_path):
    """An `up` under way whose tasks never become healthy, once its stack is begun."""
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
def test_an_up_that_is_interrupted(hanging, sent):
    """What was begun stays, for its user may want to go on; one line says what there is, and both ways."""
    cloud, up, folder = hanging
    up.send_signal(sent)
    _, told = up.communicate(timeout=30)
    assert up.returncode == 130
    said = told.splitlines()[-1]
    stacks = "the stack bad-local (CREATE_IN_PROGRESS) and the stack bad-registry (CREATE_COMPLETE)"
    assert said == f"error: interrupted; there is {stacks}: `escale up {folder}` goes on, `escale down bad` removes it"
    assert cloud.status()["stack"]["status"] == "CREATE_IN_PROGRESS"
    # It goes on by itself, and what runs is not taken for what is healthy.
    said = "2/2 running, being deployed: 2 of 2 new, not all healthy yet"
    eventually(lambda: said in cloud.escale("status").stdout)
    cloud.escale("down", "bad")
    assert cloud.status()["daemon"]["pid"] is None
    cloud.escale("start")
    nothing_of_it(cloud)


def test_a_daemon_that_dies_during_up(hanging):
    """The error is the daemon's end; that the removal failed too is told beside it, with the command that removes what stays."""
    cloud, up, _ = hanging
    os.kill(cloud.status()["daemon"]["pid"], signal.SIGKILL)
    _, told = up.communicate(timeout=30)
    assert up.returncode == 1
    said = told[told.index("error: ") :]
    assert f"the daemon does not answer at 127.0.0.1:{cloud.port}" in said.splitlines()[0]
    assert "what was made of bad could not be removed: the daemon" in said
    assert said.endswith("`escale down bad` removes it\n")
    cloud.escale("down", "bad")
    cloud.escale("start")
    nothing_of_it(cloud)


def named(folder, image):
    return application(folder, service=f'{{ image: "{image}", port: 3000, path: /, health: / }}')


@pytest.mark.parametrize("image, registry, path", [
    ("some.registry.invalid/team/web:1", "some.registry.invalid", "team/web:1"),
    ("nginx", "docker.io", "nginx:latest"),
])
def test_an_image_of_a_foreign_registry(nothing, tmp_path, image, registry, path):
    """It is told before anything is started; the commands that are told name this registry and this image."""
    text = refused(nothing, "up", named(tmp_path, image))
    assert f"the service web: tasks here start from the cloud's own registry alone, and {image} is in {registry}" in text
    assert f"name it `image: 127.0.0.1:{nothing.port}/{path}`" in text
    assert f"escale aws ecr create-repository --repository-name {path.partition(':')[0]}\n" in text
    assert f"docker://{image} docker://127.0.0.1:{nothing.port}/{path}" in text
    assert not nothing.home.exists()


def test_an_image_that_is_not_in_the_registry(own_cloud, tmp_path):
    """It is told before any stack is made."""
    image = f"127.0.0.1:{own_cloud.port}/team/web:1"
    folder = named(tmp_path, image)
    text = refused(own_cloud, "up", folder)
    assert f"the service web cannot start from {image}" in text
    assert "escale aws ecr create-repository --repository-name team/web" in text
    own_cloud.client("ecr").create_repository(repositoryName="team/web")
    text = refused(own_cloud, "up", folder)
    assert "the repository team/web has no image 1; push it: skopeo copy" in text
    stacks = own_cloud.client("cloudformation")
    assert stacks.describe_stacks()["Stacks"] == [] and stacks.list_stacks()["StackSummaries"] == []


def test_what_is_told_early_leaves_the_daemon_that_the_way_out_needs(tmp_path):
    cloud = make_cloud()
    try:
        done = cloud.escale("up", named(tmp_path, f"127.0.0.1:{cloud.port}/team/web:1"), check=False)
        assert done.returncode == 1 and done.stderr.endswith("the daemon runs on; `escale stop` ends it\n"), done.stderr
        assert cloud.client("ecr").describe_repositories()["repositories"] == []
    finally:
        remove_cloud(cloud)
