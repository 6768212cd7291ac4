"""Conditions of real machines: fresh kernels, login sessions that end, low limits, firewalls, ordinary users, and systemd.

systemd does not run on test machines. `SYSTEMCTL` replaces it in a mount namespace and starts and stops the unit as
systemd does.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time

import pytest
import requests
import tasks

from conftest import ESCALE, Cloud, eventually, make_cloud, processes_of, remove_cloud


def daemon_of(cloud):
    return cloud.status()["daemon"]["pid"]


def open_files(pid):
    """Soft and hard limit of a process."""
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return re.search(r"^Max open files +(\d+) +(\d+)", text, re.MULTILINE).groups()


@pytest.fixture
def home():
    """A cloud that has not been started."""
    made = make_cloud()
    yield made
    remove_cloud(made)


def test_doctor_accepts_kernel_that_has_not_loaded_overlayfs(tmp_path):
    """Like Debian after boot: the overlay module exists, but nothing has loaded it."""
    listed = [line for line in pathlib.Path("/proc/filesystems").read_text().splitlines() if "overlay" not in line]
    (fresh := tmp_path / "filesystems").write_text("\n".join(listed) + "\n")
    command = f"mount --bind {fresh} /proc/filesystems && ! grep overlay /proc/filesystems && exec {ESCALE} doctor --json"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True, timeout=60)
    found = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    for part in ("overlayfs", "veth", "nf_tables", "nf_conntrack"):
        assert found[part]["ok"], found[part]


def test_doctor_reports_that_links_cannot_be_created():
    """Doctor probes the kernel's features: without CAP_NET_ADMIN, creating a link fails whichever modules are loaded."""
    bounded = ["setpriv", "--bounding-set=-net_admin", ESCALE, "doctor", "--json"]
    done = subprocess.run(bounded, capture_output=True, text=True, timeout=60)
    found = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    assert done.returncode != 0 and not found["veth"]["ok"] and "probe" in found["veth"]["lack"], found


def test_daemon_raises_the_limit_of_open_files_of_a_login(home):
    """Under the usual soft limit of 1,024, 300 kept-alive connections once failed with `Too many open files`."""
    narrow = subprocess.run(
        ["prlimit", "--nofile=256:20000", ESCALE, "start"], env=home.env, capture_output=True, text=True, timeout=60
    )
    assert narrow.returncode == 0, narrow.stderr
    soft, hard = open_files(daemon_of(home))
    assert soft == hard and int(soft) >= 20000, (soft, hard)
    with contextlib.ExitStack() as kept:
        for _ in range(400):
            session = kept.enter_context(requests.Session())
            assert session.get(home.endpoint, timeout=20).status_code < 500


HIERARCHIES = [m for m in ("systemd", "unified", "pids", ".") if pathlib.Path(f"/sys/fs/cgroup/{m}/cgroup.procs").exists()]


@contextlib.contextmanager
def login():
    """The command prefix that starts a program in the cgroup of a login session, and a function that ends the session as
    systemd does with `KillUserProcesses=yes`."""
    name = f"user.slice/user-0.slice/session-escale-test-{os.getpid()}.scope"
    scopes = [pathlib.Path("/sys/fs/cgroup") / h / name for h in HIERARCHIES]
    for scope in scopes:
        scope.mkdir(parents=True)
    procs = " ".join(f"{scope}/cgroup.procs" for scope in scopes)

    def close():
        while pids := {pid for scope in scopes for pid in (scope / "cgroup.procs").read_text().split()}:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.01)

    try:
        yield ["sh", "-c", f'for f in {procs}; do echo $$ > $f; done; exec "$@"', "login"], close
    finally:
        close()
        for scope in scopes:
            for parent in (scope, scope.parent, scope.parent.parent):
                with contextlib.suppress(OSError):  # another session, or the machine itself, uses it
                    parent.rmdir()


