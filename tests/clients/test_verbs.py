"""The verbs that look at an application, when what is asked for is not there or something is under way."""

import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import ESCALE, database_of, eventually


def said(shop, *words):
    """The error of a verb, which fails."""
    done = shop.cloud.escale(*words, check=False)
    assert done.returncode != 0 and done.stdout == "", done.stdout
    return done.stderr


@pytest.mark.parametrize("path", ["/static/shop.css", "/", "/api/items", "media.png", "/mediax/a"])
def test_only_what_is_private_is_signed(shop, path):
    shown = "/" + path.lstrip("/")
    assert said(shop, "sign", path) == f"error: {shown} is not private, it needs no signature; private paths: /media/*\n"
    assert "is not private" in said(shop, "sign", f"{shop.url}{shown}")


def test_only_addresses_of_the_application_are_signed(shop):
    text = said(shop, "sign", "http://somewhere.example/media/a.png")
    assert text == f"error: http://somewhere.example/media/a.png is no address of shop, which is {shop.url}\n"


def test_a_signed_url_lets_in(shop):
    bucket = next(b["Name"] for b in shop.cloud.client("s3").list_buckets()["Buckets"] if "media" in b["Name"])
    shop.cloud.client("s3").put_object(Bucket=bucket, Key="media/by-hand.txt", Body=b"private")
    for named in ("/media/by-hand.txt", "media/by-hand.txt", f"{shop.url}/media/by-hand.txt"):
        signed = shop.cloud.escale("sign", named, "--expires", "1m").stdout.strip()
        assert shop.get(shop.signed_path(signed)).text == "private"
    assert shop.get("/media/by-hand.txt").status_code == 403


@pytest.mark.parametrize("span", ["0s", "-1h", "5", "soon", "", "99999999999999999d"])
def test_a_signature_ends_later_than_now(shop, span):
    assert f"'{span}' is no span of time from now on: 30s, 10m, 2h, 7d" in said(shop, "sign", "/media/a", "--expires", span)


def test_logs_of_a_service_that_is_not_there(shop):
    for name in ("nosuch", "front", "frontendx"):
        assert said(shop, "logs", name) == f"error: there is no service {name} in shop; there are backend, frontend\n"
    lines = shop.cloud.escale("logs", "frontend").stdout.splitlines()
    assert lines and all(" frontend " in line for line in lines)


def test_status_while_the_standby_is_rebuilt(shop):
    before = database_of(shop)
    shop.cloud.client("rds").reboot_db_instance(DBInstanceIdentifier=before["DBInstanceIdentifier"], ForceFailover=True)
    text = eventually(lambda: next((line for line in shop.cloud.escale("status").stdout.splitlines() if "no standby now" in line), None))
    assert f"primary in {before['SecondaryAvailabilityZone']}, no standby now (" in text and "no reason" not in text
    eventually(lambda: shop.cloud.status()["database"]["standby_zone"] == before["AvailabilityZone"], within=60)


def test_a_daemon_that_is_gone(shop):
    """What is asked of it says so in one sentence, with the way out; and that is the way out."""
    shop.cloud.escale("stop")
    try:
        for words in (["logs"], ["sign", "/media/a"]):
            text = said(shop, *words)
            assert f"error: the daemon does not answer at 127.0.0.1:{shop.cloud.port}; `escale start` starts it" in text
    finally:
        shop.cloud.escale("start")
    assert shop.cloud.escale("logs").returncode == 0


def test_a_daemon_that_dies_while_it_is_asked(shop, tmp_path):
    """It is told like one that does not answer. In its place stands something that takes a request and breaks off."""
    shutil.copytree(pathlib.Path(shop.cloud.home, "apps"), tmp_path / "apps")

    def break_off(listener):
        with listener.accept()[0] as connection:
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=break_off, args=[listener], daemon=True).start()
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        env = {**shop.cloud.env, "ESCALE_HOME": str(tmp_path), "ESCALE_ENDPOINT": at}
        # No daemon has made a key in this home.
        env |= {"ESCALE_ACCESS_KEY": "AKIAXXXXXXXXXXXXXXXX", "ESCALE_SECRET_KEY": "any"}
        done = subprocess.run([ESCALE, "logs"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the daemon does not answer at {at}; `escale start` starts it")
    assert "because: connection" in done.stderr, done.stderr
