"""Requests at one address until standard input ends, for the tests that kill processes under load.

    http_load.py ADDRESS PORT HOST PATH…

Half of the clients open a connection for each request, half keep theirs. A request that fails for any reason is counted with
the reason; none is tried again. Prints a line after every 50 requests, and the result as JSON at the end.
"""

import http.client
import json
import sys
import threading
import time

CLIENTS = 8


class Load:
    def __init__(self, address, port, host, paths):
        self.at, self.host, self.paths = (address, port), host, paths
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.done, self.slowest_ms, self.failed, self.from_cache = 0, 0.0, {}, 0

    def client(self, keeps):
        connection, turn = None, 0
        while not self.ended.is_set():
            path, began, why = self.paths[turn % len(self.paths)], time.monotonic(), None
            turn += 1
            try:
                connection = connection or http.client.HTTPConnection(*self.at, timeout=20)
                connection.request("GET", path, headers={"Host": self.host})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    why = f"{answer.status} for {path}"
                hit = (answer.headers["x-cache"] or "").startswith("Hit")
            except OSError as error:
                why, hit = f"{error!r} for {path}", False
            except http.client.HTTPException as error:
                why, hit = f"{error!r} for {path}", False
            if connection and (why or not keeps):
                connection.close()
                connection = None
            self.count((time.monotonic() - began) * 1000, why, hit)

    def count(self, took_ms, why, hit):
        with self.lock:
            self.done += 1
            self.from_cache += hit
            self.slowest_ms = max(self.slowest_ms, took_ms)
            if why:
                self.failed[why] = self.failed.get(why, 0) + 1
            if self.done % 50 == 0:
                print(self.done, flush=True)


def main():
    address, port, host, *paths = sys.argv[1:]
    load = Load(address, int(port), host, paths)
    threads = [threading.Thread(target=load.client, args=(n % 2 == 0,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    load.ended.set()
    for thread in threads:
        thread.join()
    slowest = round(load.slowest_ms)
    print(json.dumps({"requests": load.done, "hits": load.from_cache, "slowest_ms": slowest, "failed": load.failed}))


main()
