"""A network load balancer relays TCP to the tasks of an ECS service, with packets through its nodes."""

import json
import shutil

import pytest
from botocore.exceptions import ClientError

from conftest import eventually
from tasks import cluster  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

# Not HTTP: a line with the address of the peer, then what the client sends.
SERVES = "exec /bin/busybox nc -ll -p 7000 -e /bin/sh -c 'echo from; exec cat'"


def template(cluster, **more):
    subnets = {"Subnets": cluster.subnets}
    return {
        "Resources": {
            "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Type": "network", "Scheme": "internal", **subnets}},
            "Group": {
                "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                "Properties": {
                    "Protocol": "TCP", "Port": 7000, "VpcId": cluster.vpc, "TargetType": "ip", "HealthCheckIntervalSeconds": 11,
                    "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
                },
            },
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 70, "Protocol": "TCP",
                    "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
                },
            },
            "Service": {
                "Type": "AWS::ECS::Service", "DependsOn": "Listener",
                "Properties": {
                    "Cluster": cluster.name, "DesiredCount": 1, "LaunchType": "FARGATE",
                    "TaskDefinition": cluster.define(cluster.container("main", SERVES, portMappings=[{"containerPort": 7000}])),
                    "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": cluster.subnets, "SecurityGroups": [{"Ref": "Open"}]}},
                    "LoadBalancers": [{"ContainerName": "main", "ContainerPort": 7000, "TargetGroupArn": {"Ref": "Group"}}],
                },
            },
            "Open": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "GroupDescription": "targets", "VpcId": cluster.vpc,
                    "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 7000, "ToPort": 7000, "CidrIp": "10.71.0.0/16"}],
                },
            },
        },
        "Outputs": {
            "Arn": {"Value": {"Ref": "Balancer"}}, "Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "Group": {"Value": {"Ref": "Group"}}, "Service": {"Value": {"Fn::GetAtt": ["Service", "Name"]}},
        },
    }


def stack(cluster, action, name, body=None):
    cloudformation = cluster.cloud.client("cloudformation")
    arguments = {"TemplateBody": json.dumps(body)} if body else {}
    getattr(cloudformation, f"{action}_stack")(StackName=name, **arguments)
    cloudformation.get_waiter(f"stack_{action}_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    if action != "delete":
        return {o["OutputKey"]: o["OutputValue"] for o in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}


def test_tasks_behind_a_network_load_balancer(cluster):
    elb, name, body = cluster.cloud.client("elbv2"), f"{cluster.name}-nlb", template(cluster)
    made = stack(cluster, "create", name, body)
    [balancer] = elb.describe_load_balancers(LoadBalancerArns=[made["Arn"]])["LoadBalancers"]
    assert balancer["Type"] == "network" and "/net/" in made["Arn"] and balancer.get("SecurityGroups", []) == []
    [listener] = elb.describe_listeners(LoadBalancerArn=made["Arn"])["Listeners"]
    assert (listener["Protocol"], listener["Port"]) == ("TCP", 70)

    # The count has the resolver's own address, too. Only the node in the zone of the healthy task is in DNS, so every connection succeeds. The security group of the client is
    # the VPC's default group: the nodes have none, so they accept everyone.
    asks = f"for i in 1 2 3; do echo hello $i | /bin/busybox nc -w 5 {made['Name']} 70; done; /bin/busybox nslookup {made['Name']} | grep -c '^Address.*10.71'"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", asks)))["taskArn"]
    eventually(lambda: len(cluster.lines(arn)) >= 7)
    assert cluster.lines(arn)[:7] == ["from", "hello 1", "from", "hello 2", "from", "hello 3", "2"]

    # The task sees the node's address, and an update changes the protocol of the check and the attribute of the balancer.
    [target] = elb.describe_target_health(TargetGroupArn=made["Group"])["TargetHealthDescriptions"]
    assert target["TargetHealth"]["State"] == "healthy"
    body["Resources"]["Balancer"]["Properties"]["LoadBalancerAttributes"] = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    made = stack(cluster, "update", name, body)
    asks = f"/bin/busybox nslookup {made['Name']} | grep -c '^Address.*10.71'"

    def both_nodes_answer():
        arn = cluster.run_to_end(cluster.define(cluster.container("main", asks)))["taskArn"]
        return eventually(lambda: cluster.lines(arn)) == ["3"]

    eventually(both_nodes_answer, within=60)

    # A task that stops takes its connections with it, and clients find its successor.
    tasks = cluster.ecs.list_tasks(cluster=cluster.name, serviceName=made["Service"])["taskArns"]
    cluster.ecs.stop_task(cluster=cluster.name, task=tasks[0])
    retries = f"until echo again | /bin/busybox nc -w 5 {made['Name']} 70 | grep again; do sleep 1; done"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", retries)))["taskArn"]
    cluster.wait_for_line(arn, "again")
    stack(cluster, "delete", name)


def test_refuses_what_network_load_balancers_do_not_have(cluster):
    elb = cluster.cloud.client("elbv2")
    [made] = elb.create_load_balancer(Name="net", Type="network", Scheme="internal", Subnets=cluster.subnets[:1])["LoadBalancers"]
    common = {"Port": 80, "VpcId": cluster.vpc, "TargetType": "ip"}
    [tcp] = elb.create_target_group(Name="tcp", Protocol="TCP", **common)["TargetGroups"]
    [http] = elb.create_target_group(Name="http", Protocol="HTTP", **common)["TargetGroups"]
    assert (tcp["HealthCheckProtocol"], tcp["HealthCheckTimeoutSeconds"]) == ("TCP", 10) and "Matcher" not in tcp
    arn = made["LoadBalancerArn"]

    def listen(protocol, group):
        action = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        return elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=80, DefaultActions=[action])["Listeners"][0]

    for protocol, group, code in [
        ("HTTP", http, "UnsupportedProtocol"), ("UDP", tcp, "NotImplemented"), ("TLS", tcp, "NotImplemented"),
        ("TCP", http, "InvalidConfigurationRequest"),
    ]:
        with pytest.raises(ClientError, match=code):
            listen(protocol, group)
    with pytest.raises(ClientError, match="no other action"):
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
        elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=[fixed])
    listener = listen("TCP", tcp)
    with pytest.raises(ClientError, match="no rules"):
        elb.create_rule(
            ListenerArn=listener["ListenerArn"], Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": tcp["TargetGroupArn"]}],
        )
    with pytest.raises(ClientError, match="created without security groups"):
        [group] = cluster.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [cluster.vpc]}, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
        elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[group["GroupId"]])
    with pytest.raises(ClientError, match="preserve_client_ip"):
        elb.modify_target_group_attributes(TargetGroupArn=tcp["TargetGroupArn"], Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "true"}])
    elb.delete_load_balancer(LoadBalancerArn=arn)
    for group in (tcp, http):
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
