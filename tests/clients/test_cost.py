"""`escale cost` prices templates from a table whose prices have sources."""

import json

import pytest

from conftest import ROOT, SHOP, Cloud


@pytest.fixture
def nothing(tmp_path):
    return Cloud(tmp_path / "home")


def bill(cloud, *args):
    return json.loads(cloud.escale("cost", *args, "--json").stdout)


def test_lines_add_up_and_have_sources(nothing):
    made = bill(nothing, SHOP, "--region", "us-east-1")
    known = [line for line in made["lines"] if line["monthly_usd"] is not None]
    assert sum(line["monthly_usd"] for line in known) == pytest.approx(made["total_usd"])
    for line in known:
        assert line["monthly_usd"] == pytest.approx(line["quantity"] * line["unit_usd"])
        assert line["source"]["url"].startswith("https://") and line["source"]["as_of"]
    # The bill of docs/cost.md.
    assert round(made["total_usd"], 2) == 199.26
    assert f"**{made['total_usd']:.2f}**" in (ROOT / "docs/cost.md").read_text()


def test_what_has_no_source_is_unknown_and_said(nothing):
    made = bill(nothing, SHOP, "--environment", "prod")
    assert made["region"] == "eu-west-3"
    fargate = [line for line in made["lines"] if line["item"] == "fargate.vcpu"]
    assert fargate and all(line["monthly_usd"] is None for line in fargate)
    text = nothing.escale("cost", SHOP, "--environment", "prod").stdout
    assert "whose prices are unknown" in text and "(fargate.vcpu)" in text


def test_assumptions_can_be_changed(nothing):
    small, large = (bill(nothing, SHOP, "--region", "us-east-1", "--traffic", size) for size in ["100GB", "1TB"])
    of = lambda made, item: sum(line["monthly_usd"] for line in made["lines"] if line["item"] == item)
    assert of(large, "cloudfront.us.gb") == pytest.approx(of(small, "cloudfront.us.gb") * 10.24)
    assert small["at_ten_times_the_usage_usd"] > small["total_usd"]
    refused = nothing.escale("cost", SHOP, "--traffic", "lots", check=False)
    assert refused.returncode == 2 and "write for example 100GB" in refused.stderr


def test_redundancy_has_a_price_and_a_reason(nothing):
    made = bill(nothing, SHOP, "--region", "us-east-1")
    nat = next(r for r in made["redundancies"] if r["resource"] == "NatGateway2")
    assert nat["monthly_usd"] == pytest.approx(36.5) and "zone" in nat["buys"]
    single = bill(nothing, SHOP, "--environment", "staging", "--region", "us-east-1")
    assert not [r for r in single["redundancies"] if r["resource"] in ("NatGateway2", "DbInstance")]
    assert single["total_usd"] < made["total_usd"] - 36.5
