"""Stacks in stacks, with their templates in S3."""

import uuid

import botocore.exceptions
import pytest

QUICK = {"Delay": 1, "MaxAttempts": 60}

CHILD = """
Parameters:
  Word: { Type: String }
  Days: { Type: Number, Default: 7 }
Resources:
  Logs: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: !Ref Days } }
  Text: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Word } }
Outputs:
  Text: { Value: !Ref Text }
  Days: { Value: !Ref Days }
"""

PARENT = """
Parameters:
  Url: { Type: String }
  Word: { Type: String }
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Ref Url
      Parameters: { Word: !Ref Word }
      TimeoutInMinutes: 5
  Copy:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Sub "${Inner.Outputs.Text} ${Inner.Outputs.Days}" }
Outputs:
  Copy: { Value: !Ref Copy }
"""


@pytest.fixture(scope="module")
def bucket(aws):
    name = f"templates-{uuid.uuid4().hex[:8]}"
    aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    yield name
    for found in aws("s3").list_objects_v2(Bucket=name).get("Contents", []):
        aws("s3").delete_object(Bucket=name, Key=found["Key"])
    aws("s3").delete_bucket(Bucket=name)


@pytest.fixture
def parent(aws, bucket):
    """A parent stack, deleted with its nested stack after the test."""
    made = Parent(aws, bucket)
    made.create()
    try:
        yield made
    finally:
        made.delete()


class Parent:
    def __init__(self, aws, bucket):
        self.aws = aws
        self.client = aws("cloudformation")
        self.bucket = bucket
        self.name = f"parent-{uuid.uuid4().hex[:8]}"

    def put(self, template):
        """Stores the template of the nested stack."""
        self.aws("s3").put_object(Bucket=self.bucket, Key=f"{self.name}.yaml", Body=template.encode())
        return f"https://{self.bucket}.s3.eu-west-3.amazonaws.com/{self.name}.yaml"

    def arguments(self, word, template=PARENT):
        parameters = {"Url": self.url, "Word": word}
        return {
            "StackName": self.name,
            "TemplateBody": template,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        }

    def create(self):
        self.url = self.put(CHILD)
        self.client.create_stack(**self.arguments("one"), Tags=[{"Key": "team", "Value": "web"}])
        self.wait("stack_create_complete")

    def update(self, waiter="stack_update_complete", **arguments):
        self.client.update_stack(**self.arguments(**arguments))
        self.wait(waiter)

    def delete(self):
        self.client.delete_stack(StackName=self.name)
        self.wait("stack_delete_complete")

    def wait(self, waiter):
        self.client.get_waiter(waiter).wait(StackName=self.name, WaiterConfig=QUICK)

    def resource(self, logical, stack=None):
        found = self.client.describe_stack_resource(StackName=stack or self.name, LogicalResourceId=logical)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    @property
    def inner(self):
        return self.resource("Inner")

    def shown(self, stack=None):
        return self.client.describe_stacks(StackName=stack or self.name)["Stacks"][0]

    def value(self, logical, stack=None):
        """The value of a parameter in the parameter store that is a resource."""
        return self.aws("ssm").get_parameter(Name=self.resource(logical, stack))["Parameter"]["Value"]


def test_nested_stack_has_its_own_resources_and_gives_its_outputs(aws, parent):
    inner, shown = parent.shown(parent.inner), parent.shown()
    assert inner["StackStatus"] == "CREATE_COMPLETE"
    assert inner["StackName"].startswith(f"{parent.name}-Inner-")
    assert inner["ParentId"] == inner["RootId"] == shown["StackId"]
    assert inner["Tags"] == [{"Key": "team", "Value": "web"}] and inner["TimeoutInMinutes"] == 5
    assert parent.value("Text", parent.inner) == "one"
    assert parent.value("Copy") == f"{parent.resource('Text', parent.inner)} 7"
    listed = {s["StackName"]: s for s in parent.client.list_stacks()["StackSummaries"]}
    assert listed[inner["StackName"]]["RootId"] == shown["StackId"]


def test_update_changes_the_nested_stack_in_place(aws, parent):
    before = parent.inner
    parent.update(word="two")
    assert parent.inner == before and parent.value("Text", before) == "two"
    assert parent.shown(before)["StackStatus"] == "UPDATE_COMPLETE"
    # Overwriting the template is a change, too, although the parent's template stays.
    parent.put(CHILD.replace("Default: 7", "Default: 14"))
    parent.update(word="two")
    assert parent.value("Copy").endswith(" 14")


