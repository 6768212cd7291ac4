"""`escale up` reads folders of untrusted origin as root: it must not follow a link out of them or block on a named pipe.

It reads static files for buckets, build contexts, Dockerfiles and .dockerignore files.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import ESCALE, Cloud, eventually

SECRET = "root-only-3f1c"


@pytest.fixture
def place():
    """A cloned repository, with a secret next to it that only root can read."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="escale-test-", dir="/var/tmp"))
    top.chmod(0o755)
    (top / "secret").write_text(SECRET)
    (top / "secret").chmod(0o600)
    (top / "outside").mkdir()
    (top / "outside/key").write_text(SECRET)
    (top / "outside/Dockerfile").write_text(f"FROM scratch\n{SECRET}\n")
    (top / "repository").mkdir()
    cloud = Cloud(top / "home")
    try:
        yield cloud, top / "repository"
    finally:
        cloud.escale("reset", "--yes")
        shutil.rmtree(top)


def application(folder, buckets=True):
    (folder / "web").mkdir()
    shutil.copy("/bin/busybox", folder / "web/busybox")
    entry = 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]'
    (folder / "web/Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY www /www\n{entry}\n")
    (folder / "web/www").mkdir()
    (folder / "web/www/index.html").write_text("hello")
    (folder / "dist").mkdir()
    (folder / "dist/page.html").write_text("page")
    text = "app: links\nservices:\n  web: { build: ./web, port: 3000, path: /, health: / }\nnetwork: { cidr: 10.9.0.0/16, azs: 2 }\n"
    if buckets:
        text += "buckets:\n  static: { path: /static/*, sync: ./dist }\n  media: { path: /media/*, signed: true }\n"
    (folder / "escale.yaml").write_text(text)
    return folder


def refused(cloud, folder):
    """The error of `up`, which it must report before it starts the daemon. Opening a named pipe would block until the timeout."""
    done = subprocess.run([ESCALE, "up", str(folder)], env=cloud.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout
    assert SECRET not in done.stdout + done.stderr, "the secret is in the error"
    assert "panicked" not in done.stderr
    assert cloud.status()["daemon"]["pid"] is None, "up started the daemon for an application that it refuses"
    text = done.stderr[done.stderr.index("error: ") :]
    return text


def link(path, target):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


LINKS = {
    "a synced file": ("dist/shadow", "{top}/secret", "dist/shadow"),
    "a synced file, by a relative path": ("dist/shadow", "../../secret", "dist/shadow"),
    "a synced folder": ("dist/more", "../../outside", "dist/more"),
    "a synced file, through /proc": ("dist/shadow", "/proc/self/environ", "dist/shadow"),
    "the folder of synced files": ("dist", "../outside", "dist"),
    "the folder of an image": ("web", "../outside", "web"),
    "a Dockerfile": ("web/Dockerfile", "../../outside/Dockerfile", "web/Dockerfile"),
    "a .dockerignore": ("web/.dockerignore", "../../secret", "web/.dockerignore"),
    "a file that is copied": ("web/busybox", "../../secret", "web/busybox"),
    "a folder that is copied": ("web/www", "../../outside", "web/www"),
}


@pytest.mark.parametrize("kind", LINKS)
def test_error_names_a_link_that_leads_out(place, kind):
    cloud, folder = place
    at, target, named = LINKS[kind]
    target = target.format(top=folder.parent)
    link(application(folder) / at, target)
    text = refused(cloud, folder)
    assert f"{folder / named} is a symbolic link to {target}, which is outside of " in text, text
    assert "Replace the link by a copy" in text


def test_a_link_in_the_middle_of_a_copied_path(place):
    cloud, folder = place
    application(folder)
    link(folder / "web/deep", "../../outside")
    dockerfile = folder / "web/Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "COPY deep/key /key\n")
    text = refused(cloud, folder)
    assert f"web/Dockerfile:5: {folder}/web/deep is a symbolic link to ../../outside, which is outside of" in text, text


SPECIAL = {
    "named pipe": lambda path: os.mkfifo(path),
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    "character device": lambda path: os.mknod(path, 0o20666, os.makedev(1, 5)),
    "block device": lambda path: os.mknod(path, 0o60666, os.makedev(7, 0)),
}


@pytest.mark.parametrize("at", ["dist/special", "web/www/special", "web/.dockerignore", "web/Dockerfile"])
@pytest.mark.parametrize("kind", SPECIAL)
def test_error_names_a_pipe_a_device_or_a_socket(place, kind, at):
    cloud, folder = place
    (application(folder) / at).unlink(missing_ok=True)
    SPECIAL[kind](folder / at)
    text = refused(cloud, folder)
    assert f"{folder / at} is a {kind}" in text, text


def test_a_link_to_a_parent_folder_is_refused(place):
    cloud, folder = place
    link(application(folder) / "dist/again", ".")
    assert f"{folder}/dist/again is a symbolic link to ., a folder that contains the link" in refused(cloud, folder)


def test_links_within_the_folder_are_followed(place):
    """`up` uploads and copies their targets like regular files and folders."""
    cloud, folder = place
    application(folder)
    (folder / "dist/css").mkdir()
    (folder / "dist/css/a.css").write_text("a")
    (folder / "dist/css/page.html").symlink_to("../page.html")
    (folder / "dist/styles").symlink_to("css")
    (folder / "web/link.html").symlink_to("www/index.html")
    dockerfile = folder / "web/Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "COPY link.html /www/other.html\n")
    cloud.escale("up", folder, timeout=180)
    s3 = cloud.client("s3")
    [bucket] = [b["Name"] for b in s3.list_buckets()["Buckets"] if "static" in b["Name"]]
    keys = sorted(o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"])
    assert keys == [f"static/{k}" for k in ("css/a.css", "css/page.html", "page.html", "styles/a.css", "styles/page.html")]
    assert s3.get_object(Bucket=bucket, Key="static/styles/page.html")["Body"].read() == b"page"
    assert eventually(lambda: cloud.status()["stack"]["status"] == "CREATE_COMPLETE")
    cloud.escale("down", "--yes", timeout=180)
