"""The data plane goes on while the daemon is gone, and comes back when it is killed itself."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

from conftest import container_pid, eventually, inside, tasks_of

LOAD = pathlib.Path(__file__).with_name("http_load.py")
# `cargo xtask soak plane` sets more.
KILLS = int(os.environ.get("ESCALE_TEST_KILLS", "3"))
UPGRADES = int(os.environ.get("ESCALE_TEST_UPGRADES", "1"))


class Load:
    """Clients that request pages until the end of the block."""

    def __init__(self, name, at, host, *paths, pid=None):
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
        words = [*enter, sys.executable, str(LOAD), *map(str, at), host, *paths]
        self.name = name
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def progress(self):
        """Waits for 50 more requests."""
        assert self.process.stdout.readline(), f"the load {self.name} ended"
        return self

    def end(self):
        printed, _ = self.process.communicate(timeout=60)
        return json.loads(printed.splitlines()[-1])


@contextlib.contextmanager
def loads(*all_loads):
    try:
        yield all_loads
    finally:
        for load in all_loads:
            load.process.kill()


def web(shop):
    return "127.0.0.1", urllib.parse.urlsplit(shop.url).port


def balancer(shop):
    [found] = [b for b in shop.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"] if b["Scheme"] == "internet-facing"]
    return found["DNSName"]


def addresses(name, resolver="127.0.0.1", port=53, pid=None):
    words = ["dig", f"@{resolver}", "-p", str(port), "+short", "+time=2", "+tries=1", name]
    run = (lambda *w: inside(pid, *w)) if pid else (lambda *w: subprocess.run(w, capture_output=True, text=True))
    return sorted(run(*words).stdout.split())


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def kill_daemon(cloud):
    """Kills the daemon, and waits until the kernel has released its lock. Returns the status without it."""
    kill(cloud.status()["daemon"]["pid"])

    def without():
        done = cloud.escale("status", "--json", check=False)
        status = json.loads(done.stdout) if done.returncode == 0 else None
        return status and status["daemon"]["pid"] is None and status

    return eventually(without)


def resident_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def test_no_request_fails_while_the_daemon_is_killed(shop):
    cloud, name = shop.cloud, balancer(shop)
    task = next(t for t in tasks_of(shop) if t["lastStatus"] == "RUNNING")
    pid = container_pid(cloud, task)
    resolver = "10.0.0.2"
    [public, *_] = addresses(name, resolver, pid=pid)
    style = "/static/shop.css"
    eventually(lambda: shop.get(style).headers.get("x-cache", "").startswith("Hit"))
    before = cloud.status()["plane"]
    from_host = Load("host to load balancer", web(shop), name, "/healthz")
    from_edge = Load("cached objects of the edge", web(shop), urllib.parse.urlsplit(shop.url).netloc, style)
    from_task = Load("task to load balancer", (public, 80), name, "/api/health", pid=pid)
    with loads(from_host, from_edge, from_task) as all_loads:
        # The edge fetches the object once more: these clients accept another encoding than the one above.
        for load in all_loads:
            load.progress()
        for _ in range(KILLS):
            shown = kill_daemon(cloud)
            assert shown["plane"]["pid"] == before["pid"]
            for load in all_loads:
                load.progress()
            # Without a daemon, the last zones are served, and requests for them answered.
            assert public in addresses(name, resolver, pid=pid)
            assert public in addresses(name, port=cloud.env["ESCALE_DNS_PORT"])
            cloud.escale("start")
            for load in all_loads:
                load.progress()
        results = {load.name: load.end() for load in all_loads}
    print(f"{KILLS} kills: {json.dumps(results)}")
    assert {load: result["failed"] for load, result in results.items()} == {load: {} for load in results}
    assert results["cached objects of the edge"]["hits"] > 0.9 * results["cached objects of the edge"]["requests"]
    after = cloud.status()["plane"]
    assert (after["pid"], after["starts"]) == (before["pid"], before["starts"]), "the data plane was never restarted"


def test_uncached_objects_wait_for_the_next_daemon(shop):
    """Only the daemon serves buckets. A request that needs one waits for it, as CloudFront waits for an origin."""
    kill_daemon(shop.cloud)
    reader = subprocess.Popen(
        [sys.executable, "-c", WAITS, *map(str, web(shop)), urllib.parse.urlsplit(shop.url).netloc], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline() == "sent\n"
    shop.cloud.escale("start")
    assert reader.communicate(timeout=30)[0] == "200 Miss from cloudfront\n"


WAITS = """
import http.client, sys, uuid
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=30)
connection.request("GET", "/static/shop.js?" + uuid.uuid4().hex, headers={"Host": sys.argv[3], "Range": "bytes=0-0"})
print("sent", flush=True)
answer = connection.getresponse()
print(200 if answer.status in (200, 206) else answer.status, answer.headers["x-cache"])
"""


def test_killed_data_plane_is_back_with_its_specs(shop):
    cloud, host = shop.cloud, balancer(shop)

    def answered():
        with socket.create_connection(web(shop), timeout=5) as stream:
            stream.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return stream.recv(12) == b"HTTP/1.1 200"

    def back_after_ms():
        before = cloud.status()["plane"]
        began = time.monotonic()
        kill(before["pid"])
        while True:
            with contextlib.suppress(OSError):
                if answered():
                    break
            assert time.monotonic() - began < 30
        took = (time.monotonic() - began) * 1000
        after = cloud.status()["plane"]
        assert (after["supervisor"], after["starts"]) == (before["supervisor"], before["starts"] + 1)
        assert after["load_balancers"] == before["load_balancers"] and after["distributions"] == before["distributions"]
        return took

    with_daemon = [back_after_ms() for _ in range(3)]
    kill_daemon(cloud)
    without = [back_after_ms() for _ in range(3)]
    cloud.escale("start")
    # The daemon knows the new process, and the health of its targets.
    groups = cloud.client("elbv2").describe_target_groups()["TargetGroups"]

    def healthy():
        found = [cloud.client("elbv2").describe_target_health(TargetGroupArn=g["TargetGroupArn"]) for g in groups]
        return all(d["TargetHealth"]["State"] == "healthy" for f in found for d in f["TargetHealthDescriptions"])

    eventually(healthy)
    figures = ", ".join(f"{ms:.0f}" for ms in [*with_daemon, *without])
    status = cloud.status()
    pids = [status["daemon"]["pid"], status["plane"]["pid"], status["plane"]["supervisor"]]
    memory = ", ".join(f"{resident_mib(pid):.1f}" for pid in pids)
    print(f"killed data plane answers after {figures} ms; resident MiB of daemon, worker, supervisor: {memory}")
    assert "restarted" in cloud.escale("status").stdout


def test_everything_killed_starts_again_and_serves(shop):
    cloud = shop.cloud
    status = cloud.status()
    kill_daemon(cloud)
    for pid in (status["plane"]["supervisor"], status["plane"]["pid"]):
        kill(pid)
    eventually(lambda: cloud.status()["plane"] is None)
    cloud.escale("start")
    eventually(lambda: shop.get("/api/health").status_code == 200)
    assert cloud.status()["plane"]["starts"] == 1


def test_another_program_replaces_the_data_plane(shop, tmp_path):
    """A copy of the program is another file, as after an upgrade."""
    cloud, name = shop.cloud, balancer(shop)
    task = next(t for t in tasks_of(shop) if t["lastStatus"] == "RUNNING")
    pid = container_pid(cloud, task)
    [public, *_] = addresses(name, "10.0.0.2", pid=pid)
    style = "/static/shop.css"
    eventually(lambda: shop.get(style).headers.get("x-cache", "").startswith("Hit"))
    for turn in range(UPGRADES):
        before = cloud.status()
        # Half of each load's clients keep their connections: none of these is closed while a request is on its way.
        from_host = Load("host to load balancer", web(shop), name, "/healthz")
        from_edge = Load("cached objects of the edge", web(shop), urllib.parse.urlsplit(shop.url).netloc, style)
        from_task = Load("task to load balancer", (public, 80), name, "/api/health", pid=pid)
        with loads(from_host, from_edge, from_task) as all_loads:
            for load in all_loads:
                load.progress()
            kill_daemon(cloud)
            other = tmp_path / f"escale-{turn}"
            other.write_bytes(pathlib.Path(f"/proc/{before['plane']['pid']}/exe").read_bytes())
            other.chmod(0o755)
            subprocess.run([other, "start"], env=cloud.env, check=True, capture_output=True)
            assert public in addresses(name, "10.0.0.2", pid=pid)
            for load in all_loads:
                load.progress()
            # Until the replaced process has ended: what it still serves is served to the end.
            eventually(lambda: not pathlib.Path(f"/proc/{before['plane']['supervisor']}/cmdline").exists(), within=90)
            for load in all_loads:
                load.progress()
            results = {load.name: load.end() for load in all_loads}
        after = cloud.status()
        assert after["plane"]["pid"] != before["plane"]["pid"]
        assert after["plane"]["load_balancers"] == before["plane"]["load_balancers"]
        print(f"upgrade {turn}: {json.dumps(results)}")
        assert {load: result["failed"] for load, result in results.items()} == {load: {} for load in results}
    assert shop.get("/api/health").status_code == 200


def test_connections_wait_while_the_data_plane_is_killed(shop):
    """The supervisor keeps the listening sockets, so a connection is refused at no moment."""
    cloud, host = shop.cloud, balancer(shop)
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    for _ in range(KILLS):
        before = cloud.status()["plane"]
        # Once it is dead, no connection can be one that it still accepted.
        dead = select.poll()
        dead.register(os.pidfd_open(before["pid"]), select.POLLIN)
        kill(before["pid"])
        assert dead.poll(10_000)
        began = time.monotonic()
        waiting = []
        while len(waiting) < 200:
            stream = socket.create_connection(web(shop), timeout=20)
            stream.sendall(request)
            waiting.append(stream)
        answers = []
        for stream in waiting:
            with stream:
                answers.append(stream.recv(12))
        took = (time.monotonic() - began) * 1000
        print(f"200 connections since the kill were answered after {took:.0f} ms")
        assert set(answers) == {b"HTTP/1.1 200"}
        assert cloud.status()["plane"]["starts"] == before["starts"] + 1


def test_stop_frees_the_ports_and_start_serves_again(shop):
    cloud = shop.cloud
    stopped = json.loads(cloud.escale("stop", "--json").stdout)
    assert stopped["stopped"] and stopped["plane"]["pid"]
    for port in (cloud.env["ESCALE_WEB_PORT"], cloud.env["ESCALE_DNS_PORT"]):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", int(port)))
    assert cloud.status()["plane"] is None
    cloud.escale("start")
    eventually(lambda: shop.get("/api/health").status_code == 200)


def test_only_root_reaches_the_socket(shop):
    folder = pathlib.Path(shop.cloud.home) / "plane"
    assert folder.stat().st_mode & 0o777 == 0o700
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(folder / 'plane.sock')!r})"
    refused = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", connect], capture_output=True, text=True)
    assert "PermissionError" in refused.stderr
