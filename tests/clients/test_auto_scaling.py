"""Application Auto Scaling on an installation whose minutes are seconds: load and its end, steps, schedules, stacks."""

import datetime
import json
import shutil
import subprocess
import threading
import time
import uuid

import botocore.exceptions
import pytest
import requests
import tasks as tasks_module
from tasks import Cluster

from conftest import SHOP, eventually, make_cloud, remove_cloud

SPEED = 60
# Requests of a task in a minute, which here is a second.
TARGET = 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = str(SPEED)
    try:
        made.escale("start")
        if "httpd" not in tasks_module.APPLETS:
            tasks_module.APPLETS.append("httpd")
        yield Cluster(made, tmp_path_factory.mktemp("image") / "layout")
    finally:
        remove_cloud(made)


@pytest.fixture(scope="module")
def scaling(cluster):
    return cluster.cloud.client("application-autoscaling")


@pytest.fixture(scope="module")
def metrics(cluster):
    return cluster.cloud.client("cloudwatch")


class Target:
    """A service of ECS with its scalable target."""

    def __init__(self, cluster, scaling, script="sleep 600", count=1, **service):
        self.cluster, self.scaling, self.name = cluster, scaling, f"s{uuid.uuid4().hex[:6]}"
        container = cluster.container("main", script, portMappings=[{"containerPort": 80}])
        network = service.pop("network", None) or cluster.network()
        cluster.ecs.create_service(
            cluster=cluster.name, serviceName=self.name, taskDefinition=cluster.define(container), desiredCount=count, launchType="FARGATE",
            networkConfiguration=network, **service,
        )
        self.of = {"ServiceNamespace": "ecs", "ResourceId": f"service/{cluster.name}/{self.name}", "ScalableDimension": "ecs:service:DesiredCount"}

    def register(self, **more):
        return self.scaling.register_scalable_target(**self.of, **more)

    def put(self, name, **configuration):
        return self.scaling.put_scaling_policy(PolicyName=name, **self.of, **configuration)

    def service(self):
        return self.cluster.ecs.describe_services(cluster=self.cluster.name, services=[self.name])["services"][0]

    def counts(self):
        service = self.service()
        return service["desiredCount"], service["runningCount"]

    def activities(self, **more):
        return self.scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=self.of["ResourceId"], **more)["ScalingActivities"]

    def delete(self):
        self.scaling.deregister_scalable_target(**self.of)
        self.cluster.ecs.delete_service(cluster=self.cluster.name, service=self.name, force=True)


class Load:
    """Requests at a rate, of which none may fail."""

    def __init__(self, get, rate):
        self.get, self.rate, self.failed, self.ended = get, rate, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(10)]

    def run(self):
        while not self.ended.wait(len(self.threads) / self.rate):
            try:
                status = self.get()
                if status != 200:
                    self.failed.append(status)
            except requests.RequestException as error:
                self.failed.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def behind_a_balancer(cluster, scaling):
    elbv2, ec2 = cluster.cloud.client("elbv2"), cluster.ec2
    public = [cluster.subnet(f"10.71.{200 + i}.0/24", zone) for i, zone in enumerate("ab")]
    attached = [{"Name": "attachment.vpc-id", "Values": [cluster.vpc]}]
    internet = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"][0]["InternetGatewayId"]
    for subnet in public:
        ec2.create_route(RouteTableId=cluster.route_table(subnet), DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=cluster.vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    balancer = elbv2.create_load_balancer(Name="web", Subnets=public, SecurityGroups=[group])["LoadBalancers"][0]
    target_group = elbv2.create_target_group(
        Name="web", Protocol="HTTP", Port=80, VpcId=cluster.vpc, TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2, HealthCheckPath="/index.html",
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.modify_target_group_attributes(TargetGroupArn=target_group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
    arn = balancer["LoadBalancerArn"]
    elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}])
    target = Target(
        cluster, scaling, "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp", network=cluster.network(securityGroups=[group]),
        loadBalancers=[{"targetGroupArn": target_group, "containerName": "main", "containerPort": 80}],
    )
    label = f'{arn.partition(":loadbalancer/")[2]}/{target_group.rpartition(":")[2]}'
    port = cluster.cloud.env["ESCALE_WEB_PORT"]
    get = lambda: requests.get(f"http://127.0.0.1:{port}/index.html", headers={"Host": balancer["DNSName"]}, timeout=10).status_code
    healthy = lambda: sum(
        t["TargetHealth"]["State"] == "healthy" for t in elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    )
    return target, label, get, healthy


