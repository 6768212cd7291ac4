"""Cloud Map: the tasks of an ECS service are instances, and other tasks find them by name."""

import json
import shutil

import pytest
from botocore.exceptions import ClientError

from conftest import eventually
from tasks import cluster  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")

SERVES = "/bin/busybox mkdir -p /tmp/www; echo hello from backend > /tmp/www/index.html; exec /bin/busybox httpd -f -p 8080 -h /tmp/www"


def deploy(cloud, name, template, **parameters):
    cloudformation = cloud.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=given, OnFailure="DELETE")
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def delete(cloud, name):
    cloudformation = cloud.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def backend(cluster, namespace, record, **registry):
    """A template with a namespace, a service of Cloud Map, and an ECS service that is registered in it."""
    reference = {"RegistryArn": {"Fn::GetAtt": ["Registry", "Arn"]}, **registry}
    return {
        "Resources": {
            "Namespace": {"Type": "AWS::ServiceDiscovery::PrivateDnsNamespace", "Properties": {"Name": namespace, "Vpc": cluster.vpc}},
            "Registry": {
                "Type": "AWS::ServiceDiscovery::Service",
                "Properties": {
                    "Name": "backend",
                    "DnsConfig": {"NamespaceId": {"Ref": "Namespace"}, "DnsRecords": [{"Type": record, "TTL": 1}]},
                    "HealthCheckCustomConfig": {"FailureThreshold": 1},
                },
            },
            "Service": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "Cluster": cluster.name, "DesiredCount": 2, "LaunchType": "FARGATE",
                    "TaskDefinition": cluster.define(cluster.container("main", SERVES, portMappings=[{"containerPort": 8080, "protocol": "http"}])),
                    "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": cluster.subnets}},
                    "ServiceRegistries": [reference],
                },
            },
        },
        "Outputs": {
            "Zone": {"Value": {"Fn::GetAtt": ["Namespace", "HostedZoneId"]}},
            "Registry": {"Value": {"Ref": "Registry"}},
            "Service": {"Value": {"Fn::GetAtt": ["Service", "Name"]}},
        },
    }


def addresses_of_tasks(cluster, service):
    tasks = cluster.ecs.list_tasks(cluster=cluster.name, serviceName=service)["taskArns"]
    described = cluster.ecs.describe_tasks(cluster=cluster.name, tasks=tasks)["tasks"] if tasks else []
    details = [{d["name"]: d["value"] for d in task["attachments"][0]["details"]} for task in described if task["lastStatus"] == "RUNNING"]
    return {d["privateIPv4Address"] for d in details}


def answered(cluster, zone, kind, name):
    sets = cluster.cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {record["Value"] for s in sets if s["Type"] == kind and s["Name"] == name for record in s["ResourceRecords"]}


def test_tasks_find_a_service_by_its_name(cluster):
    stack = f"{cluster.name}-a"
    made = deploy(cluster.cloud, stack, backend(cluster, "a.test", "A"))
    zone, name = made["Zone"], "backend.a.test."

    def dns_has_the_tasks(count=2):
        answer = answered(cluster, zone, "A", name)
        return len(answer) == count and answer == addresses_of_tasks(cluster, made["Service"])

    eventually(dns_has_the_tasks, within=10)
    fetches = "until wget -q -O /tmp/page http://backend.a.test:8080/; do sleep 1; done; cat /tmp/page"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", fetches)))["taskArn"]
    cluster.wait_for_line(arn, "hello from backend")

    # The instances have the attributes that ECS gives them on AWS.
    discovery = cluster.cloud.client("servicediscovery", inject_host_prefix=False)
    found = discovery.discover_instances(NamespaceName="a.test", ServiceName="backend")["Instances"]
    assert {i["Attributes"]["AWS_INSTANCE_IPV4"] for i in found} == addresses_of_tasks(cluster, made["Service"])
    assert {i["Attributes"]["ECS_SERVICE_NAME"] for i in found} == {made["Service"]} and {i["HealthStatus"] for i in found} == {"HEALTHY"}

    # A stopped task leaves, and its successor comes.
    stopped = found[0]["InstanceId"]
    cluster.ecs.stop_task(cluster=cluster.name, task=stopped)
    left = found[0]["Attributes"]["AWS_INSTANCE_IPV4"]
    eventually(lambda: left not in answered(cluster, zone, "A", name), within=5)
    eventually(dns_has_the_tasks, within=20)

    # As on AWS, only Cloud Map changes its zone.
    with pytest.raises(ClientError, match="can only be managed through servicediscovery"):
        cluster.cloud.client("route53").delete_hosted_zone(Id=zone)
    with pytest.raises(ClientError, match="ResourceInUse"):
        discovery.delete_service(Id=made["Registry"])

    cluster.ecs.update_service(cluster=cluster.name, service=made["Service"], desiredCount=0)
    eventually(lambda: dns_has_the_tasks(0), within=20)
    cluster.ecs.update_service(cluster=cluster.name, service=made["Service"], desiredCount=1)
    eventually(lambda: dns_has_the_tasks(1), within=20)
    delete(cluster.cloud, stack)
    assert zone not in [z["Id"].rpartition("/")[2] for z in cluster.cloud.client("route53").list_hosted_zones()["HostedZones"]]


