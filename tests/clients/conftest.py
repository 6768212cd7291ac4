"""Black-box tests: each session runs its own cloud, and unmodified clients call it.

Assertions about responses should hold on AWS, too, apart from the endpoint. Whether a response is true is checked on the
machine: in namespaces, cgroups, processes and the kernel's tables.
"""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import boto3
import botocore.config
import pytest
import requests

REGION = "eu-west-3"
ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples/shop"
ESCALE = os.environ.get("ESCALE", str(ROOT / "target/debug/escale"))


POSTGRES_MAJORS = sorted(int(p.parent.parent.name) for p in pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def postgres_setting():
    """The arguments of `up` if this machine does not have the shop's version of PostgreSQL."""
    return [] if 15 in POSTGRES_MAJORS else ["--set", f"database.db.engine=postgres {POSTGRES_MAJORS[-1]}"]


GIVEN_PORTS = set()


def free_port():
    """A port that is free and was not given before: the kernel offers a port that nobody listens at yet again."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port


class Cloud:
    """One installation: its home, its ports, and clients for it."""

    def __init__(self, home):
        self.home = home
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.https = False
        self.env = {
            **os.environ,
            "ESCALE_HOME": str(home),
            "ESCALE_ENDPOINT": f"127.0.0.1:{self.port}",
            "ESCALE_WEB_PORT": str(free_port()),
            "ESCALE_HTTPS_PORT": str(free_port()),
            "ESCALE_DNS_PORT": str(free_port()),
            "ESCALE_INTERNET_HOSTS": "outside=198.18.200.1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for other in ("AWS_PROFILE", "ESCALE_ACCESS_KEY", "ESCALE_SECRET_KEY"):
            self.env.pop(other, None)

    def escale(self, *args, check=True, timeout=300):
        """Runs the binary; its output is in the result, and in the error when it fails."""
        done = subprocess.run(
            [ESCALE, *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode != 0:
            raise AssertionError(f"escale {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def status(self):
        return json.loads(self.escale("status", "--json").stdout)

    def root(self):
        """The variables of `escale env`, with this installation's root key. Read each time, because a reset changes the key."""
        return json.loads(self.escale("env", *(["--https"] if self.https else []), "--json").stdout)

    def use_https(self):
        """From now on, clients use TLS, as policies with `aws:SecureTransport` require."""
        self.https = True
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.env["AWS_ENDPOINT_URL"] = self.endpoint

    def aws_cli(self, *args, check=True):
        """The aws CLI of the venv that runs the tests."""
        program = pathlib.Path(sys.executable).parent / "aws"
        done = subprocess.run([str(program), *args], env={**self.env, **self.root()}, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"aws {' '.join(args)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def client(self, service, key=None, secret=None, token=None, **config):
        """A boto3 client without retries, so that tests see the first error. The default is the root key."""
        root = self.root() if key is None or secret is None else {}
        defaults = {"retries": {"max_attempts": 1, "mode": "standard"}}
        if service == "s3":
            defaults["s3"] = {"addressing_style": "path"}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            verify=f"{self.home}/authority/browsers.pem" if self.https else None,
            region_name=REGION,
            aws_access_key_id=key or root["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or root["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=token,
            config=botocore.config.Config(**{**defaults, **config}),
        )

    def tag(self):
        """The tag in the names of its cgroups: FNV-1a of the home's path, as in `app/src/home.rs`."""
        mark = 0xCBF29CE484222325
        for byte in os.path.realpath(self.home).encode():
            mark = ((mark ^ byte) * 0x100000001B3) % 2**64
        return f"{mark % 2**32:08x}"

    def log(self):
        path = pathlib.Path(self.home) / "daemon.log"
        return path.read_text() if path.exists() else ""


def make_cloud():
    # Not below /tmp/pytest-of-root, which only root may enter: databases run as the user postgres.
    home = tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp")
    os.chmod(home, 0o755)
    return Cloud(home)


def remove_cloud(cloud):
    # If the reset fails, the home is kept, because only with it can the leftovers on the machine be found.
    cloud.escale("reset", "--yes")
    os.rmdir(cloud.home)
    # A data plane that was replaced completes its requests for up to 30 s.
    with contextlib.suppress(AssertionError):
        eventually(lambda: not all_processes_of(cloud), within=40)
    left = all_processes_of(cloud)
    assert not left, f"reset left processes of {cloud.home}: {left}"


@contextlib.contextmanager
def running_cloud():
    """A new installation with a running daemon, removed afterwards."""
    made = make_cloud()
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)


@pytest.fixture(scope="session")
def cloud():
    """A running daemon without an application, shared by the tests of a session."""
    with running_cloud() as made:
        yield made


@pytest.fixture
def own_cloud():
    """A running daemon for a single test, which may kill it or change it permanently."""
    with running_cloud() as made:
        yield made


@pytest.fixture(scope="session")
def aws(cloud):
    """aws("ec2") is a boto3 client of the shared cloud."""
    clients = {}
    return lambda service: clients.setdefault(service, cloud.client(service))


def eventually(check, within=30, every=0.05):
    """Waits until `check` returns something true, and returns it. For effects that are eventual on AWS, too."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {check.__name__}, last {found!r}")
        time.sleep(every)


class Shop:
    """The running application."""

    def __init__(self, cloud, result, tables):
        self.cloud = cloud
        self.host_tables = tables
        self.result = result
        self.url = result["url"]
        self.stack = result["stack"]

    def get(self, path, **options):
        # Unlike browsers and curl, requests does not resolve *.localhost to this machine.
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


@pytest.fixture(scope="session")
def shop():
    subprocess.run([SHOP / "build"], check=True)
    cloud, tables = make_cloud(), host_tables()
    try:
        done = cloud.escale("up", SHOP, "--json", *postgres_setting(), timeout=180)
        yield Shop(cloud, json.loads(done.stdout), tables)
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


def host_tables():
    """The packet filter's tables in the machine's own network namespace, which Escale must not change."""
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def processes_of(cloud):
    """The pids of an installation's processes besides its daemon."""
    return all_processes_of(cloud) - {cloud.status()["daemon"]["pid"]}


def all_processes_of(cloud):
    """The pids of an installation's processes, from /proc: those in its cgroups, and those that have its home in their command
    line."""
    found = set()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the process has ended meanwhile
        is_ours = str(cloud.home).encode() in text or f"/{cloud.tag()}/".encode() in text
        if is_ours and int(folder.name) != os.getpid():
            found.add(int(folder.name))
    return found


def container_pid(cloud, task):
    """The first process of a task's containers that holds its address."""
    for pid in processes_of(cloud):
        # The container's first process has pid 1 in its own pid namespace.
        status = pathlib.Path(f"/proc/{pid}/status")
        if not status.exists() or not re.search(r"^NSpid:.*\t1$", status.read_text(), re.MULTILINE):
            continue
        if f"inet {address_of(task)}/" in inside(pid, "ip", "-4", "addr").stdout:
            return pid
    raise AssertionError(f"no process has the address {address_of(task)}")


def inside(pid, *program, **options):
    """Runs a program of this machine in a process's network namespace."""
    return subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", *program], capture_output=True, text=True, timeout=60, **options
    )
