"""Tasks run images of Docker Hub and other registries. A registry on this machine plays them, as a mirror does for machines
without Internet access."""

import base64
import contextlib
import http.server
import io
import json
import os
import pathlib
import signal
import shutil
import socket
import socketserver
import subprocess
import tarfile
import threading
import urllib.parse

import images
import pytest
import registry
import requests
from registry import INDEX, Authority, Registry, send, send_range
from tasks import APPLETS, Cluster, cluster  # noqa: F401 (a fixture)

from conftest import eventually, make_cloud, remove_cloud

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The registry behind the names `docker.io`, `ghcr.io`, `public.ecr.aws` and `cdn.example`."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    made = Registry(authority.context("localhost", "cdn.localhost"))
    made.authority = authority
    yield made
    made.close()


@pytest.fixture(scope="module")
def cloud(hub, tmp_path_factory):
    """A cloud whose daemon trusts the registry's authority and uses it as a mirror."""
    made = make_cloud()
    stranger = Registry(Authority(tmp_path_factory.mktemp("stranger")).context("localhost"))
    mirrors = {
        "docker.io": f"https://localhost:{hub.port}",
        "ghcr.io": f"https://localhost:{hub.port}/ghcr",
        "public.ecr.aws": f"https://localhost:{hub.port}/public",
        "cdn.example": f"https://cdn.localhost:{hub.port}",
        "other-name.example": f"https://other.localhost:{hub.port}",
        "stranger.example": f"https://localhost:{stranger.port}",
        "closed.example": "https://localhost:1",
    }
    made.env["ESCALE_IMAGE_MIRROR"] = ",".join(f"{name}={mirror}" for name, mirror in mirrors.items())
    made.env["SSL_CERT_FILE"] = str(hub.authority.file)
    try:
        made.escale("start")
        yield made
    finally:
        remove_cloud(made)
        stranger.close()


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """Makes an OCI layout of a small image; the text makes it different from others."""

    def make(text, **more):
        programs = {f"bin/{name}": "-> /bin/busybox" for name in APPLETS}
        files = {"bin/busybox": pathlib.Path("/bin/busybox").read_bytes(), **programs, "text": text, **more}
        folder = tmp_path_factory.mktemp("layout") / "oci"
        images.layout(folder, files, config={"Env": ["PATH=/bin"]})
        return folder

    return make


def run(cluster, image, script="cat /text", network=None, **more):
    """Runs a task of a public image to its end. It needs no execution role: it has neither logs nor secrets."""
    container = {"name": "main", "image": image, "command": ["sh", "-c", script], **more}
    request = {"family": f"{cluster.name}-upstream", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"]}
    if "repositoryCredentials" in more:
        request["executionRoleArn"] = cluster.execution
    definition = cluster.ecs.register_task_definition(containerDefinitions=[container], **request)["taskDefinition"]
    return cluster.run_to_end(definition["taskDefinitionArn"], networkConfiguration=network or cluster.network())


def has_run(task):
    [container] = task["containers"]
    assert task["stopCode"] == "EssentialContainerExited", task["stoppedReason"]
    assert container.get("exitCode") == 0, container
    return True


def reason(task):
    assert task["stopCode"] == "TaskFailedToStart", task
    return task["stoppedReason"]


def test_short_name_is_an_image_of_docker_hub(cluster, hub, layout):
    own = hub.add("library/tool", "own", layout("hub"))
    other = {"mediaType": registry.IMAGE, "digest": f"sha256:{'0' * 64}", "size": 1, "platform": {"os": "linux", "architecture": "s390x"}}
    [_, content] = hub.manifests["library/tool", own]
    mine = {"mediaType": registry.IMAGE, "digest": own, "size": len(content), "platform": {"os": "linux", "architecture": images.ARCHITECTURE}}
    index = hub.add_manifest("library/tool", "1.27", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, mine]}, INDEX)
    task = run(cluster, "tool:1.27", script='test "$(cat /text)" = hub')
    assert has_run(task), task
    # As on AWS, the digest is that of the index.
    assert task["containers"][0]["imageDigest"] == index and task["containers"][0]["image"] == "tool:1.27"
    assert task["pullStartedAt"] <= task["pullStoppedAt"]
    before = len(hub.requested("library/tool"))
    assert before == 4, "index, manifest, configuration and layer"
    assert has_run(run(cluster, f"docker.io/library/tool@{index}"))
    assert len(hub.requested("library/tool")) == before, "a digest that was pulled needs no network"
    hub.add_manifest("library/tool", "other", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other]}, INDEX)
    text = reason(run(cluster, "tool:other"))
    assert f"image Manifest does not contain descriptor matching platform 'linux/{images.ARCHITECTURE}'" in text and "linux/s390x" in text


