"""Stacks of templates with the transform AWS::LanguageExtensions."""

import json

import pytest

from test_cloudformation import QUICK, create, refusal, stack, waiter  # noqa: F401  the fixture

LOOPS = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::LanguageExtensions
Parameters:
  Names: { Type: CommaDelimitedList }
  Secret: { Type: String, NoEcho: true }
Mappings:
  Values: { one: { Value: first } }
Conditions:
  Many: !Equals [{ "Fn::Length": !Ref Names }, 2]
Resources:
  Fn::ForEach::Parameters:
    - Name
    - !Ref Names
    - Parameter${Name}:
        Type: AWS::SSM::Parameter
        DeletionPolicy: !If [Many, Delete, Retain]
        Properties:
          Type: String
          Value:
            Fn::ToJsonString:
              name: !Ref Name
              value: !FindInMap [Values, !Ref Name, Value, DefaultValue: other]
              secret: !Ref Secret
Outputs:
  Fn::ForEach::Outputs:
    - Name
    - !Ref Names
    - Of${Name}: { Value: !GetAtt [!Sub "Parameter${Name}", Value] }
"""


def parameters(names="one,two"):
    return [
        {"ParameterKey": "Names", "ParameterValue": names},
        {"ParameterKey": "Secret", "ParameterValue": 'a"b'},
    ]


def outputs(client, name):
    return {o["OutputKey"]: json.loads(o["OutputValue"]) for o in client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}


EXPECTED = {
    "Ofone": {"name": "one", "value": "first", "secret": 'a"b'},
    "Oftwo": {"name": "two", "value": "other", "secret": 'a"b'},
}


def test_loops_create_resources(aws, stack):  # noqa: F811
    client, name = aws("cloudformation"), stack()
    error = refusal(client.create_stack, StackName=name, TemplateBody=LOOPS, Parameters=parameters())
    assert error["Code"] == "InsufficientCapabilitiesException"
    assert error["Message"] == "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    create(client, name, LOOPS, Parameters=parameters(), Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert outputs(client, name) == EXPECTED
    assert client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"] == LOOPS
    # The processed template is the default, and shows no secret.
    processed = client.get_template(StackName=name)["TemplateBody"]
    assert list(processed["Resources"]) == ["Parameterone", "Parametertwo"]
    assert processed["Resources"]["Parameterone"]["DeletionPolicy"] == "Delete"
    assert 'a"b' not in json.dumps(processed) and "a\\\"b" not in json.dumps(processed)


def test_change_set_needs_no_capability(aws, stack):  # noqa: F811
    client, name = aws("cloudformation"), stack()
    client.create_change_set(
        StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=LOOPS, Parameters=parameters()
    )
    changes = client.describe_change_set(StackName=name, ChangeSetName="first")["Changes"]
    assert sorted(c["ResourceChange"]["LogicalResourceId"] for c in changes) == ["Parameterone", "Parametertwo"]
    client.execute_change_set(StackName=name, ChangeSetName="first")
    waiter(client, "stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert outputs(client, name) == EXPECTED


def test_validation_needs_no_values(aws):
    client = aws("cloudformation")
    validated = client.validate_template(TemplateBody=LOOPS)
    assert validated["DeclaredTransforms"] == ["AWS::LanguageExtensions"]
    assert validated["Capabilities"] == ["CAPABILITY_AUTO_EXPAND"]
    summary = client.get_template_summary(TemplateBody=LOOPS.replace("CommaDelimitedList }", 'CommaDelimitedList, Default: "x" }'))
    assert summary["ResourceTypes"] == ["AWS::SSM::Parameter"] and summary["DeclaredTransforms"] == ["AWS::LanguageExtensions"]


@pytest.mark.parametrize(("template", "why"), [
    ("Transform: AWS::Serverless-2016-10-31\nResources: {R: {Type: X}}", "The transform AWS::Serverless-2016-10-31 is not supported"),
    (LOOPS.replace("Transform: AWS::LanguageExtensions\n", ""), "the function Fn::ForEach needs the transform"),
    (LOOPS.replace("- !Ref Names\n    - Parameter", "- !Ref Secret\n    - Parameter"), "needs a list of strings, got a scalar (line 14, column 7)"),
])
def test_errors_name_the_place(aws, template, why):
    error = refusal(
        aws("cloudformation").create_stack, StackName="x", TemplateBody=template, Parameters=parameters(),
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
    ) if "Parameters" in template else refusal(aws("cloudformation").validate_template, TemplateBody=template)
    assert error["Code"] == "ValidationError" and why in error["Message"], error
