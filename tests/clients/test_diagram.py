"""`escale diagram` draws templates and what runs."""

import json
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET

import pytest

from conftest import ROOT, SHOP, Cloud

SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = sorted((ROOT / "proof/tests/templates").iterdir())
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def nothing(tmp_path):
    """An installation without a daemon."""
    return Cloud(tmp_path / "home")


def texts(path):
    return [t.text for t in ET.parse(path).iter(f"{SVG}text")]


@pytest.mark.parametrize("template", SAMPLES, ids=lambda p: p.name)
def test_every_sample_becomes_a_well_formed_svg(nothing, tmp_path, template):
    out = tmp_path / "x.svg"
    done = json.loads(nothing.escale("diagram", template, "-o", out, "--region", "us-east-1", "--json").stdout)
    assert done["file"] == str(out) and done["architecture"]["region"] == "us-east-1"
    assert len(texts(out)) > 3
    # Nothing is loaded from elsewhere.
    assert "href" not in out.read_text() and "@import" not in out.read_text()


def test_shop_shows_its_parts_and_its_environment(nothing, tmp_path):
    out = tmp_path / "shop.svg"
    nothing.escale("diagram", SHOP, "-o", out)
    shown = texts(out)
    for expected in ["VPC Vpc 10.0.0.0/16", "eu-west-3a", "NatGateway2", "frontend", "Internet gateway", "CloudFront"]:
        assert expected in shown, shown
    assert "backend → DbInstance tcp 5432" in shown
    staging = json.loads(nothing.escale("diagram", SHOP, "--environment", "staging", "--json").stdout)["architecture"]
    assert [len(staging["nats"]), staging["databases"][0]["is_multi_az"]] == [1, False]


def test_markdown_has_a_flowchart_and_the_table(nothing, tmp_path):
    out = tmp_path / "shop.md"
    nothing.escale("diagram", SHOP, "-o", out)
    text = out.read_text()
    assert "```mermaid\nflowchart TB\n" in text
    assert "| LoadBalancer | backend | tcp 8000 | security groups |" in text


def test_colours_differ(nothing, tmp_path):
    made = {}
    for theme in ["light", "dark", "auto"]:
        nothing.escale("diagram", SHOP, "-o", tmp_path / f"{theme}.svg", "--theme", theme)
        made[theme] = (tmp_path / f"{theme}.svg").read_text()
    assert made["light"] != made["dark"] and "prefers-color-scheme:dark" in made["auto"]


def test_says_what_it_does_not_know(nothing, tmp_path):
    outside = ROOT / "proof/tests/templates/outside.yaml"
    done = nothing.escale("diagram", outside, "-o", tmp_path / "x.svg").stdout
    assert "line 12: the subnets PublicSubnets are not in the template" in done
    assert "DesiredCount" in done
    known = nothing.escale("diagram", outside, "-o", tmp_path / "x.svg", "--parameter-overrides", "TaskCount=3").stdout
    assert "DesiredCount" not in known


@pytest.mark.parametrize(
    "args, says",
    [
        (["-o", "x.gif"], "must end with .svg, .png or .md"),
        ([], "name the file to write"),
        (["-o", "x.svg", "--parameter-overrides", "Nothing=1"], "has no parameter Nothing"),
    ],
)
def test_refuses_what_it_cannot_do(nothing, args, says):
    done = nothing.escale("diagram", SHOP, *args, check=False)
    assert done.returncode == 1 and says in done.stderr


@pytest.mark.skipif(not CHROMIUM and not shutil.which("rsvg-convert"), reason="no renderer is installed")
def test_png_has_the_whole_picture(nothing, tmp_path):
    svg, png = tmp_path / "x.svg", tmp_path / "x.png"
    for out in (svg, png):
        nothing.escale("diagram", SHOP, "-o", out)
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    root = ET.parse(svg).getroot()
    assert width >= 2 * int(float(root.get("width"))) - 2 and height >= 2 * int(float(root.get("height"))) - 2


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_a_browser_draws_each_text_inside_of_its_box(nothing, tmp_path):
    """The widths that the diagram assumes are compared with those of real fonts."""
    page = tmp_path / "page.html"
    parts = []
    for template in SAMPLES:
        svg = tmp_path / "one.svg"
        nothing.escale("diagram", template, "-o", svg, "--theme", "light")
        parts.append(svg.read_text())
    script = """
      const bad = [];
      for (const t of document.querySelectorAll('text')) {
        const b = t.getBBox(), [x, y, w, h] = t.dataset.within.split(' ').map(Number);
        if (b.x < x - 0.5 || b.x + b.width > x + w + 0.5) bad.push(t.textContent);
      }
      document.body.innerHTML = '<pre id=result>' + document.querySelectorAll('text').length + ' ' + JSON.stringify(bad) + '</pre>';
    """
    page.write_text(f"<meta charset=utf-8><body>{''.join(parts)}<script>{script}</script>")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, timeout=120, check=True,
    )
    result = done.stdout.split('<pre id="result">')[1].split("</pre>")[0]
    count, bad = result.split(" ", 1)
    assert int(count) > 300 and json.loads(bad) == []


def test_live_diagram_has_tasks_and_servers_where_they_run(shop, tmp_path):
    out = tmp_path / "now.svg"
    done = json.loads(shop.cloud.escale("diagram", "shop", "--live", "-o", out, "--json").stdout)
    arch = done["architecture"]
    assert arch["is_live"] is True
    tasks = {t["address"] for s in arch["services"] for t in s["tasks"]}
    assert len(tasks) == 4 and tasks <= set(", ".join(texts(out)).split(", "))
    database = arch["databases"][0]
    assert database["zone"] and database["standby_zone"] and database["zone"] != database["standby_zone"]
    assert all(nat["address"] for nat in arch["nats"])
    assert "as it runs now" in " ".join(texts(out))
