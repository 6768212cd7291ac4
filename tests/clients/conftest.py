"""Black box: a cloud of its own for the session, unmodified clients against it.

Everything here speaks only the wire, so a test that passes must hold on AWS too, apart from the endpoint.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import pytest

REGION = "eu-west-3"
ROOT = pathlib.Path(__file__).resolve().parents[2]
ESCALE = os.environ.get("ESCALE", str(ROOT / "target/debug/escale"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cloud:
    """One installation: its home, its ports, and clients for it."""

    def __init__(self, home):
        self.home = home
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "ESCALE_HOME": str(home),
            "ESCALE_ENDPOINT": f"127.0.0.1:{self.port}",
            "ESCALE_WEB_PORT": str(free_port()),
            "ESCALE_DNS_PORT": str(free_port()),
            "ESCALE_INTERNET_HOSTS": "outside=198.18.200.1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.env.pop("AWS_PROFILE", None)

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

    def aws_cli(self, *args, check=True):
        """The aws CLI of the venv that runs the tests."""
        program = pathlib.Path(sys.executable).parent / "aws"
        done = subprocess.run([str(program), *args], env=self.env, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"aws {' '.join(args)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def client(self, service, key="test", secret="test", token=None, **config):
        """A boto3 client without retries: the first answer counts."""
        defaults = {"retries": {"max_attempts": 1, "mode": "standard"}}
        if service == "s3":
            defaults["s3"] = {"addressing_style": "path"}
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=botocore.config.Config(**{**defaults, **config}),
        )

    def log(self):
        path = pathlib.Path(self.home) / "daemon.log"
        return path.read_text() if path.exists() else ""


def make_cloud():
    # Not below /tmp/pytest-of-root, which only root may enter: databases run as the user postgres.
    home = tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp")
    os.chmod(home, 0o755)
    return Cloud(home)


def remove_cloud(cloud):
    # A home that cannot be reset stays: what it left on the machine is found by it alone.
    cloud.escale("reset", "--yes")
    os.rmdir(cloud.home)


@pytest.fixture(scope="session")
def cloud():
    """A running daemon without an application, shared by the tests of a session."""
    made = make_cloud()
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)


@pytest.fixture
def own_cloud():
    """A daemon for one test alone: for those that kill it or fill it."""
    made = make_cloud()
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)


@pytest.fixture(scope="session")
def aws(cloud):
    """aws("ec2") is a boto3 client of the shared cloud."""
    clients = {}
    return lambda service: clients.setdefault(service, cloud.client(service))


def eventually(check, within=30, every=0.05):
    """Waits until `check` gives something true, and gives it. For effects that AWS, too, promises only soon."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {check.__name__}, last {found!r}")
        time.sleep(every)
