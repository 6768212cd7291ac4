"""Commands of the daily loop: exec, run, tunnel, psql, secret and scale, on an application whose image has a shell."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import psycopg
import pytest
import requests

from conftest import ESCALE, POSTGRES_MAJORS, eventually, make_cloud, remove_cloud

APPLETS = ["cat", "echo", "env", "false", "head", "httpd", "id", "kill", "ps", "sh", "sleep", "stty", "test", "touch", "true", "tty"]

MANIFEST = f"""
app: box
services:
  web:
    build: ./web
    port: 8000
    path: /
    health: /
    count: 2
    secrets: [SESSION_KEY]
    uses: [db]
database:
  db: {{ engine: postgres {15 if 15 in POSTGRES_MAJORS else POSTGRES_MAJORS[-1]}, multi_az: true }}
"""

DOCKERFILE = """
FROM scratch
COPY bin /bin
COPY www /www
ENV PATH=/bin
CMD ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8000 -h /www & wait"]
"""


class Box:
    """The running application."""

    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.stack = cloud, folder, "box-local"

    def escale(self, *words, stdin="", check=False):
        """Runs a command without a terminal, in the manifest's folder."""
        done = subprocess.run(
            [ESCALE, *words], env=self.cloud.env, cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0 or not check, (words, done.stdout, done.stderr)
        return done

    def tasks(self, **wanted):
        ecs = self.cloud.client("ecs")
        arns = ecs.list_tasks(cluster=self.stack, **wanted)["taskArns"]
        return ecs.describe_tasks(cluster=self.stack, tasks=arns)["tasks"] if arns else []

    def stopped_tasks(self):
        return self.tasks(desiredStatus="STOPPED")

    def inside(self, word):
        """The pids of the tasks' processes that have the word in their command line."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.cloud.tag() in (folder / "cgroup").read_text() and word.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found


class OnTerminal:
    """A command on a pseudo-terminal, as a person runs it."""

    def __init__(self, box, *words, size=(24, 80)):
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.master)
        self.process = subprocess.Popen(
            [ESCALE, *words], env={**box.cloud.env, "TERM": "vt220"}, cwd=box.folder, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.read = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, within=20):
        """Waits for a pattern in what was printed since the last match, and returns the match."""
        deadline = time.monotonic() + within
        while not (found := re.search(pattern, self.read)):
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.master], [], [], left)[0]
            assert ready, f"{pattern!r} is not in {self.read!r}"
            try:
                self.read += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended before {pattern!r}: {self.read!r}") from None
        self.read = self.read[found.end():]
        return found

    def end(self, within=20):
        """Waits for the end of the command and returns its exit code."""
        code = self.process.wait(timeout=within)
        assert termios.tcgetattr(self.master)[3] == self.before[3], "the terminal was not restored"
        os.close(self.master)
        return code


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("box")
    programs = folder / "web/bin"
    programs.mkdir(parents=True)
    (programs / "busybox").write_bytes(pathlib.Path("/bin/busybox").read_bytes())
    (programs / "busybox").chmod(0o755)
    for name in APPLETS:
        (programs / name).symlink_to("busybox")
    (folder / "web/www").mkdir()
    (folder / "web/www/index.html").write_text("hello\n")
    (folder / "web/Dockerfile").write_text(DOCKERFILE)
    (folder / "escale.yaml").write_text(MANIFEST)
    cloud = make_cloud()
    try:
        made = Box(cloud, folder)
        cloud.escale("start")
        # `up` needs the secret, and its error names the command that creates it.
        hint = "escale secret set box/local/SESSION_KEY"
        refused = made.escale("up", ".")
        assert refused.returncode == 1 and hint in refused.stderr, refused.stderr
        made.escale("secret", "set", "SESSION_KEY", stdin="first\n", check=True)
        made.escale("up", ".", check=True)
        yield made
    finally:
        remove_cloud(cloud)


@contextlib.contextmanager
def tunnel(box, *words):
    """A running tunnel; yields its address."""
    process = subprocess.Popen(
        [ESCALE, "tunnel", "--json", *words], env=box.cloud.env, cwd=box.folder, stdout=subprocess.PIPE, text=True
    )
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"the tunnel ended: {process.wait()}"
            text += line
        yield json.loads(text)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_exec_passes_input_output_errors_and_exit_code(box):
    done = box.escale("exec", "web", "--", "cat", stdin="1\n")
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
    done = box.escale("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert box.escale("exec", "web", "--", "sh", "-c", "kill -9 $$").returncode == 137
    # The default shell reads a script from standard input.
    done = box.escale("exec", "web", stdin="echo $SESSION_KEY; exit 3")
    assert (done.stdout, done.returncode) == ("first\n", 3)


def test_exec_passes_much_data_in_both_directions(box):
    sent = "0123456789abcde\n" * 200_000
    done = box.escale("exec", "web", "--", "cat", stdin=sent)
    assert done.returncode == 0 and done.stdout == sent


def test_exec_chooses_the_named_task_and_container(box):
    tasks = box.tasks(serviceName="web")
    for task in tasks:
        id = task["taskArn"].rpartition("/")[2]
        address = next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "privateIPv4Address")
        done = box.escale("exec", "web", "--task", id[:8], "--container", "web", "--", "cat", "/etc/hosts")
        assert address in done.stdout, done
    for words, says in [
        (["--task", "zzz"], "the service web has no running task 'zzz'. Its running tasks are: "),
        (["--container", "other"], "the task has no running container 'other'. Its running containers are: web"),
        (["--", "/nope"], "'/nope' cannot be run"),
    ]:
        done = box.escale("exec", "web", *words)
        assert done.returncode == 1 and says in done.stderr, done
    assert "box has no service 'nosuch'. Its services are: web" in box.escale("exec", "nosuch").stderr


def test_exec_shell_on_a_terminal(box):
    shell = OnTerminal(box, "exec", "web", size=(30, 90))
    shell.expect(r"# ")
    shell.send("stty size; echo $TERM; tty\r")
    shell.expect(r"30 90\s+vt220\s+/dev/pts/\d")
    shell.resize(40, 120)
    shell.send("stty size\r")
    shell.expect(r"40 120")
    # Ctrl-C interrupts the command, not the session.
    shell.send("sleep 1000\r")
    eventually(lambda: box.inside("1000"))
    shell.send("\x03")
    shell.send("echo back-$((40+2))\r")
    shell.expect(r"back-42")
    shell.send("exit 5\r")
    assert shell.end() == 5


def test_exec_session_survives_kill_of_the_daemon(box):
    shell = OnTerminal(box, "exec", "web")
    shell.expect(r"# ")
    shell.send("mark=kept\r")
    shell.expect(r"# ")
    daemon = box.cloud.status()["daemon"]["pid"]
    os.kill(daemon, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{daemon}/exe"))
    shell.send("echo $mark-without-daemon\r")
    shell.expect(r"kept-without-daemon")
    box.cloud.escale("start")
    shell.send("echo $mark-with-the-next\r")
    shell.expect(r"kept-with-the-next")
    shell.send("exit\r")
    assert shell.end() == 0
    assert box.escale("exec", "web", "--", "echo", "again").stdout == "again\n"


def test_exec_ends_the_command_when_the_client_dies(box):
    for terminal in (False, True):
        script = "trap 'touch /tmp-hup; exit' HUP; echo ready; while :; do sleep 0.0713; done"
        words = ["exec", "web", "--", "sh", "-c", script]
        if terminal:
            client = OnTerminal(box, *words)
            client.expect("ready")
            process = client.process
        else:
            process = subprocess.Popen([ESCALE, *words], env=box.cloud.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=box.folder)
            assert process.stdout.readline() == b"ready\n"
        assert box.inside("0.0713")
        process.kill()
        process.wait()
        eventually(lambda: not box.inside("0.0713"))


def test_exec_is_for_the_owner_of_the_installation_only(box):
    """The socket cannot be reached by another user, and neither can the API with the root key."""
    sockets = list(pathlib.Path(box.cloud.home, "containers").rglob("session.sock"))
    assert len(sockets) == 2 and all(s.stat().st_mode & 0o077 == 0 for s in sockets)
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({str(sockets[0])!r})"
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    done = subprocess.run(["python3", "-c", connect], capture_output=True, text=True, **nobody)
    assert "PermissionError" in done.stderr, done
    done = subprocess.run([ESCALE, "exec", "web"], env=box.cloud.env, cwd="/", capture_output=True, text=True, **nobody)
    assert done.returncode != 0


def test_api_refuses_execute_command_with_the_commands_name(box):
    ecs = box.cloud.client("ecs")
    arn = box.tasks(serviceName="web")[0]["taskArn"]
    with pytest.raises(ecs.exceptions.ClientError, match="escale exec") as refused:
        ecs.execute_command(cluster=box.stack, task=arn, command="sh", interactive=True)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_execute_command_is_recorded(box):
    """By a service, for its new tasks, and by RunTask."""
    ecs = box.cloud.client("ecs")
    service = ecs.update_service(cluster=box.stack, service="web", enableExecuteCommand=True, forceNewDeployment=True)["service"]
    assert service["enableExecuteCommand"] is True
    # Tasks that ran before keep theirs.
    eventually(lambda: (tasks := box.tasks(serviceName="web")) and all(t["enableExecuteCommand"] for t in tasks), within=60)
    request = {k: service[k] for k in ("taskDefinition", "networkConfiguration", "launchType")}
    [task] = ecs.run_task(cluster=box.stack, enableExecuteCommand=True, **request)["tasks"]
    assert task["enableExecuteCommand"] is True
    ecs.stop_task(cluster=box.stack, task=task["taskArn"])
    ecs.get_waiter("services_stable").wait(cluster=box.stack, services=["web"], WaiterConfig={"Delay": 1})


def test_run_prints_the_log_and_returns_the_exit_code(box):
    before = {t["taskArn"] for t in box.stopped_tasks()}
    done = box.escale("run", "web", "--", "sh", "-c", "echo key=$SESSION_KEY; echo host=$DB_HOST; exit 4")
    lines = done.stdout.splitlines()
    assert done.returncode == 4 and lines[0] == "key=first" and re.fullmatch(r"host=box-local-db\..+", lines[1]), done
    [task] = [t for t in box.stopped_tasks() if t["taskArn"] not in before]
    assert task["startedBy"] == "escale-run/web" and task["containers"][0]["exitCode"] == 4
    service = box.cloud.client("ecs").describe_services(cluster=box.stack, services=["web"])["services"][0]
    assert task["taskDefinitionArn"] == service["taskDefinition"] and service["runningCount"] == 2
    subnet = next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "subnetId")
    assert subnet in service["networkConfiguration"]["awsvpcConfiguration"]["subnets"]


def test_run_prints_all_lines_of_a_long_log(box):
    done = box.escale("run", "web", "--", "sh", "-c", "i=0; while test $i -lt 3000; do echo line-$i; i=$((i+1)); done")
    assert done.returncode == 0 and done.stdout.splitlines() == [f"line-{i}" for i in range(3000)]


def test_run_reports_why_a_task_does_not_start(box):
    done = box.escale("run", "web", "--", "/nope")
    assert done.returncode == 1 and "did not run its command to the end" in done.stderr and "/nope" in done.stderr, done


def test_run_stops_the_task_on_interrupt(box):
    words = [ESCALE, "run", "web", "--", "sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"]
    process = subprocess.Popen(words, env=box.cloud.env, cwd=box.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    [task] = box.tasks(startedBy="escale-run/web")
    # A session in a one-off task.
    id = task["taskArn"].rpartition("/")[2]
    assert box.escale("exec", "web", "--task", id, "--", "echo", "inside").stdout == "inside\n"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "bye\n") and "Stopping the task" in errors
    stopped = box.cloud.client("ecs").describe_tasks(cluster=box.stack, tasks=[task["taskArn"]])["tasks"][0]
    assert stopped["lastStatus"] == "STOPPED" and stopped["stoppedReason"] == "Stopped by the user of escale run"


def password(box):
    database = box.cloud.client("rds").describe_db_instances(DBInstanceIdentifier="box-local-db")["DBInstances"][0]
    value = box.cloud.client("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
    return json.loads(value["SecretString"])


def connect(box, at):
    login = password(box)
    return psycopg.connect(
        host=at["address"], port=at["port"], user=login["username"], password=login["password"], dbname="postgres",
        connect_timeout=10, autocommit=True,
    )


def test_tunnel_leads_to_the_database_and_follows_a_failover(box):
    with tunnel(box, "db") as at:
        assert at["address"] == "127.0.0.1" and at["target"] == "the database box-local-db"
        server = "select inet_server_addr()::text, pg_is_in_recovery()"
        with connect(box, at) as one, connect(box, at) as two:
            first = one.execute(server).fetchone()
            assert first == two.execute(server).fetchone() and first[1] is False
        rds = box.cloud.client("rds")
        eventually(lambda: rds.describe_db_instances()["DBInstances"][0].get("SecondaryAvailabilityZone"), within=60)
        rds.reboot_db_instance(DBInstanceIdentifier="box-local-db", ForceFailover=True)

        def elsewhere():
            try:
                with connect(box, at) as again:
                    found = again.execute(server).fetchone()
                    return found if found[0] != first[0] and found[1] is False else None
            except psycopg.OperationalError:
                return None

        assert eventually(elsewhere, within=60)


def test_tunnel_leads_to_a_task_without_a_rule_of_its_security_group(box):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tunnel(box, "web", "--port", str(port)) as at:
        assert at["port"] == port and at["target"] == "port 8000 of the service web"
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=10).text == "hello\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with tunnel(box, "web:8000") as at:
        assert requests.get(f"http://127.0.0.1:{at['port']}/", timeout=10).text == "hello\n"
    for target, says in [
        ("nosuch", "box has no service 'nosuch'"),
        ("web:x", "'x' is not a port number"),
        ("db:5432", "a database has one port only"),
    ]:
        done = box.escale("tunnel", target)
        assert done.returncode == 1 and says in done.stderr, done


def test_psql_connects_as_the_master_user_and_hides_the_password(box):
    query = "select current_user, current_database(), inet_server_port()"
    done = box.escale("psql", "--", "-AtX", "-c", query, check=True)
    assert done.stdout.strip() == f"{password(box)['username']}|box|5432"
    assert box.escale("psql", "db", "--", "-AtX", stdin="select 6*7;", check=True).stdout == "42\n"
    assert box.escale("psql", "--", "-X", "-v", "ON_ERROR_STOP=1", "-f", "-", stdin="select nope;").returncode == 3
    assert "box has no database 'other'. Its databases are: db" in box.escale("psql", "other").stderr
    # While it runs, no process has the password in its arguments.
    session = OnTerminal(box, "psql", "db", "--", "-X")
    session.expect("box=> |box=# ")
    secret = password(box)["password"].encode()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            assert secret not in (folder / "cmdline").read_bytes(), folder
    # Ctrl-C cancels the query, and neither psql nor the tunnel ends.
    session.send("select pg_sleep(1000);\r")
    eventually(lambda: box.escale("psql", "--", "-AtX", "-c", "select 1 from pg_stat_activity where query like '%sleep(1000)%' and state = 'active' and pid <> pg_backend_pid()").stdout)
    session.send("\x03")
    session.expect("canceling statement")
    session.send("select 'still' || 'here';\r")
    session.expect("stillhere")
    session.send("\\q\r")
    assert session.end() == 0


def test_psql_names_the_package_if_it_is_missing(box, tmp_path):
    """With the folders of PostgreSQL's programs and the PATH hidden by an empty folder, in a mount namespace of its own."""
    hide = f"mount --bind {tmp_path} /usr/lib/postgresql && mount --bind /dev/null /usr/bin/psql; exec \"$@\""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", ESCALE, "psql"], env={**box.cloud.env, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd=box.folder, capture_output=True, text=True,
    )
    assert done.returncode == 1 and "psql is not installed" in done.stderr and "postgresql" in done.stderr, done


