"""ECS with boto3, without `up`. Containers print how their tasks and services have configured them."""

import json
import pathlib
import shutil
import subprocess
import time

import botocore.exceptions
import pytest

from conftest import REGION, address_of, container_pid, eventually, processes_of
from tasks import cluster  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

def exit_codes(task):
    return {c["name"]: c.get("exitCode") for c in task["containers"]}


def test_container_gets_environment_secrets_and_overrides(cluster):
    secrets, ssm = cluster.cloud.client("secretsmanager"), cluster.cloud.client("ssm")
    whole = secrets.create_secret(Name=f"ecs/{cluster.name}/whole", SecretString="hush")["ARN"]
    part = secrets.create_secret(Name=f"ecs/{cluster.name}/part", SecretString=json.dumps({"user": "app", "pw": "s3cret"}))["ARN"]
    parameter = f"/ecs/{cluster.name}/parameter"
    ssm.put_parameter(Name=parameter, Value="of the store", Type="SecureString")
    definition = cluster.define(cluster.container(
        "main", "env; pwd; id -u; exit 4", workingDirectory="/tmp", user="1234",
        environment=[{"name": "PLAIN", "value": "a b"}, {"name": "CHANGED", "value": "before"}],
        secrets=[
            {"name": "WHOLE", "valueFrom": whole},
            {"name": "PART", "valueFrom": f"{part}:pw::"},
            {"name": "PARAMETER", "valueFrom": parameter},
        ],
    ))
    override = {"name": "main", "environment": [{"name": "CHANGED", "value": "after"}]}
    task = cluster.run_to_end(definition, overrides={"containerOverrides": [override]}, tags=[{"key": "a", "value": "b"}])
    lines = cluster.lines(task["taskArn"])
    for line in (
        "FROM_IMAGE=yes", "PLAIN=a b", "CHANGED=after", "WHOLE=hush", "PART=s3cret", "PARAMETER=of the store",
        f"AWS_REGION={REGION}", "AWS_EXECUTION_ENV=AWS_ECS_FARGATE", "/tmp", "1234",
    ):
        assert line in lines, (line, lines)
    assert exit_codes(task) == {"main": 4} and task["containers"][0]["imageDigest"] == cluster.digest
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    assert task["createdAt"] <= task["pullStartedAt"] <= task["startedAt"] <= task["stoppedAt"]
    # The value of a secret is not in the task definition, which more users may read.
    assert "hush" not in json.dumps(cluster.ecs.describe_task_definition(taskDefinition=definition), default=str)


@pytest.mark.parametrize("value, expected", [
    ("arn:aws:secretsmanager:eu-west-3:000000000000:secret:ecs/none-AbCdEf", "ResourceNotFoundException"),
    ("/ecs/none", "invalid ssm parameters: /ecs/none"),
    ("/other/parameter", "not authorized to perform: ssm:GetParameters"),
])
def test_task_does_not_start_when_a_secret_is_denied(cluster, value, expected):
    definition = cluster.define(cluster.container("main", "true", secrets=[{"name": "S", "valueFrom": value}]))
    task = cluster.run_to_end(definition)
    assert task["stopCode"] == "TaskFailedToStart" and exit_codes(task) == {"main": None}
    assert task["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets") and expected in task["stoppedReason"], task


