"""The values that the machine itself reports to CloudWatch, on an installation whose minutes are three seconds."""

import datetime
import time

import pytest
import requests
import tasks as tasks_module
from tasks import Cluster

from conftest import eventually, make_cloud, remove_cloud

BUSY = "trap 'exit 0' TERM; while :; do :; done"
# Half of the memory that the task reserves, and no CPU: tail keeps what it reads.
FULL = "(dd if=/dev/zero bs=1M count=256 2>/dev/null; sleep 600) | tail -c 268435456"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = "20"
    try:
        made.escale("start")
        if "httpd" not in tasks_module.APPLETS:
            tasks_module.APPLETS.append("httpd")
        yield Cluster(made, tmp_path_factory.mktemp("image") / "layout")
    finally:
        remove_cloud(made)


@pytest.fixture(scope="module")
def metrics(cluster):
    return cluster.cloud.client("cloudwatch")


def run(cluster, name, script, count=1, **more):
    container = cluster.container("main", script, portMappings=[{"containerPort": 80}])
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName=name, taskDefinition=cluster.define(container), desiredCount=count, launchType="FARGATE",
        networkConfiguration=cluster.network(), **more,
    )


def read(metrics, space, name, stat, **dimensions):
    """The values of the last minutes, in periods of three seconds: newest last."""
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": space, "MetricName": name, "Dimensions": pairs}
    now = datetime.datetime.now(datetime.timezone.utc)
    answer = metrics.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 1, "Stat": stat}}],
        StartTime=now - datetime.timedelta(minutes=3), EndTime=now, ScanBy="TimestampAscending",
    )
    return answer["MetricDataResults"][0]["Values"]


def test_usage_of_tasks_is_a_share_of_what_they_reserve(cluster, metrics):
    run(cluster, "busy", BUSY, count=1)
    run(cluster, "full", FULL, count=2)
    of = {"ClusterName": cluster.name, "ServiceName": "busy"}
    # The task reserves a quarter of a CPU and its cgroup gives it no more.
    eventually(lambda: [v for v in read(metrics, "AWS/ECS", "CPUUtilization", "Average", **of) if 60 < v < 115], within=40)
    of = {"ClusterName": cluster.name, "ServiceName": "full"}
    eventually(lambda: [v for v in read(metrics, "AWS/ECS", "MemoryUtilization", "Minimum", **of) if 45 < v < 65], within=20)
    assert 2 in read(metrics, "AWS/ECS", "MemoryUtilization", "SampleCount", **of), "a value for each task"
    assert read(metrics, "AWS/ECS", "CPUUtilization", "Average", **of)[-1] < 30
    listed = metrics.list_metrics(Namespace="AWS/ECS")["Metrics"]
    assert {m["MetricName"] for m in listed} == {"CPUUtilization", "MemoryUtilization"}
    metrics.put_metric_alarm(
        AlarmName="busy", Namespace="AWS/ECS", MetricName="CPUUtilization", Statistic="Average", Period=60, EvaluationPeriods=1,
        Threshold=50, ComparisonOperator="GreaterThanThreshold",
        Dimensions=[{"Name": "ClusterName", "Value": cluster.name}, {"Name": "ServiceName", "Value": "busy"}],
    )
    state = lambda: metrics.describe_alarms(AlarmNames=["busy"])["MetricAlarms"][0]["StateValue"]
    eventually(lambda: state() == "ALARM", within=20)
    for name in ("busy", "full"):
        cluster.ecs.delete_service(cluster=cluster.name, service=name, force=True)
    # Without tasks there are no values.
    eventually(lambda: state() == "INSUFFICIENT_DATA", within=30)


def test_requests_of_a_load_balancer_are_counted(cluster, metrics):
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
    made = elbv2.create_target_group(
        Name="web", Protocol="HTTP", Port=80, VpcId=cluster.vpc, TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
    )
    target_group = made["TargetGroups"][0]["TargetGroupArn"]
    arn, forward = balancer["LoadBalancerArn"], [{"Type": "forward", "TargetGroupArn": target_group}]
    elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    script = "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp"
    network = cluster.network(securityGroups=[group])
    container = cluster.container("main", script, portMappings=[{"containerPort": 80}])
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName="web", taskDefinition=cluster.define(container), desiredCount=1, launchType="FARGATE",
        networkConfiguration=network, loadBalancers=[{"targetGroupArn": target_group, "containerName": "main", "containerPort": 80}],
    )
    port = cluster.cloud.env["ESCALE_WEB_PORT"]

    def get(path):
        return requests.get(f"http://127.0.0.1:{port}{path}", headers={"Host": balancer["DNSName"]}, timeout=5).status_code

    eventually(lambda: get("/index.html") == 200, within=40, every=0.3)
    lb = {"LoadBalancer": arn.partition(":loadbalancer/")[2]}
    tg = {"TargetGroup": target_group.rpartition(":")[2]}
    total = lambda name, stat="Sum", **dimensions: sum(read(metrics, "AWS/ApplicationELB", name, stat, **dimensions))
    eventually(lambda: total("RequestCount", **lb) >= 1, within=15)
    before = {name: total(name, **lb) for name in ("RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count")}
    for _ in range(30):
        assert get("/index.html") == 200
    for _ in range(5):
        assert get("/missing") == 404
    expected = {"RequestCount": 35, "HTTPCode_Target_2XX_Count": 30, "HTTPCode_Target_4XX_Count": 5}
    eventually(lambda: {name: total(name, **lb) - before[name] for name in before} == expected, within=15)
    assert total("RequestCount", **lb) == total("RequestCount", **lb, **tg)
    assert total("RequestCountPerTarget", **tg) >= 35
    times = read(metrics, "AWS/ApplicationELB", "TargetResponseTime", "p99", **lb)
    assert times and all(0 < t < 5 for t in times)
    assert read(metrics, "AWS/ApplicationELB", "HealthyHostCount", "Maximum", **lb, **tg)[-1] == 1
    assert total("ProcessedBytes", **lb) > 35 * 100
    # A killed worker begins to count anew: its requests are counted, and the earlier ones are not counted again.
    counted = total("RequestCount", **lb)
    time.sleep(4)
    assert total("RequestCount", **lb) == counted
    cluster.ecs.delete_service(cluster=cluster.name, service="web", force=True)
