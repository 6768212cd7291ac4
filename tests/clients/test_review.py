"""`escale review` finds broken rules, and proves which ports answer from the Internet: computed, and probed with packets."""

import json

import pytest

from conftest import ROOT, SHOP, Cloud, eventually


@pytest.fixture
def nothing(tmp_path):
    return Cloud(tmp_path / "home")


def review(cloud, *args, code=0):
    done = cloud.escale("review", *args, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_findings_have_a_resource_a_line_a_reason_and_a_fix(nothing, tmp_path):
    template = tmp_path / "t.yaml"
    template.write_text(
        "Resources:\n"
        "  Files:\n"
        "    Type: AWS::S3::Bucket\n"
        "    Properties:\n"
        "      PublicAccessBlockConfiguration: { BlockPublicAcls: false }\n"
    )
    found = {f["rule"]: f for f in review(nothing, template)["findings"]}
    assert found["SEC05"]["resource"] == "Files" and found["SEC05"]["line"] == 5
    assert found["SEC05"]["control"]["id"] == "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED"
    assert all(f["reason"] and f["fix"] for f in found.values())
    review(nothing, template, "--strict", code=1)


def test_prod_of_the_shop_keeps_the_rules_of_security_but_plain_http(nothing):
    found = review(nothing, SHOP, "--environment", "prod")
    assert {f["rule"] for f in found["findings"] if f["pillar"] == "security"} <= {"SEC07", "SEC08"}
    computed = {c["resource"]: c["ports"] for c in found["reachability"]["computed"]}
    assert computed == {"LoadBalancer": [80], "NatGateway1": [], "NatGateway2": []}
    assert found["reachability"]["probed"] is None


def test_only_the_computed_ports_answer_from_the_internet(shop):
    found = review(shop.cloud, "shop", "--live")
    reach = found["reachability"]
    computed = {address: c["ports"] for c in reach["computed"] for address in c["addresses"]}
    # Two nodes of the load balancer and two NAT gateways.
    assert len(computed) == 4 and sorted(map(tuple, computed.values())) == [(), (), (80,), (80,)]
    assert reach["probed"] == computed and reach["ports_probed"] == "1-65535"
    assert reach["disagreements"] == []


def test_a_port_that_the_template_does_not_open_is_a_difference(shop):
    """A listener and a rule that somebody added by hand."""
    ec2, elb = shop.cloud.client("ec2"), shop.cloud.client("elbv2")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]
    group = balancer["SecurityGroups"][0]
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 8081, "ToPort": 8081, "CidrIp": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(**rule)
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Port=8081, Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )["Listeners"][0]["ListenerArn"]
    try:
        def differs():
            done = shop.cloud.escale("review", "shop", "--live", "--ports", "8000-8100", "--json", check=False)
            found = json.loads(done.stdout)["reachability"]["disagreements"]
            return (done.returncode, found) if len(found) == 2 else None

        code, found = eventually(differs)
        assert code == 1
        assert {(d["resource"], d["port"], d["answered"]) for d in found} == {("LoadBalancer", 8081, True)}
    finally:
        elb.delete_listener(ListenerArn=listener)
        ec2.revoke_security_group_ingress(**rule)
