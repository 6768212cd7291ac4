"""The account's root key: the first start creates a random one, unless the environment fixes it."""

import json
import os
import pathlib
import re
import subprocess
import sys

import botocore.exceptions
import pytest

from conftest import ESCALE, make_cloud, remove_cloud

ROOT_ARN = "arn:aws:iam::000000000000:root"
FIXED = {"ESCALE_ACCESS_KEY": "test", "ESCALE_SECRET_KEY": "test"}


@pytest.fixture
def stopped_cloud():
    """A home whose daemon was never started."""
    made = make_cloud()
    yield made
    made.env = {name: value for name, value in made.env.items() if name not in FIXED}
    remove_cloud(made)


def identity(cloud, **credentials):
    return cloud.client("sts", **credentials).get_caller_identity()["Arn"]


def test_env_makes_the_aws_cli_the_root_principal(cloud):
    path = os.pathsep.join([os.path.dirname(ESCALE), os.path.dirname(sys.executable), os.environ["PATH"]])
    script = 'eval "$(escale env)" && aws sts get-caller-identity --query Arn --output text'
    # The user's own settings for AWS must have no effect.
    env = {**cloud.env, "PATH": path, "AWS_PROFILE": "none-such", "AWS_SESSION_TOKEN": "stale"}
    done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ROOT_ARN), done.stderr


def test_key_is_random_private_and_stays_until_reset(own_cloud):
    key = own_cloud.root()
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key["AWS_ACCESS_KEY_ID"]) and len(key["AWS_SECRET_ACCESS_KEY"]) == 40
    files = [pathlib.Path(own_cloud.home, name) for name in ("root-key.json", "root-key-in-use.json")]
    for file in files:
        assert oct(file.stat().st_mode & 0o777) == "0o600" and key["AWS_SECRET_ACCESS_KEY"] in file.read_text()
    assert identity(own_cloud) == ROOT_ARN
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        identity(own_cloud, key="test", secret="test")

    own_cloud.escale("stop")
    own_cloud.escale("start")
    assert own_cloud.root() == key and identity(own_cloud) == ROOT_ARN
    own_cloud.escale("reset", "--yes")
    own_cloud.escale("start")
    assert own_cloud.root()["AWS_ACCESS_KEY_ID"] != key["AWS_ACCESS_KEY_ID"] and identity(own_cloud) == ROOT_ARN


def test_environment_fixes_the_key(stopped_cloud):
    """Commands without these variables find the running daemon's key."""
    cloud = stopped_cloud
    plain, cloud.env = cloud.env, {**cloud.env, **FIXED}
    cloud.escale("start")
    cloud.env = plain
    variables = cloud.root()
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]) == ("test", "test")
    assert identity(cloud, key="test", secret="test") == ROOT_ARN
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run([ESCALE, "aws", "sts", "get-caller-identity"], env={**plain, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["Arn"] == ROOT_ARN, done.stderr
    assert not pathlib.Path(cloud.home, "root-key.json").exists()

    # Without the variables the next daemon creates the installation's own key, and the fixed one is invalid.
    cloud.escale("stop")
    cloud.escale("start")
    assert cloud.root()["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        identity(cloud, key="test", secret="test")


@pytest.mark.parametrize("alone, other", [tuple(FIXED), tuple(reversed(FIXED))])
def test_half_a_fixed_key_is_refused(stopped_cloud, alone, other):
    plain, stopped_cloud.env = stopped_cloud.env, {**stopped_cloud.env, alone: "test"}
    for verb in ("start", "env"):
        done = stopped_cloud.escale(verb, check=False)
        assert done.returncode != 0 and f"{alone} is set and {other} is not" in done.stderr, done.stderr
    stopped_cloud.env = plain


def test_env_before_the_first_start_says_what_to_do(stopped_cloud):
    done = stopped_cloud.escale("env", check=False)
    assert (done.returncode != 0, done.stdout) == (True, "") and "escale start" in done.stderr
