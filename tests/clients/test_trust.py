"""`escale trust` with the system's certificate store, in a mount namespace with a store of its own."""

import os
import pathlib
import shutil
import subprocess

import pytest

import conftest

STORE, LINKS = "/usr/local/share/ca-certificates", "/etc/ssl/certs"
PREPARE = f"""
set -e
mount -t tmpfs none {STORE}
cp -a {LINKS} "$1/certs"
mount --bind "$1/certs" {LINKS}
echo ready
cat
"""


class Namespaced(conftest.Cloud):
    """An installation whose commands run in the mount namespace of a process."""

    def __init__(self, home, holder):
        super().__init__(home)
        self.enter = ["nsenter", f"--mount=/proc/{holder}/ns/mnt"]

    def run(self, *command, check=True):
        done = subprocess.run([*self.enter, *map(str, command)], env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 or not check, (command, done.stdout, done.stderr)
        return done

    def escale(self, *args, check=True, timeout=300):
        return self.run(conftest.ESCALE, *args, check=check)


@pytest.fixture
def namespaced(tmp_path):
    home = conftest.make_cloud().home
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", PREPARE, "sh", str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "ready\n"
        cloud = Namespaced(home, holder.pid)
        # The databases of this user's browsers stay as they are.
        cloud.env["HOME"] = str(tmp_path)
        yield cloud
        cloud.escale("reset", "--yes")
        os.rmdir(home)
    finally:
        holder.stdin.close()
        holder.wait(10)


@pytest.mark.skipif(shutil.which("update-ca-certificates") is None, reason="the package ca-certificates is not installed")
def test_system_trusts_the_root_until_the_installation_is_reset(namespaced):
    cloud, file = namespaced, f"{STORE}/escale-{namespaced.tag()}.crt"
    before = pathlib.Path(f"{LINKS}/ca-certificates.crt").read_text()
    cloud.escale("start")
    root = pathlib.Path(cloud.home, "authority/browsers.pem").read_text()
    in_store = lambda: root in cloud.run("cat", f"{LINKS}/ca-certificates.crt").stdout
    works = lambda: cloud.run("curl", "-s", f"https://localhost:{cloud.port}/", check=False).returncode == 0
    assert not works() and not in_store()
    assert file in cloud.escale("trust").stdout
    assert works() and in_store()
    removed = cloud.escale("reset", "--yes").stdout
    assert f"Removed the root certificate from {file}." in removed, removed
    assert cloud.run("ls", STORE).stdout == ""
    assert not in_store()
    assert pathlib.Path(f"{LINKS}/ca-certificates.crt").read_text() == before, "the machine's own store is unchanged"
    # Nothing is left to undo.
    assert "Removed the root" not in cloud.escale("reset", "--yes").stdout