def test_secret_is_set_from_every_source_and_never_shown(box):
    value = lambda name: box.cloud.client("secretsmanager").get_secret_value(SecretId=f"box/local/{name}")["SecretString"]
    done = box.escale("secret", "set", "ONE", "of-arguments", check=True)
    assert done.stdout == "created box/local/ONE\n" and value("ONE") == "of-arguments"
    done = box.escale("secret", "set", "ONE", "-", stdin="two\nlines\n", check=True)
    assert done.stdout.startswith("changed box/local/ONE. Running tasks keep the old value") and value("ONE") == "two\nlines"
    box.escale("secret", "set", "other/WHOLE", stdin="x", check=True)
    assert box.cloud.client("secretsmanager").get_secret_value(SecretId="other/WHOLE")["SecretString"] == "x"
    typed = OnTerminal(box, "secret", "set", "TYPED")
    typed.expect(r"Value of box/local/TYPED \(not shown\): ")
    typed.send("h1dden-value\r")
    shown = typed.expect(r"created box/local/TYPED")
    assert "h1dden-value" not in shown.string
    assert typed.end() == 0 and value("TYPED") == "h1dden-value"
    listed = box.escale("secret", "list", check=True).stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert {"ONE", "SESSION_KEY", "TYPED"} <= set(names) and "WHOLE" not in listed
    for hidden in ("first", "h1dden-value", "lines", "of-arguments"):
        assert hidden not in listed
    assert [s["id"] for s in json.loads(box.escale("secret", "list", "--json").stdout) if s["name"] == "ONE"] == ["box/local/ONE"]
    assert "is empty" in box.escale("secret", "set", "EMPTY", stdin="\n").stderr


