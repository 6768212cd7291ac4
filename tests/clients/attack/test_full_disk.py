"""A full disk: operations that free space work, errors name the disk, and everything works again once there is space."""

import errno
import os
import pathlib
import shutil
import subprocess
import tempfile

import botocore.exceptions
import pytest
import tasks

from conftest import Cloud, eventually, processes_of

SIZE_MIB = 96


class Disk:
    """A small file system that holds the home and a filler file."""

    def __init__(self, mount):
        self.mount, self.filler = mount, mount / "filler"

    def fill(self):
        """Writes until no byte is free. Tests call it again, since Escale frees some space meanwhile."""
        filler = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        os.write(filler, b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
        finally:
            os.close(filler)

    def empty(self):
        self.filler.unlink(missing_ok=True)


@pytest.fixture
def small():
    mount = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=755", "tmpfs", str(mount)], check=True)
    cloud, disk = Cloud(mount / "home"), Disk(mount)
    try:
        yield cloud, disk
    finally:
        disk.empty()
        cloud.escale("reset", "--yes", check=False)
        subprocess.run(["umount", str(mount)], check=True)
        mount.rmdir()


def assert_names_disk(text, disk):
    assert f"the disk mounted at {disk.mount} (tmpfs)" in text and "bytes are free" in text, text


def test_reset_frees_a_full_disk_while_a_task_and_a_daemon_run(small, tmp_path):
    cloud, disk = small
    cloud.escale("start")
    cluster = tasks.Cluster(cloud, tmp_path / "image")
    cluster.until(cluster.run(cluster.define(cluster.container("main", "sleep 1000"))), "RUNNING")
    assert processes_of(cloud)
    disk.fill()
    cloud.escale("reset", "--yes", timeout=60)
    assert processes_of_home(cloud) == []
    assert not cloud.home.exists() or list(cloud.home.iterdir()) == []
    groups = [c for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{cloud.tag()}") for c in top.rglob("*/")]
    assert groups == [] and str(cloud.home) not in pathlib.Path("/proc/mounts").read_text()


def processes_of_home(cloud):
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(cloud.home).encode() in text or f"/{cloud.tag()}/".encode() in text:
            found.append(text)
    return found


def test_reset_frees_a_full_disk_after_the_daemon_was_killed(small):
    cloud, disk = small
    cloud.escale("start")
    pid = cloud.status()["daemon"]["pid"]
    os.kill(pid, 9)
    eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists() or "Z" in pathlib.Path(f"/proc/{pid}/status").read_text())
    disk.fill()
    cloud.escale("reset", "--yes", timeout=60)
    assert not cloud.home.exists() or list(cloud.home.iterdir()) == []


def test_api_errors_name_the_full_disk_and_end_once_it_has_space(small):
    cloud, disk = small
    cloud.escale("start")
    ssm, s3 = cloud.client("ssm"), cloud.client("s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket="kept", Key="before", Body=b"b" * 300_000)
    disk.fill()

    def refused(call, **arguments):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            # SQLite reuses its free pages first, so the first few calls can succeed.
            for i in range(200):
                disk.fill()
                call(**{k: v.format(i) if isinstance(v, str) else v for k, v in arguments.items()})
        return error.value.response

    answer = refused(ssm.put_parameter, Name="/full/{}", Value="x" * 4000, Type="String")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503, answer
    assert_names_disk(answer["Error"]["Message"], disk)
    answer = refused(s3.put_object, Bucket="kept", Key="full-{}", Body=b"x" * 400_000)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503, answer
    assert_names_disk(answer["Error"]["Message"], disk)
    # Reads and the status need no space.
    assert s3.get_object(Bucket="kept", Key="before")["Body"].read() == b"b" * 300_000
    assert cloud.status()["daemon"]["pid"]
    disk.empty()
    ssm.put_parameter(Name="/after", Value="y", Type="String")
    s3.put_object(Bucket="kept", Key="after", Body=b"y" * 300_000)
    assert "panicked" not in cloud.log()
    cloud.escale("stop")
    cloud.escale("start")
    assert ssm.get_parameter(Name="/after")["Parameter"]["Value"] == "y"


def test_start_names_the_full_disk_and_stop_works_on_it(small):
    cloud, disk = small
    disk.fill()
    done = cloud.escale("start", check=False)
    assert done.returncode == 1
    assert_names_disk(done.stderr, disk)
    disk.empty()
    cloud.escale("start")
    disk.fill()
    assert "Stopped" in cloud.escale("stop").stdout
    # The files that start needs may already exist; if not, the error names the disk again.
    disk.fill()
    done = cloud.escale("start", check=False)
    assert done.returncode == 0 or assert_names_disk(done.stderr, disk) is None
    disk.empty()
    cloud.escale("start")
    assert cloud.client("sts").get_caller_identity()["Account"]


def test_up_names_the_full_disk(small, tmp_path):
    cloud, disk = small
    (tmp_path / "web").mkdir()
    shutil.copy("/bin/busybox", tmp_path / "web/busybox")
    (tmp_path / "web/Dockerfile").write_text('FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000"]\n')
    (tmp_path / "escale.yaml").write_text(
        "app: full\nservices:\n  web: { build: ./web, port: 3000, path: /, health: / }\nnetwork: { cidr: 10.9.0.0/16, azs: 2 }\n"
    )
    disk.fill()
    done = cloud.escale("up", tmp_path, check=False)
    assert done.returncode == 1
    assert_names_disk(done.stderr, disk)