def test_other_registries_and_zstd_layers(cluster, hub, layout):
    folder = layout("zstd")
    [entry] = json.loads((folder / "index.json").read_text())["manifests"]
    manifest = json.loads((folder / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_text())
    plain = subprocess.run(["gzip", "-dc", folder / "blobs/sha256" / manifest["layers"][0]["digest"].removeprefix("sha256:")], capture_output=True, check=True).stdout
    # Two frames, as some tools write them.
    packed = b"".join(subprocess.run(["zstd", "-c"], input=part, capture_output=True, check=True).stdout for part in (plain[:100_000], plain[100_000:]))
    config = (folder / "blobs/sha256" / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes()
    manifest["layers"] = [{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": hub.add_blob("ghcr/a/b", packed), "size": len(packed)}]
    hub.add_blob("ghcr/a/b", config)
    digest = hub.add_manifest("ghcr/a/b", "1", manifest)
    task = run(cluster, f"ghcr.io/a/b@{digest}", script='test "$(cat /text)" = zstd')
    assert has_run(task), task
    hub.add("public/nginx/nginx", "latest", layout("public"))
    task = run(cluster, "public.ecr.aws/nginx/nginx", script='test "$(cat /text)" = public')
    assert has_run(task), task


def test_private_repository_needs_repository_credentials(cluster, cloud, hub, layout):
    hub.add("corp/app", "1", layout("private"))
    hub.logins["corp/app"] = ("alice", "pa:ss")
    text = reason(run(cluster, "corp/app:1"))
    assert text.startswith(PULL + "docker.io/corp/app:1: pull access denied, repository does not exist or may require authorization"), text
    secrets = cloud.client("secretsmanager")

    def login(name, value):
        return {"credentialsParameter": secrets.create_secret(Name=f"{name}-{cluster.name}", SecretString=json.dumps(value))["ARN"]}

    right = login("ecs/right", {"username": "alice", "password": "pa:ss"})
    assert has_run(task := run(cluster, "corp/app:1", repositoryCredentials=right)), task
    [container] = cluster.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]["containerDefinitions"]
    assert container["repositoryCredentials"] == right
    # The layers are cached, and still not for everybody.
    assert "pull access denied" in reason(run(cluster, f"corp/app@{task['containers'][0]['imageDigest']}"))
    wrong = login("ecs/wrong", {"username": "alice", "password": "guess"})
    assert "incorrect username or password" in reason(run(cluster, "corp/app:1", repositoryCredentials=wrong))
    for bad, why in [
        (login("ecs/form", {"user": "alice"}), "the keys username and password"),
        (login("other/denied", {"username": "alice", "password": "pa:ss"}), "is not authorized to perform: secretsmanager:GetSecretValue"),
        ({"credentialsParameter": "ecs/missing"}, "ResourceNotFoundException"),
    ]:
        text = reason(run(cluster, "corp/app:1", repositoryCredentials=bad))
        assert text.startswith("ResourceInitializationError: unable to pull secrets or registry auth") and why in text, text
    with pytest.raises(cluster.ecs.exceptions.ClientException, match="credentialsParameter must be"):
        run(cluster, "corp/app:1", repositoryCredentials={"credentialsParameter": "arn:aws:s3:::bucket"})


def test_errors_are_the_registrys_reasons(cluster, hub, layout):
    hub.add("library/limited", "1", layout("limited"))

    def limit(request, kind, reference):
        body = registry.error("TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.")
        return send(request, 429, {"Retry-After": "77"}, body) or True

    hub.faults["library/limited"] = limit
    for image, why in [
        ("nothing:1", "docker.io/library/nothing:1: not found"),
        ("limited:1", "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.. Retry after 77 s"),
        ("registry.invalid/a:1", "dial tcp: lookup registry.invalid: "),
        ("stranger.example/a:1", "x509: certificate signed by unknown authority"),
        ("other-name.example/a:1", "x509: certificate is not valid for this name"),
        ("closed.example/a:1", "dial tcp 127.0.0.1:1: Connection refused"),
    ]:
        text = reason(run(cluster, image))
        assert text.startswith("CannotPullContainerError: ") and why in text, text


def test_never_connects_to_the_host_or_private_networks(cluster, hub):
    """The image's name comes from a client, and a registry chooses its redirects."""
    listener = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    inside = f"localhost:{listener.server_address[1]}"
    names = [inside, "169.254.169.254", "127.0.0.1:22", "10.0.0.1:5000", "192.168.0.1:80", "2130706433:80"]
    for name in names:
        text = reason(run(cluster, f"{name}/a/b:1"))
        assert text.startswith("CannotPullContainerError: ") and ("is not an address of the Internet" in text or "lookup" in text), text
    for to, why in [
        (f"https://{inside}/x", "is not an address of the Internet"),
        ("https://169.254.169.254/latest/meta-data/", "is not an address of the Internet"),
        ("https://[::ffff:169.254.169.254]/x", "is not an address of the Internet"),
        ("http://169.254.169.254/latest/meta-data/", "only https is followed"),
        ("file:///etc/shadow", "it is not a URL"),
        (f"{hub.url}/v2/library/jump/manifests/1", "there are too many redirects"),
    ]:
        hub.faults["library/jump"] = lambda request, *_: send(request, 307, {"Location": to}, b"") or True
        text = reason(run(cluster, "jump:1"))
        assert why in text, (to, text)
    listener.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.socket.accept()
    listener.server_close()


def test_token_is_not_sent_to_where_layers_are_stored(cluster, hub, layout):
    """Docker Hub redirects layers to a content delivery network."""
    digest = hub.add("library/stored", "1", layout("stored"))
    assert digest

    def redirect(request, kind, reference):
        if kind == "blobs" and request.headers["Host"].startswith("localhost"):
            return send(request, 307, {"Location": f"https://cdn.localhost:{hub.port}/store/{reference}?signature=x"}, b"") or True

    answer = hub.answer

    def stored(request):
        if not request.path.startswith("/store/"):
            return answer(request)
        hub.requests.append((request.headers["Host"], request.path, registry.lower(request.headers)))
        return send_range(request, hub.blobs["library/stored", request.path.split("/")[2].split("?")[0]])

    hub.faults["library/stored"], hub.answer = redirect, stored
    try:
        assert has_run(task := run(cluster, "stored:1")), task
    finally:
        hub.answer = answer
    redirected = [headers for host, path, headers in hub.requests if path.startswith("/store/")]
    assert len(redirected) == 2 and not any("authorization" in headers for headers in redirected)


def test_interrupted_layer_is_continued(cluster, hub, layout):
    hub.add("library/cut", "1", layout("cut"))

    def cut(request, kind, reference):
        content = hub.blobs.get(("library/cut", reference))
        if kind == "blobs" and len(content) > 100_000:
            return send_range(request, content, cut=len(content) // 3 + 1) or True

    hub.faults["library/cut"] = cut
    assert has_run(task := run(cluster, "cut:1")), task
    ranges = [headers.get("range") for _, path, headers in hub.requests if "/v2/library/cut/blobs" in path and "authorization" in headers]
    assert len([r for r in ranges if r]) >= 2, ranges


def test_hostile_registry(cluster, hub, layout, cloud):
    hub.add("library/evil", "1", layout("evil"))

    def endless(request, size, head=200):
        request.send_response(head)
        request.send_header("Content-Type", registry.IMAGE)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for _ in range(size):
            request.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        return True

    def of(kind_of_fault, answer):
        return lambda request, kind, reference: kind == kind_of_fault and (answer(request, reference) or True)

    def head(request, _):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 500_000 + b"\r\n\r\n")

    for fault, why in [
        (of("manifests", lambda r, _: endless(r, 200)), "its manifest is larger than 4194304 bytes"),
        (of("manifests", head), "broke"),
        (of("manifests", lambda r, _: send(r, 200, {"Content-Type": registry.IMAGE}, b"[" * 100_000)), "its manifest is not valid"),
        (of("manifests", lambda r, _: send(r, 500, {}, b"\x1b[31m" + b"z" * 1_000_000)), "500: "),
        (of("blobs", lambda r, _: endless(r, 2000)), "more bytes than it announced"),
        (of("blobs", lambda r, d: send(r, 200, {}, bytes(len(hub.blobs["library/evil", d])))), "have the digest"),
        (of("blobs", lambda r, d: send(r, 200, {}, b"")), "too few bytes"),
        (of("blobs", lambda r, d: send(r, 404, {}, b"")), "not found"),
    ]:
        hub.faults["library/evil"] = fault
        text = reason(run(cluster, "evil:1"))
        assert text.startswith("CannotPullContainerError: ") and why in text and "\x1b" not in text and len(text) < 1500, text
    del hub.faults["library/evil"]
    assert has_run(run(cluster, "evil:1")), "nothing of the attacks was kept"
    assert cloud.status()["daemon"]


def test_layer_cannot_leave_its_folder(cluster, hub, tmp_path):
    target = tmp_path / "escaped"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        info = tarfile.TarInfo(f"../../../../../../..{target}")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    content = layer.getvalue()
    config = json.dumps({"os": "linux", "architecture": images.ARCHITECTURE, "rootfs": {"diff_ids": ["x"]}}).encode()
    parts = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": hub.add_blob("library/leave", c), "size": len(c)} for c in (config, content)]
    hub.add_manifest("library/leave", "1", {"schemaVersion": 2, "mediaType": registry.IMAGE, "config": parts[0], "layers": parts[1:]})
    task = run(cluster, "leave:1")
    assert "leads out of the layer" in json.dumps(task, default=str) and not target.exists()


def test_private_subnet_needs_a_path_to_the_internet(cluster, hub, layout):
    hub.add("library/far", "1", layout("far"))
    subnet = cluster.subnet("10.71.40.0/24")
    table = cluster.route_table(subnet)
    text = reason(run(cluster, "far:1", network=cluster.network(subnets=[subnet])))
    assert text.startswith(PULL + "docker.io/library/far:1: failed to do request: dial tcp") and "i/o timeout" in text and "a NAT gateway" in text, text
    assert not hub.requested("library/far")
    cluster.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=cluster.nat)
    assert has_run(run(cluster, "far:1", network=cluster.network(subnets=[subnet])))


def test_deployment_keeps_its_image_when_the_tag_moves(cluster, hub, layout):
    first = hub.add("library/moving", "1", layout("first"))
    request = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "family": f"{cluster.name}-moving"}
    container = {"name": "main", "image": "moving:1", "command": ["sleep", "300"]}
    free = {"name": "free", "image": "moving:1", "command": ["sleep", "300"], "versionConsistency": "disabled"}
    definition = cluster.ecs.register_task_definition(containerDefinitions=[container, free], **request)["taskDefinition"]
    assert [c.get("versionConsistency") for c in definition["containerDefinitions"]] == [None, "disabled"]
    service = {"cluster": cluster.name, "service": "moving"}
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName="moving", desiredCount=1, launchType="FARGATE", taskDefinition=definition["taskDefinitionArn"],
        networkConfiguration=cluster.network(), deploymentConfiguration={"minimumHealthyPercent": 0},
    )  # fmt: skip

    def digests(count):
        arns = cluster.ecs.list_tasks(cluster=cluster.name, serviceName="moving")["taskArns"]
        found = cluster.ecs.describe_tasks(cluster=cluster.name, tasks=arns)["tasks"] if arns else []
        running = [{c["name"]: c.get("imageDigest") for c in t["containers"]} for t in found if t["lastStatus"] == "RUNNING"]
        return running if len(running) == count else None

    assert eventually(lambda: digests(1)) == [{"main": first, "free": first}]
    second = hub.add("library/moving", "1", layout("second"))
    cluster.ecs.update_service(**service, desiredCount=2)
    both = eventually(lambda: digests(2))
    assert {d["main"] for d in both} == {first} and {d["free"] for d in both} == {first, second}
    cluster.ecs.update_service(**service, forceNewDeployment=True)
    eventually(lambda: {d["main"] for d in digests(2) or []} == {second}, within=60)
    cluster.ecs.delete_service(**service, force=True)


