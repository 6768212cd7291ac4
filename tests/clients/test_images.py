"""Images that `escale up` builds on base images from the cloud's own registry."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import requests

from conftest import ESCALE, REGION
from images import ARCHITECTURE, copy, layout, push, token

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

# The host name of the region's registry on AWS.
OF_AWS = f"000000000000.dkr.ecr.{REGION}.amazonaws.com"

PASSWD = "root:x:0:0::/root:/bin/sh\nweb:x:1234:4321::/srv:/bin/sh\n"

# A CGI script that reports its user, folder and environment. Its path cannot be mistaken for a file's.
ANSWER = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "user=$(id -u):$(id -g) folder=$HERE base=$OF_BASE own=$OF_OWN path=$PATH"
ls -ln /srv/app /tools
"""

SERVES = """#!/bin/sh
export HERE=$(pwd)
exec httpd -f -p 3000 -h /srv
"""


def base(folder):
    """A typical base image of a team: a shell, an account, a start script, and a symbolic link as /bin."""
    applets = {f"usr/bin/{name}": "-> busybox" for name in ("sh", "httpd", "id", "ls", "sleep")}
    files = {
        "usr/bin/busybox": pathlib.Path("/bin/busybox").read_bytes(),
        **applets,
        "bin": "-> usr/bin",
        "etc/passwd": PASSWD,
        "srv/index.html": "of the base",
        "srv/cgi-bin/answer": ANSWER,
        "usr/bin/serve": SERVES,
    }
    config = {"Env": ["PATH=/bin", "OF_BASE=kept", "OF_OWN=old"], "Entrypoint": ["/bin/serve"], "Cmd": ["of the base"], "WorkingDir": "/srv"}
    return layout(folder, files, config)


def for_two_machines(folder, files):
    """Writes an image index with an image for another architecture and one for this architecture."""
    entries, blobs = [], folder / "blobs/sha256"
    for architecture, content in (("s390x", {"opt/other": "not for this machine"}), (ARCHITECTURE, files)):
        digest = layout(folder / architecture, content)
        shutil.copytree(folder / architecture / "blobs/sha256", blobs, dirs_exist_ok=True)
        size = (blobs / digest.removeprefix("sha256:")).stat().st_size
        kind, platform = "application/vnd.oci.image.manifest.v1+json", {"architecture": architecture, "os": "linux"}
        entries.append({"mediaType": kind, "digest": digest, "size": size, "platform": platform})
    kind = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    digest = hashlib.sha256(index).hexdigest()
    (blobs / digest).write_bytes(index)
    named = {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(index)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def application(folder, dockerfile):
    web = folder / "web"
    web.mkdir(exist_ok=True)
    (web / "page").write_text("the page")
    (web / "Dockerfile").write_text(dockerfile)
    (folder / "escale.yaml").write_text(
        "app: onbase\nservices:\n  web: { build: ./web, port: 3000, path: /, health: / }\n"
        "network: { cidr: 10.9.0.0/16, azs: 2 }\n"
    )
    return folder


def get(cloud, path):
    at = f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}{path}"
    return requests.get(at, headers={"Host": "onbase.localhost"}, timeout=10)


