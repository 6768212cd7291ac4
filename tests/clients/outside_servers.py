"""HTTP servers whose answers a test changes while they run; for a namespace of the cloud.

    outside_servers.py ADDRESS PORT…

Reads lines `PORT STATUS`, `PORT close` and `PORT open` from standard input and prints a line after each.
"""

import http.server
import sys
import threading

ADDRESS, *PORTS = sys.argv[1:]
status, servers, requests = dict.fromkeys(PORTS, 200), {}, dict.fromkeys(PORTS, 0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        port = str(self.server.server_address[1])
        requests[port] += 1
        length = int(self.headers.get("Content-Length", 0))
        sent = self.rfile.read(length).decode()
        body = f"{ADDRESS} {port} {self.headers['Host']} {self.headers['User-Agent']} {sent}".encode()
        self.send_response(status[port])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


def open_port(port):
    servers[port] = Server((ADDRESS, int(port)), Handler)
    threading.Thread(target=servers[port].serve_forever, args=(0.01,), daemon=True).start()


def close_port(port):
    servers[port].shutdown()
    servers[port].server_close()


for port in PORTS:
    open_port(port)
print("ready", flush=True)
for line in sys.stdin:
    port, change = line.split()
    if change == "close":
        close_port(port)
    elif change == "open":
        open_port(port)
    else:
        status[port] = int(change)
    print(requests[port], flush=True)
