"""`escale reset` leaves nothing on the machine, even after a whole application with its database.

Other programs use the machine meanwhile, so comparing totals would not work. Instead, the test records the installation's own
kernel objects by their identifiers while it runs, and looks for them afterwards.
"""

import os
import pathlib
import re
import subprocess

from conftest import SHOP, Cloud, eventually, host_tables, make_cloud, postgres_setting

PROC = pathlib.Path("/proc")
NETWORK = (
    ["ip", "-o", "link"], ["ip", "-o", "addr"], ["ip", "route", "show", "table", "all"], ["ip", "rule"],
    ["sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet", "kernel.core_pattern"],
)


def host():
    """The host's network namespace and kernel settings, which an installation must not change even while it runs."""
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in NETWORK]
    # The remaining lifetime of an address changes every second.
    return [host_tables(), *(re.sub(r"\d+sec", "", text) for text in outputs)]


def processes():
    """Every process by pid and start time, a pair that the kernel never reuses."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
            started = (folder / "stat").read_text().rpartition(")")[2].split()[19]
            found[int(folder.name), started] = text.decode(errors="replace")
        except OSError:
            continue  # the process has ended meanwhile
    return found


def links(pids, folder):
    """The targets of the links below /proc/PID/`folder`. Skips processes that have ended or that cannot be read."""
    found = set()
    for pid in pids:
        try:
            found |= {os.readlink(link) for link in (PROC / str(pid) / folder).iterdir()}
        except OSError:
            continue
    return found


def all_pids():
    return [int(folder.name) for folder in PROC.glob("[0-9]*")]


def mounts():
    """The mounts of every mount namespace; mounted namespaces appear in them as `net:[inode]`."""
    lines = set()
    for pid in all_pids():
        try:
            lines |= set((PROC / str(pid) / "mountinfo").read_text().splitlines())
        except OSError:
            continue
    return lines


def memory(pids):
    """The shared memory of these processes: files below /dev/shm, and System V segments by the pid that created them.

    Ignores segments that no process has attached: their creator is dead, and its pid may have been reused.
    """
    found = set()
    for pid in pids:
        try:
            found |= set(re.findall(r"/dev/shm/\S+", (PROC / str(pid) / "maps").read_text()))
        except OSError:
            continue
    segments = [line.split() for line in (PROC / "sysvipc/shm").read_text().splitlines()[1:]]
    return found, {segment[1] for segment in segments if int(segment[4]) in pids and int(segment[6]) > 0}


def orphans():
    """PostgreSQL's shared memory files that no process uses. A killed server leaves them."""
    used = memory(all_pids())[0]
    return {str(f) for f in pathlib.Path("/dev/shm").glob("PostgreSQL.*")} - used


class Footprint:
    """The kernel objects of a running installation."""

    def __init__(self, cloud: Cloud):
        self.cloud, self.tag, self.home = cloud, cloud.tag(), str(cloud.home)
        self.processes = {
            key for key, text in processes().items()
            if key[0] != os.getpid() and (self.home in text or f"/{self.tag}/" in text)
        }
        pids = {pid for pid, _ in self.processes}
        self.namespaces = links(pids, "ns") - links([os.getpid()], "ns")
        self.namespaces |= {f"net:[{os.stat(f).st_ino}]" for f in pathlib.Path(self.home, "network").rglob("*") if f.is_file()}
        self.sockets = {link for link in links(pids, "fd") if link.startswith("socket:")}
        self.shared, self.segments = memory(pids)

    def left(self):
        """The recorded objects that still exist, and everything else whose name contains the installation's tag or home."""
        now, pids, mounted = processes(), all_pids(), mounts()
        alive = links(pids, "ns") | set(re.findall(r"\b\w+:\[\d+\]", "\n".join(mounted)))
        segments = {line.split()[1] for line in (PROC / "sysvipc/shm").read_text().splitlines()[1:]}
        named = lambda where: [str(p) for p in pathlib.Path(where).rglob("*") if self.tag in p.name]
        return {
            "processes": [now[key] for key in self.processes & now.keys()]
            + [text for key, text in now.items() if key[0] != os.getpid() and f"/{self.tag}/" in text],
            "namespaces": sorted(self.namespaces & alive),
            "sockets": sorted(self.sockets & links(pids, "fd")),
            "listeners": [line for line in (PROC / "net/unix").read_text().splitlines() if self.home in line],
            "mounts": [line for line in mounted if self.home in line or self.tag in line],
            "cgroups": [str(c) for c in pathlib.Path("/sys/fs/cgroup").glob("**/") if self.tag in str(c)],
            "shared memory": [path for path in self.shared if os.path.exists(path)] + sorted(self.segments & segments),
            "files": named("/run") + named("/var/lib/escale") + named("/dev/shm") + os.listdir(self.home),
        }


def test_reset_leaves_nothing_on_the_machine():
    subprocess.run([SHOP / "build"], check=True)
    cloud, before, left_by_others = make_cloud(), host(), orphans()
    # If only root can enter the home, the database's files are outside of it, and reset has to remove those, too.
    os.chmod(cloud.home, 0o700)
    try:
        cloud.escale("up", SHOP, *postgres_setting(), timeout=180)
        assert host() == before
        own = Footprint(cloud)
        found = own.left()
        # Every check must find something while the cloud runs; otherwise finding nothing later would prove nothing.
        assert all(found[kind] for kind in found if kind != "listeners"), found
    finally:
        cloud.escale("reset", "--yes")
    # A process without a parent disappears only once init has reaped it.
    eventually(lambda: not own.left()["processes"], within=5)
    assert {kind: found for kind, found in own.left().items() if found} == {}
    assert orphans() <= left_by_others
    assert host() == before
    os.rmdir(cloud.home)
