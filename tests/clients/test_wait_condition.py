"""Wait conditions: a stack waits until programs on the host and tasks in the cloud have sent their signals."""

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from conftest import eventually
from tasks import cluster  # noqa: F401  the fixture
from test_cloudformation import QUICK, stack, waiter  # noqa: F401  the fixture


def template(count=1, timeout=120, **outputs):
    return json.dumps({
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": str(timeout), "Count": count},
            },
            "After": {
                "Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Wait", "Data"]}},
            },
        },
        "Outputs": {"Url": {"Value": {"Ref": "Handle"}}, "Data": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}},
    })


@pytest.fixture
def waiting(aws, stack):  # noqa: F811
    """waiting(...) creates a stack whose wait condition waits, and returns its name and the handle's URL."""
    client = aws("cloudformation")

    def make(**properties):
        name = stack()
        client.create_stack(StackName=name, TemplateBody=template(**properties))

        def url():
            found = client.describe_stack_resources(StackName=name)["StackResources"]
            ids = {r["LogicalResourceId"]: r.get("PhysicalResourceId") for r in found}
            return ids.get("Wait") and ids["Handle"]

        return name, eventually(url)

    return make


def put(cloud, url, message):
    """Sends a signal from the host, where the endpoint has the paths that tasks reach by name."""
    target = cloud.endpoint + urllib.parse.urlsplit(url)._replace(scheme="", netloc="").geturl()
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    request = urllib.request.Request(target, data=body, method="PUT", headers={"Content-Type": ""})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        assert b"<Error><Code>" in error.read()
        return error.code


def success(name, data=None):
    return {"Status": "SUCCESS", "Reason": "Configuration Complete", "UniqueId": name, "Data": data or f"{name} is up"}


def status(client, name):
    return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def reasons(client, name):
    return {e.get("ResourceStatusReason", "") for e in client.describe_stack_events(StackName=name)["StackEvents"]}


def test_stack_completes_after_all_signals(aws, cloud, waiting):
    client, (name, url) = aws("cloudformation"), waiting(count=2)
    assert put(cloud, url, success("one")) == 200
    assert put(cloud, url, success("one")) == 200  # a retry of the same signal
    assert status(client, name) == "CREATE_IN_PROGRESS"
    assert put(cloud, url, success("two", data='with "quotes"')) == 200
    waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert outputs["Url"] == url
    assert json.loads(outputs["Data"]) == {"one": "one is up", "two": 'with "quotes"'}


def test_failure_signal_rolls_the_stack_back(aws, cloud, waiting):
    client, (name, url) = aws("cloudformation"), waiting()
    assert put(cloud, url, {"Status": "FAILURE", "Reason": "no disk", "UniqueId": "one", "Data": ""}) == 200
    eventually(lambda: status(client, name) == "ROLLBACK_COMPLETE")
    assert any("WaitCondition received failed message: 'no disk' for uniqueId: one" in why for why in reasons(client, name))
    # The handle was deleted with its stack.
    assert put(cloud, url, success("two")) == 403


def test_condition_without_signals_times_out(aws, waiting):
    client, (name, _) = aws("cloudformation"), waiting(timeout=1)
    eventually(lambda: status(client, name) == "ROLLBACK_COMPLETE")
    assert any("WaitCondition timed out. Received 0 conditions when expecting 1" in why for why in reasons(client, name))


def test_only_the_whole_url_takes_signals(aws, cloud, waiting):
    client, (name, url) = aws("cloudformation"), waiting()
    path, _, signature = url.partition("?Signature=")
    assert len(signature) == 64 and uuid.UUID(path.rpartition("/")[2])
    for other in (path, f"{path}?Signature=", f"{path}?Signature={signature[:-1]}", f"{path[:-1]}?Signature={signature}"):
        assert put(cloud, other, success("one")) == 403, other
    for message in (b"", b"{", b"{\"Status\": \"SUCCESS\"}", b"x" * 9000):
        assert put(cloud, url, message) in (400, 413), message
    assert status(client, name) == "CREATE_IN_PROGRESS"
    assert put(cloud, url, success("one")) == 200
    waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)


def test_task_sends_a_signal_by_name(aws, cluster, waiting):  # noqa: F811
    client, (name, url) = aws("cloudformation"), waiting()
    split, body = urllib.parse.urlsplit(url), json.dumps(success("task"))
    head = f"PUT {split.path}?{split.query} HTTP/1.1\\r\\nHost: {split.netloc}\\r\\nContent-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n"
    # The input stays open for a while: nc closes its side with it, and a server may drop a request whose client has gone.
    script = f"(printf '{head}%s' '{body}'; /bin/busybox sleep 3) | /bin/busybox nc {split.hostname} {split.port or 80}"
    task = cluster.run(cluster.define(cluster.container("main", script)))
    waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    eventually(lambda: any(line.startswith("HTTP/1.1 200") for line in cluster.lines(task)))
    [data] = [o["OutputValue"] for o in client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"] if o["OutputKey"] == "Data"]
    assert json.loads(data) == {"task": "task is up"}
