"""A minimal HTTP/1.1 client that sends its requests byte for byte, without normalizing them."""

import re
import socket


class Connection:
    """One connection to a port of this machine."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server refused the request before it was complete; the response follows

    def request(self, data):
        """Sends the bytes and reads one response: status, headers (lower case), body. Status 0: the connection ended."""
        self.send(data)
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                return 0, {}, b""
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        status = int(re.match(r"HTTP/1\.[01] (\d{3})", lines[0]).group(1))
        if "chunked" in headers.get("transfer-encoding", ""):
            body = self.chunks()
        else:
            length = int(headers.get("content-length", 0))
            while len(self.rest) < length and self.more():
                pass
            body, self.rest = self.rest[:length], self.rest[length:]
        return status, headers, body

    def chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.rest and self.more():
                pass
            size, self.rest = self.rest.split(b"\r\n", 1)
            size = int(size.split(b";")[0], 16)
            while len(self.rest) < size + 2 and self.more():
                pass
            body, self.rest = body + self.rest[:size], self.rest[size + 2 :]
            if size == 0:
                return body

    def more(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            got = b""
        self.rest += got
        return bool(got)

    def closed(self):
        """Whether the server closes the connection without sending another byte."""
        while self.more():
            pass
        return self.rest == b""


def get(port, target, host, headers=""):
    """One GET on a new connection, with the target exactly as given."""
    with Connection(port) as connection:
        return connection.request(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n")
