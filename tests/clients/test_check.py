"""`escale check` reports what would not work, without a daemon."""

import json
import os
import pathlib

import pytest

from conftest import ROOT, Cloud

TEMPLATES = pathlib.Path(__file__).parent / "templates"

MIXED = """\
Conditions:
  OnAws: !Equals [!Ref "AWS::AccountId", "111122223333"]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties: { Role: x }
  Elsewhere:
    Type: AWS::Lambda::Function
    Condition: OnAws
  Network:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/16
      InstanceTenancy: default
      Ipv4IpamPoolId: pool
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Network
      ServiceName: com.amazonaws.eu-west-3.sqs
      RouteTableIds: []
"""


@pytest.fixture
def check(tmp_path):
    """check(path, ...) runs the command in an installation without a daemon: the exit code, and the report as JSON or text."""
    cloud = Cloud(tmp_path / "home")
    cloud.env["TMPDIR"] = str(tmp_path)

    def run(path, *arguments, text=False):
        done = cloud.escale("check", path, *([] if text else ["--json"]), *arguments, check=False)
        assert done.stderr == "" or done.returncode == 1
        # Nothing is left of the trial, and no installation was created.
        assert [name for name in os.listdir(tmp_path) if name in ("home",) or name.startswith("escale-")] == []
        return done.returncode, (done.stdout or done.stderr) if text else json.loads(done.stdout)

    return run


def refused(report):
    """What is refused: resource or resource and property, with the line."""
    found = []
    for resource in report["resources"]:
        if resource["created"] != "no":
            found += [(resource["logical_id"], resource["line"])] * (resource["support"] == "refused")
            found += [(f"{resource['logical_id']}.{p['name']}", p["line"]) for p in resource["properties"] if p["support"] == "refused"]
    return found


def test_all_blockers_are_reported_at_once(check, tmp_path):
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    code, result = check(path)
    [report] = result["templates"]
    assert (code, result["refused"], report["file"]) == (1, True, str(path))
    assert refused(report) == [("Function", 5), ("Network.Ipv4IpamPoolId", 15), ("Endpoint.Properties", 17)]
    [network] = [r for r in report["resources"] if r["logical_id"] == "Network"]
    assert {p["name"]: p["support"] for p in network["properties"]} == {
        "CidrBlock": "enacted", "InstanceTenancy": "recorded", "Ipv4IpamPoolId": "refused",
    }
    assert all(p["reason"] for p in network["properties"] if p["support"] != "enacted")
    # A value that only the service refuses, found by a trial.
    [endpoint] = [r for r in report["resources"] if r["logical_id"] == "Endpoint"]
    assert "com.amazonaws.eu-west-3.sqs is not supported" in endpoint["properties"][-1]["reason"]


def test_report_for_a_person_is_short(check, tmp_path):
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    code, text = check(path, text=True)
    lines = text.splitlines()
    assert code == 1 and lines[0] == f"{path}: 3 of 3 resources refused"
    assert lines[1] == "  1 more resource not created, because of a condition"
    assert "      line 5    Function  AWS::Lambda::Function" in lines
    assert "      line 15   Network: Ipv4IpamPoolId  AWS::EC2::VPC" in lines
    assert max(map(len, lines[1:])) <= 100
    code, text = check(TEMPLATES / "fargate-service.yaml", text=True)
    assert code == 0 and "6 resources, all supported" in text.splitlines()[0]


def test_supported_templates_pass(check):
    for name in ("public-vpc.yaml", "fargate-service.yaml", "cdk-shop.json", "cdk-repository.json"):
        code, result = check(TEMPLATES / name)
        assert (code, refused(result["templates"][0])) == (0, []), name


def test_manifest_is_checked_by_the_template_that_it_becomes(check, tmp_path):
    shop = ROOT / "examples/shop"
    code, result = check(shop)
    [report] = result["templates"]
    assert (code, refused(report), report["file"]) == (0, [], f"escale template {shop}")
    # `up` builds the images and generates the keys of signed URLs.
    assert [note["message"].split()[1] for note in report["notes"]] == ["CdnPublicKeyPem", "CdnPrivateKeyPem"]
    folder = tmp_path / "folder"
    folder.mkdir()
    code, text = check(folder, text=True)
    assert code == 1 and "has neither an escale.yaml nor a synthesised CDK application" in text
    (folder / "escale.yaml").write_text("app: shop\nnonsense: 1\n")
    code, text = check(folder, text=True)
    assert code == 1 and "escale.yaml:2:1" in text


def test_parameters_decide_what_is_created(check):
    path = TEMPLATES / "fargate-service.yaml"
    code, result = check(path)
    assert (code, len(result["templates"][0]["notes"])) == (0, 2)
    code, result = check(path, "--parameter-overrides", "StackName=a", "ImageUrl=web:1")
    # The exports that the names of these parameters select.
    assert code == 0 and all("must export a:" in note["message"] for note in result["templates"][0]["notes"])
    code, result = check(path, "--parameter-overrides", "Nope=1")
    assert code == 1 and result["error"]["message"] == "no template has the parameter Nope"


def test_cdk_application_with_stages(check, tmp_path):
    out = tmp_path / "app/cdk.out"
    stage = out / "assembly-Prod"
    stage.mkdir(parents=True)
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "One.template.json"}}
    nested = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}}
    (out / "manifest.json").write_text(json.dumps({"artifacts": {"One": stack, "Tree": {"type": "cdk:tree"}, "Prod": nested}}))
    (stage / "manifest.json").write_text(json.dumps({"artifacts": {"Two": stack}}))
    (out / "One.template.json").write_text((TEMPLATES / "cdk-repository.json").read_text())
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"Nope": 1}, "Metadata": {"aws:cdk:path": "Prod/Two/Bucket/Resource"}}
    bootstrap = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"}
    (stage / "One.template.json").write_text(json.dumps({"Resources": {"B": bucket}, "Parameters": {"BootstrapVersion": bootstrap}}))
    for folder in (out, tmp_path / "app"):
        code, result = check(folder)
        one, two = sorted(result["templates"], key=lambda t: t["refused"])
        assert (code, one["refused"], two["file"]) == (1, False, str(stage / "One.template.json"))
        assert two["resources"][0]["cdk_path"] == "Prod/Two/Bucket/Resource"
        assert "LegacyStackSynthesizer" in two["errors"][0]["message"]


def test_language_extensions_are_expanded(check, tmp_path):
    path = tmp_path / "loop.yaml"
    path.write_text(
        "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::B:\n  - N\n  - [a, b]\n"
        "  - Bucket${N}: {Type: AWS::S3::Bucket, Properties: {Nope: 1}}\n"
    )
    code, result = check(path)
    assert code == 1
    assert [name for name, _ in refused(result["templates"][0])] == [
        f"Bucket{n}.Nope" for n in "ab"
    ]


@pytest.mark.parametrize(("content", "message"), [
    ("Resources: {", "YAML not well-formed. (line 2, column 1)"),
    ("Resources: {A: {Type: AWS::S3::Bucket, DependsOn: B}}", "Unresolved resource dependencies [B]"),
    ("Transform: MyMacro\nResources: {}", "The transform MyMacro is not supported. Deploy"),
])
def test_unreadable_templates_fail(check, tmp_path, content, message):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    code, result = check(path)
    assert code == 1 and message in result["templates"][0]["errors"][0]["message"]


def test_missing_files_fail(check, tmp_path):
    code, text = check(tmp_path / "none.yaml", text=True)
    assert code == 1 and "cannot read" in text
    code, text = check(ROOT / "docs", text=True)
    assert code == 1 and "run `cdk synth` first" in text
