"""What `escale reset` leaves on the machine after a whole application with its database: nothing.

Other things run on the machine meanwhile. So it is not counted what there is, but written down what is the
installation's own while it runs, by the kernel's own names, and looked for afterwards.
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
    """The machine's own network namespace and settings, in which an installation changes nothing even while it runs."""
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in NETWORK]
    # How long an address is valid is counted down.
    return [host_tables(), *(re.sub(r"\d+sec", "", text) for text in outputs)]


def processes():
    """Every process by pid and start time, which together are never given again."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
            started = (folder / "stat").read_text().rpartition(")")[2].split()[19]
            found[int(folder.name), started] = text.decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
    return found


def links(pids, folder):
    """What links below /proc/PID/`folder` point to. A process may end meanwhile, and the machine's first shows nothing."""
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
    """Shared memory below /dev/shm and of System V, by the processes that made or use it.

    A segment that no process has attached was left by a process that is long dead, whose pid may be another's by now.
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
    """PostgreSQL's files in shared memory that no process uses: what a killed server had, and has left."""
    used = memory(all_pids())[0]
    return {str(f) for f in pathlib.Path("/dev/shm").glob("PostgreSQL.*")} - used


class Footprint:
    """What an installation has on the machine while it runs."""

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
        """What of it is still there, and what else bears the installation's name."""
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
    # Nobody but root may enter: the database then lies outside of the home, which is one thing more to remove.
    os.chmod(cloud.home, 0o700)
    try:
        cloud.escale("up", SHOP, *postgres_setting(), timeout=180)
        assert host() == before
        own = Footprint(cloud)
        standing = own.left()
        # Each way of looking sees something now, so that it means something to see nothing later.
        assert all(standing[what] for what in standing if what != "listeners"), standing
    finally:
        cloud.escale("reset", "--yes")
    # What init has to collect is gone a moment after its end.
    eventually(lambda: not own.left()["processes"], within=5)
    assert {what: found for what, found in own.left().items() if found} == {}
    assert orphans() <= left_by_others
    assert host() == before
    os.rmdir(cloud.home)
