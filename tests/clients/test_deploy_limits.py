"""Deployments and unhealthy tasks of a service behind a load balancer, under load: the healthy percentages hold at every moment, and
no request fails."""

import json
import threading
import time

import pytest

import http_load_rate
import conftest
from tasks import cluster  # noqa: F401 (a fixture)

# Its page is the version; the health check has a page of its own.
SERVES = "/bin/busybox mkdir -p /tmp/www; cd /tmp/www; echo VERSION > index.html; echo up > up; exec /bin/busybox httpd -f -p 8000"


def template(cluster):  # noqa: F811
    everyone = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 8000, "CidrIp": "0.0.0.0/0"}
    group = {
        "Protocol": "HTTP", "Port": 8000, "VpcId": cluster.vpc, "TargetType": "ip", "HealthCheckPath": "/up",
        "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2,
        "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}],
    }
    return {
        "Resources": {
            "Open": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {"GroupDescription": "all", "VpcId": cluster.vpc, "SecurityGroupIngress": [everyone]},
            },
            "Balancer": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Properties": {"Scheme": "internet-facing", "Subnets": cluster.public, "SecurityGroups": [{"Ref": "Open"}]},
            },
            "Group": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": group},
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
                    "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
                },
            },
        },
        "Outputs": {
            "Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}}, "Group": {"Value": {"Ref": "Group"}},
            "Open": {"Value": {"Ref": "Open"}}, "Listener": {"Value": {"Ref": "Listener"}},
        },
    }


def eventually(check, within=30):
    """Looks less often than usual: each look has many requests, and the load needs the processor."""
    return conftest.eventually(check, within, every=0.5)


class Service:
    """A service with two tasks behind a load balancer."""

    def __init__(self, cloud, cluster):  # noqa: F811
        self.cloud, self.cluster, self.ecs, self.elb = cloud, cluster, cluster.ecs, cloud.client("elbv2")
        cluster.public = [cluster.subnet(f"10.71.{100 + i}.0/24", zone) for i, zone in enumerate("ab")]
        for subnet in cluster.public:
            gateway = cluster.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [cluster.vpc]}])
            cluster.ec2.create_route(
                RouteTableId=cluster.route_table(subnet), DestinationCidrBlock="0.0.0.0/0",
                GatewayId=gateway["InternetGateways"][0]["InternetGatewayId"],
            )
        cloudformation = cloud.client("cloudformation")
        cloudformation.create_stack(StackName=cluster.name, TemplateBody=json.dumps(template(cluster)))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=cluster.name, WaiterConfig={"Delay": 1})
        stack = cloudformation.describe_stacks(StackName=cluster.name)["Stacks"][0]
        self.out = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        self.host, self.name = self.out["Name"], "web"
        self.ecs.create_service(
            cluster=cluster.name, serviceName="web", desiredCount=2, launchType="FARGATE", taskDefinition=self.define("one"),
            networkConfiguration=cluster.network(securityGroups=[self.out["Open"]]),
            loadBalancers=[{"targetGroupArn": self.out["Group"], "containerName": "main", "containerPort": 8000}],
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        )
        self.stable()

    def define(self, version, command=SERVES):
        ports = [{"containerPort": 8000}]
        return self.cluster.define(self.cluster.container("main", command.replace("VERSION", version), portMappings=ports))

    def shown(self):
        return self.ecs.describe_services(cluster=self.cluster.name, services=[self.name])["services"][0]

    def stable(self, within=90):
        def is_stable():
            shown = self.shown()
            one = len(shown["deployments"]) == 1 and shown["deployments"][0]["rolloutState"] == "COMPLETED"
            return shown if one and shown["runningCount"] == shown["desiredCount"] and not shown["pendingCount"] else None

        return eventually(is_stable, within=within)

    def update(self, **change):
        return self.ecs.update_service(cluster=self.cluster.name, service=self.name, **change)["service"]

    def events(self):
        return [e["message"] for e in self.shown()["events"]]

    def check_at(self, path):
        self.elb.modify_target_group(TargetGroupArn=self.out["Group"], HealthCheckPath=path)

    def states(self):
        found = self.elb.describe_target_health(TargetGroupArn=self.out["Group"])["TargetHealthDescriptions"]
        return sorted(d["TargetHealth"]["State"] for d in found)

    def load(self, rate=500):
        return http_load_rate.Load("127.0.0.1", int(self.cloud.env["ESCALE_WEB_PORT"]), self.host, rate)


