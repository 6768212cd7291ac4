"""Deployments that shift traffic between two target groups, under load: no request fails, an unhealthy revision gets no request, and a
daemon that is killed at any stage continues."""

import collections
import http.client
import json
import os
import signal
import threading

import botocore.exceptions
import pytest

import conftest
from tasks import Cluster, policy
from test_deploy_limits import SERVES

INFRASTRUCTURE = {
    "elasticloadbalancing:DescribeRules": "*",
    "elasticloadbalancing:ModifyRule": "arn:aws:elasticloadbalancing:*:*:listener-rule/app/*/*/*/*",
    "elasticloadbalancing:ModifyListener": "arn:aws:elasticloadbalancing:*:*:listener/app/*/*/*",
    "elasticloadbalancing:RegisterTargets": "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*",
    "elasticloadbalancing:DeregisterTargets": "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*",
}
TRUST = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
ANY_PATH = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]


def eventually(check, within=60):
    return conftest.eventually(check, within, every=0.2)


def template(cluster, role, definition):
    """The service, both of its target groups and its rules. Port 81 is for tests."""
    everyone = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 8000, "CidrIp": "0.0.0.0/0"}
    group = {
        "Protocol": "HTTP", "Port": 8000, "VpcId": cluster.vpc, "TargetType": "ip", "HealthCheckPath": "/up",
        "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2,
        "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}],
    }
    pair = [{"TargetGroupArn": {"Ref": "Blue"}, "Weight": 100}, {"TargetGroupArn": {"Ref": "Green"}, "Weight": 0}]
    forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": pair}}]

    def listener(port):
        fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        properties = {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": port, "Protocol": "HTTP", "DefaultActions": fixed}
        return {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": properties}

    def rule(of):
        properties = {"ListenerArn": {"Ref": of}, "Priority": 1, "Conditions": ANY_PATH, "Actions": forward}
        return {"Type": "AWS::ElasticLoadBalancingV2::ListenerRule", "Properties": properties}

    advanced = {
        "AlternateTargetGroupArn": {"Ref": "Green"}, "ProductionListenerRule": {"Ref": "Production"},
        "TestListenerRule": {"Ref": "Test"}, "RoleArn": role,
    }
    service = {
        "Cluster": cluster.name, "ServiceName": "web", "DesiredCount": 2, "LaunchType": "FARGATE", "TaskDefinition": definition,
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": cluster.subnets, "SecurityGroups": [{"Ref": "Open"}]}},
        "LoadBalancers": [
            {"TargetGroupArn": {"Ref": "Blue"}, "ContainerName": "main", "ContainerPort": 8000, "AdvancedConfiguration": advanced}
        ],
        "DeploymentConfiguration": {
            "Strategy": "BLUE_GREEN", "BakeTimeInMinutes": 0, "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
    }
    group_type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    opening = {"GroupDescription": "all", "VpcId": cluster.vpc, "SecurityGroupIngress": [everyone]}
    balancer = {"Scheme": "internet-facing", "Subnets": cluster.public, "SecurityGroups": [{"Ref": "Open"}]}
    names = ["Blue", "Green", "Production", "Test", "Open"]
    return json.dumps({
        "Resources": {
            "Open": {"Type": "AWS::EC2::SecurityGroup", "Properties": opening},
            "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": balancer},
            "Blue": {"Type": group_type, "Properties": group}, "Green": {"Type": group_type, "Properties": group},
            "Listener": listener(80), "TestListener": listener(81),
            "Production": rule("Listener"), "Test": rule("TestListener"),
            "Service": {"Type": "AWS::ECS::Service", "Properties": service},
        },
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}}, **{n: {"Value": {"Ref": n}} for n in names}},
    })


