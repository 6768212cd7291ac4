"""The name of an internal load balancer resolves to private addresses for every client, and is not reachable on the host."""

import subprocess
import uuid

import pytest
import requests

from conftest import eventually
from tasks import cluster  # noqa: F401  the fixture
from test_route53 import change, dig, zone  # noqa: F401  the fixture


@pytest.fixture
def route53(aws):
    return aws("route53")


@pytest.fixture
def internal(cloud, cluster):  # noqa: F811
    elb = cloud.client("elbv2")
    name = f"i-{uuid.uuid4().hex[:8]}"
    group = cluster.ec2.create_security_group(GroupName=name, Description="web", VpcId=cluster.vpc)["GroupId"]
    cluster.ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="10.71.0.0/16")
    made = elb.create_load_balancer(Name=name, Subnets=cluster.subnets, Scheme="internal", SecurityGroups=[group])["LoadBalancers"][0]
    arn, body = made["LoadBalancerArn"], {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "inside\n"}
    actions = [{"Type": "fixed-response", "FixedResponseConfig": body}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=actions)
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    yield made
    elb.delete_load_balancer(LoadBalancerArn=arn)
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    # The group cannot be deleted before the balancer's interfaces, which use it.
    eventually(lambda: deleted(cluster.ec2, group))


def deleted(ec2, group):
    try:
        ec2.delete_security_group(GroupId=group)
        return True
    except ec2.exceptions.ClientError:
        return False


def addresses(cluster, balancer):
    ours = [{"Name": "description", "Values": [f"ELB app/{balancer['LoadBalancerName']}/*"]}]
    return sorted(i["PrivateIpAddress"] for i in cluster.ec2.describe_network_interfaces(Filters=ours)["NetworkInterfaces"])


def test_internal_name_resolves_to_private_addresses(cloud, cluster, internal, route53, zone):  # noqa: F811
    name, private = internal["DNSName"], addresses(cluster, internal)
    assert len(private) == 2 and all(a.startswith("10.71.") for a in private)
    # Public DNS answers it, as on AWS, and so does the VPC's resolver.
    eventually(lambda: sorted(dig(cloud, name)) == private)
    definition = cluster.define(cluster.container("main", f"wget -qO- http://{name}/"))
    task = cluster.run(definition)
    cluster.wait_for_line(task, "inside")
    # An alias to the name is answered with its addresses.
    zone_id, apex = zone
    target = {"HostedZoneId": internal["CanonicalHostedZoneId"], "DNSName": name, "EvaluateTargetHealth": False}
    change(route53, zone_id, ("CREATE", {"Name": "api." + apex, "Type": "A", "AliasTarget": target}))
    assert sorted(dig(cloud, "api." + apex)) == private
    # The host's web port forwards neither name.
    for host in (name, "api." + apex.rstrip(".")):
        answer = requests.get(f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": host}, timeout=10)
        assert answer.status_code == 404 and "inside" not in answer.text, host
    assert "not in its zone" not in cloud.log()
