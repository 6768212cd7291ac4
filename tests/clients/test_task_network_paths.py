"""A task starts only if its own interface reaches the API. ECS checks routes, gateways and security groups with packets."""

import shutil

import pytest
import requests

from conftest import eventually, host_tables
from tasks import cluster  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

NO_NETWORK_PATH = "ResourceInitializationError: unable to pull secrets or registry auth"


def run_task(cluster, **network):
    """Runs a task that exits with 0 if it starts."""
    definition = cluster.define(cluster.container("main", "true"))
    return cluster.run_to_end(definition, networkConfiguration=cluster.network(**network))


def has_run(task):
    return task["stopCode"] == "EssentialContainerExited" and task["containers"][0]["exitCode"] == 0


def has_no_network_path(task):
    return task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"].startswith(NO_NETWORK_PATH) and "startedAt" not in task


def test_private_subnet_needs_a_route_to_a_nat_gateway(cluster):
    subnet = cluster.subnet("10.71.10.0/24")
    table = cluster.route_table(subnet)
    task = run_task(cluster, subnets=[subnet])
    assert has_no_network_path(task), task
    # The reason names the missing route and the subnet.
    assert "Please check your task network configuration" in task["stoppedReason"] and "a NAT gateway" in task["stoppedReason"]
    assert subnet in task["stoppedReason"] and task["attachments"][0]["type"] == "ElasticNetworkInterface"

    cluster.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=cluster.nat)
    assert has_run(task := run_task(cluster, subnets=[subnet])), task


def test_task_in_public_subnet_needs_a_public_address(cluster):
    [gateway] = cluster.ec2.describe_nat_gateways(NatGatewayIds=[cluster.nat])["NatGateways"]
    public = [gateway["SubnetId"]]
    assert has_no_network_path(task := run_task(cluster, subnets=public)), task
    assert has_run(task := run_task(cluster, subnets=public, assignPublicIp="ENABLED")), task


def test_security_group_must_allow_https_outbound(cluster):
    group = cluster.ec2.create_security_group(GroupName="narrow", Description="test", VpcId=cluster.vpc)["GroupId"]
    every = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cluster.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[every])
    assert has_no_network_path(task := run_task(cluster, securityGroups=[group])), task
    assert "TCP 443 out" in task["stoppedReason"]

    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cluster.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[https])
    assert has_run(task := run_task(cluster, securityGroups=[group])), task


def test_layers_of_images_come_from_s3(cluster):
    """A task needs the network paths to S3 and to the API. A gateway endpoint is a path to S3 only."""
    subnet = cluster.subnet("10.71.11.0/24")
    table = cluster.route_table(subnet)
    service = f"com.amazonaws.{cluster.ec2.meta.region_name}.s3"
    endpoint = cluster.ec2.create_vpc_endpoint(VpcId=cluster.vpc, ServiceName=service, RouteTableIds=[table])["VpcEndpoint"]
    assert has_no_network_path(task := run_task(cluster, subnets=[subnet])), task

    lists = [{"Name": "prefix-list-name", "Values": [service]}]
    [s3] = cluster.ec2.describe_prefix_lists(Filters=lists)["PrefixLists"]
    cluster.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    cluster.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=cluster.nat)
    # A more specific route than the one to the API. Its interface forwards nothing, so it is a black hole.
    black_hole = cluster.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    [cidr] = s3["Cidrs"]
    cluster.ec2.create_route(RouteTableId=table, DestinationCidrBlock=cidr, NetworkInterfaceId=black_hole)
    task = run_task(cluster, subnets=[subnet])
    assert task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"].startswith("CannotPullContainerError"), task


def test_service_event_reports_missing_network_path(cluster):
    subnet = cluster.subnet("10.71.12.0/24")
    cluster.route_table(subnet)
    cluster.ecs.create_service(
        cluster=cluster.name, serviceName="cut-off", desiredCount=1, launchType="FARGATE",
        taskDefinition=cluster.define(cluster.container("main", "sleep 300")), networkConfiguration=cluster.network(subnets=[subnet]),
    )

    def reported():
        [service] = cluster.ecs.describe_services(cluster=cluster.name, services=["cut-off"])["services"]
        return [e["message"] for e in service["events"] if f"failed to start: {NO_NETWORK_PATH}" in e["message"]]

    eventually(reported)
    cluster.ecs.delete_service(cluster=cluster.name, service="cut-off", force=True)


PAGE = "http://deb.debian.org/"


def test_task_behind_a_nat_gateway_fetches_a_page_of_the_real_internet(cluster):
    try:
        page = requests.get(PAGE, timeout=5)
        page.raise_for_status()
    except requests.RequestException as error:
        pytest.skip(f"this machine has no Internet itself: {error}")
    tables = host_tables()
    arn = cluster.run(cluster.define(cluster.container("main", f"wget -q -O /tmp/page {PAGE}; echo got $?; head -n 1 /tmp/page")))
    cluster.until(arn, "STOPPED", within=60)
    eventually(lambda: len(cluster.lines(arn)) >= 2)
    assert cluster.lines(arn)[:2] == ["got 0", page.text.splitlines()[0]]
    assert host_tables() == tables