def test_service_tries_again_after_a_failed_pull(cluster, hub, layout):
    request = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "family": f"{cluster.name}-late"}
    container = {"name": "main", "image": "late:1", "command": ["sleep", "300"]}
    definition = cluster.ecs.register_task_definition(containerDefinitions=[container], **request)["taskDefinition"]["taskDefinitionArn"]
    service = {"cluster": cluster.name, "service": "late"}
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName="late", desiredCount=1, launchType="FARGATE", taskDefinition=definition, networkConfiguration=cluster.network(),
    )  # fmt: skip

    def described():
        return cluster.ecs.describe_services(cluster=cluster.name, services=["late"])["services"][0]

    eventually(lambda: any("failed to start: CannotPullContainerError" in e["message"] for e in described()["events"]))
    hub.add("library/late", "1", layout("late"))
    eventually(lambda: described()["runningCount"] == 1, within=60)
    cluster.ecs.delete_service(**service, force=True)


class Slow:
    """Holds a repository's large blob after its first bytes, until it is released."""

    def __init__(self, hub, repository):
        self.hub, self.repository = hub, repository
        self.begun, self.released = threading.Event(), threading.Event()
        hub.faults[repository] = self

    def __call__(self, request, kind, reference):
        content = self.hub.blobs.get((self.repository, reference), b"")
        if kind != "blobs" or len(content) < 100_000 or self.released.is_set():
            return False
        # More than the registry writes at once, so that some bytes reach its disk.
        send_range(request, content, cut=len(content) // 2)
        self.begun.set()
        self.released.wait(60)
        return True


def large(layout, text):
    return layout(text, **{"padding": os.urandom(3_000_000)})


def test_task_can_be_stopped_during_a_pull(cluster, hub, layout):
    hub.add("library/slow", "1", large(layout, "slow"))
    slow = Slow(hub, "library/slow")
    request = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "family": f"{cluster.name}-slow"}
    definition = cluster.ecs.register_task_definition(containerDefinitions=[{"name": "main", "image": "slow:1"}], **request)["taskDefinition"]
    arn = cluster.run(definition["taskDefinitionArn"])
    assert slow.begun.wait(30) and cluster.task(arn)["lastStatus"] == "PENDING"
    cluster.ecs.stop_task(cluster=cluster.name, task=arn, reason="no longer needed")
    task = cluster.until(arn, "STOPPED", within=10)
    assert task["stopCode"] == "UserInitiated" and task["stoppedReason"] == "no longer needed"
    slow.released.set()


