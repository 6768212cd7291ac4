"""Builds small container images, and copies them with skopeo."""

import base64
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import subprocess
import sys
import sysconfig
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def layout(folder, files, config=None):
    """Writes an OCI image with one layer into a folder and returns its digest. `files` maps paths to contents. `-> target` is a
    symbolic link, and a path that ends with / is a folder that everyone may write to."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path.rstrip("/"))
            info.mode = 0o755
            if path.endswith("/"):
                info.type, info.mode, content = tarfile.DIRTYPE, 0o1777, b""
            elif isinstance(content, str) and content.startswith("-> "):
                info.type, info.linkname, content = tarfile.SYMTYPE, content.removeprefix("-> "), b""
            content = content.encode() if isinstance(content, str) else content
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    plain = layer.getvalue()
    # Compressed here, because clients compress plain layers during a push, and the image would get another digest.
    level = 9 if len(plain) < 16 << 20 else 1
    part = blob(gzip.compress(plain, level, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
    diff = f"sha256:{hashlib.sha256(plain).hexdigest()}"
    whole = {"architecture": ARCHITECTURE, "os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": [diff]}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(whole).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [part],
    }
    named = blob(json.dumps(manifest).encode(), manifest["mediaType"])
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return named["digest"]


def busybox(folder, page="hello", **config):
    """Writes an image with a shell, a web server, and a page below /www."""
    applets = {f"bin/{name}": "-> busybox" for name in ("sh", "httpd", "wget", "sleep", "echo")}
    program = pathlib.Path("/bin/busybox").read_bytes()
    config = {"Env": ["PATH=/bin"], **config}
    return layout(folder, {"bin/busybox": program, **applets, "www/index.html": page}, config)


def token(ecr):
    data = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
    assert user == "AWS"
    return password


def copy(source, target, *options, check=True):
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", *options, source, target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 or not check, done.stderr
    return done


def push(folder, uri, tag, password, check=True):
    options = ("--dest-tls-verify=false", "--dest-creds", f"AWS:{password}")
    return copy(f"oci:{folder}", f"docker://{uri}:{tag}", *options, check=check)


def program(path):
    """A program of this machine with its libraries, as files of an image."""
    listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    return {file.lstrip("/"): pathlib.Path(file).read_bytes() for file in [str(path), *libraries]}


def python(packages, wanted):
    """This machine's Python with its standard library and a folder of packages, as files of an image. `wanted` chooses files of
    packages by their path."""
    executable, stdlib = os.path.realpath(sys.executable), pathlib.Path(sysconfig.get_path("stdlib"))
    files = {**program(executable), "usr/bin/python3": f"-> {executable}"}
    unused = {"test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "distutils", "pydoc_data", "site-packages", "__pycache__"}
    for file in stdlib.rglob("*"):
        within = file.relative_to(stdlib)
        if file.suffix in (".py", ".so") and not unused.intersection(within.parts) and "tkinter" not in file.name:
            files[str(file).lstrip("/")] = file.read_bytes()
            if file.suffix == ".so":
                files.update(program(file))
    for file in packages.rglob("*"):
        within = str(file.relative_to(packages))
        if file.is_file() and file.suffix != ".pyc" and wanted(within):
            files[f"packages/{within}"] = file.read_bytes()
    return files
