"""The name of an internal load balancer: it leads to private addresses, for everybody who asks, and to nothing on the host."""

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
    # The balancer's interfaces go with it, and with them the last users of the group.
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


def test_it_leads_to_private_addresses_for_everybody(cloud, cluster, internal, route53, zone):  # noqa: F811
    name, private = internal["DNSName"], addresses(cluster, internal)
    assert len(private) == 2 and all(a.startswith("10.71.") for a in private)
    # As AWS's public DNS does, and inside of the VPC.
    eventually(lambda: sorted(dig(cloud, name)) == private)
    definition = cluster.define(cluster.container("main", f"wget -qO- http://{name}/"))
    task = cluster.run(definition)
    cluster.wait_for_line(task, "inside")
    # An alias may name it, and is answered with its addresses.
    zone_id, apex = zone
    target = {"HostedZoneId": internal["CanonicalHostedZoneId"], "DNSName": name, "EvaluateTargetHealth": False}
    change(route53, zone_id, ("CREATE", {"Name": "api." + apex, "Type": "A", "AliasTarget": target}))
    assert sorted(dig(cloud, "api." + apex)) == private
    # Neither name leads anywhere on the host's port for public names.
    for host in (name, "api." + apex.rstrip(".")):
        answer = requests.get(f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": host}, timeout=10)
        assert answer.status_code == 404 and "inside" not in answer.text, host
    assert "not in its zone" not in cloud.log()