def test_pull_continues_after_the_daemon_was_killed(cluster, cloud, hub, layout):
    partial = pathlib.Path(cloud.home) / "images/registry/partial"
    others = set(partial.iterdir())
    hub.add("library/killed", "1", large(layout, "killed"))
    slow = Slow(hub, "library/killed")
    request = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "family": f"{cluster.name}-killed"}
    container = {"name": "main", "image": "killed:1", "command": ["true"]}
    definition = cluster.ecs.register_task_definition(containerDefinitions=[container], **request)["taskDefinition"]
    arn = cluster.run(definition["taskDefinitionArn"])
    assert slow.begun.wait(30)
    half = eventually(lambda: [path for path in set(partial.iterdir()) - others if path.stat().st_size > 1_000_000])
    os.kill(cloud.status()["daemon"]["pid"], signal.SIGKILL)
    slow.released.set()
    cloud.escale("start")
    task = cluster.until(arn, "STOPPED")
    assert has_run(task), task
    ranges = [headers.get("range") for _, path, headers in hub.requests if "/v2/library/killed/blobs" in path]
    assert any(ranges), "the rest of the layer was fetched"
    assert not any(path.exists() for path in half)


SERVES = ["httpd", "-f", "-p", "3000", "-h", "/www"]


def test_up_runs_a_public_image_and_builds_on_a_private_one(cloud, hub, tmp_path, tmp_path_factory):
    for repository, page in (("library/site", "public"), ("corp/base", "private")):
        folder = tmp_path_factory.mktemp("site") / "oci"
        images.busybox(folder, page=page, Cmd=SERVES)
        hub.add(repository, "1", folder)
    hub.logins["corp/base"] = ("alice", "pw")
    (tmp_path / "escale.yaml").write_text(
        "app: upstream\nservices:\n"
        "  web: { image: 'site:1', port: 3000, path: /, health: / }\n"
        "  built: { build: ./built, port: 3000, path: /built/*, health: / }\n"
        "network: { cidr: 10.9.0.0/16, azs: 2 }\n"
    )
    built = tmp_path / "built"
    built.mkdir()
    (built / "page").write_text("built")
    (built / "Dockerfile").write_text("FROM corp/base:1\nCOPY page /www/built/index.html\n")
    denied = cloud.escale("up", tmp_path, check=False)
    assert denied.returncode == 1 and "built/Dockerfile:1: FROM corp/base:1: the registry denies access to docker.io/corp/base:1" in denied.stderr
    login = base64.b64encode(b"alice:pw").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": login}}}))
    cloud.env["DOCKER_CONFIG"] = str(tmp_path)
    url = json.loads(cloud.escale("up", tmp_path, "--json").stdout)["url"]
    port = urllib.parse.urlsplit(url).port
    for path, page in (("/", "public"), ("/built/", "built")):
        answer = requests.get(f"http://127.0.0.1:{port}{path}", headers={"Host": urllib.parse.urlsplit(url).netloc}, timeout=20)
        assert (answer.status_code, answer.text) == (200, page)
    cloud.escale("down", "upstream")


