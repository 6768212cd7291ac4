"""Deploys public CloudFormation templates into a cloud of their own, changes each stack twice, deletes it, and reports.

    python tests/corpus/run.py FOLDER [--only TEXT] [--shard 1/2] [--results FILE]

FOLDER holds the templates as `OWNER+NAME/PATH`; they belong to their authors and are not part of this repository.
`settings.json` has the values of their parameters. For each template:

- check: `escale check` with the values.
- created: CREATE_COMPLETE, and drift detection finds every resource in sync.
- updated: an update that changes the stack's tags only, then one that changes a property of the first resource of each
  type in place. No resource may be replaced, and all are in sync again.
- deleted: nothing is left that was not there before, except what the template retains.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import boto3
import botocore.config
import botocore.exceptions

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))
import images  # noqa: E402
import tables  # noqa: E402
import templates  # noqa: E402
from conftest import make_cloud, remove_cloud  # noqa: E402

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# A stack that is not complete by then does not complete at all: the slowest has several databases.
PATIENCE_S = 180
# Ports of the containers in the templates. The image answers every request on them with 200.
PORTS = (80, 3000, 4444, 5000, 8000, 8080, 8081, 9000, 11111)


class Failed(Exception):
    """Why a step of a template failed."""


class Corpus:
    """A cloud with the base stack, and the templates that are deployed into it."""

    def __init__(self, cloud, settings, region):
        self.cloud, self.settings, self.region, self.clients = cloud, settings, region, {}
        self.key = cloud.root()
        self.cfn = self.client("cloudformation")

    def client(self, service):
        if service not in self.clients:
            config = {"retries": {"max_attempts": 1, "mode": "standard"}}
            if service == "s3":
                config["s3"] = {"addressing_style": "path"}
            self.clients[service] = boto3.client(
                service, endpoint_url=self.cloud.endpoint, region_name=self.region,
                aws_access_key_id=self.key["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.key["AWS_SECRET_ACCESS_KEY"],
                config=botocore.config.Config(**config),
            )
        return self.clients[service]

    def prepare(self):
        """Creates the base stack, and pushes the image."""
        self.create("corpus-base", (HERE / "base.yaml").read_text(), {})
        self.base = {o["OutputKey"]: o["OutputValue"] for o in self.stack("corpus-base")["Outputs"]}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="escale-corpus-")) / "image"
        web_server(self.folder)
        self.push(self.base["Repository"], "1")
        self.base["Certificate"] = self.certificate()
        # Templates that name no VPC use the default one.
        ec2, by_default = self.client("ec2"), [{"Name": "is-default", "Values": ["true"]}]
        self.base["DefaultVpc"] = ec2.describe_vpcs(Filters=by_default)["Vpcs"][0]["VpcId"]
        subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        subnets.sort(key=lambda subnet: subnet["AvailabilityZone"])
        self.base |= {f"DefaultSubnet{letter}": subnet["SubnetId"] for letter, subnet in zip("ABC", subnets)}

    def certificate(self):
        """Imports a certificate of the domain that templates get, and of its subdomains."""
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = pathlib.Path(folder, "key"), pathlib.Path(folder, "certificate")
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com,DNS:*.example.com,DNS:*.www.example.com", "-keyout", key, "-out", certificate],
                check=True, capture_output=True)
            made = self.client("acm").import_certificate(Certificate=certificate.read_bytes(), PrivateKey=key.read_bytes())
        return made["CertificateArn"]

    def push(self, repository, tag):
        images.push(self.folder, repository, tag, images.token(self.client("ecr")))

    def value(self, text):
        """`$Name` and `${Name}` are outputs of the base stack."""
        return re.sub(r"\$\{?(\w+)\}?", lambda m: self.base.get(m[1], m[0]), text)

    def parameters(self, template, own):
        """A value for each parameter: the template's own settings, its default, or the first pattern that matches its type and name."""
        chosen, missing = {}, []
        for name, parameter in (template.get("Parameters") or {}).items():
            kind = parameter.get("Type", "String")
            if name in own:
                chosen[name] = self.value(own[name])
                continue
            if "Default" in parameter:
                continue
            if parameter.get("AllowedValues"):
                chosen[name] = str(parameter["AllowedValues"][0])
                continue
            guess = self.guess(kind, name)
            if guess is None:
                missing.append(f"{name} ({kind})")
            else:
                chosen[name] = guess
        if missing:
            raise Failed(f"settings.json has no value for {', '.join(missing)}")
        return chosen

    def guess(self, kind, name):
        """The first value of the settings whose pattern matches the type and name of a parameter, or `Export` and its name."""
        found = next((v for pattern, v in self.settings["values"] if re.search(pattern, f"{kind} {name}", re.IGNORECASE)), None)
        return found and self.value(found)

    def create(self, name, body, parameters):
        self.cfn.create_stack(StackName=name, **self.source(body), Capabilities=CAPABILITIES, **arguments(parameters))
        self.finish(name, "CREATE_COMPLETE")

    def source(self, body):
        """Long templates come from a bucket, as on AWS."""
        if len(body.encode()) <= 51_200:
            return {"TemplateBody": body}
        key = f"template-{time.monotonic_ns()}"
        self.client("s3").put_object(Bucket=self.base["Bucket"], Key=key, Body=body.encode())
        return {"TemplateURL": f"https://{self.base['Bucket']}.s3.{self.region}.amazonaws.com/{key}"}

    def update(self, name, parameters, source, tags):
        previous = [{"ParameterKey": key, "UsePreviousValue": True} for key in parameters]
        self.cfn.update_stack(StackName=name, **source, Capabilities=CAPABILITIES, Tags=tags, Parameters=previous)
        self.finish(name, "UPDATE_COMPLETE")

    def delete(self, name):
        with contextlib.suppress(botocore.exceptions.ClientError):
            self.cfn.delete_stack(StackName=name)
            self.finish(name, "DELETE_COMPLETE")

    def stack(self, name):
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]

    def finish(self, name, goal):
        """Waits for the end of what the stack does, and fails with the reasons if it is not the goal."""
        arn = self.stack(name)["StackId"] if goal != "DELETE_COMPLETE" else name
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                status = self.stack(arn)["StackStatus"]
            except botocore.exceptions.ClientError:
                status = "DELETE_COMPLETE"
            if status == goal:
                return
            busy = status.endswith("IN_PROGRESS")
            if not busy or time.monotonic() > deadline:
                raise Failed(f"{status}{' for too long' if busy else ''}: {self.reasons(arn)}")
            time.sleep(0.3)

    def reasons(self, stack):
        events = self.cfn.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("FAILED") and "cancelled" not in e.get("ResourceStatusReason", "")]
        words = [f"{e['LogicalResourceId']} ({e['ResourceType']}): {e.get('ResourceStatusReason')}" for e in failed]
        if not words:
            rows = self.cfn.describe_stack_resources(StackName=stack)["StackResources"]
            words = [f"{r['LogicalResourceId']}: {r.get('ResourceStatusReason')}" for r in rows if r["ResourceStatus"].endswith("PROGRESS")]
        of_stack = [e.get("ResourceStatusReason", "") for e in reversed(events) if e["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS")]
        return "; ".join(words[:3] or of_stack) or "no reason"

    def resources(self, name):
        rows = self.cfn.describe_stack_resources(StackName=name)["StackResources"]
        return {r["LogicalResourceId"]: r for r in rows}

    def in_sync(self, name):
        detection = self.cfn.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            answer = self.cfn.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if answer["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            time.sleep(0.2)
        if answer["DetectionStatus"] != "DETECTION_COMPLETE":
            raise Failed(f"drift detection: {answer.get('DetectionStatusReason')}")
        if answer["StackDriftStatus"] != "IN_SYNC":
            drifts = self.cfn.describe_stack_resource_drifts(StackName=name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"])
            words = [f"{d['LogicalResourceId']} ({d['ResourceType']}) {difference(d)}" for d in drifts["StackResourceDrifts"]]
            raise Failed(f"drifted: {'; '.join(words)}")

    def run(self, file, name, own):
        """Deploys one template. Returns its row of the table."""
        row = {"template": name, "check": "", "created": "", "updated": "", "deleted": "", "notes": [], "why": ""}
        text, replaced = templates.replaced(file.read_text(), {p: self.value(i) for p, i in own.get("replace", {}).items()})
        if replaced:
            row["notes"].append(f"{replaced} replaced")
        template = templates.read(text)
        before = tables.everything(self.client)
        # Templates build names with it, some of them of at most 32 characters.
        stacks, step, stack = [], "check", own.get("stack", "corpus")
        started = time.monotonic()
        try:
            if template is None:
                raise Failed("the YAML parser of the runner refuses the template")
            parameters = self.parameters(template, own.get("parameters", {}))
            exports = self.check(file, text, parameters)
            row["check"], step = "passes", "created"
            self.surround(own, exports, stacks)
            stacks.append(stack)
            self.create(stack, text, parameters)
            self.in_sync(stack)
            row["created"], step = "yes", "updated"
            row["notes"].append(self.change(stack, text, template, parameters))
            row["updated"], step = "yes", "deleted"
            self.remove(stacks, before)
            row["deleted"] = "yes"
        except (Failed, botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError) as error:
            row[step], row["why"] = "refused" if step == "check" else "no", str(error)
            for stack in reversed(stacks):
                self.delete(stack)
            left = tables.everything(self.client) - before
            if left:
                row["why"] += f" LEFT: {sorted(left)}"
        row["seconds"] = round(time.monotonic() - started, 1)
        return row

    def check(self, file, text, parameters):
        with tempfile.NamedTemporaryFile("w", suffix=file.suffix) as copy:
            copy.write(text)
            copy.flush()
            overrides = [f"{k}={v}" for k, v in parameters.items()]
            done = self.cloud.escale("check", copy.name, "--json", *(["--parameter-overrides", *overrides] if overrides else []), check=False)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise Failed(done.stderr.strip()[:600]) from None
        if done.returncode != 0:
            raise Failed("; ".join(refusals(answer)) or done.stdout[:400])
        notes = [n["message"] for t in answer["templates"] for n in t["notes"]]
        return [m[1] for m in (re.match("Another stack must export (.+) before the deployment", n) for n in notes) if m]

    def surround(self, own, exports, stacks):
        """What the template needs beside parameters: repositories with the image, and exports of other stacks."""
        new = [r.partition(":")[0] for r in own.get("repositories", []) if not r.startswith("$")]
        resources = {f"R{i}": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": r, "EmptyOnDelete": True}} for i, r in enumerate(new)}
        resources |= {k: json.loads(self.value(json.dumps(v))) for k, v in own.get("resources", {}).items()}
        outputs = {f"E{i}": {"Value": own.get("exports", {}).get(name) or self.guess("Export", name), "Export": {"Name": name}} for i, name in enumerate(exports)}
        if resources or outputs:
            stacks.append("surroundings")
            resources = resources or {"None": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
            self.create("surroundings", json.dumps({"Resources": resources, "Outputs": outputs}), {})
        for repository in own.get("repositories", []):
            repository, _, tag = self.value(repository).partition(":")
            self.push(f"{self.base['Repository'].partition('/')[0]}/{repository}", tag)

    def change(self, stack, text, template, parameters):
        """Updates the tags, then properties in place. Returns a note."""
        first, names = self.resources(stack), [*template.get("Parameters", {})]
        tags = [{"Key": "corpus", "Value": "tagged"}]
        self.update(stack, names, {"UsePreviousTemplate": True}, tags)
        self.kept(stack, first, "a change of tags")
        changed, touched = templates.changed_in_place(template, {k: r["ResourceType"] for k, r in first.items()})
        if touched:
            self.update(stack, names, self.source(json.dumps(changed)), tags)
            self.kept(stack, first, f"a change of {', '.join(touched)}")
        self.in_sync(stack)
        return f"{len(touched)} in place"

    def kept(self, stack, first, cause):
        now = self.resources(stack)
        moved = [k for k, r in first.items() if now[k]["PhysicalResourceId"] != r["PhysicalResourceId"] and r["ResourceType"] != "AWS::ECS::TaskDefinition"]
        if moved:
            raise Failed(f"{cause} replaced {', '.join(moved)}")

    def remove(self, stacks, before):
        retained = set()
        for stack in reversed(stacks):
            rows = self.resources(stack)
            arn = self.stack(stack)["StackId"]
            self.cfn.delete_stack(StackName=stack)
            self.finish(arn, "DELETE_COMPLETE")
            events = self.cfn.describe_stack_events(StackName=arn)["StackEvents"]
            skipped = {e["LogicalResourceId"] for e in events if e["ResourceStatus"] == "DELETE_SKIPPED"}
            retained |= {rows[k]["PhysicalResourceId"] for k in skipped if k in rows}
        left = {x for x in tables.everything(self.client) - before if not any(r in x for r in retained)}
        if left:
            raise Failed(f"left after the deletion: {', '.join(sorted(left))}")


def arguments(parameters):
    return {"Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()], "OnFailure": "ROLLBACK"}


def refusals(answer):
    """What `escale check --json` refuses, without repeats."""
    words = []
    for template in answer.get("templates", []):
        words += [e["message"] for e in template.get("errors", [])]
        for resource in template.get("resources", []):
            if resource["created"] == "no":
                continue
            if resource["support"] == "refused":
                words.append(resource["type"])
            words += [f"{resource['type']} {p['name']}: {p.get('reason', '')}" for p in resource.get("properties", []) if p["support"] == "refused"]
    return list(dict.fromkeys(words))


def difference(drift):
    words = [f"{d['PropertyPath']}: {d['ExpectedValue'][:80]} != {d['ActualValue'][:80]}" for d in drift.get("PropertyDifferences", [])]
    return ", ".join(words) or drift["StackResourceDriftStatus"]


def web_server(folder):
    """An image that answers every request on the usual ports with 200, whatever its command. It has the names of the programs
    that the templates start through a shell."""
    answer = "#!/bin/sh\nwhile read -r line && [ ${#line} -gt 1 ]; do :; done\nprintf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok'\n"
    serve = "#!/bin/sh\nfor port in $PORTS; do nc -ll -p $port -e /bin/answer & done\nwait\n"
    applets = {f"bin/{name}": "-> busybox" for name in ("sh", "nc", "wget", "sleep", "echo", "cat", "mkdir", "true", "date")}
    programs = {f"bin/{name}": serve for name in ("serve", "httpd-foreground", "java", "nginx")}
    programs["usr/sbin/apache2"] = serve
    programs["bin/curl"] = "#!/bin/sh\nfor url; do :; done\nexec wget -q -O - \"$url\"\n"
    files = {"bin/busybox": pathlib.Path("/bin/busybox").read_bytes(), **applets, **programs, "bin/answer": answer, "tmp/": None,
             "usr/local/apache2/htdocs/": None, "opt/": None}
    images.layout(folder, files, {"Env": ["PATH=/bin", f"PORTS={' '.join(map(str, PORTS))}"], "Entrypoint": ["/bin/serve"]})


def table(rows):
    lines = ["| template | check | created | updated | deleted | s | why not, notes |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        words = r["why"] or ", ".join(r["notes"])
        lines.append(f"| {r['template']} | {r['check']} | {r['created']} | {r['updated']} | {r['deleted']} | {r['seconds']} | {words.replace('|', '/')[:500]} |".replace("\n", " "))
    good = [sum(r[c] in ("yes", "passes") for r in rows) for c in ("check", "created", "updated", "deleted")]
    return "\n".join([*lines, f"\n{len(rows)} templates: {good[0]} pass the check, {good[1]} created, {good[2]} updated, {good[3]} deleted"])


@contextlib.contextmanager
def running(region, settings):
    """A new cloud of that region with everything that templates need."""
    os.environ["ESCALE_REGION"] = region
    cloud = make_cloud()
    try:
        cloud.escale("start")
        corpus = Corpus(cloud, settings, region)
        corpus.prepare()
        yield corpus
    finally:
        remove_cloud(cloud)


def record(results, row):
    known = {r["template"]: r for r in json.loads(results.read_text())} if results.exists() else {}
    known[row["template"]] = row
    results.write_text(json.dumps(list(known.values()), indent=1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--only", default="", help="only templates whose name contains a part of this text, separated by |")
    arguments.add_argument("--shard", default="1/1", help="part 1 of 2, for example")
    arguments.add_argument("--results", type=pathlib.Path, help="adds the rows to this JSON file")
    given = arguments.parse_args()
    settings = json.loads((HERE / "settings.json").read_text())
    part, parts = map(int, given.shard.split("/"))
    files = sorted(f for f in given.folder.rglob("*") if f.is_file())
    regions = {}
    for i, file in enumerate(files):
        name = str(file.relative_to(given.folder)).replace("+", "/", 1)
        own = settings["templates"].get(name, {})
        if i % parts == part - 1 and re.search(given.only, name):
            regions.setdefault(own.get("region", "us-east-1"), []).append((file, name, own))
    rows = []
    for region, chosen in regions.items():
        with running(region, settings) as corpus:
            for file, name, own in chosen:
                row = corpus.run(file, name, own)
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                if given.results:
                    record(given.results, row)
    print(table(rows))


if __name__ == "__main__":
    main()