def test_limits_are_set_in_the_cgroups(cluster):
    # The container's own limit, as it sees it in either version of control groups.
    inside = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes; sleep 300"
    arn = cluster.run(cluster.define(cluster.container("main", inside, memory=128)))
    cluster.wait_for_line(arn, str(128 * 1024 * 1024))
    # The task's limits are in the parent group.
    cluster.until(arn, "RUNNING")
    groups = pathlib.Path(f"/proc/{container_pid(cluster.cloud, cluster.task(arn))}/cgroup").read_text().splitlines()
    found = {}
    for group in groups:
        _, controllers, path = group.split(":", 2)
        for controller in controllers.split(",") if controllers else ["unified"]:
            above = pathlib.Path(f"/sys/fs/cgroup/{'' if controller == 'unified' else controller}{path}").parent
            for name in ("memory.max", "memory.limit_in_bytes", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
                if (above / name).exists():
                    found[name] = (above / name).read_text().split()
    memory = found.get("memory.max") or found["memory.limit_in_bytes"]
    quota, period = found.get("cpu.max") or (found["cpu.cfs_quota_us"][0], found["cpu.cfs_period_us"][0])
    assert memory == [str(512 * 1024 * 1024)] and int(quota) / int(period) == 0.25, found
    cluster.ecs.stop_task(cluster=cluster.name, task=arn)

    hungry = cluster.define(cluster.container("main", "tail /dev/zero", memory=32))
    task = cluster.run_to_end(hungry)
    assert exit_codes(task) == {"main": 137} and task["containers"][0]["reason"].startswith("OutOfMemoryError"), task


def test_containers_wait_for_each_other_and_share_a_volume(cluster):
    shared = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}
    healthy = {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "timeout": 2, "retries": 10}
    definition = cluster.define(
        cluster.container("main", "cat /shared/made; cat /shared/well; exit 0", **shared, dependsOn=[
            {"containerName": "once", "condition": "SUCCESS"}, {"containerName": "server", "condition": "HEALTHY"},
        ]),
        cluster.container("once", "echo made by once > /shared/made", essential=False, **shared),
        # Gets SIGTERM when the essential container exits. It prints a line and exits.
        cluster.container(
            "server", "trap 'echo stopping; exit 9' TERM; echo was well > /shared/well; touch /tmp/well; while :; do sleep 0.1; done",
            essential=False, healthCheck=healthy, **shared,
        ),
        cluster.container("aside", "exit 3", essential=False),
        volumes=[{"name": "shared"}],
    )
    task = cluster.run_to_end(definition)
    assert cluster.lines(task["taskArn"]) == ["made by once", "was well"]
    assert exit_codes(task) == {"main": 0, "once": 0, "server": 9, "aside": 3}, task
    assert cluster.lines(task["taskArn"], "server") == ["stopping"]
    assert next(c for c in task["containers"] if c["name"] == "server")["healthStatus"] == "HEALTHY"


def test_task_fails_to_start_when_a_dependency_fails(cluster):
    definition = cluster.define(
        cluster.container("main", "echo never", dependsOn=[{"containerName": "once", "condition": "SUCCESS"}]),
        cluster.container("once", "exit 5", essential=False),
    )
    task = cluster.run_to_end(definition)
    assert exit_codes(task) == {"main": None, "once": 5} and cluster.lines(task["taskArn"]) == []
    assert task["stopCode"] == "TaskFailedToStart" and "container once" in task["stoppedReason"], task


