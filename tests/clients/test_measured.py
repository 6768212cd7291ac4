"""The values that the machine itself reports to CloudWatch, on an installation whose minutes are three seconds."""

import datetime
import os
import subprocess
import time

import pytest
import requests
import tasks as tasks_module
from tasks import Cluster

from conftest import POSTGRES_MAJORS, eventually, make_cloud, remove_cloud
from test_ec2 import API, in_namespace

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
    # What was counted is counted once.
    counted = total("RequestCount", **lb)
    time.sleep(4)
    assert total("RequestCount", **lb) == counted
    cluster.ecs.delete_service(cluster=cluster.name, service="web", force=True)


def test_container_insights_follow_the_setting_of_the_cluster(cluster, metrics):
    listed = lambda: {m["MetricName"] for m in metrics.list_metrics(Namespace="ECS/ContainerInsights")["Metrics"]}
    assert listed() == set(), "the cluster has not asked for them"
    cluster.ecs.update_cluster_settings(cluster=cluster.name, settings=[{"name": "containerInsights", "value": "enabled"}])
    run(cluster, "seen", f"(while :; do wget -q -O /dev/null http://{API}/; sleep 1; done) & {BUSY}", count=2)
    of = {"ClusterName": cluster.name, "ServiceName": "seen"}
    values = lambda name, stat="Maximum", **dimensions: read(metrics, "ECS/ContainerInsights", name, stat, **(dimensions or of))
    eventually(lambda: values("RunningTaskCount")[-1:] == [2], within=40)
    service = cluster.ecs.describe_services(cluster=cluster.name, services=["seen"])["services"][0]
    assert (service["runningCount"], service["pendingCount"]) == (values("RunningTaskCount")[-1], values("PendingTaskCount")[-1])
    assert values("DesiredTaskCount")[-1] == 2 and values("DeploymentCount")[-1] == 1
    # A task reserves 256 CPU units and gets no more; the statistics of the service are over its tasks.
    eventually(lambda: [v for v in values("CpuUtilized") if 150 < v < 300], within=20)
    assert values("CpuReserved", "Sum")[-1] == 512 and values("MemoryReserved", "Average")[-1] == 512
    assert 0 < values("MemoryUtilized")[-1] < 512
    eventually(lambda: max(values("NetworkTxBytes"), default=0) > 0 and max(values("NetworkRxBytes")) > 0, within=20)
    assert values("TaskCount", ClusterName=cluster.name)[-1] == 2 and values("ServiceCount", ClusterName=cluster.name)[-1] >= 1
    family = service["taskDefinition"].rpartition("/")[2].partition(":")[0]
    assert values("CpuReserved", "SampleCount", ClusterName=cluster.name, TaskDefinitionFamily=family)[-1] == 2
    cluster.ecs.update_cluster_settings(cluster=cluster.name, settings=[{"name": "containerInsights", "value": "disabled"}])
    time.sleep(4)
    count = len(values("RunningTaskCount"))
    time.sleep(7)
    assert len(values("RunningTaskCount")) == count
    cluster.ecs.delete_service(cluster=cluster.name, service="seen", force=True)


def interface(cluster, subnet):
    """The command prefix of a program with an interface of its own in the subnet."""
    group = cluster.ec2.create_security_group(GroupName=f"client-{subnet}", Description="client", VpcId=cluster.vpc)["GroupId"]
    made = cluster.ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    cluster.ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[made], WaiterConfig={"Delay": 1})
    return group, in_namespace(cluster.cloud, cluster.vpc, made)


