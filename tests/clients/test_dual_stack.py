"""VPCs as public templates have them: what Escale only stores is shown as on AWS, and `check` reports it."""

import ipaddress
import json
import pathlib
import uuid

import pytest

TEMPLATE = pathlib.Path(__file__).parent / "templates" / "dual-stack.yaml"


def wait(cloudformation, what, name):
    cloudformation.get_waiter(what).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


@pytest.fixture
def stack(aws):
    cloudformation, name = aws("cloudformation"), f"dual-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=name, TemplateBody=TEMPLATE.read_text())
    wait(cloudformation, "stack_create_complete", name)
    yield name
    cloudformation.delete_stack(StackName=name)
    wait(cloudformation, "stack_delete_complete", name)


def outputs(cloudformation, name):
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def test_stored_properties_are_shown(aws, stack):
    cloudformation, ec2 = aws("cloudformation"), aws("ec2")
    made = outputs(cloudformation, stack)
    block, part = (ipaddress.ip_network(made[key]) for key in ("VpcBlocks", "SubnetBlock"))
    assert block.prefixlen == 56 and part == list(block.subnets(new_prefix=64))[1]
    # Templates replace this end of the text to get the blocks of subnets.
    assert made["VpcBlocks"].endswith("00::/56")
    [vpc] = ec2.describe_vpcs(VpcIds=[made["Vpc"]])["Vpcs"]
    assert [b["Ipv6CidrBlock"] for b in vpc["Ipv6CidrBlockAssociationSet"]] == [str(block)]
    assert vpc["DhcpOptionsId"] == made["Options"]
    [subnet] = ec2.describe_subnets(SubnetIds=[made["Subnet"]])["Subnets"]
    assert subnet["AssignIpv6AddressOnCreation"] and subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == str(part)
    [table] = ec2.describe_route_tables(RouteTableIds=[made["Table"]])["RouteTables"]
    ipv6 = {r["DestinationIpv6CidrBlock"] for r in table["Routes"] if "DestinationIpv6CidrBlock" in r}
    assert ipv6 == {str(block), "::/0", "2001:db8:ffff::/48"}
    [options] = ec2.describe_dhcp_options(DhcpOptionsIds=[made["Options"]])["DhcpOptions"]
    values = {c["Key"]: [v["Value"] for v in c["Values"]] for c in options["DhcpConfigurations"]}
    assert values == {
        "domain-name": ["corp.example"],
        "domain-name-servers": ["AmazonProvidedDNS"],
        "ntp-servers": ["169.254.169.123"],
    }
    [log] = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [made["Vpc"]]}])["FlowLogs"]
    assert log["LogDestinationType"] == "s3" and log["LogDestination"].startswith("arn:aws:s3:::")
    # Nothing has been delivered yet, and no delivery has failed.
    assert log.get("DeliverLogsStatus") != "FAILED", log


def test_options_are_replaced(aws, stack):
    cloudformation, ec2 = aws("cloudformation"), aws("ec2")
    before = outputs(cloudformation, stack)
    parameters = [{"ParameterKey": "Domain", "ParameterValue": "other.example"}]
    cloudformation.update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=parameters)
    wait(cloudformation, "stack_update_complete", stack)
    after = outputs(cloudformation, stack)
    assert after["Options"] != before["Options"] and after["VpcBlocks"] == before["VpcBlocks"]
    [vpc] = ec2.describe_vpcs(VpcIds=[after["Vpc"]])["Vpcs"]
    assert vpc["DhcpOptionsId"] == after["Options"]


def test_check_reports_what_is_only_stored(cloud):
    [report] = json.loads(cloud.escale("check", str(TEMPLATE), "--json").stdout)["templates"]
    assert not report["errors"]
    support = {
        (r["logical_id"], p["name"]): p["support"] for r in report["resources"] for p in r["properties"]
    }
    assert "refused" not in support.values(), support
    recorded = {key for key, kind in support.items() if kind == "recorded"}
    assert recorded >= {
        ("Ipv6", "AmazonProvidedIpv6CidrBlock"),
        ("Subnet", "Ipv6CidrBlock"),
        ("Subnet", "AssignIpv6AddressOnCreation"),
        ("Outbound", "VpcId"),
        ("Ipv6Route", "DestinationIpv6CidrBlock"),
        ("Group", "SecurityGroupIngress/CidrIpv6"),
        ("AclIn", "Ipv6CidrBlock"),
        ("DynamoDb", "ServiceName"),
        ("Options", "NtpServers"),
    }
    assert ("Options", "DomainName") not in recorded and ("Group", "SecurityGroupIngress") not in recorded
