"""Flow logs: records of real packets in CloudWatch Logs and in buckets, on an installation whose minutes are one second."""

import gzip
import json
import subprocess

import botocore.exceptions
import pytest
import tasks as tasks_module
from tasks import Cluster, policy

from conftest import eventually, make_cloud, remove_cloud

DELIVER = {action: "*" for action in ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")}
FIELDS = "version account eni source destination sport dport protocol packets bytes start end action status".split()


class Flows(Cluster):
    """A cluster with a server behind a network ACL and a security group, and a client, both tasks."""

    def __init__(self, cloud, folder):
        super().__init__(cloud, folder)
        ec2 = self.ec2
        self.client_group, self.server_group = (
            ec2.create_security_group(GroupName=name, Description="test", VpcId=self.vpc)["GroupId"] for name in ("client", "server")
        )
        for port in (8080, 8082):
            peer = [{"GroupId": self.client_group}]
            allow = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": peer}
            ec2.authorize_security_group_ingress(GroupId=self.server_group, IpPermissions=[allow])
        self.close_8082()

    def close_8082(self):
        ec2 = self.ec2
        acl = ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        everyone = {"NetworkAclId": acl, "CidrBlock": "0.0.0.0/0"}
        ports = {"From": 8082, "To": 8082}
        ec2.create_network_acl_entry(RuleNumber=90, Protocol="6", RuleAction="deny", Egress=False, PortRange=ports, **everyone)
        for egress in (False, True):
            ec2.create_network_acl_entry(RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress, **everyone)
        of_subnet = [{"Name": "association.subnet-id", "Values": [self.subnets[0]]}]
        [old] = ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"]
        [association] = [a for a in old["Associations"] if a["SubnetId"] == self.subnets[0]]
        ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)

    def start(self, script, subnet, group):
        """Runs a task and returns its interface and address."""
        network = self.network(subnets=[self.subnets[subnet]], securityGroups=[group])
        task = self.until(self.run(self.define(self.container("main", script)), networkConfiguration=network), "RUNNING")
        [attachment] = task["attachments"]
        details = {d["name"]: d["value"] for d in attachment["details"]}
        return details["networkInterfaceId"], details["privateIPv4Address"]

    def flow_log_role(self, name, allowed, service="vpc-flow-logs.amazonaws.com"):
        arn = self.role(name, allowed)
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        self.cloud.client("iam").update_assume_role_policy(RoleName=f"{self.name}-{name}", PolicyDocument=policy(trust))
        return arn

    def log(self, kind, resource, role, group, **more):
        request = {"TrafficType": "ALL", "MaxAggregationInterval": 60, "DeliverLogsPermissionArn": role, "LogGroupName": group, **more}
        made = self.ec2.create_flow_logs(ResourceType=kind, ResourceIds=[resource], **request)
        assert not made.get("Unsuccessful")
        return made["FlowLogIds"][0]

    def status(self, log):
        [shown] = self.ec2.describe_flow_logs(FlowLogIds=[log])["FlowLogs"]
        return shown.get("DeliverLogsStatus"), shown.get("DeliverLogsErrorMessage")

    def records(self, group, stream):
        try:
            found = self.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [dict(zip(FIELDS, e["message"].split(), strict=True)) for e in found]

    def tables(self):
        router = f"--net={self.cloud.home}/network/netns/vpcs/{self.vpc}/router"
        return subprocess.run(["nsenter", router, "nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    made = make_cloud()
    made.env["ESCALE_CLOCK_SPEED"] = "60"
    try:
        made.escale("start")
        if "httpd" not in tasks_module.APPLETS:
            tasks_module.APPLETS.append("httpd")
        yield Flows(made, tmp_path_factory.mktemp("image") / "layout")
    finally:
        remove_cloud(made)


def test_packets_of_tasks_are_recorded_with_the_verdict(flows):
    assert flows.tables() == "table ip net\n", "without a flow log nothing counts packets"
    role = flows.flow_log_role("deliver", DELIVER)
    log = flows.log("VPC", flows.vpc, role, "/flows")
    server, address = flows.start("mkdir -p /tmp/w; echo hello > /tmp/w/index.html; httpd -f -p 8080 -h /tmp/w", 0, flows.server_group)
    rejected = flows.log("NetworkInterface", server, role, "/rejected", TrafficType="REJECT")
    every = f"until wget -q -O /dev/null http://{address}:8080/index.html; do sleep 0.1; done"
    client, source = flows.start(
        # busybox's own time limit needs a signal handler that some builds lack.
        f"while true; do {every}; for port in 8081 8082; do wget -q -O /dev/null http://{address}:$port/ & sleep 1; kill $!; done; done",
        1, flows.client_group,
    )

    def matching(records, **expected):
        return [r for r in records if all(r[key] == value for key, value in expected.items())]

    def recorded(eni, **expected):
        [found, *_] = eventually(lambda: matching(flows.records("/flows", f"{eni}-all"), **expected), within=60)
        assert (found["version"], found["eni"], found["protocol"], found["status"]) == ("2", eni, "6", "OK")
        assert int(found["packets"]) > 0 and int(found["bytes"]) >= 40 * int(found["packets"])
        assert 0 <= int(found["end"]) - int(found["start"]) <= 60

    to_server = {"source": source, "destination": address}
    to_client = {"source": address, "destination": source}
    recorded(server, **to_server, dport="8080", action="ACCEPT")
    recorded(server, **to_client, sport="8080", action="ACCEPT")
    recorded(client, **to_server, dport="8080", action="ACCEPT")
    # The server's group does not allow one port, the ACL of its subnet the other. The client may send to both.
    for port in ("8081", "8082"):
        recorded(server, **to_server, dport=port, action="REJECT")
        recorded(client, **to_server, dport=port, action="ACCEPT")
    at_server = flows.records("/flows", f"{server}-all")
    assert not matching(at_server, dport="8080", action="REJECT"), "no accepted packet is ever recorded as rejected"
    assert not matching(at_server, dport="8081", action="ACCEPT") and not matching(at_server, dport="8082", action="ACCEPT")
    only = eventually(lambda: [r for r in flows.records("/rejected", f"{server}-reject") if r["status"] == "OK"])
    assert {r["action"] for r in only} == {"REJECT"} and {r["dport"] for r in only} <= {"8081", "8082"}
    assert flows.status(log) == flows.status(rejected) == ("SUCCESS", None)

    idle = flows.ec2.create_network_interface(SubnetId=flows.subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    [record, *_] = eventually(lambda: flows.records("/flows", f"{idle}-all"))
    assert (record["action"], record["source"], record["bytes"], record["status"]) == ("-", "-", "-", "NODATA")
    assert flows.tables() == "table ip net\ntable ip flows\n"
    flows.ec2.delete_flow_logs(FlowLogIds=[log, rejected])
    eventually(lambda: flows.tables() == "table ip net\n")


def test_delivery_needs_a_role_that_may_write(flows):
    idle = flows.ec2.create_network_interface(SubnetId=flows.subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    unable = flows.flow_log_role("unable", {"logs:CreateLogGroup": "*", "logs:CreateLogStream": "*"})
    foreign = flows.flow_log_role("foreign", DELIVER, service="ecs-tasks.amazonaws.com")
    cases = [(role, flows.log("NetworkInterface", idle, role, f"/{name}")) for name, role in (("unable", unable), ("foreign", foreign))]
    for _, log in cases:
        eventually(lambda: flows.status(log) == ("FAILED", "Access error"))
    assert flows.records("/unable", f"{idle}-all") == []
    iam = flows.cloud.client("iam")
    iam.put_role_policy(
        RoleName=unable.rpartition("/")[2], PolicyName="more",
        PolicyDocument=policy({"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}),
    )
    eventually(lambda: flows.status(cases[0][1]) == ("SUCCESS", None))
    assert flows.records("/unable", f"{idle}-all")
    assert flows.status(cases[1][1]) == ("FAILED", "Access error")
    flows.ec2.delete_flow_logs(FlowLogIds=[log for _, log in cases])


def test_records_are_delivered_to_a_bucket(flows):
    s3 = flows.cloud.client("s3")
    for bucket in ("flow-files", "flow-denied"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    idle = flows.ec2.create_network_interface(SubnetId=flows.subnets[0])["NetworkInterface"]["NetworkInterfaceId"]

    def log(destination, **more):
        request = {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{destination}", "TrafficType": "ALL", **more}
        made = flows.ec2.create_flow_logs(ResourceType="NetworkInterface", ResourceIds=[idle], **request)
        return made["FlowLogIds"][0]

    def files(bucket, prefix):
        return [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]

    # The caller may change the bucket's policy, so that creation lets the delivery write.
    plain = log("flow-files")
    statements = json.loads(s3.get_bucket_policy(Bucket="flow-files")["Policy"])["Statement"]
    assert [s["Sid"] for s in statements] == ["AWSLogDeliveryWrite", "AWSLogDeliveryAclCheck"]
    assert statements[0]["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    account = flows.cloud.client("sts").get_caller_identity()["Account"]
    key = eventually(lambda: files("flow-files", f"AWSLogs/{account}/vpcflowlogs/eu-west-3/"))[0]
    name = key.rpartition("/")[2]
    assert name.startswith(f"{account}_vpcflowlogs_eu-west-3_{plain}_") and name.endswith(".log.gz")
    day = name.split("_")[4]
    assert key.split("/")[4:7] == [day[:4], day[4:6], day[6:8]] and day[12:] in ("0Z", "5Z")
    header, *lines = gzip.decompress(s3.get_object(Bucket="flow-files", Key=key)["Body"].read()).decode().splitlines()
    assert header.split()[:3] == ["version", "account-id", "interface-id"] and len(header.split()) == len(FIELDS)
    assert dict(zip(FIELDS, lines[0].split(), strict=True)) | {"start": "", "end": ""} == {
        "version": "2", "account": account, "eni": idle, "source": "-", "destination": "-", "sport": "-", "dport": "-", "protocol": "-",
        "packets": "-", "bytes": "-", "start": "", "end": "", "action": "-", "status": "NODATA",
    }
    hive = log(
        "flow-files/my/logs/", LogFormat="${interface-id} ${log-status}",
        DestinationOptions={"FileFormat": "plain-text", "HiveCompatiblePartitions": True, "PerHourPartition": True},
    )
    key = eventually(lambda: files("flow-files", f"my/logs/AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region=eu-west-3/year="))[0]
    assert key.split("/")[-2].startswith("hour=")
    text = gzip.decompress(s3.get_object(Bucket="flow-files", Key=key)["Body"].read()).decode()
    assert text == f"interface-id log-status\n{idle} NODATA\n"
    eventually(lambda: [flows.status(id) for id in (plain, hive)] == [("SUCCESS", None)] * 2)
    # A policy that no longer allows it.
    s3.delete_bucket_policy(Bucket="flow-files")
    eventually(lambda: flows.status(plain) == ("FAILED", "Access error"))
    flows.ec2.delete_flow_logs(FlowLogIds=[plain, hive])

    def refused(code, words, destination, ec2=None, **more):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            (ec2 or flows.ec2).create_flow_logs(
                ResourceType="VPC", ResourceIds=[flows.vpc], TrafficType="ALL", LogDestinationType="s3",
                LogDestination=f"arn:aws:s3:::{destination}", **more,
            )
        assert caught.value.response["Error"]["Code"] == code and words in str(caught.value)

    refused("LogDestinationNotFoundException", "no-such-bucket", "no-such-bucket")
    refused("NotImplemented", "parquet", "flow-files", DestinationOptions={"FileFormat": "parquet"})
    refused("InvalidParameterValue", "AWSLogs", "flow-files/AWSLogs")
    refused("InvalidParameterCombination", "cloud-watch-logs only", "flow-files", LogGroupName="/x")
    # Somebody who may not change the policy.
    iam = flows.cloud.client("iam")
    iam.create_user(UserName="logger")
    allow = policy({"Effect": "Allow", "Action": ["ec2:CreateFlowLogs", "logs:CreateLogDelivery"], "Resource": "*"})
    iam.put_user_policy(UserName="logger", PolicyName="own", PolicyDocument=allow)
    key = iam.create_access_key(UserName="logger")["AccessKey"]
    own = flows.cloud.client("ec2", key["AccessKeyId"], key["SecretAccessKey"])
    refused("LogDestinationPermissionIssueException", "Access Denied for LogDestination: flow-denied", "flow-denied", ec2=own)
    with pytest.raises(botocore.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="flow-denied")
    flows.ec2.delete_network_interface(NetworkInterfaceId=idle)


def test_stack_with_flow_logs_of_both_destinations(flows):
    """The log group, role and flow log are those of the manifest's `network: { flow_logs: 14d }`."""
    trust = {"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    write = {"Effect": "Allow", "Action": list(DELIVER), "Resource": {"Fn::GetAtt": ["Group", "Arn"]}}
    document = {"Version": "2012-10-17", "Statement": [write]}
    idle = {"ResourceType": "NetworkInterface", "ResourceId": {"Ref": "Interface"}, "TrafficType": "ALL"}
    resources = {
        "Interface": {"Type": "AWS::EC2::NetworkInterface", "Properties": {"SubnetId": flows.subnets[0]}},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/vpc/flows", "RetentionInDays": 14}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": json.loads(policy(trust)), "Policies": [{"PolicyName": "write-flows", "PolicyDocument": document}],
        }},
        "Lines": {"Type": "AWS::EC2::FlowLog", "Properties": {
            **idle, "LogGroupName": {"Ref": "Group"}, "DeliverLogsPermissionArn": {"Fn::GetAtt": ["Role", "Arn"]},
        }},
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
        "Files": {"Type": "AWS::EC2::FlowLog", "Properties": {
            **idle, "LogDestinationType": "s3", "LogDestination": {"Fn::GetAtt": ["Bucket", "Arn"]},
            "DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": True},
        }},
    }
    stacks, s3 = flows.cloud.client("cloudformation"), flows.cloud.client("s3")
    stacks.create_stack(StackName="flows", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName="flows", WaiterConfig={"Delay": 1})
    ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in stacks.describe_stack_resources(StackName="flows")["StackResources"]}
    eventually(lambda: [flows.status(ids[log]) for log in ("Lines", "Files")] == [("SUCCESS", None)] * 2)
    assert flows.records("/vpc/flows", f"{ids['Interface']}-all")
    [file, *_] = eventually(lambda: s3.list_objects_v2(Bucket=ids["Bucket"]).get("Contents"))
    assert len(file["Key"].split("/")) == 9, "a folder for the hour"
    stacks.delete_stack(StackName="flows")
    stacks.get_waiter("stack_delete_complete").wait(StackName="flows", WaiterConfig={"Delay": 1})


def test_requests_are_checked(flows):
    role = flows.flow_log_role("checked", DELIVER)

    def refused(code, words, **more):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            flows.log("VPC", flows.vpc, role, "/checked", **more)
        assert caught.value.response["Error"]["Code"] == code and words in str(caught.value)

    refused("InvalidParameterValue", "60 or 600", MaxAggregationInterval=61)
    refused("NotImplemented", "${tcp-flags}", LogFormat="${srcaddr} ${tcp-flags}")
    refused("InvalidParameterValue", "vpc-1", LogFormat="vpc-1")
    log = flows.log("VPC", flows.vpc, role, "/checked", LogFormat="${interface-id} ${flow-direction} ${log-status}")
    refused("FlowLogAlreadyExists", "existing")
    [shown] = flows.ec2.describe_flow_logs(FlowLogIds=[log])["FlowLogs"]
    assert shown["LogFormat"] == "${interface-id} ${flow-direction} ${log-status}"
    flows.ec2.delete_flow_logs(FlowLogIds=[log])
    user = flows.cloud.client("iam").create_user(UserName="passer")["User"]["UserName"]
    iam = flows.cloud.client("iam")
    allow = policy({"Effect": "Allow", "Action": "ec2:CreateFlowLogs", "Resource": "*"})
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=allow)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    ec2 = flows.cloud.client("ec2", key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(botocore.exceptions.ClientError, match="iam:PassRole"):
        ec2.create_flow_logs(
            ResourceType="VPC", ResourceIds=[flows.vpc], TrafficType="ALL", LogGroupName="/x", DeliverLogsPermissionArn=role
        )