def test_stop_sends_sigterm_and_kills_after_the_timeout(cluster):
    definition = cluster.define(
        cluster.container("main", "trap 'echo stopping; exit 7' TERM; echo up; while :; do sleep 0.1; done"),
        cluster.container("stubborn", "trap 'echo stopping' TERM; echo up; while :; do sleep 0.1; done", stopTimeout=2),
    )
    arn = cluster.run(definition)
    cluster.wait_for_line(arn, "up")
    cluster.wait_for_line(arn, "up", "stubborn")
    cluster.until(arn, "RUNNING")
    stopping = cluster.ecs.stop_task(cluster=cluster.name, task=arn, reason="the test is over")["task"]
    assert stopping["desiredStatus"] == "STOPPED"
    task = cluster.until(arn, "STOPPED")
    assert exit_codes(task) == {"main": 7, "stubborn": 137}
    assert cluster.lines(arn) == ["up", "stopping"] == cluster.lines(arn, "stubborn")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "the test is over")
    waited = (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds()
    assert 2 <= waited < 10, waited


def test_metadata_and_credentials_are_only_for_the_task(cluster):
    role = cluster.role("task", {"logs:DescribeLogGroups": "*"})
    ask = "wget -q -O - $ECS_CONTAINER_METADATA_URI_V4{}; echo"
    script = "; ".join([
        ask.format(""), ask.format("/task"), ask.format("/stats"),
        "wget -q -O - 169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; echo",
        "echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; sleep 300",
    ])
    # A task definition may name the role by its ARN or by its name alone.
    arn = cluster.run(cluster.define(cluster.container("main", script, memory=64), taskRoleArn=role.rpartition("/")[2]))
    container, task, stats, credentials, path = eventually(lambda: len(found := cluster.lines(arn)) == 5 and found)
    container, task, stats, credentials = (json.loads(text) for text in (container, task, stats, credentials))
    shown = cluster.task(arn)
    assert container["Name"] == "main" and container["ImageID"] == cluster.digest
    assert container["Networks"][0]["IPv4Addresses"] == [address_of(shown)]
    assert task["TaskARN"] == arn and task["Cluster"] == cluster.cluster and task["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert task["AvailabilityZone"] == shown["availabilityZone"]
    assert stats["memory_stats"]["limit"] == 64 * 1024 * 1024 and stats["memory_stats"]["usage"] > 0
    assert credentials["RoleArn"] == role

    def client(service):
        return cluster.cloud.client(service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["Token"])

    assert client("sts").get_caller_identity()["Arn"].endswith(f"assumed-role/{cluster.name}-task/{arn.rpartition('/')[2]}")
    client("logs").describe_log_groups()
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        client("logs").create_log_group(logGroupName="not-mine")
    # Another task that requests this path gets no credentials, although it has the same role.
    steal = cluster.container("main", f"wget -q -O - 169.254.170.2{path} || exit 6")
    thief = cluster.run_to_end(cluster.define(steal, taskRoleArn=role))
    assert exit_codes(thief) == {"main": 6} and "AccessKeyId" not in str(cluster.lines(thief["taskArn"]))
    cluster.ecs.stop_task(cluster=cluster.name, task=arn)


def test_each_log_line_arrives_once_and_in_order(cluster):
    count = 3000
    script = f"i=0; while [ $i -lt {count} ]; do echo line $i; i=$((i+1)); done; echo to the error >&2; echo -n without an end"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", script)))["taskArn"]
    lines = cluster.lines(arn)
    assert [l for l in lines if l.startswith("line")] == [f"line {i}" for i in range(count)]
    # stdout and stderr are two pipes, so their order is not defined.
    assert sorted(l for l in lines if not l.startswith("line")) == ["to the error", "without an end"]
    found = cluster.logs.filter_log_events(
        logGroupName=f"/{cluster.name}", logStreamNamePrefix=f"t/main/{arn.rpartition('/')[2]}", filterPattern='"line 2999"'
    )["events"]
    assert [e["message"] for e in found] == ["line 2999"]


def service(cluster, name):
    return cluster.ecs.describe_services(cluster=cluster.name, services=[name])["services"][0]


def tasks_of(cluster, name, status="RUNNING"):
    arns = cluster.ecs.list_tasks(cluster=cluster.name, serviceName=name, desiredStatus=status)["taskArns"]
    return cluster.ecs.describe_tasks(cluster=cluster.name, tasks=arns)["tasks"] if arns else []


def test_service_keeps_its_desired_count_and_deploys(cluster):
    ecs, wait = cluster.ecs, "trap 'exit 0' TERM; echo $VERSION; while :; do sleep 0.1; done"
    family = {"family": f"{cluster.name}-web"}

    def version(number):
        return cluster.define(cluster.container("main", wait, environment=[{"name": "VERSION", "value": number}]), **family)

    def running(count):
        found = tasks_of(cluster, "web")
        up = [t for t in found if t["lastStatus"] == "RUNNING"]
        return up if len(found) == len(up) == count else None

    ecs.create_service(
        cluster=cluster.name, serviceName="web", taskDefinition=version("one"), desiredCount=2, launchType="FARGATE",
        networkConfiguration=cluster.network(), deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )
    ecs.get_waiter("services_stable").wait(cluster=cluster.name, services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    first = eventually(lambda: running(2))
    assert len({t["availabilityZone"] for t in first}) == 2 and {t["group"] for t in first} == {"service:web"}

    # A task is killed, and the service replaces it.
    killed = first[0]
    subprocess.run(["kill", "-9", str(container_pid(cluster.cloud, killed))], check=True)
    second = eventually(lambda: (now := running(2)) and killed["taskArn"] not in [t["taskArn"] for t in now] and now)
    gone = cluster.until(killed["taskArn"], "STOPPED")
    assert exit_codes(gone) == {"main": 137} and gone["stopCode"] == "EssentialContainerExited"
    assert first[1]["taskArn"] in [t["taskArn"] for t in second]

    # A deployment: at least two tasks are always up, and in the end all tasks are new.
    ecs.update_service(cluster=cluster.name, service="web", taskDefinition=version("two"))

    def rolled():
        assert len([t for t in tasks_of(cluster, "web") if t["lastStatus"] == "RUNNING"]) >= 2
        now = service(cluster, "web")
        return len(now["deployments"]) == 1 and now["deployments"][0]["rolloutState"] == "COMPLETED"

    eventually(rolled)
    third = eventually(lambda: running(2))
    assert {t["taskDefinitionArn"].rpartition(":")[2] for t in third} == {"2"}
    cluster.wait_for_line(third[0]["taskArn"], "two")

    # The circuit breaker rolls back a version that fails to start.
    broken = {**cluster.container("main", ""), "command": ["/bin/absent"]}
    ecs.update_service(cluster=cluster.name, service="web", taskDefinition=cluster.define(broken, **family))
    eventually(lambda: any("rolling back" in e["message"] for e in service(cluster, "web")["events"]))
    # The failing tasks run for a moment before they exit, but no old task is stopped for them.
    assert {t["taskArn"] for t in third} <= {t["taskArn"] for t in tasks_of(cluster, "web")}
    restored = eventually(lambda: running(2))
    assert {t["taskDefinitionArn"].rpartition(":")[2] for t in restored} == {"2"}

    ecs.update_service(cluster=cluster.name, service="web", desiredCount=1)
    eventually(lambda: running(1))
    ecs.delete_service(cluster=cluster.name, service="web", force=True)
    eventually(lambda: service(cluster, "web")["status"] == "INACTIVE")
    assert tasks_of(cluster, "web") == []


def test_service_changes_its_target_groups(cluster):
    ecs, elbv2 = cluster.ecs, cluster.cloud.client("elbv2")
    groups = []
    for name in ("first", "second"):
        made = elbv2.create_target_group(Name=f"{name}-{cluster.name[4:]}", Protocol="HTTP", Port=80, VpcId=cluster.vpc, TargetType="ip")
        groups.append(made["TargetGroups"][0]["TargetGroupArn"])
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
        elbv2.modify_target_group_attributes(TargetGroupArn=groups[-1], Attributes=[delay])
    script = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
    definition = cluster.define(cluster.container("main", script, portMappings=[{"containerPort": 80}]))

    def balanced(group):
        return [{"targetGroupArn": group, "containerName": "main", "containerPort": 80}]

    def targets():
        health = [elbv2.describe_target_health(TargetGroupArn=g)["TargetHealthDescriptions"] for g in groups]
        return [{t["Target"]["Id"] for t in of} for of in health]

    def tasks():
        return {c["networkInterfaces"][0]["privateIpv4Address"] for t in tasks_of(cluster, "moving") for c in t["containers"]}

    def update(**changes):
        before = tasks()
        updated = ecs.update_service(cluster=cluster.name, service="moving", **changes)["service"]
        assert len(updated["deployments"]) == 2
        eventually(lambda: len(service(cluster, "moving")["deployments"]) == 1, within=60)
        assert not before & tasks(), "every task is new"

    ecs.create_service(
        cluster=cluster.name, serviceName="moving", taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=cluster.network(), loadBalancers=balanced(groups[0]),
    )
    try:
        ecs.get_waiter("services_stable").wait(cluster=cluster.name, services=["moving"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert targets() == [tasks(), set()]
        update(loadBalancers=balanced(groups[1]))
        eventually(lambda: targets() == [set(), tasks()])
        with pytest.raises(botocore.exceptions.ClientError) as e:
            ecs.update_service(cluster=cluster.name, service="moving", loadBalancers=[{**balanced(groups[0])[0], "containerPort": 81}])
        assert "container port 81" in str(e.value)
        update(loadBalancers=[])
        eventually(lambda: targets() == [set(), set()])
        assert service(cluster, "moving")["loadBalancers"] == []
    finally:
        ecs.delete_service(cluster=cluster.name, service="moving", force=True)
    eventually(lambda: service(cluster, "moving")["status"] == "INACTIVE")
    for group in groups:
        elbv2.delete_target_group(TargetGroupArn=group)


def test_stack_deploys_a_service_and_rolls_a_failing_version_back(cluster):
    cfn, name = cluster.cloud.client("cloudformation"), f"service-{cluster.name}"
    script = "trap 'exit 0' TERM; while :; do sleep 0.1; done"

    def template(script, count=None):
        container = cluster.container("main", script)
        container = {k[0].upper() + k[1:]: v for k, v in container.items()}
        log = container["LogConfiguration"]
        container["LogConfiguration"] = {"LogDriver": log["logDriver"], "Options": log["options"]}
        definition = {
            "Family": name, "Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "RequiresCompatibilities": ["FARGATE"],
            "ExecutionRoleArn": cluster.execution, "ContainerDefinitions": [container],
        }
        service = {
            "Cluster": cluster.name, "ServiceName": name, "LaunchType": "FARGATE", "TaskDefinition": {"Ref": "Definition"},
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": cluster.subnets}},
            "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
            **({"DesiredCount": count} if count else {}),
        }
        return json.dumps({"Resources": {
            "Definition": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition},
            "Service": {"Type": "AWS::ECS::Service", "Properties": service},
        }})

    def wait(what):
        cfn.get_waiter(what).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        return service(cluster, name)

    cfn.create_stack(StackName=name, TemplateBody=template(script, 2))
    first = wait("stack_create_complete")
    assert (first["runningCount"], first["desiredCount"]) == (2, 2)
    # A new version is complete when the stack is. Without a DesiredCount the service keeps its own.
    cfn.update_stack(StackName=name, TemplateBody=template("echo new; " + script))
    second = wait("stack_update_complete")
    assert second["taskDefinition"] != first["taskDefinition"] and second["serviceArn"] == first["serviceArn"]
    assert (len(second["deployments"]), second["runningCount"], second["desiredCount"]) == (1, 2, 2)
    # A version that ends at once trips the circuit breaker; the stack's event has its last words.
    cfn.update_stack(StackName=name, TemplateBody=template("echo no database; exit 3"))
    third = wait("stack_rollback_complete")
    assert third["taskDefinition"] == second["taskDefinition"]
    assert (len(third["deployments"]), third["runningCount"]) == (1, 2)
    events = cfn.describe_stack_events(StackName=name)["StackEvents"]
    [failed] = [e for e in events if e["ResourceStatus"] == "UPDATE_FAILED" and e["LogicalResourceId"] == "Service"]
    reason = failed["ResourceStatusReason"]
    assert "Circuit Breaker" in reason and "exit code 3" in reason and "no database" in reason, reason
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_unhealthy_task_is_replaced(cluster):
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 5, "timeout": 2, "retries": 1}
    script = "trap 'exit 0' TERM; n=0; while :; do sleep 0.1; n=$((n+1)); [ $n -lt 30 ] || touch /tmp/sick; done"
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName="sick", desiredCount=1, launchType="FARGATE", networkConfiguration=cluster.network(),
        taskDefinition=cluster.define(cluster.container("main", script, healthCheck=check)),
    )
    try:
        stopped = eventually(lambda: tasks_of(cluster, "sick", "STOPPED"))[0]
        assert stopped["stoppedReason"] == "Task failed container health checks" and stopped["stopCode"] == "ServiceSchedulerInitiated"
        assert stopped["healthStatus"] == "UNHEALTHY"
        eventually(lambda: tasks_of(cluster, "sick"))
    finally:
        cluster.ecs.delete_service(cluster=cluster.name, service="sick", force=True)


@pytest.mark.parametrize("change, code, expected", [
    ({"cluster": "absent"}, "ClusterNotFoundException", "Cluster not found."),
    ({"taskDefinition": "absent"}, "InvalidParameterException", "TaskDefinition not found."),
    ({"launchType": "EC2"}, None, "EC2"),
    ({"overrides": {"containerOverrides": [{"name": "absent"}]}}, "InvalidParameterException", "absent"),
    ({"overrides": {"ephemeralStorage": {"sizeInGiB": 201}}}, "ClientException", "between 21 and 200"),
])
def test_run_task_refuses_invalid_requests(cluster, change, code, expected):
    request = {
        "cluster": cluster.name, "taskDefinition": cluster.define(cluster.container("main", "true")), "launchType": "FARGATE",
        "networkConfiguration": cluster.network(), **change,
    }
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cluster.ecs.run_task(**request)
    answer = error.value.response["Error"]
    assert expected in answer["Message"] and code in (None, answer["Code"]), answer


def test_ephemeral_storage_is_described_as_requested(cluster):
    """The default is 20 GiB. A task definition can change it, and an override of RunTask takes precedence."""
    plain = cluster.define(cluster.container("main", "true"))
    more = cluster.define(cluster.container("main", "true"), ephemeralStorage={"sizeInGiB": 30})
    shown = cluster.ecs.describe_task_definition(taskDefinition=more)["taskDefinition"]["ephemeralStorage"]
    assert shown == {"sizeInGiB": 30}
    for definition, overrides, size in [(plain, {}, 20), (more, {}, 30), (more, {"ephemeralStorage": {"sizeInGiB": 25}}, 25)]:
        task = cluster.task(cluster.run(definition, overrides=overrides))
        assert task["ephemeralStorage"] == {"sizeInGiB": size}
        assert task["overrides"].get("ephemeralStorage") == overrides.get("ephemeralStorage")
    for size in (0, 20, 201):
        with pytest.raises(botocore.exceptions.ClientError, match="between 21 and 200"):
            cluster.define(cluster.container("main", "true"), ephemeralStorage={"sizeInGiB": size})


@pytest.mark.skipif(shutil.disk_usage("/var/tmp").free < 26 << 30, reason="the task reserves 22 GiB of the disk for a moment")
def test_task_above_its_ephemeral_storage_is_stopped(cluster):
    """fallocate takes the space without writing it, so the test is fast."""
    script = "busybox fallocate -l 23622320128 /big && echo reserved; while :; do sleep 1; done"
    arn = cluster.run(cluster.define(cluster.container("main", script), ephemeralStorage={"sizeInGiB": 21}))
    stopped = cluster.until(arn, "STOPPED", within=60)
    assert stopped["stoppedReason"].startswith("ContainerRuntimeError: no space left on device: the task had written 22.0 GiB"), stopped
    assert stopped["stoppedReason"].endswith("to its ephemeralStorage of 21 GiB")
    assert stopped["containers"][0]["exitCode"] == 137


def test_stopped_task_leaves_nothing_on_the_machine(cluster):
    """Processes, cgroups and the interface of the task are removed, and the task can still be described."""
    arn = cluster.run_to_end(cluster.define(cluster.container("main", "exit 0")))["taskArn"]
    id = arn.rpartition("/")[2]
    assert [p for p in processes_of(cluster.cloud) if id in pathlib.Path(f"/proc/{p}/cgroup").read_text()] == []
    assert list(pathlib.Path("/sys/fs/cgroup").glob(f"**/{cluster.cloud.tag()}/**/{id}*")) == []
    assert cluster.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"*{id}*"]}])["NetworkInterfaces"] == []
    assert cluster.task(arn)["lastStatus"] == "STOPPED"


