"""`escale down` asks for confirmation before data is deleted permanently, and lists that data."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

from conftest import ESCALE, postgres_setting

MANIFEST = """
app: lost
services:
  web: { build: ./web, port: 3000, path: /, health: / }
database:
  db: { engine: postgres 15, multi_az: false }
network: { cidr: 10.9.0.0/16, azs: 2 }
buckets:
  static: { path: /static/*, sync: ./dist }
  media: { path: /media/*, signed: true }
  kept: { path: /kept/*, signed: true }
overrides:
  DbInstance.DeletionPolicy: Delete
  KeptBucket.DeletionPolicy: Retain
"""


@pytest.fixture
def application(own_cloud, tmp_path):
    """An application with files in a bucket and with a database without a final snapshot."""
    (tmp_path / "web").mkdir()
    shutil.copy("/bin/busybox", tmp_path / "web/busybox")
    serve = 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]'
    (tmp_path / "web/Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY Dockerfile /www/index.html\n{serve}\n")
    (tmp_path / "dist").mkdir()
    for name in ("a.css", "b.css"):
        (tmp_path / "dist" / name).write_text(name)
    (tmp_path / "escale.yaml").write_text(MANIFEST)
    own_cloud.escale("up", tmp_path, *postgres_setting(), timeout=300)
    return own_cloud


def at_a_terminal(cloud, answer, *words):
    """Runs a command at a terminal; returns its output and exit code."""
    leader, follower = pty.openpty()
    running = subprocess.Popen([ESCALE, *words], env=cloud.env, stdin=follower, stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    shown, until = b"", time.monotonic() + 120
    while time.monotonic() < until:
        if select.select([leader], [], [], 1)[0]:
            try:
                shown += os.read(leader, 4096)
            except OSError:
                break  # the other end is closed
        if answer is not None and b"[y/N] " in shown:
            os.write(leader, answer)
            answer = None
    os.close(leader)
    return shown.decode().replace("\r\n", "\n"), running.wait(timeout=60)


def test_asks_before_losing_data_and_keeps_retained_buckets(application):
    cloud, s3 = application, application.client("s3")
    names = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    [static], [kept] = ([name for name in names if part in name] for part in ("static", "kept"))
    s3.put_object(Bucket=kept, Key="kept/file", Body=b"mine")
    running = cloud.status()["stack"]["status"]

    def nothing_happened():
        assert cloud.status()["stack"]["status"] == running == "CREATE_COMPLETE"
        assert s3.list_objects_v2(Bucket=static)["KeyCount"] == 2

    losses = [f"the bucket {static} with 2 objects (including older versions)", "the database lost-local-db, of which no snapshot is kept"]
    # Without a terminal, the error lists the data and names the flag that confirms.
    done = cloud.escale("down", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert all(loss in done.stderr for loss in losses), done.stderr
    assert kept not in done.stderr, "a retained bucket is not lost"
    assert "was not removed. Pass --yes" in done.stderr
    nothing_happened()
    # At a terminal, it asks; every answer but yes means no.
    for answer in (b"n\n", b"\n", b"\x04"):
        shown, code = at_a_terminal(cloud, answer, "down")
        assert code == 1 and "lost was not removed" in shown, shown
        assert all(loss in shown for loss in losses), shown
        nothing_happened()
    shown, code = at_a_terminal(cloud, b"y\n", "down")
    assert code == 0 and "Removed lost." in shown, shown
    cloud.escale("start")
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [kept]
    assert s3.get_object(Bucket=kept, Key="kept/file")["Body"].read() == b"mine"
    assert cloud.client("rds").describe_db_snapshots()["DBSnapshots"] == []


def test_does_not_ask_if_no_data_is_lost(own_cloud, tmp_path):
    (tmp_path / "web").mkdir()
    shutil.copy("/bin/busybox", tmp_path / "web/busybox")
    serve = 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]'
    (tmp_path / "web/Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY Dockerfile /www/index.html\n{serve}\n")
    (tmp_path / "escale.yaml").write_text(
        "app: easy\nservices:\n  web: { build: ./web, port: 3000, path: /, health: / }\nnetwork: { cidr: 10.9.0.0/16, azs: 2 }\n"
        "buckets:\n  media: { path: /media/*, signed: true }\n"
    )
    own_cloud.escale("up", tmp_path, timeout=180)
    assert "Removed easy." in own_cloud.escale("down", timeout=120).stdout