class Service:
    """A service with two tasks, two target groups, a production rule and a test rule, made by a stack."""

    def __init__(self, cloud, folder):
        self.cloud, self.cluster = cloud, Cluster(cloud, folder)
        cluster, self.elb, self.ecs = self.cluster, cloud.client("elbv2"), self.cluster.ecs
        cluster.public = [cluster.subnet(f"10.71.{100 + i}.0/24", zone) for i, zone in enumerate("ab")]
        for subnet in cluster.public:
            gateway = cluster.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [cluster.vpc]}])
            gateway = gateway["InternetGateways"][0]["InternetGatewayId"]
            cluster.ec2.create_route(
                RouteTableId=cluster.route_table(subnet), DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
            )
        self.iam = cloud.client("iam")
        self.role_name = f"{cluster.name}-infrastructure"
        self.role = self.iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=policy(TRUST))["Role"]["Arn"]
        self.allow(INFRASTRUCTURE)
        self.cfn = cloud.client("cloudformation")
        self.cfn.create_stack(StackName=cluster.name, TemplateBody=template(cluster, self.role, self.define("one")))
        self.cfn.get_waiter("stack_create_complete").wait(StackName=cluster.name, WaiterConfig={"Delay": 1})
        stack = self.cfn.describe_stacks(StackName=cluster.name)["Stacks"][0]
        self.out = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def allow(self, actions):
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in actions.items()]
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="own", PolicyDocument=policy(*statements))

    def define(self, version, command=SERVES):
        # The web server ignores SIGTERM.
        ports, command = [{"containerPort": 8000}], command.replace("VERSION", version)
        return self.cluster.define(self.cluster.container("main", command, portMappings=ports, stopTimeout=2))

    def shown(self):
        return self.ecs.describe_services(cluster=self.cluster.name, services=["web"])["services"][0]

    def deployment(self):
        """The newest service deployment."""
        arns = self.ecs.list_service_deployments(cluster=self.cluster.name, service="web")["serviceDeployments"]
        arn = max(arns, key=lambda d: d["createdAt"])["serviceDeploymentArn"]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def update(self, version=None, command=SERVES, **change):
        if version:
            change["taskDefinition"] = self.define(version, command)
        return self.ecs.update_service(cluster=self.cluster.name, service="web", **change)["service"]

    def strategy(self, kind, **more):
        breaker = {"enable": True, "rollback": True}
        configuration = {"strategy": kind, "bakeTimeInMinutes": 0, "lifecycleHooks": [], "deploymentCircuitBreaker": breaker, **more}
        return self.update(deploymentConfiguration=configuration)["deploymentConfiguration"]

    def until(self, status, within=90):
        def reached():
            deployment = self.deployment()
            assert deployment["status"] in (status, "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"), deployment
            return deployment if deployment["status"] == status else None

        return eventually(reached, within)

    def weights(self, rule="Production"):
        """The weights of Blue and Green."""
        [rule] = self.elb.describe_rules(RuleArns=[self.out[rule]])["Rules"]
        groups = {g["TargetGroupArn"]: g["Weight"] for g in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]}
        return groups.get(self.out["Blue"], 0), groups.get(self.out["Green"], 0)

    def targets(self, group):
        found = self.elb.describe_target_health(TargetGroupArn=self.out[group])["TargetHealthDescriptions"]
        return sum(d["TargetHealth"]["State"] != "draining" for d in found)

    def load(self):
        return Load(int(self.cloud.env["ESCALE_WEB_PORT"]), self.out["Name"])

    def kill_daemon(self):
        pid = self.cloud.status()["daemon"]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))
        self.cloud.escale("start")


class Load:
    """Requests from several threads while a block runs; counts the versions that answer."""

    def __init__(self, port, host, clients=6):
        self.port, self.host, self.lock, self.over = port, host, threading.Lock(), threading.Event()
        self.versions, self.failed = collections.Counter(), collections.Counter()
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)]

    def work(self):
        connection = None
        while not self.over.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request("GET", "/", headers={"Host": self.host})
                answer = connection.getresponse()
                key, into = answer.read().decode().strip(), self.versions
                if answer.status != 200:
                    key, into = answer.status, self.failed
            except (OSError, http.client.HTTPException) as error:
                key, into, connection = repr(error), self.failed, None
            with self.lock:
                into[key] += 1
            self.over.wait(0.02)

    def share(self, version, of=1000):
        """The share of a version among the next answers."""
        before = self.versions.copy()
        eventually(lambda: (self.versions - before).total() >= of)
        after = self.versions - before
        return after[version] / after.total()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with conftest.running_cloud() as cloud:
        yield Service(cloud, tmp_path_factory.mktemp("blue-green") / "layout")