def test_daemon_outlives_the_login_that_started_it(home):
    with login() as (prefix, close):
        done = subprocess.run([*prefix, ESCALE, "start"], env=home.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        pid = daemon_of(home)
        cgroups = pathlib.Path(f"/proc/{pid}/cgroup").read_text()
        assert "session-escale-test" not in cgroups and f"/escale.{home.tag()}/daemon" in cgroups, cgroups
        close()
        assert home.client("sts").get_caller_identity()["Account"]
    assert daemon_of(home) == pid
    home.escale("reset", "--yes")
    left = [str(p) for p in pathlib.Path("/sys/fs/cgroup").glob(f"**/escale.{home.tag()}")]
    assert left == []


def test_created_parent_folders_belong_to_the_user():
    """`sudo` may keep HOME, and a ~/.local that belongs to root would lock out the user's other programs."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    cloud = Cloud(top / ".local/share/escale")
    env = {k: v for k, v in cloud.env.items() if k != "ESCALE_HOME" and not k.startswith("XDG_")}
    cloud.env = {**env, "HOME": str(top)}
    try:
        top.chmod(0o755)
        os.chown(top, 65534, 65534)
        cloud.escale("start")
        for folder in (top / ".local", top / ".local/share"):
            assert (folder.stat().st_uid, folder.stat().st_gid) == (65534, 65534), folder
        assert (top / ".local/share/escale").stat().st_uid == 0
    finally:
        cloud.escale("reset", "--yes")
        shutil.rmtree(top)


@pytest.fixture
def other_user():
    """Runs the binary as an ordinary user with a home of its own."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    top.chmod(0o755)
    shutil.copy(ESCALE, top / "escale")  # the tested binary may be in a folder that other users cannot enter
    (user := top / "user").mkdir()
    os.chown(user, 65534, 65534)

    def run(env, *words):
        unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", top / "escale", *words]
        return subprocess.run(unprivileged, env={**env, "HOME": str(user)}, capture_output=True, text=True, timeout=60)

    yield run
    shutil.rmtree(top)


def test_status_reports_that_the_home_is_not_readable(own_cloud, other_user):
    os.chmod(own_cloud.home, 0o700)
    done = other_user(own_cloud.env, "status")
    assert done.returncode != 0 and "No daemon" not in done.stdout + done.stderr
    assert f"this user may not open {own_cloud.home}/daemon.lock" in done.stderr and "sudo" in done.stderr, done.stderr


def test_status_names_the_daemon_of_another_user(own_cloud, other_user):
    env = {k: v for k, v in own_cloud.env.items() if k != "ESCALE_HOME" and not k.startswith("XDG_")}
    done = other_user(env, "status")
    assert done.returncode == 0, done.stderr
    assert f"another ESCALE_HOME answers at {own_cloud.endpoint}" in done.stdout and "sudo escale status" in done.stdout, done.stdout


def test_status_names_a_firewall_that_drops_loopback_packets(own_cloud):
    """Runs in a network namespace whose firewall drops packets, so that connections are neither accepted nor refused."""
    # With a deployed application, `status` calls the API.
    application = {"app": "shop", "stack": "shop", "registry_stack": "shop-images", "manifest": "/nowhere", "url": "http://shop.localhost:1"}
    (apps := pathlib.Path(own_cloud.home) / "apps").mkdir()
    (apps / "shop.json").write_text(json.dumps(application))
    rules = textwrap.dedent("""
        add table inet fw
        add chain inet fw input { type filter hook input priority 0; policy drop; }
        add rule inet fw input ct state established,related accept
    """)
    before = time.monotonic()
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", f"ip link set lo up && nft -f - && exec {ESCALE} status shop"],
        input=rules, env=own_cloud.env, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode != 0 and time.monotonic() - before < 30
    assert "a firewall on this machine drops packets" in done.stderr and "-i lo" in done.stderr, done.stderr


SYSTEMCTL = r'''#!/usr/bin/env python3
"""Handles one unit as systemd does, as far as the test needs it. Records its arguments."""
import os, pathlib, re, shlex, signal, subprocess, sys, time

run, unit = pathlib.Path(os.environ["FAKE_SYSTEMD"]), pathlib.Path("/etc/systemd/system/escale.service")
words = [w for w in sys.argv[1:] if not w.startswith("-")]
with (run / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\n")


def value(key):
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def pid():
    try:
        pid = int((run / "pid").read_text())
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return pid if state != "Z" else 0
    except (FileNotFoundError, ProcessLookupError):
        return 0


def environment():
    env = {"PATH": os.environ["PATH"], "FAKE_SYSTEMD": str(run)}
    lines = value("Environment") + pathlib.Path(value("EnvironmentFile")[0]).read_text().splitlines()
    for line in lines:
        name, _, rest = shlex.split(line)[0].partition("=")
        env[name] = rest.replace("%%", "%")
    return env


def start():
    if not pid():
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(shlex.split(value("ExecStart")[0]), env=environment(), start_new_session=True, **quiet)
        (run / "pid").write_text(str(child.pid))


def stop(job):
    (run / "job").write_text(f"1 escale.service {job} running\n")
    try:
        subprocess.run(shlex.split(value("ExecStop")[0]), env=environment(), check=True, timeout=int(value("TimeoutStopSec")[0]))
        if pid():
            os.kill(pid(), signal.SIGTERM)
        while pid():
            time.sleep(0.01)
    finally:
        (run / "job").unlink()


match words[0]:
    case "start":
        start()
    case "restart":
        if pid():
            stop("restart")
        start()
    case "stop":
        stop("stop")
    case "show":
        print(pid())
    case "list-jobs":
        print((run / "job").read_text() if (run / "job").exists() else "")
'''


class Systemd:
    """A machine with systemd: a mount namespace in which SYSTEMCTL replaces `systemctl`."""

    def __init__(self, folder, env):
        (folder / "bin").mkdir()
        (folder / "bin/systemctl").write_text(SYSTEMCTL)
        (folder / "bin/systemctl").chmod(0o755)
        self.units = folder / "units"
        self.units.mkdir()
        self.folder = folder
        self.env = {**env, "PATH": f"{folder}/bin:{env['PATH']}", "FAKE_SYSTEMD": str(folder)}
        script = (
            f"mount --bind {self.units} /etc/systemd/system && mount -t tmpfs none /run && mkdir -p /run/systemd/system && "
            "echo ready && exec sleep infinity"
        )
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"

    def run(self, *words, check=True):
        done = subprocess.run(
            ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *map(str, words)],
            env=self.env, capture_output=True, text=True, timeout=180,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def end(self):
        self.run(ESCALE, "reset", "--yes")
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def systemd():
    """A cloud that has not been started, on a machine with systemd."""
    cloud = make_cloud()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="escale-systemd-", dir="/var/tmp"))
    machine = Systemd(folder, cloud.env)
    yield cloud, machine
    machine.end()
    shutil.rmtree(folder)
    os.rmdir(cloud.home)


def alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def containers_of(cloud):
    """The first process of each container: it has pid 1 in its own pid namespace."""
    found = set()
    for pid in processes_of(cloud):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if re.search(r"^NSpid:.*\t1$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
                found.add(pid)
    return found


def test_service_stops_tasks_within_a_limit_and_starts_them_again(systemd, tmp_path):
    cloud, machine = systemd
    machine.run(ESCALE, "service", "install")
    daemon = daemon_of(cloud)
    assert str(daemon) == (machine.folder / "pid").read_text()
    secret = machine.units / "escale.service.env"
    assert secret.stat().st_mode & 0o777 == 0o600 and f'ESCALE_ENDPOINT="127.0.0.1:{cloud.port}"' in secret.read_text()
    assert "daemon-reload" in machine.calls() and "enable --quiet escale.service" in machine.calls()

    cluster = tasks.Cluster(cloud, tmp_path / "layout")
    # The task ignores SIGTERM and its stopTimeout is two minutes: a shutdown must not wait that long.
    script = "trap '' TERM; echo up; while :; do sleep 1; done"
    definition = cluster.define(cluster.container("main", script, stopTimeout=120))
    service = cluster.ecs.create_service(
        cluster=cluster.name, serviceName="stubborn", taskDefinition=definition, desiredCount=2,
        launchType="FARGATE", networkConfiguration=cluster.network(),
    )["service"]["serviceArn"]

    def running():
        arns = cluster.ecs.list_tasks(cluster=cluster.name, serviceName="stubborn")["taskArns"]
        found = cluster.ecs.describe_tasks(cluster=cluster.name, tasks=arns)["tasks"] if arns else []
        return [t for t in found if t["lastStatus"] == "RUNNING"]

    eventually(lambda: len(running()) == 2, within=90)
    first = {t["taskArn"] for t in running()}
    assert len({t["availabilityZone"] for t in running()}) == 2
    before = containers_of(cloud)
    assert len(before) == 2

    machine.run("systemctl", "restart", "escale.service")
    machine.run(ESCALE, "start")  # the daemon runs already; this returns once it answers
    assert daemon_of(cloud) != daemon and containers_of(cloud) == before, "the restart ended containers"
    eventually(lambda: {t["taskArn"] for t in running()} == first)

    started = time.monotonic()
    machine.run("systemctl", "stop", "escale.service")
    assert time.monotonic() - started < 45, "a task delayed the shutdown"
    assert not [pid for pid in before if alive(pid)]
    machine.run("systemctl", "start", "escale.service")
    machine.run(ESCALE, "start")

    def both_again():
        now = running()
        return len(now) == 2 and not first & {t["taskArn"] for t in now} and now

    again = eventually(both_again, within=90)
    assert len({t["availabilityZone"] for t in again}) == 2, "one zone has both"
    [stopped] = [t for t in cluster.ecs.describe_tasks(cluster=cluster.name, tasks=sorted(first))["tasks"]][:1]
    assert "the machine was shut down" in stopped["stoppedReason"], stopped
    cluster.ecs.delete_service(cluster=cluster.name, service=service, force=True)


def test_start_and_stop_use_the_service_until_it_is_removed(systemd):
    cloud, machine = systemd
    machine.run(ESCALE, "start")
    by_hand = daemon_of(cloud)
    machine.run(ESCALE, "service", "install")
    assert not alive(by_hand) and alive(daemon_of(cloud))
    machine.run(ESCALE, "stop")
    assert not alive(int((machine.folder / "pid").read_text()))
    machine.run(ESCALE, "start")
    assert daemon_of(cloud) == int((machine.folder / "pid").read_text())
    other = machine.run("env", f"ESCALE_HOME={cloud.home}/other", ESCALE, "service", "install", check=False)
    assert other.returncode != 0 and "service of another home" in other.stderr, other.stderr
    os.rmdir(f"{cloud.home}/other")
    machine.run(ESCALE, "service", "remove")
    assert list(machine.units.iterdir()) == [] and cloud.status()["daemon"]["pid"] is None
    again = machine.run(ESCALE, "service", "remove")
    assert "There is no service" in again.stdout


def test_service_install_needs_systemd(home):
    hidden = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none /run && exec {ESCALE} service install"]
    done = subprocess.run(hidden, env=home.env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "systemd is not the init system" in done.stderr, done.stderr