def test_tasks_follow_the_load_and_come_back(cluster, scaling, metrics):
    target, label, get, healthy = behind_a_balancer(cluster, scaling)
    target.register(MinCapacity=1, MaxCapacity=5)
    specification = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    put = target.put("requests", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration={
        "TargetValue": TARGET, "PredefinedMetricSpecification": specification,
    })
    high, low = (a["AlarmName"] for a in put["Alarms"])
    assert high.startswith(f"TargetTracking-{target.of['ResourceId']}-AlarmHigh-") and "-AlarmLow-" in low
    alarms = {a["AlarmName"]: a for a in metrics.describe_alarms(AlarmNames=[high, low])["MetricAlarms"]}
    seen = lambda name: {key: alarms[name][key] for key in ("EvaluationPeriods", "Period", "Threshold", "ComparisonOperator", "Statistic", "MetricName")}
    common = {"Period": 60, "Statistic": "Sum", "MetricName": "RequestCountPerTarget"}
    assert seen(high) == {**common, "EvaluationPeriods": 3, "Threshold": TARGET, "ComparisonOperator": "GreaterThanThreshold"}
    assert seen(low) == {**common, "EvaluationPeriods": 15, "Threshold": 0.9 * TARGET, "ComparisonOperator": "LessThanThreshold"}
    assert alarms[high]["AlarmActions"] == [put["PolicyARN"]] and alarms[high]["AlarmDescription"].startswith("DO NOT EDIT OR DELETE.")
    eventually(lambda: healthy() == 1 and get() == 200, within=60, every=0.3)
    began = time.monotonic()
    with Load(get, 6) as little:
        # Three times as long as the upper alarm looks.
        eventually(lambda: time.monotonic() - began > 9, within=12)
        assert target.counts()[0] == 1, "below the target"
    began = time.monotonic()
    with Load(get, 60) as much:
        eventually(lambda: target.counts()[0] >= 3, within=20)
        eventually(lambda: healthy() >= 3, within=60, every=0.2)
        took = time.monotonic() - began
    assert not little.failed and not much.failed, (little.failed[:5], much.failed[:5])
    first = target.activities()[-1]
    assert first["Cause"] == f"monitor alarm {high} in state ALARM triggered policy requests"
    # From the alarm's change to the new desired count.
    alarm = metrics.describe_alarm_history(AlarmName=high, HistoryItemType="StateUpdate")["AlarmHistoryItems"][-1]
    changes = [i["Timestamp"] for i in metrics.describe_alarm_history(AlarmName=high, HistoryItemType="StateUpdate")["AlarmHistoryItems"] if "to ALARM" in i["HistorySummary"]]
    added = min(abs((first["StartTime"] - at).total_seconds()) for at in changes)
    print(f"load × 10 → {healthy()} tasks serve after {took:.1f} s; the loop added {added * 1000:.0f} ms after the alarm's change")
    assert alarm and added < 1
    # Fifteen minutes and the cooldown later, the service is as small as before.
    eventually(lambda: target.counts() == (1, 1), within=90, every=0.2)
    done = [a for a in target.activities() if a["StatusCode"] == "Successful"]
    assert done[0]["StatusMessage"] == "Successfully set desired count to 1. Change successfully fulfilled by ecs."
    assert metrics.describe_alarms(AlarmNames=[low])["MetricAlarms"][0]["StateValue"] == "ALARM"
    assert get() == 200
    target.delete()
    assert metrics.describe_alarms(AlarmNames=[high, low])["MetricAlarms"] == [], "the alarms are the policy's own"


