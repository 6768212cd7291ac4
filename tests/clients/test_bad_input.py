"""Bad input: each is refused by an error that names the thing, the place and the way out, and leaves nothing behind."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import textwrap
import time

import botocore.exceptions
import pytest
import requests

from conftest import ESCALE, Cloud, eventually, host_tables, processes_of

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
    groups = [str(c) for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{cloud.tag()}") for c in top.rglob("*/")]
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
    assert "apt install buildah" in text


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


def failed_up(cloud, folder):
    """An `up` that gets as far as the stack: gives the error, and sees that only the daemon and the images are left."""
    done = cloud.escale("up", folder, "--json", check=False)
    assert done.returncode != 0
    text = json.loads(done.stdout)["error"]["message"]
    assert not DEBUG.search(text), text
    assert "the stack bad-local could not be made" in text and "mend it and say `escale up` again" in text
    assert cloud.client("ec2").describe_vpcs()["Vpcs"] == []
    mounts, processes, groups = marks_of(cloud)
    assert processes == set() and groups == [], (processes, groups)
    assert [m for m in mounts if "/vpcs/" in m or "/containers/" in m] == []
    return text


def test_an_image_that_exits_at_once(own_cloud, tmp_path):
    words = "echo reading the settings; echo 'DATABASE_URL is not set' >&2; exit 3"
    broken = f'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "sh", "-c", "{words}"]\n'
    folder = application(tmp_path, dockerfile=broken)
    text = failed_up(own_cloud, folder)
    # Which service and container, how it ended and why that is the end of the task, and what it said.
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert "Essential container in task exited" in text and "Container web: exit code 3." in text
    assert "It wrote last:\n    reading the settings\n    DATABASE_URL is not set\n" in text

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


# Ends when it is told to, as a shell that is a container's first process does not by itself.
ENDS = 'ENTRYPOINT ["/bin/busybox", "sh", "-c", "trap exit TERM; /bin/busybox httpd -f -p 3000 & wait"]'


@pytest.mark.parametrize("service, request_sent, saw", [
    ("port: 9999, path: /, health: /", r"GET http://10\.9\.\d+\.\d+:9999/", "connection refused, nothing listens on port 9999"),
    ("port: 3000, path: /, health: { path: /nope, grace: 5s }", r"GET http://10\.9\.\d+\.\d+:3000/nope", "answered 404, and 200 is asked for"),
])
def test_a_wrong_port_or_health_path(own_cloud, tmp_path, service, request_sent, saw):
    dockerfile = f"FROM scratch\nCOPY busybox /bin/busybox\n{ENDS}\n"
    folder, began = application(tmp_path, service=f"{{ build: ./web, {service} }}", dockerfile=dockerfile), time.monotonic()
    text = failed_up(own_cloud, folder)
    # The default grace period is waited for twice: less than a minute when the machine is not loaded.
    assert time.monotonic() - began < 90
    assert "WebService: ECS Deployment Circuit Breaker was triggered: service web" in text
    assert re.search(r"Task failed ELB health checks in \(target-group arn:aws:elasticloadbalancing:[^)]*\)", text), text
    assert re.search(rf"Its last check: {request_sent}: {saw}\.", text), text
    assert "(HealthCheckGracePeriodSeconds)" in text


@pytest.mark.parametrize("image, told", [
    ("some.registry.invalid/team/web:1", "the registry some.registry.invalid is not one that tasks can reach; push the image"),
    ("127.0.0.1:{port}/team/web:1", "the repository 'team/web' does not exist: create it first"),
])
def test_an_image_that_cannot_be_pulled(own_cloud, tmp_path, image, told):
    image = image.format(port=own_cloud.port)
    service = f'{{ image: "{image}", port: 3000, path: /, health: / }}'
    text = failed_up(own_cloud, application(tmp_path, service=service))
    assert "CannotPullContainerError" in text and image in text and told in text, text