class Watch:
    """Looks all the time at how many tasks of the service run, and how many exist, while a block runs."""

    def __init__(self, service):
        self.service, self.least, self.most, self.over = service, 99, 0, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.over.is_set():
            shown = self.service.shown()
            self.least = min(self.least, shown["runningCount"])
            self.most = max(self.most, shown["runningCount"] + shown["pendingCount"])
            time.sleep(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@pytest.fixture(scope="module")
def service(cloud, tmp_path_factory):
    from tasks import Cluster

    return Service(cloud, Cluster(cloud, tmp_path_factory.mktemp("limits")))


def test_release_under_500_requests_per_second(service):
    with Watch(service) as watch, service.load(500) as load:
        eventually(lambda: load.done > 500)
        service.update(taskDefinition=service.define("two"))
        service.stable()
        eventually(lambda: load.last == "two\n")
    # The rate that this process reaches beside others; a free machine reaches all 500.
    assert load.failed == {} and load.rate() > 200, (load.failed, load.rate())
    print(f"{load.done} requests, {load.rate():.0f} per second, none failed")
    assert watch.least >= 2 and watch.most <= 4, (watch.least, watch.most)


def test_unhealthy_tasks_are_replaced_without_a_failed_request(service):
    before = {t["taskArn"] for t in tasks(service)}
    with Watch(service) as watch, service.load(200) as load:
        service.check_at("/wrong")
        # Replacements start while the unhealthy tasks serve.
        eventually(lambda: service.states().count("unhealthy") >= 2 and len(tasks(service)) == 4, within=60)
        assert before <= {t["taskArn"] for t in tasks(service)}
        # Then they are unhealthy, too, and are replaced again; the first tasks stay.
        eventually(lambda: sum("is unhealthy in (target-group" in e for e in service.events()) >= 2, within=60)
        assert before <= {t["taskArn"] for t in tasks(service)}
        service.check_at("/up")
        service.stable()
        eventually(lambda: service.states().count("healthy") == 2, within=60)
    assert load.failed == {}, load.failed
    assert watch.least >= 2 and watch.most <= 4, (watch.least, watch.most)


def test_deployment_with_a_wrong_health_path_is_rolled_back_without_a_failed_request(service):
    with Watch(service) as watch, service.load(200) as load:
        broken = service.define("three", SERVES.replace("echo up > up;", ""))
        service.update(taskDefinition=broken)
        eventually(lambda: any("rolling back to deployment" in e for e in service.events()), within=120)
        service.stable()
    assert load.failed == {}, load.failed
    assert watch.least >= 2 and watch.most <= 4, (watch.least, watch.most)
    assert service.shown()["taskDefinition"] != broken


def test_threshold_and_alarms_fail_a_deployment(service):
    alarm = f"{service.cluster.name}-errors"
    cloudwatch = service.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm, Namespace="Test", MetricName="Errors", Statistic="Sum", Period=10, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )
    gate = {"alarmNames": [alarm], "enable": True, "rollback": True}
    breaker = {"enable": True, "rollback": True, "thresholdConfiguration": {"type": "COUNT", "value": 1}}
    shown = service.update(deploymentConfiguration={"alarms": gate, "deploymentCircuitBreaker": breaker})
    assert shown["deploymentConfiguration"]["alarms"] == gate
    assert shown["deploymentConfiguration"]["deploymentCircuitBreaker"] == breaker
    good = shown["taskDefinition"]
    with service.load(200) as load:
        served = eventually(lambda: load.last)
        # One failed task is enough for this circuit breaker.
        service.update(taskDefinition=service.define("four", "exit 1"))
        eventually(lambda: any("tasks failed to start" in e for e in service.events()), within=60)
        assert service.stable()["taskDefinition"] == good
        service.update(taskDefinition=service.define("five"))
        eventually(lambda: load.last == "five\n", within=60)
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
        said = f"deployment failed: the alarm {alarm} went into the state ALARM"
        eventually(lambda: any(said in e for e in service.events()), within=60)
        assert service.stable()["taskDefinition"] == good
        eventually(lambda: load.last == served)
        # An alarm that was in ALARM before does not keep a fix from being deployed; it completes after the time to watch.
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
        began = time.monotonic()
        service.update(taskDefinition=service.define("six"))
        service.stable()
        assert time.monotonic() - began >= 10
    assert load.failed == {}, load.failed


def tasks(service, status="RUNNING"):
    arns = service.ecs.list_tasks(cluster=service.cluster.name, serviceName=service.name, desiredStatus=status)["taskArns"]
    return service.ecs.describe_tasks(cluster=service.cluster.name, tasks=arns)["tasks"] if arns else []