def test_up_names_the_image_that_is_missing_or_private(cloud, hub, tmp_path):
    hub.logins["corp/closed"] = ("alice", "pw")
    for image, why in (("missing:1", "docker.io/library/missing:1: not found"), ("corp/closed:1", "A private image can be the base of a build")):
        (tmp_path / "escale.yaml").write_text(f"app: nothing\nservices:\n  web: {{ image: '{image}', port: 3000, path: /, health: / }}\n")
        done = cloud.escale("up", tmp_path, check=False)
        assert done.returncode == 1 and f"the service web cannot start from {image}" in done.stderr and why in done.stderr, done.stderr


class Proxy:
    """An HTTP proxy that connects every host to one port of this machine."""

    def __init__(self, port):
        self.targets, self.refused, proxy = [], 0, self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                target = self.rfile.readline().split()[1].decode()
                headers = iter(lambda: self.rfile.readline().strip(), b"")
                if b"proxy-authorization: basic dXNlcjpwdw==".lower() not in [h.lower() for h in headers]:
                    proxy.refused += 1
                    return self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                proxy.targets.append(target)
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=pump, args=(there, self.connection))
                    back.start()
                    pump(self.connection, there)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://user:pw@127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def pump(source, to):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


def test_docker_hub_through_a_proxy(layout, tmp_path):
    """With its real names: the proxy leads them to a registry on this machine."""
    (tmp_path / "authority").mkdir()
    authority = Authority(tmp_path / "authority")
    hub = Registry(authority.context("registry-1.docker.io", "auth.docker.io", "ghcr.io"))
    hub.url = "https://auth.docker.io"
    digest = hub.add("library/nginx", "1.27", layout("proxied"))
    proxy, cloud = Proxy(hub.port), make_cloud()
    cloud.env |= {"HTTPS_PROXY": proxy.url, "NO_PROXY": "quay.io", "SSL_CERT_FILE": str(authority.file)}
    try:
        cloud.escale("start")
        cluster = Cluster(cloud, tmp_path / "image")
        task = run(cluster, "nginx:1.27")
        assert has_run(task) and task["containers"][0]["imageDigest"] == digest
        assert set(proxy.targets) == {"registry-1.docker.io:443", "auth.docker.io:443"}
        for image, why in [
            ("169.254.169.254/a/b:1", "is not an address of the Internet"),
            ("quay.io/a/b:1", "dial tcp"),
            ("public.ecr.aws/a/b:1", "x509: certificate is not valid for this name"),
        ]:
            text = reason(run(cluster, image))
            assert text.startswith("CannotPullContainerError: ") and why in text, text
        assert set(proxy.targets) == {"registry-1.docker.io:443", "auth.docker.io:443", "public.ecr.aws:443"} and not proxy.refused
    finally:
        remove_cloud(cloud)
        proxy.server.shutdown()
        hub.close()