def test_steps_answer_an_alarm_of_the_user(cluster, scaling, metrics):
    target = Target(cluster, scaling)
    target.register(MinCapacity=1, MaxCapacity=6)
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 100, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 100, "ScalingAdjustment": 2},
    ]
    put = target.put("backlog", PolicyType="StepScaling", StepScalingPolicyConfiguration={
        "AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 60, "MetricAggregationType": "Maximum",
    })
    space = f"Test/{target.name}"
    metrics.put_metric_alarm(
        AlarmName=target.name, Namespace=space, MetricName="Backlog", Statistic="Maximum", Period=60, EvaluationPeriods=1, Threshold=100,
        ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[put["PolicyARN"]],
    )
    described = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=target.of["ResourceId"])["ScalingPolicies"]
    assert [a["AlarmName"] for a in described[0]["Alarms"]] == [target.name]
    # The state alone says nothing about the distance from the threshold; its data does.
    reason = json.dumps({"recentDatapoints": [250.0]})
    metrics.set_alarm_state(AlarmName=target.name, StateValue="ALARM", StateReason="a test", StateReasonData=reason)
    eventually(lambda: target.counts()[0] == 3, within=5)
    [activity] = target.activities()
    assert activity["Description"] == "Setting desired count to 3."
    assert activity["Cause"] == f"monitor alarm {target.name} in state ALARM triggered policy backlog"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        scaling.delete_scaling_policy(PolicyName="other", **target.of)
    assert error.value.response["Error"]["Code"] == "ObjectNotFoundException"
    scaling.delete_scaling_policy(PolicyName="backlog", **target.of)
    assert metrics.describe_alarms(AlarmNames=[target.name])["MetricAlarms"], "the user's alarm stays"
    metrics.delete_alarms(AlarmNames=[target.name])
    target.delete()


def test_limits_schedules_and_suspension(cluster, scaling):
    target = Target(cluster, scaling)
    arn = target.register(MinCapacity=2, MaxCapacity=4, Tags={"team": "shop"})["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "shop"}
    eventually(lambda: target.counts() == (2, 2), within=30)
    eventually(lambda: target.activities()[0]["StatusCode"] == "Successful", within=5)
    assert target.activities()[0]["Cause"] == "minimum capacity was set to 2"
    target.register(SuspendedState={"ScheduledScalingSuspended": True})
    at = lambda secs: (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=secs)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    limits = {"MinCapacity": 3, "MaxCapacity": 4}
    scaling.put_scheduled_action(ScheduledActionName="skipped", Schedule=at(2), ScalableTargetAction={"MinCapacity": 4}, **target.of)
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 3.5, within=5)
    assert target.counts()[0] == 2, "schedules are suspended"
    target.register(SuspendedState={"ScheduledScalingSuspended": False})
    scaling.put_scheduled_action(ScheduledActionName="now", Schedule=at(2), Timezone="UTC", ScalableTargetAction=limits, **target.of)
    eventually(lambda: target.counts()[0] == 3, within=6)
    causes = [a["Cause"] for a in target.activities()]
    assert causes[:2] == ["minimum capacity was set to 3", "scheduled action now was triggered"], causes
    [described] = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target.of["ResourceId"]])["ScalableTargets"]
    assert (described["MinCapacity"], described["MaxCapacity"]) == (3, 4)
    assert described["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert cluster.cloud.client("iam").get_role(RoleName="AWSServiceRoleForApplicationAutoScaling_ECSService")
    names = [a["ScheduledActionName"] for a in scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=target.of["ResourceId"])["ScheduledActions"]]
    assert names == ["now", "skipped"]
    scaling.delete_scheduled_action(ScheduledActionName="now", **target.of)
    target.delete()
    assert scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=target.of["ResourceId"])["ScheduledActions"] == []


