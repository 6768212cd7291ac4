"""`escale report` writes one self-contained document, whose figures have sources."""

import json
import re

import pytest

from conftest import SHOP, Cloud


@pytest.fixture
def nothing(tmp_path):
    return Cloud(tmp_path / "home")


@pytest.mark.parametrize("lang, word", [("fr", "Les composants"), ("en", "The components")])
def test_document_is_self_contained_and_figures_have_sources(nothing, tmp_path, lang, word):
    out = tmp_path / "report.html"
    nothing.escale("report", SHOP, "--region", "us-east-1", "--lang", lang, "-o", out)
    html = out.read_text()
    assert f'<html lang="{lang}">' in html and word in html and "@page{size:A4" in html
    assert not re.search(r"(src|href)=|<script|@import|url\((?!#)", html)
    sources = re.findall(r'data-source="([^"]*)"', html)
    assert len(sources) > 8 and all(sources)
    assert "escale drill db" in html


def test_measurements_are_shown_with_their_file(nothing, tmp_path):
    drill = tmp_path / "drill-db.json"
    drill.write_text(json.dumps({"drill": "db", "requests": 1234, "failed_requests": 2, "rows_lost": 0, "users_fine_ms": 900}))
    out = tmp_path / "report.html"
    nothing.escale("report", SHOP, "-o", out, "--evidence", drill)
    assert re.search(r'data-source="drill-db.json">1,234', out.read_text())
    other = tmp_path / "other.json"
    other.write_text("{}")
    done = nothing.escale("report", SHOP, "-o", out, "--evidence", other, check=False)
    assert done.returncode == 1 and "is not the output of a measurement" in done.stderr
