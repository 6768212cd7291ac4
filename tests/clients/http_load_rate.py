"""GET requests at a fixed rate while a block runs. None is repeated; each failure is counted with its reason."""

import http.client
import threading
import time


class Load:
    def __init__(self, address, port, host, rate, clients=16):
        self.at, self.host, self.every = (address, port), host, clients / rate
        self.lock, self.over = threading.Lock(), threading.Event()
        self.done, self.failed, self.last = 0, {}, None
        self.threads = [threading.Thread(target=self.work, args=(n % 2 == 0,)) for n in range(clients)]

    def work(self, keeps):
        connection, next_at = None, time.monotonic()
        while not self.over.is_set():
            why, text = None, None
            try:
                connection = connection or http.client.HTTPConnection(*self.at, timeout=20)
                connection.request("GET", "/", headers={"Host": self.host})
                answer = connection.getresponse()
                text = answer.read().decode()
                why = None if answer.status == 200 else str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                why = repr(error)
            if connection and (why or not keeps):
                connection.close()
                connection = None
            with self.lock:
                self.done += 1
                self.last = text if not why else self.last
                if why:
                    self.failed[why] = self.failed.get(why, 0) + 1
            next_at += self.every
            self.over.wait(max(0, next_at - time.monotonic()))

    def rate(self):
        return self.done / (self.ended - self.began)

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.ended = time.monotonic()