def test_scale_waits_until_all_tasks_run(box):
    """And prints what the next `up` does with the count."""
    def desired():
        return box.cloud.client("ecs").describe_services(cluster=box.stack, services=["web"])["services"][0]["desiredCount"]

    done = box.escale("scale", "web", "3", check=True)
    assert done.stdout == (
        "web: 3 running tasks instead of 2. `escale up` keeps that until it changes this service; then the manifest's count of 2 "
        "applies again.\n"
    )
    assert len([t for t in box.tasks(serviceName="web") if t["lastStatus"] == "RUNNING"]) == 3
    box.escale("up", ".", check=True)
    assert desired() == 3
    (box.folder / "web/www/index.html").write_text("changed\n")
    box.escale("up", ".", check=True)
    assert desired() == 2
    done = json.loads(box.escale("scale", "web", "1", "--json", check=True).stdout)
    assert done == {"service": "web", "before": 2, "count": 1, "running": 1}
    assert box.escale("scale", "web", "2", check=True).stdout == (
        "web: 2 running tasks instead of 1. That is the manifest's count, so `escale up` keeps it.\n"
    )
    assert box.escale("scale", "web", "2", check=True).stdout.startswith("web: 2 running tasks as before.")
    assert "box has no service 'nosuch'" in box.escale("scale", "nosuch", "1").stderr
