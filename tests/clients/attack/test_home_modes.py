"""Other users of the machine can read nothing below the home.

The walk checks the modes of a whole installation while an application runs: state, keys, logs, images, objects, databases. It
skips the files of containers, in folders that only root can enter: they keep the modes of their image, because programs in
containers run as other users.
"""

import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import tempfile

import pytest

from conftest import Cloud, postgres_setting

# PostgreSQL runs as another user and has to traverse these folders to reach its data, but it cannot list them.
PASSED_THROUGH = 0o711
# Folders below `containers` that hold files of containers.
OF_CONTAINERS = ("layers", "groups")


def offenders(home):
    found, walked, stopped = [], 0, []
    containers = home / "containers"
    for folder, folders, files in os.walk(home):
        here = pathlib.Path(folder)
        if here == containers:
            assert stat.S_IMODE(here.stat().st_mode) & 0o077 == 0, f"{here} can be entered"
            stopped += [str(here / name) for name in OF_CONTAINERS]
            folders[:] = [name for name in folders if name not in OF_CONTAINERS]
        if here == home / "trust":
            # Public certificates, mounted into containers, whose programs run as any user.
            assert stat.S_IMODE(here.stat().st_mode) & 0o077 == 0, f"{here} can be entered"
            assert files == ["ca-bundle.pem"]
            stopped.append(str(here))
            continue
        for path in [here / name for name in files] + [here]:
            try:
                found_mode = path.lstat()
            except FileNotFoundError:
                continue  # PostgreSQL removes files of its own at any time
            mode, walked = stat.S_IMODE(found_mode.st_mode), walked + 1
            if stat.S_ISLNK(found_mode.st_mode):
                continue  # a symbolic link has no mode of its own
            if found_mode.st_dev != home.stat().st_dev:
                # A mounted network namespace: the mode is the kernel's, so the folder has to keep other users out.
                assert stat.S_IMODE((home / path.relative_to(home).parts[0]).stat().st_mode) & 0o077 == 0, path
                stopped.append(str(path))
                continue
            most = PASSED_THROUGH if stat.S_ISDIR(found_mode.st_mode) else 0o700
            if mode & ~most & 0o077:
                found.append(f"{path} {mode:o} ({pwd.getpwuid(found_mode.st_uid).pw_name})")
    return found, walked, stopped


@pytest.fixture
def running():
    """An application with a database, objects, images and logs, deployed under umask 0."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    top.chmod(0o755)
    cloud, before = Cloud(top / "data/escale"), os.umask(0)
    try:
        folder = top / "application"
        (folder / "web").mkdir(parents=True)
        (folder / "dist").mkdir()
        (folder / "dist/page.html").write_text("page")
        shutil.copy("/bin/busybox", folder / "web/busybox")
        (folder / "web/www").mkdir()
        (folder / "web/www/index.html").write_text("hello")
        script = "umask; busybox touch /dev/shm/made; busybox ls -ld / /srv /dev/shm/made; exec busybox httpd -f -p 3000 -h /www"
        (folder / "web/Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY www /www\nWORKDIR /srv\nUSER 1000:1000\nENV PATH=/bin\n"
            f'ENTRYPOINT ["/bin/busybox", "sh", "-c", "{script}"]\n'
        )
        (folder / "escale.yaml").write_text(
            "app: modes\nservices:\n  web: { build: ./web, port: 3000, path: /, health: / }\n"
            "database:\n  db: { engine: postgres 15 }\nnetwork: { cidr: 10.9.0.0/16, azs: 2 }\n"
            "buckets:\n  static: { path: /static/*, sync: ./dist }\n  media: { path: /media/*, signed: true }\n"
        )
        cloud.escale("up", folder, *postgres_setting(), timeout=300)
        yield cloud
    finally:
        os.umask(before)
        cloud.escale("reset", "--yes")
        shutil.rmtree(top)


def test_nothing_below_the_home_is_readable_for_others(running):
    home = pathlib.Path(running.home)
    found, walked, stopped = offenders(home)
    print(f"{walked} files and folders looked at; not below {', '.join(stopped)}")
    assert found == [], "\n".join(found)
    for name in ("state.db", "daemon.log", "daemon.lock", "logs/logs.db", "objects", "images", "apps", "postgres", "network"):
        assert (home / name).exists(), f"{name} does not exist: has it moved?"
    # The same, checked by another user.
    other_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for path in (home, home / "containers", home / "logs/logs.db", home / "state.db"):
        seen = subprocess.run([*other_user, "ls" if path.is_dir() else "cat", str(path)], capture_output=True, text=True)
        assert seen.returncode != 0 and "Permission denied" in seen.stderr, f"{path}: {seen}"


def test_containers_have_the_umask_and_the_modes_of_docker(running):
    """Containers do not inherit the daemon's umask: a container that runs as another user sees the modes of its image."""
    logs = running.client("logs")
    [group] = [g["logGroupName"] for g in logs.describe_log_groups()["logGroups"]]
    lines = [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]
    assert any(line.strip() in ("0022", "022") for line in lines), lines
    assert any(line.startswith("drwxr-xr-x") and line.endswith(" /") for line in lines), lines
    assert any(line.startswith("drwxr-xr-x") and line.endswith("/srv") for line in lines), lines
    assert any(line.startswith("-rw-r--r--") and line.endswith("/dev/shm/made") for line in lines), lines


def test_start_restricts_the_modes_of_a_home_of_an_earlier_version(running):
    home = pathlib.Path(running.home)
    running.escale("stop")
    for path in (home, home / "logs/logs.db", home / "state.db"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    running.escale("start")
    assert offenders(home)[0] == []
