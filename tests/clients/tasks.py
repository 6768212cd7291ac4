"""A cluster with everything that tasks need, for the tests that run tasks without `up`."""

import json
import pathlib
import uuid

import images
import pytest

from conftest import REGION, eventually

APPLETS = ["cat", "date", "dd", "echo", "env", "grep", "head", "id", "kill", "nc", "pwd", "sh", "sleep", "tail", "touch", "true", "wget"]

# The execution role may pull images, write logs and read secrets. It is as narrow as in AWS's own examples.
EXECUTION = {
    "ecr:GetAuthorizationToken": "*",
    "ecr:BatchCheckLayerAvailability": "*",
    "ecr:GetDownloadUrlForLayer": "*",
    "ecr:BatchGetImage": "*",
    "logs:CreateLogStream": "*",
    "logs:PutLogEvents": "*",
    "secretsmanager:GetSecretValue": "arn:aws:secretsmanager:*:*:secret:ecs/*",
    "ssm:GetParameters": "arn:aws:ssm:*:*:parameter/ecs/*",
}


class Cluster:
    """A cluster with two private subnets, a NAT gateway, an image, an execution role and a log group."""

    def __init__(self, cloud, folder):
        self.cloud, self.name = cloud, f"ecs-{uuid.uuid4().hex[:8]}"
        self.ecs, self.logs, self.ec2 = (cloud.client(s) for s in ("ecs", "logs", "ec2"))
        self.cluster = self.ecs.create_cluster(clusterName=self.name)["cluster"]["clusterArn"]
        self.logs.create_log_group(logGroupName=f"/{self.name}")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.71.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self.subnet(f"10.71.{i}.0/24", zone) for i, zone in enumerate("ab")]
        self.add_nat_gateway()
        self.execution = self.role("execution", EXECUTION)
        self.push(folder)

    def subnet(self, cidr, zone="a"):
        return self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]

    def add_nat_gateway(self):
        """Creates a NAT gateway in a public subnet and a route to it: tasks start only with a network path to the API."""
        public, internet = self.subnet("10.71.250.0/24"), self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=self.vpc)
        self.ec2.create_route(RouteTableId=self.route_table(public), DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.nat = self.ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[self.nat], WaiterConfig={"Delay": 1})
        main = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        [table] = self.ec2.describe_route_tables(Filters=main)["RouteTables"]
        self.ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=self.nat)

    def route_table(self, subnet):
        """Creates a route table for the subnet, with the local route only."""
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def role(self, name, allowed):
        iam, trust = self.cloud.client("iam"), {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=f"{self.name}-{name}", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed.items()]
        iam.put_role_policy(RoleName=f"{self.name}-{name}", PolicyName="own", PolicyDocument=policy(*statements))
        return made

    def push(self, folder):
        """Pushes the image with skopeo, as to AWS."""
        ecr = self.cloud.client("ecr")
        repository = ecr.create_repository(repositoryName=self.name)["repository"]["repositoryUri"]
        programs = {f"bin/{name}": "-> /bin/busybox" for name in APPLETS}
        files = {"bin/busybox": pathlib.Path("/bin/busybox").read_bytes(), **programs, "tmp/": None}
        self.digest = images.layout(folder, files, config={"Env": ["PATH=/bin", "FROM_IMAGE=yes"]})
        images.push(folder, repository, "1", images.token(ecr))
        self.image = f"{repository}:1"

    def container(self, name, script, **more):
        log = {"awslogs-group": f"/{self.name}", "awslogs-region": REGION, "awslogs-stream-prefix": "t"}
        return {
            "name": name, "image": self.image, "command": ["sh", "-c", script],
            "logConfiguration": {"logDriver": "awslogs", "options": log}, **more,
        }

    def define(self, *containers, **more):
        request = {
            "family": f"{self.name}-{uuid.uuid4().hex[:6]}", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "requiresCompatibilities": ["FARGATE"], "executionRoleArn": self.execution, **more,
        }
        return self.ecs.register_task_definition(containerDefinitions=list(containers), **request)["taskDefinition"]["taskDefinitionArn"]

    def network(self, **change):
        return {"awsvpcConfiguration": {"subnets": self.subnets, "assignPublicIp": "DISABLED", **change}}

    def run(self, definition, **more):
        request = {"launchType": "FARGATE", "networkConfiguration": self.network(), **more}
        started = self.ecs.run_task(cluster=self.name, taskDefinition=definition, **request)
        assert started["failures"] == []
        return started["tasks"][0]["taskArn"]

    def task(self, arn):
        return self.ecs.describe_tasks(cluster=self.name, tasks=[arn])["tasks"][0]

    def until(self, arn, status, within=30):
        def reached():
            task = self.task(arn)
            assert status == "STOPPED" or task["lastStatus"] != "STOPPED", task
            return task if task["lastStatus"] == status else None

        return eventually(reached, within=within)

    def run_to_end(self, definition, **more):
        """Runs a task, waits until it has stopped, and returns it."""
        return self.until(self.run(definition, **more), "STOPPED")

    def lines(self, arn, container="main"):
        stream = f"t/{container}/{arn.rpartition('/')[2]}"
        try:
            found = self.logs.get_log_events(logGroupName=f"/{self.name}", logStreamName=stream, startFromHead=True)
        except self.logs.exceptions.ResourceNotFoundException:
            return []  # the task has not started yet, so there is no stream
        return [e["message"] for e in found["events"]]

    def wait_for_line(self, arn, line, container="main"):
        eventually(lambda: line in self.lines(arn, container))


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def cluster(cloud, tmp_path_factory):
    made = Cluster(cloud, tmp_path_factory.mktemp("image") / "layout")
    yield made
    for arn in made.ecs.list_services(cluster=made.name)["serviceArns"]:
        made.ecs.delete_service(cluster=made.name, service=arn, force=True)
    for arn in made.ecs.list_tasks(cluster=made.name)["taskArns"]:
        made.ecs.stop_task(cluster=made.name, task=arn)