def test_failure_in_the_parent_returns_the_nested_stack(aws, parent):
    failing = PARENT.replace("Outputs:\n", """  Wrong:
    Type: AWS::EC2::Subnet
    DependsOn: Copy
    Properties: { VpcId: vpc-00000000000000000, CidrBlock: 10.0.0.0/24 }
Outputs:
""")
    parent.client.update_stack(**parent.arguments("two", failing))
    with pytest.raises(botocore.exceptions.WaiterError):
        parent.wait("stack_update_complete")
    parent.wait("stack_rollback_complete")
    assert parent.shown()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert parent.shown(parent.inner)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert parent.value("Text", parent.inner) == "one"


def test_failure_in_the_nested_stack_fails_the_parent(aws, parent):
    parent.put(CHILD.replace("Outputs:", """  Wrong:
    Type: AWS::EC2::Subnet
    Properties: { VpcId: vpc-00000000000000000, CidrBlock: 10.0.0.0/24 }
Outputs:"""))
    parent.client.update_stack(**parent.arguments("two"))
    with pytest.raises(botocore.exceptions.WaiterError):
        parent.wait("stack_update_complete")
    parent.wait("stack_rollback_complete")
    events = parent.client.describe_stack_events(StackName=parent.name)["StackEvents"]
    [reason] = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "UPDATE_FAILED"]
    start = f"Embedded stack {parent.inner} was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS"
    assert reason.startswith(start) and "[Wrong]" in reason
    assert parent.value("Text", parent.inner) == "one"


def test_deletion_of_the_parent_deletes_the_nested_stack(aws, bucket):
    parent = Parent(aws, bucket)
    parent.create()
    inner, group = parent.inner, parent.resource("Logs", parent.inner)
    parent.delete()
    assert parent.shown(inner)["StackStatus"] == "DELETE_COMPLETE"
    assert aws("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_termination_protection_is_that_of_the_root(aws, parent):
    client = parent.client
    with pytest.raises(botocore.exceptions.ClientError, match="is that of its root"):
        client.update_termination_protection(StackName=parent.inner, EnableTerminationProtection=True)
    client.update_termination_protection(StackName=parent.name, EnableTerminationProtection=True)
    with pytest.raises(botocore.exceptions.ClientError, match="TerminationProtection is enabled"):
        client.delete_stack(StackName=parent.inner)
    assert parent.shown(parent.inner)["EnableTerminationProtection"]
    client.update_termination_protection(StackName=parent.name, EnableTerminationProtection=False)


def test_template_must_exist_and_topics_are_refused(aws, parent):
    client, arguments = parent.client, parent.arguments("x")
    arguments["Parameters"][0]["ParameterValue"] = parent.url.replace(".yaml", ".none")
    with pytest.raises(botocore.exceptions.ClientError, match="S3 error: The specified key does not exist"):
        client.update_stack(**arguments)
    topics = PARENT.replace("      TimeoutInMinutes: 5", "      NotificationARNs: ['arn:aws:sns:eu-west-3:000000000000:t']")
    with pytest.raises(botocore.exceptions.ClientError, match="does not support property NotificationARNs"):
        client.update_stack(**parent.arguments("x", topics))


def test_change_set_includes_that_of_the_nested_stack(aws, parent):
    client = parent.client
    client.create_change_set(**parent.arguments("two"), ChangeSetName="next", IncludeNestedStacks=True)
    set_of = client.describe_change_set(StackName=parent.name, ChangeSetName="next")
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in set_of["Changes"]}
    below = client.describe_change_set(ChangeSetName=changes["Inner"]["ChangeSetId"])
    assert below["StackId"] == parent.inner and below["ParentChangeSetId"] == set_of["ChangeSetId"]
    assert [c["ResourceChange"]["LogicalResourceId"] for c in below["Changes"]] == ["Text"]
    client.execute_change_set(StackName=parent.name, ChangeSetName="next")
    parent.wait("stack_update_complete")
    assert parent.value("Text", parent.inner) == "two"
    assert parent.shown(parent.inner)["ChangeSetId"] == below["ChangeSetId"]
