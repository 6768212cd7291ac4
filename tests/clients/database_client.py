"""A program that tests run in a network namespace: clients that write to a database through its name.

Arguments: NAME PORT RESOLVER [FILE MODE …]. It appends a JSON list per line to FILE.

- `load`: three writers that keep a connection, and one new client every 50 ms. A line per attempt: kind, value, begin, end,
  whether it was acknowledged.
- `history BASE WRITERS`: the operations of concurrent writers and readers, as `history.check` reads them.
"""

import contextlib
import itertools
import json
import os
import random
import socket
import struct
import sys
import threading
import time

import psycopg

NAME, PORT, RESOLVER = (sys.argv + [""] * 3)[1:4]
LIMIT = 1
READERS = 2
# A reader asks for so many of the newest values: reading all of a long history again and again would be the load.
RECENT = 4000
READ_ONLY = "25006"


def address():
    question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0)
    question += b"".join(bytes([len(label)]) + label.encode() for label in NAME.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.sendto(question, (RESOLVER, 53))
        return socket.inet_ntoa(s.recv(512)[-4:])


def connect(statement_timeout_ms=1000):
    where = {"host": address(), "port": PORT, "user": "app", "password": "correct-horse-battery", "dbname": "shop"}
    options = f"-c statement_timeout={statement_timeout_ms}"
    return psycopg.connect(**where, connect_timeout=LIMIT, autocommit=True, tcp_user_timeout=1000, options=options)


@contextlib.contextmanager
def limited(connection):
    """psycopg waits for a server's answer without a limit of its own: the connection is closed from outside after one second."""
    def give_up():
        try:
            socket.socket(fileno=os.dup(connection.fileno())).shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            pass
    timer = threading.Timer(LIMIT, give_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Lines:
    def __init__(self, path):
        self.file, self.lock = open(path, "a", buffering=1), threading.Lock()

    def add(self, *line):
        with self.lock:
            self.file.write(json.dumps(line) + "\n")


def load(lines):
    values = itertools.count()

    def write(kind, connection, begun=None):
        value, begun, ok = next(values), begun or time.monotonic(), False
        try:
            with limited(connection):
                connection.execute("insert into t values (%s)", [value])
            ok = True
        finally:
            lines.add(kind, value, begun, time.monotonic(), ok)

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


class History:
    def __init__(self, lines, base):
        self.lines, self.base, self.values, self.newest = lines, base, itertools.count(base), base

    def connect(self):
        """Without a statement timeout: a cancelled wait for the standby is acknowledged with a warning, and visible to readers."""
        connection = connect(statement_timeout_ms=0)
        connection.warned = False
        def warn(_):
            connection.warned = True
        connection.add_notice_handler(warn)
        return connection

    def write(self, connection, client, in_transaction):
        """Half of the writers use transactions: what fails before their COMMIT is sent has certainly not happened."""
        value = self.newest = next(self.values)
        self.lines.add("invoke", client, value, time.monotonic())
        outcome, committing = "unknown", not in_transaction
        try:
            with limited(connection):
                if in_transaction:
                    connection.execute("begin")
                connection.execute("insert into history values (%s)", [value])
                if in_transaction:
                    committing = True
                    connection.execute("commit")
            outcome = "unknown" if connection.warned else "ok"
        except psycopg.Error as error:
            if not committing or error.sqlstate == READ_ONLY:
                outcome = "failed"
            raise
        finally:
            self.lines.add(outcome, client, value, time.monotonic())

    def read(self, connection, client):
        floor, begun = max(self.base, self.newest - RECENT), time.monotonic()
        with limited(connection):
            found = connection.execute("select n from history where n >= %s order by n", [floor]).fetchall()
        self.lines.add("read", client, begun, time.monotonic(), floor, ranges(n for n, in found))

    def repeat(self, act, client, pause):
        """Each connection serves up to a hundred operations; the next one resolves the name anew."""
        while True:
            try:
                with self.connect() as connection:
                    for _ in range(random.randrange(1, 100)):
                        act(connection, client)
                        time.sleep(random.uniform(0, 2 * pause))
            except Exception:
                time.sleep(0.02)


def ranges(values):
    """The sorted values as ranges of consecutive ones; a value that is there twice begins a range of its own."""
    found = []
    for value in values:
        if found and found[-1][1] == value - 1:
            found[-1][1] = value
        else:
            found.append([value, value])
    return found


def history(lines, base, writers):
    clients = History(lines, base)
    for client in range(writers):
        act = lambda connection, me, odd=client % 2 == 1: clients.write(connection, me, in_transaction=odd)
        threading.Thread(target=clients.repeat, args=(act, client, 0.01), daemon=True).start()
    for client in range(writers, writers + READERS):
        threading.Thread(target=clients.repeat, args=(clients.read, client, 0.1), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    out, (mode, *rest) = Lines(sys.argv[4]), sys.argv[5:]
    if mode == "load":
        load(out)
    else:
        history(out, *map(int, rest))