def test_refuses_what_is_not_scaled_here(cluster, scaling):
    def refusal(call, **arguments):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call(**arguments)
        return error.value.response["Error"]

    missing = {"ServiceNamespace": "ecs", "ResourceId": "service/none/none", "ScalableDimension": "ecs:service:DesiredCount"}
    error = refusal(scaling.register_scalable_target, MinCapacity=1, MaxCapacity=2, **missing)
    assert error["Code"] == "ValidationException" and "service/none/none" in error["Message"]
    configuration = {"TargetValue": 1.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
    error = refusal(
        scaling.put_scaling_policy, PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration, **missing,
    )
    assert error["Code"] == "ObjectNotFoundException" and error["Message"].startswith("No scalable target registered for service namespace: ecs")
    error = refusal(scaling.describe_scalable_targets, ServiceNamespace="dynamodb")
    assert error["Code"] == "NotImplemented" and "dynamodb" in error["Message"]


TEMPLATE = {
    "Parameters": {"Max": {"Type": "Number", "Default": 4}, "Cpu": {"Type": "Number", "Default": 60}},
    "Resources": {
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {
            "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": {"Ref": "Max"},
            "ScheduledActions": [{"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "ScalableTargetAction": {"MaxCapacity": 2}}],
        }},
        "Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {
            "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": {"Ref": "Target"},
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": {"Ref": "Cpu"}, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        }},
    },
    "Outputs": {"Target": {"Value": {"Ref": "Target"}}, "Policy": {"Value": {"Ref": "Policy"}}},
}


def test_stack_creates_updates_and_deletes(cluster, scaling, metrics):
    target, stacks = Target(cluster, scaling), cluster.cloud.client("cloudformation")
    template = json.loads(json.dumps(TEMPLATE))
    template["Resources"]["Target"]["Properties"]["ResourceId"] = target.of["ResourceId"]
    name, quick = target.name, {"Delay": 1}
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=quick)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert outputs["Target"] == f"{target.of['ResourceId']}|ecs:service:DesiredCount|ecs"
    of = {"ServiceNamespace": "ecs", "ResourceId": target.of["ResourceId"]}
    policy = lambda: scaling.describe_scaling_policies(**of)["ScalingPolicies"][0]
    assert policy()["PolicyARN"] == outputs["Policy"]
    values = [{"ParameterKey": "Max", "ParameterValue": "6"}, {"ParameterKey": "Cpu", "ParameterValue": "75"}]
    stacks.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=values)
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=quick)
    assert policy()["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 75
    alarms = [a["AlarmName"] for a in policy()["Alarms"]]
    assert sorted(a["Threshold"] for a in metrics.describe_alarms(AlarmNames=alarms)["MetricAlarms"]) == [67.5, 75]
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[of["ResourceId"]])["ScalableTargets"][0]["MaxCapacity"] == 6
    detection = stacks.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    status = lambda: stacks.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    eventually(lambda: status()["DetectionStatus"] == "DETECTION_COMPLETE", within=20)
    assert status()["StackDriftStatus"] == "IN_SYNC", stacks.describe_stack_resource_drifts(StackName=name)
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=quick)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[of["ResourceId"]])["ScalableTargets"] == []
    assert metrics.describe_alarms(AlarmNames=alarms)["MetricAlarms"] == []
    cluster.ecs.delete_service(cluster=cluster.name, service=target.name, force=True)


MANIFEST = """
app: scaled
services:
  frontend:
    build: ./frontend
    port: 3000
    path: /
    health: /healthz
    env: { LOG_LEVEL: info }
    scale: { min: 2, max: 6, cpu: 60, requests: 1000 }
"""


def test_manifest_scales_and_an_update_keeps_the_count(cluster, scaling, tmp_path):
    subprocess.run([SHOP / "build"], check=True)
    shutil.copytree(SHOP / "frontend", tmp_path / "frontend")
    (tmp_path / "escale.yaml").write_text(MANIFEST)
    up = lambda *more: cluster.cloud.escale("up", tmp_path, "--yes", *more, timeout=240)
    service = lambda: json.loads(cluster.cloud.escale("status", "--json").stdout)["services"][0]
    up()
    seen = service()
    assert (seen["desired"], seen["running"], seen["scaling"]) == (2, 2, {"min": 2, "max": 6})
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert {p["PolicyName"] for p in policies} == {"frontend-cpu", "frontend-requests"}
    # The label names a load balancer and a target group that exist.
    [label] = [
        p["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["ResourceLabel"] for p in policies if p["PolicyName"].endswith("requests")
    ]
    groups = cluster.cloud.client("elbv2").describe_target_groups()["TargetGroups"]
    assert any(label.endswith(g["TargetGroupArn"].rpartition(":")[2]) for g in groups), label
    # As if a policy had scaled. The lower alarm needs fifteen of its minutes to take it back.
    said = cluster.cloud.escale("scale", "frontend", "4").stdout
    assert "Auto scaling continues from there, between 2 and 6 tasks." in said, said
    scaling.register_scalable_target(
        ServiceNamespace="ecs", ResourceId=policies[0]["ResourceId"], ScalableDimension="ecs:service:DesiredCount",
        SuspendedState={"DynamicScalingInSuspended": True},
    )
    if service()["desired"] != 4:
        cluster.cloud.escale("scale", "frontend", "4")
    text = (tmp_path / "escale.yaml").read_text()
    (tmp_path / "escale.yaml").write_text(text.replace("LOG_LEVEL: info", "LOG_LEVEL: warn"))
    up()
    assert service()["desired"] == 4, "an update of the service keeps its count"
    up("--set", "services.*.scale.min=5")
    seen = service()
    assert (seen["desired"], seen["running"]) == (5, 5), "the update waits for the tasks of the new minimum"
    cluster.cloud.escale("down", "--yes", "scaled")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
