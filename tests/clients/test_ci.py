"""`escale ci github`: the workflow is valid, and each of its `run:` steps does what it promises, run by bash as on a runner."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator

from conftest import ESCALE, SHOP, make_cloud, postgres_setting, remove_cloud
from test_up_again import SERVER, service

FILE = ".github/workflows/escale.yml"
PINNED = re.compile(r"^[a-z-]+/[a-z-]+@[0-9a-f]{40}$")


def repository(folder, origin="git@github.com:acme/shop.git"):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", origin], check=True)
    return folder


def ci(folder, *words, code=0):
    done = subprocess.run([ESCALE, "ci", "github", *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def workflow(folder):
    made = yaml.safe_load((folder / FILE).read_text())
    made["on"] = made.pop(True)  # YAML 1.1 reads `on` as a boolean
    return made


class Runner:
    """What a runner does with a job: its `run:` steps, one after the other, with `if:` and the job's variables."""

    def __init__(self, cloud, root, temporary):
        self.root, self.temporary = root, temporary
        self.summary = temporary / "summary.md"
        programs = temporary / "bin"
        programs.mkdir(parents=True)
        # The step that installs the package is replaced by the program that is tested; the tests are root already.
        (programs / "escale").symlink_to(pathlib.Path(ESCALE).resolve())
        (programs / "sudo").write_text('#!/bin/sh\n[ "$1" = -E ] && shift\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        self.env = {
            **cloud.env, "PATH": f"{programs}:{os.environ['PATH']}", "RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def run(self, made, job):
        """The result of each step: `success`, `failure` or `skipped`, and the output of the failed one."""
        results, output = {}, ""
        for step in made["jobs"][job]["steps"]:
            name = step.get("name")
            if "run" not in step or name == "Install Escale":
                continue
            failed = "failure" in results.values()
            if not {"failure()": failed, "always()": True, None: not failed}[step.get("if")]:
                results[name] = "skipped"
                continue
            assert made["defaults"]["run"]["shell"] == "bash"
            at = self.root / made["defaults"]["run"].get("working-directory", ".")
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=at, env={**self.env, **step.get("env", {})}, capture_output=True, text=True, timeout=900,
            )
            results[name] = "success" if done.returncode == 0 else "failure"
            if done.returncode:
                output += f"{name}: {done.stdout}\n{done.stderr}"
        return results, output


@pytest.fixture
def fresh():
    cloud = make_cloud()
    yield cloud
    remove_cloud(cloud)


@pytest.fixture
def shop_repository(tmp_path):
    """A repository with the shop in a folder."""
    root = repository(tmp_path / "repository")
    shutil.copytree(SHOP, root / "shop", ignore=shutil.ignore_patterns("target"))
    manifest = root / "shop/escale.yaml"
    for setting in postgres_setting()[1:]:
        text = manifest.read_text()
        manifest.write_text(text.replace("postgres 15", setting.split("=")[1]))
    return root