def test_traffic_of_a_nat_gateway_is_counted(cluster, metrics):
    of = {"NatGatewayId": cluster.nat}
    total = lambda name: sum(read(metrics, "AWS/NATGateway", name, "Sum", **of))
    names = ("BytesOutToDestination", "BytesInFromSource", "BytesInFromDestination", "BytesOutToSource", "ConnectionAttemptCount", "ConnectionEstablishedCount")
    eventually(lambda: metrics.list_metrics(Namespace="AWS/NATGateway")["Metrics"], within=20)
    before = {name: total(name) for name in names}
    _, client = interface(cluster, cluster.subnets[0])
    for _ in range(20):
        subprocess.run([*client, "curl", "-s", "-o", "/dev/null", "-m", "5", f"http://{API}/"], check=True)
    grown = lambda: {name: total(name) - before[name] for name in names}
    eventually(lambda: 20 <= grown()["ConnectionAttemptCount"] < 40, within=20)
    seen = grown()
    assert seen["ConnectionEstablishedCount"] == seen["ConnectionAttemptCount"]
    # Nothing is lost. A request has about 100 bytes, and five packets with their headers.
    assert 20 * 250 < seen["BytesInFromSource"] == seen["BytesOutToDestination"] < 20 * 2000, seen
    assert 20 * 250 < seen["BytesInFromDestination"] == seen["BytesOutToSource"] < 20 * 5000, seen
    assert total("PacketsOutToDestination") >= 20 * 4 and total("ErrorPortAllocation") == 0
    assert read(metrics, "AWS/NATGateway", "ActiveConnectionCount", "Maximum", **of)[-1] < 40


def test_work_of_a_database_is_measured(cluster, metrics):
    rds, password = cluster.cloud.client("rds"), "correct-horse-battery"
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=cluster.subnets)
    clients, client = interface(cluster, cluster.subnets[1])
    group = cluster.ec2.create_security_group(GroupName="data", Description="data", VpcId=cluster.vpc)["GroupId"]
    allowed = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": clients}]}
    cluster.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[allowed])
    rds.create_db_instance(
        DBInstanceIdentifier="Shop", DBInstanceClass="db.t4g.micro", Engine="postgres", EngineVersion=str(POSTGRES_MAJORS[-1]), AllocatedStorage=20,
        MasterUsername="app", MasterUserPassword=password, DBName="shop", DBSubnetGroupName="data", VpcSecurityGroupIds=[group], BackupRetentionPeriod=0,
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="shop", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    values = lambda name, stat="Maximum": read(metrics, "AWS/RDS", name, stat, DBInstanceIdentifier="shop")
    eventually(lambda: values("DatabaseConnections")[-1:] == [0], within=20)
    name = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["Endpoint"]["Address"]
    address = subprocess.run([*client, "dig", "@10.71.0.2", "+short", name], check=True, capture_output=True, text=True).stdout.strip()
    work = ["-c", "create table t as select n, repeat('x', 500) from generate_series(1, 200000) n", "-c", "select pg_sleep(8)"]
    arguments = [*client, "psql", f"host={address} user=app dbname=shop", *work]
    with subprocess.Popen(arguments, env={**os.environ, "PGPASSWORD": password}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as worker:
        eventually(lambda: values("DatabaseConnections")[-1] == 1, within=20)
        assert worker.wait(timeout=60) == 0, worker.stdout.read()
    eventually(lambda: values("DatabaseConnections")[-1] == 0, within=20)
    # 100 MB of rows and as much WAL, and nothing before and after it.
    for counted in ("WriteThroughput", "TransactionLogsGeneration"):
        assert sum(values(counted)) * 3 > 90_000_000 and min(values(counted)) < 10_000_000, counted
    assert 1 < max(values("CPUUtilization")) <= 110
    assert max(values("NetworkReceiveThroughput")) > 0 and max(values("NetworkTransmitThroughput")) > 0
    disk = os.statvfs(cluster.cloud.home)
    assert values("FreeStorageSpace")[-1] == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.2)
    memory = dict(line.split(":") for line in open("/proc/meminfo"))
    assert values("FreeableMemory")[-1] <= int(memory["MemTotal"].split()[0]) * 1024
    assert 0 < values("MaximumUsedTransactionIDs")[-1] < 1_000_000
    rds.stop_db_instance(DBInstanceIdentifier="shop")
    eventually(lambda: rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceStatus"] == "stopped", within=60)
    # A stopped database has no values.
    count = len(values("FreeStorageSpace", "SampleCount"))
    time.sleep(7)
    assert len(values("FreeStorageSpace", "SampleCount")) <= count + 1
    rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="shop", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
