"""A registry on this machine that plays those on the Internet: with TLS, tokens, private repositories and every kind of fault."""

import base64
import contextlib
import hashlib
import http.server
import json
import pathlib
import re
import ssl
import subprocess
import threading
import urllib.parse
import uuid

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={uuid.uuid4()}",
                     "-keyout", "ca.key", "-out", "ca.pem", "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip
        self.file = self.folder / "ca.pem"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def context(self, *names):
        """The TLS settings of a server with these names."""
        stem = names[0]
        (self.folder / f"{stem}.ext").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={stem}",
                     "-keyout", f"{stem}.key", "-out", f"{stem}.csr")  # fmt: skip
        self.openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", f"{stem}.ext", "-out", f"{stem}.pem")  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        return context


class Registry:
    """Serves images from memory. `faults` maps a repository to a function that may answer a request itself."""

    def __init__(self, context=None):
        self.manifests, self.blobs, self.logins, self.faults = {}, {}, {}, {}
        self.requests = []
        self.lock = threading.Lock()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.close_connection = True
                # A client that goes away is no error of the test.
                with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                    registry.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                connection, address = super().get_request()
                # The handshake happens in the connection's own thread, with its first read.
                if context:
                    connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                return connection, address

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # Images

    def add_blob(self, repository, content):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[repository, digest] = content
        return digest

    def add_manifest(self, repository, tag, document, media_type=IMAGE):
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.manifests[repository, tag] = self.manifests[repository, digest] = (media_type, content)
        return digest

    def add(self, repository, tag, layout):
        """Adds the image of an OCI layout, and returns its digest."""
        [entry] = json.loads((layout / "index.json").read_text())["manifests"]
        for path in (layout / "blobs/sha256").iterdir():
            self.add_blob(repository, path.read_bytes())
        return self.add_manifest(repository, tag, self.blobs[repository, entry["digest"]])

    # Requests

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        with self.lock:
            self.requests.append((request.headers["Host"], request.path, lower(request.headers)))
        if url.path == "/token":
            return self.token(request, urllib.parse.parse_qs(url.query))
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", url.path)
        if not found:
            return send(request, 404, {}, error("NAME_UNKNOWN"))
        repository, kind, reference = found.groups()
        if request.headers.get("Authorization") != f"Bearer token-of-{repository}":
            realm = f'Bearer realm="{self.url}/token",service="registry.test",scope="repository:{repository}:pull"'
            return send(request, 401, {"WWW-Authenticate": realm}, error("UNAUTHORIZED", "authentication required"))
        fault = self.faults.get(repository)
        if fault and fault(request, kind, reference):
            return None
        if kind == "manifests":
            media_type, content = self.manifests.get((repository, reference), (None, None))
            return send(request, 404, {}, error("MANIFEST_UNKNOWN")) if content is None else send(request, 200, {"Content-Type": media_type}, content)
        content = self.blobs.get((repository, reference))
        return send(request, 404, {}, error("BLOB_UNKNOWN")) if content is None else send_range(request, content)

    def token(self, request, query):
        repository = query["scope"][0].split(":")[1]
        login = self.logins.get(repository)
        basic = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else None
        if login and request.headers.get("Authorization") != basic:
            return send(request, 401, {}, error("UNAUTHORIZED", "incorrect username or password"))
        return send(request, 200, {}, json.dumps({"token": f"token-of-{repository}"}).encode())

    def requested(self, repository):
        """The manifests and blobs of a repository that were requested with a token."""
        own = [path for _, path, headers in self.requests if f"/v2/{repository}/" in path and "authorization" in headers]
        return [path.rpartition(f"/v2/{repository}/")[2] for path in own]


def lower(headers):
    """The headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def error(code, message="no"):
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def send(request, status, headers, content):
    request.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)


def send_range(request, content, cut=None):
    """Sends a blob, or the range that the client wants. With `cut` the connection ends after so many bytes."""
    begin = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
    part = content[begin:]
    headers = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
    request.send_response(206 if begin else 200)
    for name, value in {"Content-Length": str(len(part)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(part[:cut])
    request.wfile.flush()
