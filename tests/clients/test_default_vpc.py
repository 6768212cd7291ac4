"""The account's default VPC: the first start creates it, requests without a VPC use it, and its network is built only when
something runs in it."""

import json
import pathlib
import subprocess

import botocore.exceptions
import pytest

from conftest import REGION, eventually, make_cloud, remove_cloud
from tasks import cluster  # noqa: F401  the fixture

ZONES = [f"{REGION}{zone}" for zone in "abc"]


def namespaces(cloud, vpc):
    """The mounted network namespaces of a VPC."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(cloud.home) in line and vpc in line]


def default_vpc(cloud):
    [vpc] = cloud.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return vpc


def default_subnets(cloud):
    only = [{"Name": "default-for-az", "Values": ["true"]}]
    return sorted(cloud.client("ec2").describe_subnets(Filters=only)["Subnets"], key=lambda s: s["AvailabilityZone"])


def code(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_first_start_creates_the_default_vpc(cloud):
    ec2, vpc = cloud.client("ec2"), default_vpc(cloud)
    assert (vpc["CidrBlock"], vpc["State"], vpc["IsDefault"]) == ("172.31.0.0/16", "available", True)
    subnets = default_subnets(cloud)
    shown = [(s["AvailabilityZone"], s["CidrBlock"], s["MapPublicIpOnLaunch"], s["VpcId"]) for s in subnets]
    assert shown == [(zone, f"172.31.{16 * i}.0/20", True, vpc["VpcId"]) for i, zone in enumerate(ZONES)]
    in_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    [gateway] = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    [table] = ec2.describe_route_tables(Filters=in_vpc)["RouteTables"]
    routes = [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]]
    assert routes == [("172.31.0.0/16", "local", "active"), ("0.0.0.0/0", gateway["InternetGatewayId"], "active")]
    assert table["Associations"][0]["Main"]
    assert "default" in [g["GroupName"] for g in ec2.describe_security_groups(Filters=in_vpc)["SecurityGroups"]]
    [acl] = ec2.describe_network_acls(Filters=in_vpc)["NetworkAcls"]
    assert acl["IsDefault"] and len(acl["Associations"]) == 3
    assert ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    [attribute] = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert attribute["AttributeValues"] == [{"AttributeValue": vpc["VpcId"]}]
    assert code(ec2.create_default_vpc) == "DefaultVpcAlreadyExists"
    zone = {"AvailabilityZone": ZONES[0]}
    assert code(ec2.create_default_subnet, **zone) == "DefaultSubnetAlreadyExistsInAvailabilityZone"


def test_security_group_without_a_vpc_is_in_the_default_vpc(cloud):
    ec2, cfn = cloud.client("ec2"), cloud.client("cloudformation")
    group = ec2.create_security_group(GroupName="by-name", Description="no VPC is named")["GroupId"]
    ec2.authorize_security_group_ingress(GroupName="by-name", IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="10.1.2.3/8")
    [shown] = ec2.describe_security_groups(GroupNames=["by-name"])["SecurityGroups"]
    assert (shown["GroupId"], shown["VpcId"]) == (group, default_vpc(cloud)["VpcId"])
    assert shown["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]
    ec2.delete_security_group(GroupName="by-name")
    template = {
        "Resources": {"G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "no VPC is named"}}},
        "Outputs": {"Vpc": {"Value": {"Fn::GetAtt": ["G", "VpcId"]}}},
    }
    cfn.create_stack(StackName="group-of-default-vpc", TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName="group-of-default-vpc", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    [stack] = cfn.describe_stacks(StackName="group-of-default-vpc")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == default_vpc(cloud)["VpcId"]
    cfn.delete_stack(StackName="group-of-default-vpc")
    cfn.get_waiter("stack_delete_complete").wait(StackName="group-of-default-vpc", WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_task_in_the_default_vpc_reaches_the_internet(cloud, cluster):  # noqa: F811
    """The network is built with the first interface, so an installation that does not use it pays nothing for it."""
    vpc = default_vpc(cloud)["VpcId"]
    before = namespaces(cloud, vpc)
    script = f"wget -qO- http://api.escale.internal:{cloud.env.get('ESCALE_PORT', '4566')}/ >/dev/null 2>&1; echo rc=$?"
    definition = cluster.define(cluster.container("main", script))
    network = {"awsvpcConfiguration": {"subnets": [default_subnets(cloud)[0]["SubnetId"]], "assignPublicIp": "ENABLED"}}
    task = cluster.run_to_end(definition, networkConfiguration=network)
    assert task["containers"][0]["exitCode"] == 0, task
    [address] = [d["value"] for d in task["attachments"][0]["details"] if d["name"] == "privateIPv4Address"]
    assert address.startswith("172.31.")
    assert before == [] and namespaces(cloud, vpc) != []
    assert default_vpc(cloud)["State"] == "available"


def test_database_without_a_subnet_group_is_in_the_default_vpc(cloud):
    rds = cloud.client("rds")
    created = rds.create_db_instance(
        DBInstanceIdentifier="in-default-vpc", Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="appuser", MasterUserPassword="secret1234", EnablePerformanceInsights=True,
        EnableCloudwatchLogsExports=["postgresql", "upgrade"], BackupRetentionPeriod=0,
    )["DBInstance"]
    try:
        group = created["DBSubnetGroup"]
        assert (group["DBSubnetGroupName"], group["VpcId"]) == ("default", default_vpc(cloud)["VpcId"])
        assert sorted(s["SubnetIdentifier"] for s in group["Subnets"]) == sorted(s["SubnetId"] for s in default_subnets(cloud))
        rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="in-default-vpc", WaiterConfig={"Delay": 1, "MaxAttempts": 90})
        [shown] = rds.describe_db_instances(DBInstanceIdentifier="in-default-vpc")["DBInstances"]
        assert shown["EnabledCloudwatchLogsExports"] == ["postgresql", "upgrade"] and shown["PerformanceInsightsEnabled"]
        assert code(rds.delete_db_subnet_group, DBSubnetGroupName="default") == "InvalidDBSubnetGroupStateFault"
    finally:
        rds.delete_db_instance(DBInstanceIdentifier="in-default-vpc", SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="in-default-vpc", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def delete_default_vpc(cloud):
    ec2, vpc = cloud.client("ec2"), default_vpc(cloud)["VpcId"]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    [gateway] = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    assert code(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in default_subnets(cloud):
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)


def test_deleted_default_vpc_is_created_again_only_on_request():
    cloud = make_cloud()
    try:
        cloud.escale("start")
        ec2, first = cloud.client("ec2"), default_vpc(cloud)["VpcId"]
        assert namespaces(cloud, first) == []
        cloud.escale("stop")
        cloud.escale("start")
        assert default_vpc(cloud)["VpcId"] == first
        delete_default_vpc(cloud)
        cloud.escale("stop")
        cloud.escale("start")
        assert ec2.describe_vpcs()["Vpcs"] == []
        assert code(ec2.create_security_group, GroupName="x", Description="x") == "VPCIdNotSpecified"
        assert code(
            cloud.client("rds").create_db_instance, DBInstanceIdentifier="x", Engine="postgres", DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20, MasterUsername="appuser", MasterUserPassword="secret1234",
        ) == "InvalidVPCNetworkStateFault"
        created = ec2.create_default_vpc()["Vpc"]
        assert created["IsDefault"] and len(default_subnets(cloud)) == 3
    finally:
        remove_cloud(cloud)