def test_workflow_is_valid_and_pinned(shop_repository):
    said = ci(shop_repository, "shop")
    made = workflow(shop_repository)
    assert list(Draft7Validator(get_builtin_schema("vendor.github-workflows")).iter_errors(made)) == []
    used = [s["uses"] for job in made["jobs"].values() for s in job["steps"] if "uses" in s]
    assert len(used) == 4 and all(PINNED.match(u) for u in used), used
    assert made["permissions"] == {"contents": "read"}
    application, deploy = made["jobs"]["application"], made["jobs"]["deploy"]
    assert "permissions" not in application
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
    assert deploy["needs"] == "application" and deploy["concurrency"]["cancel-in-progress"] is False
    assert deploy["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    (role,) = [s["with"] for s in deploy["steps"] if "configure-aws-credentials" in s.get("uses", "")]
    assert "arn:aws:iam::123456789012:role/github-deploy-shop-prod" in role["role-to-assume"] and role["aws-region"] == "eu-west-3"
    # Untrusted text, such as a branch's name, never becomes a part of a script.
    assert not any("${{" in s.get("run", "") for job in made["jobs"].values() for s in job["steps"])
    assert "ESCALE_PACKAGE_URL" in said and "acme/shop" in said


def test_an_edited_workflow_is_kept(shop_repository):
    ci(shop_repository, "shop")
    ci(shop_repository, "shop", "--branch", "trunk")
    assert workflow(shop_repository)["on"]["push"]["branches"] == ["trunk"]
    file = shop_repository / FILE
    file.write_text(file.read_text() + "# mine\n")
    assert "was edited" in ci(shop_repository, "shop", code=1) and file.read_text().endswith("# mine\n")
    ci(shop_repository, "shop", "--force")
    assert "# mine" not in file.read_text()


class Cfn(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as they are written."""


Cfn.add_multi_constructor("!", lambda loader, suffix, node: {suffix: loader.construct_scalar(node)} if isinstance(node, yaml.ScalarNode)
                          else {suffix: loader.construct_sequence(node, deep=True)})


def test_role_trusts_one_branch_of_one_repository(shop_repository, tmp_path):
    text = ci(shop_repository, "shop", "--role", "--branch", "release")
    role = yaml.load(text, Cfn)["Resources"]["DeployRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": "repo:acme/shop:ref:refs/heads/release",
    }}
    (tmp_path / "role.yaml").write_text(text)
    lint = pathlib.Path(shutil.which("cfn-lint") or "cfn-lint")
    done = subprocess.run([lint, tmp_path / "role.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    subprocess.run(["git", "-C", shop_repository, "remote", "remove", "origin"], check=True)
    assert "--repository OWNER/NAME" in ci(shop_repository, "shop", "--role", code=1)


def test_pull_request_runs_the_shop_with_its_drills(fresh, shop_repository, tmp_path):
    ci(shop_repository, "shop", "--drill", "task:10", "--drill", "db:30")
    made = workflow(shop_repository)
    runner = Runner(fresh, shop_repository, tmp_path / "runner")
    results, output = runner.run(made, "application")
    assert output == ""
    assert {name for name, result in results.items() if result == "skipped"} == {"Keep what explains the failure"}
    assert {"Run the application", "Verify it from outside", "Drill: task", "Drill: db", "Write the report"} <= results.keys()
    report = tmp_path / "runner/escale-report"
    assert "drill-db.json" in (report / "report.html").read_text()
    assert json.loads((report / "drill-db.json").read_text())["rows_lost"] == 0
    assert json.loads((report / "verify.json").read_text())["passed"]
    assert "mermaid" in runner.summary.read_text()


def small(root, health="/", count=2):
    """A web server of one file, which starts fast."""
    service(root, "web", "hello", SERVER)
    (root / "escale.yaml").write_text(
        "app: notes\nnetwork: { cidr: 10.9.0.0/16, azs: 2, nat: single }\nservices:\n"
        f"  web: {{ build: ./web, port: 3000, path: /, count: {count}, health: {{ path: {health}, grace: 5s }}, deploy: {{ rollback_after: 3 }} }}\n"
        'overrides:\n  WebTargetGroup.TargetGroupAttributes.0.Value: "0"\n  WebTask.ContainerDefinitions.0.StopTimeout: 1\n'
    )


def test_wrong_health_path_fails_the_pull_request(fresh, tmp_path):
    root = repository(tmp_path / "repository")
    small(root, health="/nosuch")
    ci(root)
    assert "deploy" not in workflow(root)["jobs"]
    results, output = Runner(fresh, root, tmp_path / "runner").run(workflow(root), "application")
    assert results["Run the application"] == "failure", output
    assert results["Drill: task"] == "skipped" and results["Keep what explains the failure"] == "success"
    assert (tmp_path / "runner/escale-report/daemon.log").stat().st_size > 0


def test_exceeded_limit_of_a_drill_fails_the_pull_request(fresh, tmp_path):
    """One task only: while it is replaced, nobody answers."""
    root = repository(tmp_path / "repository")
    small(root, count=1)
    ci(root, "--drill", "task:0")
    results, output = Runner(fresh, root, tmp_path / "runner").run(workflow(root), "application")
    assert results["Verify it from outside"] == "success", output
    assert results["Drill: task"] == "failure" and "--max-error-seconds is 0" in output
    figures = json.loads((tmp_path / "runner/escale-report/drill-task.json").read_text())
    assert figures["failures"] and figures["error_seconds"] > 0
