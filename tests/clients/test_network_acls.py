"""Network ACLs of stacks: the kernel filters packets at the borders of subnets, without state."""

import contextlib
import pathlib
import subprocess
import sys
import uuid

import pytest

from conftest import eventually

TEMPLATE = pathlib.Path(__file__).parent / "templates" / "network-acls.yaml"

# Echoes lines, for as many clients as come.
SERVER = """
import socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
def serve(client):
    with client:
        while data := client.recv(64):
            client.sendall(data)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""

# For each line of its input, tries to send it over one connection, which stays open, and prints the answer.
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as s:
    print("connected", flush=True)
    for line in sys.stdin:
        s.settimeout(float(line))
        try:
            s.sendall(b"x")
            print("answered" if s.recv(64) else "closed", flush=True)
        except TimeoutError:
            print("silence", flush=True)
"""

ONCE = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
    print("connected")
except OSError:
    print("failed")
"""


class Network:
    """A stack with a subnet for applications and one for data, each with interfaces."""

    def __init__(self, aws, cloud, name):
        self.cloudformation, self.ec2, self.cloud, self.name = aws("cloudformation"), aws("ec2"), cloud, name
        self.cloudformation.create_stack(StackName=name, TemplateBody=TEMPLATE.read_text())
        self.wait("stack_create_complete")
        self.outputs = self.read_outputs()

    def read_outputs(self):
        [stack] = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def wait(self, what):
        waiter = self.cloudformation.get_waiter(what)
        waiter.wait(StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def update(self, **parameters):
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
        self.cloudformation.update_stack(StackName=self.name, UsePreviousTemplate=True, Parameters=parameters)
        self.wait("stack_update_complete")

    def command(self, interface, script, *arguments):
        path = f"{self.cloud.home}/network/netns/vpcs/{self.outputs['Vpc']}/interfaces/{self.outputs[interface]}"
        return ["nsenter", f"--net={path}", sys.executable, "-c", script, *map(str, arguments)]

    @contextlib.contextmanager
    def process(self, *command):
        process = subprocess.Popen(self.command(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def connects(self, interface, to, port):
        command = self.command(interface, ONCE, self.outputs[f"{to}Address"], port)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "connected"


@pytest.fixture
def network(aws, cloud):
    made = Network(aws, cloud, f"acl-{uuid.uuid4().hex[:8]}")
    yield made
    made.cloudformation.delete_stack(StackName=made.name)
    made.wait("stack_delete_complete")
    vpc = [{"Name": "vpc-id", "Values": [made.outputs["Vpc"]]}]
    assert made.ec2.describe_network_acls(Filters=vpc)["NetworkAcls"] == []


def answer(client, within):
    client.stdin.write(f"{within}\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


def test_acl_of_a_stack_filters_new_and_live_connections(network):
    port = 5432
    address = network.outputs["DataAddress"]
    with network.process("Data", SERVER, address, port) as server:
        assert server.stdout.readline() == "ready\n"
        with network.process("App", CLIENT, address, port) as client:
            assert client.stdout.readline() == "connected\n"
            # Packets inside a subnet cross no border: the ACL has no rule for this source.
            assert network.connects("DataPeer", "Data", port) and not network.connects("Other", "Data", port)
            assert answer(client, 5) == "answered"

            # Without the ephemeral ports no reply leaves the subnet.
            network.update(LastReplyPort="1025")
            eventually(lambda: answer(client, 0.5) == "silence")
            assert not network.connects("App", "Data", port) and network.connects("DataPeer", "Data", port)
            network.update(LastReplyPort="65535")
            assert answer(client, 20) == "answered", "the connection was never ended"

            # A lower number decides first.
            network.update(Postgres="deny")
            eventually(lambda: answer(client, 0.5) == "silence")
            assert not network.connects("App", "Data", port)
            network.update(Postgres="allow")
            eventually(lambda: network.connects("App", "Data", port))


def test_answers_are_those_of_aws(network):
    ec2 = network.ec2
    subnet = [{"Name": "association.subnet-id", "Values": [network.outputs["DataSubnet"]]}]
    [acl] = ec2.describe_network_acls(Filters=subnet)["NetworkAcls"]
    assert acl["NetworkAclId"] == network.outputs["Acl"] and not acl["IsDefault"]
    ingress = [(e["RuleNumber"], e["RuleAction"], e["Protocol"]) for e in acl["Entries"] if not e["Egress"]]
    assert ingress == [(100, "allow", "6"), (110, "allow", "1"), (32767, "deny", "-1")]
    [association] = acl["Associations"]
    default = network.outputs["DefaultAcl"]
    new = ec2.replace_network_acl_association(
        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=default
    )["NewAssociationId"]
    assert new != association["NetworkAclAssociationId"] and new.startswith("aclassoc-")
    with network.process("Data", SERVER, network.outputs["DataAddress"], 80) as server:
        assert server.stdout.readline() == "ready\n"
        eventually(lambda: network.connects("Other", "Data", 80))
    # The stack's association no longer exists; its deletion has nothing to do.