def test_a_new_service_rebalances_zones_unless_the_request_says_otherwise(cluster):
    ecs, exact = cluster.ecs, {"maximumPercent": 100, "minimumHealthyPercent": 0}
    wanted = {
        "cluster": cluster.name, "taskDefinition": cluster.define(cluster.container("main", "true")), "launchType": "FARGATE",
        "networkConfiguration": cluster.network(), "desiredCount": 0,
    }
    shown = {}
    for name, change in {
        "default": {},
        "off": {"availabilityZoneRebalancing": "DISABLED"},
        "no-room": {"deploymentConfiguration": exact},
    }.items():
        ecs.create_service(serviceName=f"balance-{name}", **wanted, **change)
        shown[name] = service(cluster, f"balance-{name}")["availabilityZoneRebalancing"]
        ecs.delete_service(cluster=cluster.name, service=f"balance-{name}", force=True)
    assert shown == {"default": "ENABLED", "off": "DISABLED", "no-room": "DISABLED"}
    with pytest.raises(botocore.exceptions.ClientError, match="maximumPercent greater than 100") as error:
        ecs.create_service(
            serviceName="balance", deploymentConfiguration=exact, availabilityZoneRebalancing="ENABLED", **wanted
        )
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"


def test_container_takes_the_volumes_of_another(cluster):
    """With `volumesFrom`, as a web server takes the files of an application's container."""
    scratch = {"name": "scratch", "host": {}}
    app = cluster.container("app", "echo shared > /scratch/f; exec sleep 1000", stopTimeout=1, mountPoints=[{"sourceVolume": "scratch", "containerPath": "/scratch"}])
    reads = "until cat /scratch/f; do sleep 1; done; touch /scratch/g || echo read-only"
    web = cluster.container("main", reads, volumesFrom=[{"sourceContainer": "app", "readOnly": True}])
    definition = cluster.define({**app, "essential": False}, web, volumes=[scratch])
    shown = cluster.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"][1]
    assert shown["volumesFrom"] == [{"sourceContainer": "app", "readOnly": True}]
    arn = cluster.run_to_end(definition)["taskArn"]
    cluster.wait_for_line(arn, "shared")
    cluster.wait_for_line(arn, "read-only")


