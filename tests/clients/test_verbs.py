"""Commands that read from an application, when something does not exist, is in progress or has died."""

import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import ESCALE, database_of, eventually


def error_of(shop, *words):
    """Runs a command that must fail; returns its error."""
    done = shop.cloud.escale(*words, check=False)
    assert done.returncode != 0 and done.stdout == "", done.stdout
    return done.stderr


@pytest.mark.parametrize("path", ["/static/shop.css", "/", "/api/items", "media.png", "/mediax/a"])
def test_signs_only_private_paths(shop, path):
    shown = "/" + path.lstrip("/")
    expected = f"error: {shown} is not private, so it needs no signature. The private paths are: /media/*\n"
    assert error_of(shop, "sign", path) == expected
    assert "is not private" in error_of(shop, "sign", f"{shop.url}{shown}")


def test_signs_only_urls_of_the_application(shop):
    text = error_of(shop, "sign", "http://somewhere.example/media/a.png")
    expected = f"error: http://somewhere.example/media/a.png is not a URL of shop. Pass a path, or a URL that starts with {shop.url}\n"
    assert text == expected


def test_signed_url_gives_access(shop):
    bucket = next(b["Name"] for b in shop.cloud.client("s3").list_buckets()["Buckets"] if "media" in b["Name"])
    shop.cloud.client("s3").put_object(Bucket=bucket, Key="media/by-hand.txt", Body=b"private")
    for named in ("/media/by-hand.txt", "media/by-hand.txt", f"{shop.url}/media/by-hand.txt"):
        signed = shop.cloud.escale("sign", named, "--expires", "1m").stdout.strip()
        assert shop.get(shop.signed_path(signed)).text == "private"
    assert shop.get("/media/by-hand.txt").status_code == 403


@pytest.mark.parametrize("span", ["0s", "-1h", "5", "soon", "", "99999999999999999d"])
def test_sign_refuses_invalid_duration(shop, span):
    assert f"'{span}' is not a duration. Write it like 30s, 10m, 2h or 7d" in error_of(shop, "sign", "/media/a", "--expires", span)


def test_logs_refuses_unknown_service(shop):
    for name in ("nosuch", "front", "frontendx"):
        assert error_of(shop, "logs", name) == f"error: shop has no service '{name}'. Its services are: backend, frontend\n"
    lines = shop.cloud.escale("logs", "frontend").stdout.splitlines()
    assert lines and all(" frontend " in line for line in lines)


def test_status_shows_why_the_standby_is_missing(shop):
    before = database_of(shop)
    shop.cloud.client("rds").reboot_db_instance(DBInstanceIdentifier=before["DBInstanceIdentifier"], ForceFailover=True)
    text = eventually(lambda: next((line for line in shop.cloud.escale("status").stdout.splitlines() if "no standby now" in line), None))
    assert f"primary in {before['SecondaryAvailabilityZone']}, no standby now (" in text and "unknown" not in text
    eventually(lambda: shop.cloud.status()["database"]["standby_zone"] == before["AvailabilityZone"], within=60)


def test_commands_report_that_the_daemon_does_not_answer(shop):
    """The error names the fix, and the fix works."""
    shop.cloud.escale("stop")
    try:
        for words in (["logs"], ["sign", "/media/a"]):
            text = error_of(shop, *words)
            assert f"error: the daemon does not answer at 127.0.0.1:{shop.cloud.port}. Run `escale start`" in text
    finally:
        shop.cloud.escale("start")
    assert shop.cloud.escale("logs").returncode == 0


def test_commands_report_that_the_daemon_dies_during_a_request(shop, tmp_path):
    """The error is that of a daemon that does not answer. A listener that closes the connection replaces the daemon."""
    shutil.copytree(pathlib.Path(shop.cloud.home, "apps"), tmp_path / "apps")

    def break_off(listener):
        with listener.accept()[0] as connection:
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=break_off, args=[listener], daemon=True).start()
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        env = {**shop.cloud.env, "ESCALE_HOME": str(tmp_path), "ESCALE_ENDPOINT": at}
        # No daemon has created a key in this home.
        env |= {"ESCALE_ACCESS_KEY": "AKIAXXXXXXXXXXXXXXXX", "ESCALE_SECRET_KEY": "any"}
        done = subprocess.run([ESCALE, "logs"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the daemon does not answer at {at}. Run `escale start`")
    assert "because: connection" in done.stderr, done.stderr
