"""Application load balancers: responses to clients, and refused requests."""

import uuid

import botocore.exceptions
import pytest

from conftest import eventually


@pytest.fixture
def vpc(aws):
    """A VPC with two subnets and an Internet gateway."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{i}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for i, zone in enumerate(zones)
    ]
    yield vpc, subnets
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)


@pytest.fixture
def balancer(aws, vpc):
    elb = aws("elbv2")
    name = f"web-{uuid.uuid4().hex[:8]}"
    made = elb.create_load_balancer(Name=name, Subnets=vpc[1])["LoadBalancers"][0]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def fixed(status):
    return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}]


def code(error):
    return error.value.response["Error"]["Code"]


def test_load_balancer_becomes_available(aws, balancer, vpc):
    elb = aws("elbv2")
    arn = balancer["LoadBalancerArn"]
    assert balancer["State"]["Code"] == "provisioning"
    elb.get_waiter("load_balancer_available").wait(
        LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    interfaces = aws("ec2").describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc[0]]}])
    own = [i for i in interfaces["NetworkInterfaces"] if i["Description"].startswith(f"ELB app/{balancer['LoadBalancerName']}/")]
    assert len(own) == 2
    assert all(i["RequesterManaged"] and i["Association"]["PublicIp"] for i in own)


def test_listeners_rules_and_target_groups(aws, balancer, vpc):
    elb = aws("elbv2")
    arn = balancer["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=f"g-{uuid.uuid4().hex[:8]}", Protocol="HTTP", Port=8080, VpcId=vpc[0], TargetType="ip",
        HealthCheckPath="/health", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=fixed("404"))
    listener = listener["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(
        ListenerArn=listener, Priority=10,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Rules"][0]
    assert rule["Conditions"][0]["Values"] == ["/api/*"]
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [r["Priority"] for r in rules] == ["10", "default"]
    assert elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"][0]["TargetGroupArn"] == group
    with pytest.raises(botocore.exceptions.ClientError) as error:
        elb.delete_target_group(TargetGroupArn=group)
    assert code(error) == "ResourceInUse"

    # No server has this address, so the health check fails.
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.77.0.200"}])

    def unhealthy():
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]
        return health if health["State"] == "unhealthy" else None

    health = eventually(unhealthy, within=60)
    assert health["Reason"] in ("Target.Timeout", "Target.FailedHealthChecks")
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.77.0.200"}])
    elb.get_waiter("target_deregistered").wait(
        TargetGroupArn=group, Targets=[{"Id": "10.77.0.200"}], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    elb.delete_rule(RuleArn=rule["RuleArn"])
    elb.delete_target_group(TargetGroupArn=group)


def test_tags_and_attributes_are_changed_and_listed(aws, balancer):
    elb = aws("elbv2")
    arn = balancer["LoadBalancerArn"]
    elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    elb.remove_tags(ResourceArns=[arn], TagKeys=["a"])
    assert elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] == [{"Key": "b", "Value": "2"}]
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]
    )
    shown = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "30"} in shown
    assert {"Key": "deletion_protection.enabled", "Value": "false"} in shown


@pytest.mark.parametrize(
    "arguments, expected",
    [({"Protocol": "HTTPS"}, "CertificateNotFound"), ({"Protocol": "TCP"}, "UnsupportedProtocol")],
)
def test_unsupported_listeners_are_refused(aws, balancer, arguments, expected):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        aws("elbv2").create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Port=443, DefaultActions=fixed("200"), **arguments
        )
    assert code(error) == expected