def test_a_task_protects_itself_from_a_scale_in(cluster):
    """Through the agent's endpoint, with the rights of its role."""
    ecs, name = cluster.ecs, "protected"
    may = cluster.role("protects", {"ecs:UpdateTaskProtection": "*", "ecs:GetTaskProtection": "*"})
    body = '{"ProtectionEnabled":true,"ExpiresInMinutes":5}'
    ask = (
        "host=169.254.170.2; path=${ECS_AGENT_URI#http://$host}/task-protection/v1/state; "
        f"""printf 'PUT %s HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}' $path | nc $host 80 | tail -n 1; echo; """
        "wget -q -O - $ECS_AGENT_URI/task-protection/v1/state; echo; exec sleep 600"
    )
    protecting, denied = (cluster.define(cluster.container("main", ask, stopTimeout=1), taskRoleArn=role) for role in (may, cluster.execution))
    network = cluster.network()
    ecs.create_service(cluster=cluster.name, serviceName=name, taskDefinition=protecting, desiredCount=1, launchType="FARGATE", networkConfiguration=network)
    running = lambda: [t["taskArn"] for t in tasks_of(cluster, name)]  # noqa: E731
    [task] = eventually(running)
    lines = eventually(lambda: len(found := cluster.lines(task)) == 2 and found)
    put, got = (json.loads(text)["protection"] for text in lines)
    assert put == got and put["TaskArn"] == task and put["ProtectionEnabled"], (put, got)
    [known] = ecs.get_task_protection(cluster=cluster.name, tasks=[task])["protectedTasks"]
    assert known["protectionEnabled"] and 200 < known["expirationDate"].timestamp() - time.time() <= 300

    # A deployment goes on beside the protected task, which outlasts it, and so does a scale-in.
    ecs.update_service(cluster=cluster.name, service=name, taskDefinition=denied)
    [other] = eventually(lambda: [t for t in running() if t != task])
    [refused] = eventually(lambda: [line for line in cluster.lines(other) if "error" in line][:1])
    assert json.loads(refused)["error"]["Code"] == "AccessDeniedException", refused
    ecs.update_service(cluster=cluster.name, service=name, desiredCount=0)
    eventually(lambda: running() == [task])
    time.sleep(1)
    assert running() == [task]
    free = ecs.update_task_protection(cluster=cluster.name, tasks=[task, "f" * 32], protectionEnabled=False)
    assert [t["protectionEnabled"] for t in free["protectedTasks"]] == [False]
    assert [f["reason"] for f in free["failures"]] == ["MISSING"]
    eventually(lambda: running() == [])

    alone = cluster.run(denied)
    [failure] = ecs.update_task_protection(cluster=cluster.name, tasks=[alone], protectionEnabled=True)["failures"]
    assert failure["reason"] == "TASK_NOT_VALID", "it belongs to no service"
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="expiresInMinutes"):
        ecs.update_task_protection(cluster=cluster.name, tasks=[alone], protectionEnabled=True, expiresInMinutes=2881)
    ecs.stop_task(cluster=cluster.name, task=alone)