def test_image_is_built_on_a_base_image_of_the_own_registry(own_cloud, tmp_path):
    ecr = own_cloud.client("ecr")
    uri = ecr.create_repository(repositoryName="team/base")["repository"]["repositoryUri"]
    digest = base(tmp_path / "base")
    push(tmp_path / "base", uri, "1", token(ecr))
    for_two_machines(tmp_path / "tools", {"opt/tool": "a tool"})
    options = ("--all", "--dest-tls-verify=false", "--dest-creds", f"AWS:{token(ecr)}")
    copy(f"oci:{tmp_path / 'tools'}", f"docker://{uri}:tools", *options)
    folder = application(
        tmp_path,
        f"ARG OF=1\nFROM {uri}:$OF AS base\nENV OF_OWN=new\n"
        f"FROM base\nWORKDIR app\nCOPY --chown=web page ./\nCOPY --from={OF_AWS}/team/base:tools /opt /tools\n"
        'USER web\nCMD ["of its own"]\n',
    )
    result = json.loads(own_cloud.escale("up", folder, "--json").stdout)
    blobs = list(pathlib.Path(own_cloud.home, "builds/.bases/blobs/sha256").iterdir())
    assert len(blobs) == 6, "the cache keeps the manifest, configuration and layer of each image"
    assert {"base images", "build on bases"} <= set(result["seconds"])
    assert get(own_cloud, "/app/page").text == "the page"
    first, *listed = get(own_cloud, "/cgi-bin/answer").text.splitlines()
    assert first == "user=1234:4321 folder=/srv/app base=kept own=new path=/bin"
    listing = [line.split() for line in listed]
    owners = {words[-1]: words[2:4] for words in listing if len(words) > 4}
    assert owners == {"page": ["1234", "4321"], "tool": ["0", "0"]}

    # Another client sees the layers of the base image, unchanged, and above them the layers of the new image.
    repository = next(r for r in ecr.describe_repositories()["repositories"] if r["repositoryName"].endswith("web"))
    [image] = ecr.list_images(repositoryName=repository["repositoryName"])["imageIds"]
    out = tmp_path / "out"
    options = ("--src-tls-verify=false", "--src-creds", f"AWS:{token(ecr)}")
    copy(f"docker://{repository['repositoryUri']}@{image['imageDigest']}", f"dir:{out}", *options)
    manifest = json.loads((out / "manifest.json").read_text())
    below = json.loads(tmp_path.joinpath("base/blobs/sha256", digest.removeprefix("sha256:")).read_text())
    assert [part["digest"] for part in manifest["layers"]][:1] == [part["digest"] for part in below["layers"]]
    config = json.loads((out / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    assert config["config"]["Entrypoint"] == ["/bin/serve"] and config["config"]["Cmd"] == ["of its own"]
    assert config["config"]["User"] == "web" and config["architecture"] == ARCHITECTURE
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"])


def test_reports_missing_base_image_and_how_to_push_it(own_cloud, tmp_path):
    """The error names the line, the image and the fix. No resource of the application is created, and the fix works."""
    uri = f"127.0.0.1:{own_cloud.port}/team/base"
    folder = application(tmp_path, f"# on the team's base\nFROM {uri}:1\nCOPY page app/\n")

    def refused():
        done = own_cloud.escale("up", folder, check=False)
        assert done.returncode != 0
        assert own_cloud.client("cloudformation").describe_stacks()["Stacks"] == []
        assert not pathlib.Path(own_cloud.home, "builds/web").exists()
        assert "the image of the service web could not be built" in done.stderr
        assert f"web/Dockerfile:2: FROM {uri}:1: " in done.stderr
        return done.stderr

    text = refused()
    assert f"the registry 127.0.0.1:{own_cloud.port} has no repository team/base" in text
    assert "escale aws ecr create-repository --repository-name team/base" in text
    own_cloud.client("ecr").create_repository(repositoryName="team/base")
    text = refused()
    assert "the repository team/base has no image 1. Push it: skopeo copy" in text
    command = text[text.index("skopeo copy") :].splitlines()[0].replace("skopeo ", "skopeo --insecure-policy ", 1)
    base(tmp_path / "base")
    path = [os.path.dirname(ESCALE), os.path.dirname(sys.executable), os.environ["PATH"]]
    line = command.replace("docker://SOURCE", f"oci:{tmp_path / 'base'}")
    subprocess.run(line, shell=True, env={**own_cloud.env, "PATH": ":".join(path)}, check=True, timeout=120)
    own_cloud.escale("up", folder)
    assert get(own_cloud, "/app/page").text == "the page"


@pytest.mark.skipif(shutil.which("buildah") is None, reason="needs buildah")
def test_engine_builds_on_a_base_image_of_this_cloud(own_cloud, tmp_path):
    """The engine pulls the base image with a login that `up` creates for it."""
    store = tmp_path / "storage"
    (tmp_path / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{store}/run"\ngraphroot = "{store}/graph"\n')
    # podman and buildah use a storage of the test's own.
    own_cloud.env.update(CONTAINERS_STORAGE_CONF=str(tmp_path / "storage.conf"), BUILDAH_ISOLATION="chroot")
    uri = own_cloud.client("ecr").create_repository(repositoryName="team/base")["repository"]["repositoryUri"]
    base(tmp_path / "base")
    push(tmp_path / "base", uri, "1", token(own_cloud.client("ecr")))
    folder = application(tmp_path, f"FROM {uri}:1\nUSER 0\nCOPY page /srv/app/\nRUN id -u > /srv/app/ran\n")
    own_cloud.escale("up", folder)
    assert (get(own_cloud, "/app/page").text, get(own_cloud, "/app/ran").text) == ("the page", "0\n")
    (folder / "web/Dockerfile").write_text(f"FROM {uri}:2\nRUN id\n")
    done = own_cloud.escale("up", folder, check=False)
    assert f"web/Dockerfile:1: FROM {uri}:2: the repository team/base has no image 2. Push it: skopeo copy" in done.stderr
    (folder / "web/Dockerfile").write_text(f"FROM {OF_AWS}/team/base:1\nRUN id\n")
    done = own_cloud.escale("up", folder, check=False)
    assert f"web/Dockerfile:1: FROM {OF_AWS}/team/base:1: " in done.stderr and f"this cloud's registry: {uri}" in done.stderr
