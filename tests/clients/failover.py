"""Faults below what Escale can see, clients that record what was acknowledged, and a check of their histories.

The faults act on processes, network namespaces and file systems of the machine; nothing of Escale is called to inject them.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

FREEZER = pathlib.Path("/sys/fs/cgroup/freezer")

CLIENT = pathlib.Path(__file__).with_name("database_client.py")


def start(prefix, arguments):
    """Runs database_client.py in the network namespace of an interface."""
    command = [*prefix, sys.executable, str(CLIENT), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(prefix, where, code):
    """Runs code with the functions of database_client.py."""
    functions = f"import sys; sys.path.insert(0, {str(CLIENT.parent)!r}); from database_client import *"
    done = subprocess.run(
        [*prefix, sys.executable, "-c", f"{functions}\n{code}", *where], capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(prefix, where, table):
    return [int(n) for n in run(prefix, where, f"with connect() as c:\n for r in c.execute('select n from {table}'): print(r[0])").split()]


class Clients:
    """The writers, in the network namespace of an interface."""

    def __init__(self, prefix, where, file):
        self.prefix, self.file = prefix, pathlib.Path(file)
        self.attempts, self.read = [], 0
        self.where = where
        self.file.touch()
        run(prefix, self.where, "with connect() as c: c.execute('create table if not exists t (n bigint)')")
        self.process = start(prefix, [*self.where, str(self.file), "load"])

    def history(self, since=0.0):
        """Attempts that ended after `since`, in the order of their ends. Reads what was added since the last call: the whole history of a
        series takes a second, and the load of reading it again and again would delay what is measured."""
        with self.file.open() as file:
            file.seek(self.read)
            text = file.read()
        complete = text[: text.rfind("\n") + 1]
        self.read += len(complete.encode())
        self.attempts += [json.loads(line) for line in complete.splitlines()]
        found = []
        for attempt in reversed(self.attempts):
            # Writers append at once: an attempt that ended much earlier cannot follow.
            if attempt[3] < since - 5:
                break
            if attempt[3] > since:
                found.append(attempt)
        return sorted(found, key=lambda a: a[3])

    def rows(self):
        return rows(self.prefix, self.where, "t")

    def stop(self):
        self.process.kill()
        self.process.wait()


def acknowledged(history, kind=None):
    return [a for a in history if a[4] and kind in (None, a[0])]


def interruption(history, fault, kind=None):
    """Seconds from the fault to the acknowledgement that ended the longest pause after it."""
    ends = [a[3] for a in acknowledged(history, kind)]
    pauses = [(b - a, b) for a, b in zip(ends, ends[1:]) if b > fault]
    return max(pauses)[1] - fault if pauses else None


def faults_of(history, rows):
    """Acknowledged values that are missing, values that are there twice, and values that nobody wrote."""
    done, tried = {a[1] for a in acknowledged(history)}, {a[1] for a in history}
    there = set(rows)
    twice = sorted(n for n in there if rows.count(n) > 1) if len(there) != len(rows) else []
    return {"lost": sorted(done - there), "twice": twice, "invented": sorted(there - tried) if tried else []}


class Node:
    """A server of the database, as the machine has it."""

    def __init__(self, folder, record):
        self.name, self.zone = record["name"], record["zone"]
        self.namespace = record["namespace"]
        self.folder = folder / self.name
        self.group = FREEZER / f"failover-{os.getpid()}-{self.name}"

    def processes(self):
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(proc / "cwd") == str(self.folder / "data"):
                    found.append(int(proc.name))
            except OSError:
                pass
        return found

    def inside(self, *command, check=True):
        return subprocess.run(["nsenter", f"--net={self.namespace}", *command], check=check, capture_output=True, text=True)

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill_for_good(self):
        """The server ends, and no start succeeds."""
        (self.folder / "data/global/pg_control").rename(self.folder / "data/global/pg_control.lost")
        self.kill()

    def freeze(self):
        """As a host that hangs: not even SIGKILL is delivered (cgroup v1); with SIGSTOP where there is no freezer."""
        if not FREEZER.exists():
            for pid in self.processes():
                os.kill(pid, signal.SIGSTOP)
            return
        self.group.mkdir(exist_ok=True)
        (self.group / "freezer.state").write_text("FROZEN")
        for pid in self.processes():
            try:
                (self.group / "cgroup.procs").write_text(str(pid))
            except OSError:
                pass

    def thaw(self):
        if not FREEZER.exists():
            for pid in self.processes():
                os.kill(pid, signal.SIGCONT)
        elif self.group.exists():
            (self.group / "freezer.state").write_text("THAWED")
            for pid in (self.group / "cgroup.procs").read_text().split():
                try:
                    (FREEZER / "cgroup.procs").write_text(pid)
                except OSError:
                    pass
            try:
                self.group.rmdir()
            except OSError:
                pass

    def cut(self):
        """All packets of the node are dropped."""
        chain = "chain {0} {{ type filter hook {0} priority -300; {1} != lo drop; }}\n"
        rules = f"table inet cut {{\n{chain.format('input', 'iif')}{chain.format('output', 'oif')}}}\n"
        subprocess.run(["nsenter", f"--net={self.namespace}", "nft", "-f", "-"], input=rules, text=True, check=True)

    def join(self):
        self.inside("nft", "delete", "table", "inet", "cut", check=False)

    def lose_zone(self):
        self.cut()
        self.freeze()

    def stick_disk(self):
        subprocess.run(["fsfreeze", "-f", str(self.folder)], check=True)

    def heal(self):
        self.thaw()
        self.join()
        if os.path.ismount(self.folder):
            subprocess.run(["fsfreeze", "-u", str(self.folder)], check=False, capture_output=True)


class Database:
    def __init__(self, cloud, rds, name):
        resource = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DbiResourceId"].lower()
        elsewhere = pathlib.Path("/var/lib/escale") / cloud.tag()
        roots = [pathlib.Path(cloud.home) / "postgres", elsewhere, elsewhere / "postgres"]
        self.folder = next(r / "databases" / resource for r in roots if (r / "databases" / resource).exists())

    def record(self):
        return json.loads((self.folder / "record.json").read_text())

    def nodes(self):
        """The primary and the standby."""
        record = self.record()
        nodes = [Node(self.folder, n) for n in record["nodes"]]
        return sorted(nodes, key=lambda n: n.name != record["primary"])

    def is_whole(self):
        record = self.record()
        return record["protection"] == "Protected" and not record["rebuild"]

    def put_on_disks_of_their_own(self, images):
        """Moves each node's files to a file system in an image. The servers must be stopped."""
        for node in self.nodes():
            image, place = images / f"{node.name}.img", images / node.name
            subprocess.run(["truncate", "-s", "2G", str(image)], check=True)
            subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
            place.mkdir()
            subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
            subprocess.run(["cp", "-a", f"{node.folder}/.", str(place)], check=True)
            subprocess.run(["chmod", "711", str(place)], check=True)
            (place / "lost+found").rmdir()
            subprocess.run(["umount", str(place)], check=True)
            subprocess.run(["mount", "-o", "loop", str(image), str(node.folder)], check=True)

    def unmount(self):
        """Fails while a server runs: the plane knows its servers by their folder, so `reset` would not find one without it."""
        for node in self.nodes():
            if os.path.ismount(node.folder):
                subprocess.run(["umount", str(node.folder)], check=True)


def sql(node, port, statement):
    """As the plane's superuser, over the local socket."""
    done = subprocess.run(
        ["psql", "-h", "/proc/self/cwd", "-p", str(port), "-U", "supervisor", "-Atc", statement, "postgres"],
        cwd=node.folder / "socket", capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait(check, within, every=0.05):
    end = time.monotonic() + within
    while not check():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(every)