def test_deployments_are_remembered_and_can_be_stopped(cluster):
    ecs, name = cluster.ecs, "remembered"
    family = {"family": f"{cluster.name}-remembered"}
    first, second, never = (
        cluster.define(cluster.container("main", script, stopTimeout=1), **family)
        for script in ("exec sleep 600", "echo 2; exec sleep 600", "exec sleep 600; :")
    )

    def deployments(**more):
        return ecs.list_service_deployments(cluster=cluster.name, service=name, **more)["serviceDeployments"]

    def described(arn):
        [found] = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
        return found

    ecs.create_service(cluster=cluster.name, serviceName=name, taskDefinition=first, desiredCount=1, launchType="FARGATE", networkConfiguration=cluster.network())
    eventually(lambda: [d["status"] for d in deployments()] == ["SUCCESSFUL"])
    ecs.update_service(cluster=cluster.name, service=name, taskDefinition=second)
    newest = deployments()[0]
    assert newest["status"] == "IN_PROGRESS" and "finishedAt" not in newest
    eventually(lambda: [d["status"] for d in deployments()] == ["SUCCESSFUL", "SUCCESSFUL"])
    full = described(newest["serviceDeploymentArn"])
    assert full["targetServiceRevision"]["runningTaskCount"] == full["targetServiceRevision"]["requestedTaskCount"] == 1
    assert len(full["sourceServiceRevisions"]) == 1 and full["deploymentConfiguration"]["maximumPercent"] == 200
    [revision] = ecs.describe_service_revisions(serviceRevisionArns=[newest["targetServiceRevisionArn"]])["serviceRevisions"]
    assert revision["taskDefinition"] == second and revision["containerImages"][0]["imageDigest"] == cluster.digest

    # A deployment that cannot go on, because no task of it may start, is stopped, and the service returns to what it was.
    unhealthy = cluster.container("main", "exec sleep 600", healthCheck={"command": ["CMD-SHELL", "sh -c 'exit 1'"], "interval": 5, "retries": 10}, stopTimeout=1)
    stuck = cluster.define(unhealthy, **family)
    ecs.update_service(cluster=cluster.name, service=name, taskDefinition=stuck)
    [running] = deployments(status=["IN_PROGRESS"])
    arn = running["serviceDeploymentArn"]
    assert ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    assert described(arn)["status"] in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
    eventually(lambda: described(arn)["status"] == "ROLLBACK_SUCCESSFUL")
    assert described(arn)["rollback"]["serviceRevisionArn"] == newest["targetServiceRevisionArn"]
    assert service(cluster, name)["taskDefinition"] == second
    with pytest.raises(ecs.exceptions.ConflictException, match="already ended"):
        ecs.stop_service_deployment(serviceDeploymentArn=arn)

    # ABORT leaves the service between the two: the old task serves, and no new one starts. A newer deployment goes on from there.
    ecs.update_service(cluster=cluster.name, service=name, taskDefinition=stuck)
    [running] = deployments(status=["IN_PROGRESS"])
    ecs.stop_service_deployment(serviceDeploymentArn=running["serviceDeploymentArn"], stopType="ABORT")
    assert described(running["serviceDeploymentArn"])["status"] == "STOPPED"
    ecs.update_service(cluster=cluster.name, service=name, taskDefinition=never)
    eventually(lambda: deployments()[0]["status"] == "SUCCESSFUL" and len(tasks_of(cluster, name)) == 1)
    ecs.delete_service(cluster=cluster.name, service=name, force=True)
    missing = ecs.describe_service_deployments(serviceDeploymentArns=[arn.rpartition("/")[0] + "/" + "0" * 20])
    assert [f["reason"] for f in missing["failures"]] == ["MISSING"]
