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

# Several writers, each with a connection of its own that it keeps, and one new client every 50 ms. Every value is written once.
# Prints one JSON list per attempt: kind, value, begin, end, whether it was acknowledged.
CLIENT = r"""
import itertools, json, os, socket, struct, sys, threading, time, psycopg
name, port, resolver, out = sys.argv[1], sys.argv[2], sys.argv[3], open(sys.argv[4], "a", buffering=1)
lock, values = threading.Lock(), itertools.count()

def address():
    question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
    question += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(question, (resolver, 53))
        return socket.inet_ntoa(s.recv(512)[-4:])

def connect():
    where = {"host": address(), "port": port, "user": "app", "password": "correct-horse-battery", "dbname": "shop"}
    return psycopg.connect(**where, connect_timeout=1, autocommit=True, tcp_user_timeout=1000, options="-c statement_timeout=1000")

def write(kind, connection, begun=None):
    value, begun = next(values), begun or time.monotonic()
    ok = False
    # psycopg waits for a server's answer without a limit of its own: the connection is closed from outside after one second.
    def give_up():
        try:
            os.close(os.dup(connection.fileno()))
            socket.socket(fileno=os.dup(connection.fileno())).shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    timer = threading.Timer(1, give_up)
    timer.start()
    try:
        connection.execute("insert into t values (%s)", [value])
        ok = True
    finally:
        timer.cancel()
        with lock:
            out.write(json.dumps([kind, value, begun, time.monotonic(), ok]) + "\n")

def keep():
    while True:
        try:
            with connect() as connection:
                while True:
                    write("kept", connection)
                    time.sleep(0.01)
        except Exception:
            time.sleep(0.02)

def once():
    begun = time.monotonic()
    try:
        with connect() as connection:
            write("new", connection, begun)
    except Exception:
        pass

for _ in range(3):
    threading.Thread(target=keep, daemon=True).start()
while True:
    if threading.active_count() < 60:
        threading.Thread(target=once, daemon=True).start()
    time.sleep(0.05)
"""

READER = r"""
import socket, struct, sys, psycopg
exec(sys.argv[4])
with connect() as connection:
    connection.execute("set statement_timeout = 0")
    for row in connection.execute("select n from t"):
        print(row[0])
"""


class Clients:
    """The writers, in the network namespace of an interface."""

    def __init__(self, prefix, endpoint, resolver, file):
        self.prefix, self.file = prefix, pathlib.Path(file)
        self.attempts, self.read = [], 0
        self.where = [endpoint["Address"], str(endpoint["Port"]), resolver]
        self.file.touch()
        self.run("with connect() as c: c.execute('create table if not exists t (n bigint)')")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", CLIENT, *self.where, str(self.file)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def run(self, code):
        """Runs code with the client's functions."""
        functions = CLIENT.split("\ndef write")[0].replace(', open(sys.argv[4], "a", buffering=1)', ", None")
        done = subprocess.run(
            [*self.prefix, sys.executable, "-c", functions + "\n" + code, *self.where],
            capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

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
        return [int(n) for n in self.run("with connect() as c:\n for r in c.execute('select n from t'): print(r[0])").split()]

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
            subprocess.run(["truncate", "-s", "400M", str(image)], check=True)
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
