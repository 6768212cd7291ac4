"""DHCP options: new tasks have the domain name and the name servers of their VPC."""

import shutil

import pytest

from tasks import cluster  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")


def resolv_conf(cluster):
    task = cluster.run_to_end(cluster.define(cluster.container("main", "cat /etc/resolv.conf")))
    assert task["containers"][0].get("exitCode") == 0, task
    return cluster.lines(task["taskArn"])


def test_options_are_in_resolv_conf_of_new_tasks(cluster):
    own = "nameserver 10.71.0.2"
    assert resolv_conf(cluster) == [own]
    configurations = [
        {"Key": "domain-name", "Values": ["corp.example"]},
        {"Key": "domain-name-servers", "Values": ["10.71.0.53", "AmazonProvidedDNS"]},
    ]
    made = cluster.ec2.create_dhcp_options(DhcpConfigurations=configurations)["DhcpOptions"]["DhcpOptionsId"]
    cluster.ec2.associate_dhcp_options(DhcpOptionsId=made, VpcId=cluster.vpc)
    assert resolv_conf(cluster) == ["nameserver 10.71.0.53", own, "search corp.example"]
    cluster.ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=cluster.vpc)
    cluster.ec2.delete_dhcp_options(DhcpOptionsId=made)
    assert resolv_conf(cluster) == [own]


def test_network_acl_without_replies_keeps_tasks_from_the_api(cluster):
    """The check at a task's start sends packets, so it sees the ACL as well; and the reason names it."""
    subnet = cluster.subnet("10.71.20.0/24")
    acl = cluster.ec2.create_network_acl(VpcId=cluster.vpc)["NetworkAcl"]["NetworkAclId"]
    rule = {"NetworkAclId": acl, "RuleNumber": 100, "Protocol": "6", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    cluster.ec2.create_network_acl_entry(**rule, Egress=True, PortRange={"From": 0, "To": 65535})
    own = [{"Name": "association.subnet-id", "Values": [subnet]}]
    [before] = cluster.ec2.describe_network_acls(Filters=own)["NetworkAcls"]
    association = next(a for a in before["Associations"] if a["SubnetId"] == subnet)["NetworkAclAssociationId"]
    cluster.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)

    def run():
        network = {"networkConfiguration": cluster.network(subnets=[subnet])}
        return cluster.run_to_end(cluster.define(cluster.container("main", "true")), **network)

    task = run()
    assert task["stopCode"] == "TaskFailedToStart" and "network ACL" in task["stoppedReason"], task
    cluster.ec2.create_network_acl_entry(**rule, Egress=False, PortRange={"From": 1024, "To": 65535})
    task = run()
    assert task["stopCode"] == "EssentialContainerExited", task