def test_blue_green_swaps_the_target_groups_without_a_failed_request(service):
    assert service.weights() == (100, 0) and service.targets("Blue") == 2
    for version, before, after in [("two", "Blue", "Green"), ("three", "Green", "Blue")]:
        with service.load() as load:
            service.update(version)
            done = service.until("SUCCESSFUL")
            eventually(lambda: load.share(version, 100) == 1)
        assert load.failed == {} and load.versions[version] > 0, load.failed
        assert service.weights() == ((100, 0) if after == "Blue" else (0, 100)) == service.weights("Test")
        assert service.targets(after) == 2 and eventually(lambda: service.targets(before) == 0)
        assert done["lifecycleStage"] == "CLEAN_UP"
        assert done["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
        revision = service.ecs.describe_service_revisions(serviceRevisionArns=[done["targetServiceRevision"]["arn"]])
        [resolved] = revision["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"]
        assert resolved["targetGroupArn"] == service.out[after]
        # The configuration stays as it was given.
        assert service.shown()["loadBalancers"][0]["targetGroupArn"] == service.out["Blue"]


def test_canary_gets_its_share_and_then_everything(service):
    shown = service.strategy("CANARY", canaryConfiguration={"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1440})
    assert shown["canaryConfiguration"] == {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1440}
    with service.load() as load:
        service.update("canary")
        eventually(lambda: sorted(service.weights()) == [20, 80])
        eventually(lambda: load.versions["canary"] > 10)
        assert 0.1 < load.share("canary") < 0.3
        stopped = service.deployment()
        assert stopped["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
        assert stopped["targetServiceRevision"]["requestedProductionTrafficWeight"] == 20
        assert stopped["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 80
        service.ecs.stop_service_deployment(serviceDeploymentArn=stopped["serviceDeploymentArn"], stopType="ROLLBACK")
        eventually(lambda: sorted(service.weights()) == [0, 100], within=5)
        service.until("ROLLBACK_SUCCESSFUL")
        assert load.share("canary", 100) == 0
        service.strategy("CANARY", canaryConfiguration={"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 0})
        service.update("canary two")
        service.until("SUCCESSFUL")
        eventually(lambda: load.share("canary two", 100) == 1)
    assert load.failed == {}, load.failed


def test_unhealthy_revision_gets_no_request_and_is_removed(service):
    service.strategy("BLUE_GREEN")
    before = service.shown()["taskDefinition"]
    with service.load() as load:
        service.update("broken", SERVES.replace("echo up > up;", ""))
        service.until("ROLLBACK_SUCCESSFUL", within=180)
    assert load.failed == {} and load.versions["broken"] == 0, (load.failed, load.versions)
    shown = service.shown()
    assert shown["taskDefinition"] == before and shown["runningCount"] == 2
    assert sorted(map(service.targets, ["Blue", "Green"])) == [0, 2]


def test_alarm_in_the_bake_time_returns_the_traffic_at_once(service):
    alarm, cloudwatch = f"{service.cluster.name}-errors", service.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm, Namespace="Test", MetricName="Errors", Statistic="Sum", Period=10, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )
    service.strategy("BLUE_GREEN", bakeTimeInMinutes=1440, alarms={"alarmNames": [alarm], "enable": True, "rollback": True})
    before = service.weights()
    with service.load() as load:
        service.update("baking")
        eventually(lambda: service.deployment()["lifecycleStage"] == "BAKE_TIME")
        assert service.weights() == before[::-1] and load.share("baking", 100) == 1
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
        eventually(lambda: service.weights() == before, within=5)
        service.until("ROLLBACK_SUCCESSFUL")
        assert load.share("baking", 100) == 0
    assert load.failed == {}, load.failed
    service.strategy("BLUE_GREEN", alarms={"alarmNames": [], "enable": False, "rollback": False})


def test_killed_daemon_continues_at_every_stage(service):
    stages = ["PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"]
    hook = {"targetType": "PAUSE", "lifecycleStages": stages, "timeoutConfiguration": {"timeoutInMinutes": 60, "action": "ROLLBACK"}}
    shown = service.strategy("LINEAR", linearConfiguration={"stepPercent": 50.0, "stepBakeTimeInMinutes": 0}, lifecycleHooks=[hook])
    assert shown["lifecycleHooks"] == [hook]
    seen = []
    with service.load() as load:
        service.update("survivor")

        def waiting():
            hooks = service.deployment().get("lifecycleHookDetails", [])
            return next((h["hookId"] for h in hooks if h["status"] == "AWAITING_ACTION"), None)

        # The production traffic is shifted in two steps.
        for _ in range(len(stages) + 1):
            identity = eventually(waiting)
            service.kill_daemon()
            deployment = service.deployment()
            assert waiting() == identity
            seen.append((deployment["lifecycleStage"], deployment["targetServiceRevision"]["requestedProductionTrafficWeight"]))
            service.ecs.continue_service_deployment(serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId=identity)
            # Also in the middle of whatever follows: of the scale-up, of a shift, of the clean-up.
            service.kill_daemon()
        done = service.until("SUCCESSFUL")
        eventually(lambda: load.share("survivor", 100) == 1)
    assert load.failed == {}, load.failed
    assert seen == [
        ("PRE_SCALE_UP", 0), ("POST_SCALE_UP", 0), ("POST_TEST_TRAFFIC_SHIFT", 0), ("PRODUCTION_TRAFFIC_SHIFT", 0),
        ("PRODUCTION_TRAFFIC_SHIFT", 50), ("POST_PRODUCTION_TRAFFIC_SHIFT", 100),
    ]
    assert {h["status"] for h in done["lifecycleHookDetails"]} == {"SUCCEEDED"}


def test_test_traffic_reaches_the_new_revision_first(service):
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    service.strategy("BLUE_GREEN", lifecycleHooks=[hook])
    before = service.weights()
    service.update("tested")
    deployment = eventually(lambda: (d := service.deployment()).get("lifecycleHookDetails") and d)
    assert service.weights() == before and service.weights("Test") == before[::-1]
    [waits] = deployment["lifecycleHookDetails"]
    assert waits["timeoutAction"] == "ROLLBACK"
    with pytest.raises(botocore.exceptions.ClientError, match="does not wait at the hook other"):
        service.ecs.continue_service_deployment(serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId="other")
    service.ecs.continue_service_deployment(
        serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId=waits["hookId"], action="ROLLBACK"
    )
    service.until("ROLLBACK_SUCCESSFUL")
    assert service.weights() == before == service.weights("Test")


def test_role_decides_what_is_shifted(service):
    service.strategy("BLUE_GREEN")
    without = {action: on for action, on in INFRASTRUCTURE.items() if not action.endswith("ModifyRule")}
    service.allow(without)
    before = service.weights()
    service.update("denied")
    said = "was unable to shift traffic. Reason: "
    denied = eventually(lambda: [e["message"] for e in service.shown()["events"] if said in e["message"]])[0]
    assert "elasticloadbalancing:ModifyRule" in denied and service.weights() == before
    service.allow(INFRASTRUCTURE)
    service.until("SUCCESSFUL")
    # A role that does not trust ECS is refused at once.
    iam = service.iam
    iam.update_assume_role_policy(
        RoleName=service.role_name, PolicyDocument=policy({**TRUST, "Principal": {"Service": "ecs-tasks.amazonaws.com"}})
    )
    with pytest.raises(botocore.exceptions.ClientError, match="ECS was unable to assume the role"):
        service.update(loadBalancers=service.shown()["loadBalancers"])
    iam.update_assume_role_policy(RoleName=service.role_name, PolicyDocument=policy(TRUST))


def test_refuses_what_does_not_fit_together(service):
    for change, said in [
        ({"deploymentConfiguration": {"strategy": "ROLLING"}}, "advancedConfiguration needs the deployment strategy"),
        (
            {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "canaryConfiguration": {"canaryPercent": 5.0}}},
            "the strategy is BLUE_GREEN",
        ),
        (
            {"deploymentConfiguration": {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.05}}},
            "canaryPercent must be a multiple of 0.1",
        ),
        (
            {"deploymentConfiguration": {"lifecycleHooks": [{"targetType": "AWS_LAMBDA", "lifecycleStages": ["PRE_SCALE_UP"]}]}},
            "There is no Lambda",
        ),
        (
            {"deploymentConfiguration": {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}]}},
            "cannot be configured at TEST_TRAFFIC_SHIFT",
        ),
    ]:
        with pytest.raises(botocore.exceptions.ClientError, match=said):
            service.update(**change)


def test_shifted_weights_are_no_drift(service):
    cfn, stack = service.cfn, service.cluster.name
    if service.weights() == (100, 0):
        service.update("drifted")
        service.until("SUCCESSFUL")
    assert service.weights() == (0, 100)

    def drift():
        found = cfn.detect_stack_resource_drift(StackName=stack, LogicalResourceId="Production")["StackResourceDrift"]
        return found["StackResourceDriftStatus"]

    assert drift() == "IN_SYNC"
    [rule] = service.elb.describe_rules(RuleArns=[service.out["Production"]])["Rules"]
    actions = [{k: v for k, v in a.items() if k != "Order"} for a in rule["Actions"]]
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
    service.elb.modify_rule(RuleArn=service.out["Production"], Actions=fixed)
    assert drift() == "MODIFIED"
    service.elb.modify_rule(RuleArn=service.out["Production"], Actions=actions)
    # An update of the stack leaves the weights as they are.
    body = json.loads(template(service.cluster, service.role, service.define("updated")))
    body["Resources"]["Production"]["Properties"]["Conditions"][0]["PathPatternConfig"]["Values"].append("/other")
    with service.load() as load:
        cfn.update_stack(StackName=stack, TemplateBody=json.dumps(body))
        cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        eventually(lambda: load.share("updated", 100) == 1)
    assert load.failed == {}, load.failed
    assert service.weights() == (100, 0)