def test_srv_records_name_port_and_host(cluster):
    stack = f"{cluster.name}-srv"
    made = deploy(cluster.cloud, stack, backend(cluster, "srv.test", "SRV", ContainerName="main", ContainerPort=8080))
    eventually(lambda: len(answered(cluster, made["Zone"], "SRV", "backend.srv.test.")) == 2, within=10)
    asks = "/bin/busybox nslookup -type=srv backend.srv.test; /bin/busybox nslookup -type=srv backend.srv.test | grep -c 'service = 1 1 8080'"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", asks)))["taskArn"]
    cluster.wait_for_line(arn, "2")
    [host, _] = [value.split()[-1] for value in answered(cluster, made["Zone"], "SRV", "backend.srv.test.")]
    fetches = f"wget -q -O /tmp/page http://{host.rstrip('.')}:8080/; cat /tmp/page"
    arn = cluster.run_to_end(cluster.define(cluster.container("main", fetches)))["taskArn"]
    cluster.wait_for_line(arn, "hello from backend")
    delete(cluster.cloud, stack)


def test_unhealthy_task_leaves_dns(cluster):
    """Before its service replaces it: the health check of the container decides."""
    check = {"command": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 5, "retries": 1, "timeout": 2}
    template = backend(cluster, "sick.test", "A")
    serves = f"(sleep 12; touch /tmp/sick) & {SERVES}"
    definition = cluster.define(cluster.container("main", serves, healthCheck=check))
    template["Resources"]["Service"]["Properties"].update(TaskDefinition=definition, DesiredCount=1)
    made = deploy(cluster.cloud, f"{cluster.name}-sick", template)
    # The task is registered only once its check has passed.
    [first] = eventually(lambda: answered(cluster, made["Zone"], "A", "backend.sick.test."), within=10)
    eventually(lambda: first not in answered(cluster, made["Zone"], "A", "backend.sick.test."), within=30)
    delete(cluster.cloud, f"{cluster.name}-sick")


def test_refuses_registry_that_does_not_fit(cluster):
    discovery = cluster.cloud.client("servicediscovery")
    discovery.create_http_namespace(Name="plain.test")
    [namespace] = discovery.list_namespaces(Filters=[{"Name": "NAME", "Values": ["plain.test"]}])["Namespaces"]
    registry = discovery.create_service(Name="one", NamespaceId=namespace["Id"])["Service"]
    definition = cluster.define(cluster.container("main", "sleep 1000", portMappings=[{"containerPort": 80}]))

    def create(*registries):
        request = {"serviceName": "refused", "taskDefinition": definition, "desiredCount": 0, "networkConfiguration": cluster.network()}
        return cluster.ecs.create_service(cluster=cluster.name, serviceRegistries=list(registries), **request)

    arn = {"registryArn": registry["Arn"]}
    for registries, why in [
        ([arn, arn], "at most 1"),
        ([{"registryArn": registry["Arn"] + "0"}], "No such service registry"),
        ([{**arn, "containerName": "main"}], "together"),
        ([{**arn, "containerName": "main", "containerPort": 81}], "81"),
        ([{**arn, "containerName": "main", "containerPort": 80, "port": 80}], "either"),
    ]:
        with pytest.raises(ClientError, match=why):
            create(*registries)
    with pytest.raises(ClientError, match="CreatePublicDnsNamespace"):
        discovery.create_public_dns_namespace(Name="example.com")
    shown = create({**arn, "containerName": "main", "containerPort": 80})["service"]["serviceRegistries"]
    assert shown == [{**arn, "containerName": "main", "containerPort": 80}]
    cluster.ecs.delete_service(cluster=cluster.name, service="refused", force=True)
    discovery.delete_service(Id=registry["Id"])
    discovery.delete_namespace(Id=namespace["Id"])
