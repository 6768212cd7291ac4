//! Comparisons of single values.

use super::compare::Comparison;
use escale_base::Tag;
use escale_service::{Created, ResourceType};
use escale_tables::cloudformation::PropertyDifference;
use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn kind(name: &'static str) -> ResourceType {
    ResourceType::new(name, &["Tags"], |_, _| Ok(Created::new("x")), |_, _| Ok(()))
}

/// The differences as lines, then the actual properties as they are shown.
fn compared(name: &'static str, expected: &Value, tags: &[Tag], actual: &Value) -> String {
    let (shown, differences) = Comparison::new(&kind(name), &object(expected), tags).with(object(actual));
    let line = |d: &PropertyDifference| format!("{} {} {} -> {}\n", d.kind, d.path, d.expected, d.actual);
    let lines: String = differences.iter().map(line).collect();
    format!("{lines}{}", Value::Object(shown))
}

#[allow(clippy::needless_pass_by_value)] // the callers write literals
fn check(name: &'static str, expected: Value, actual: Value, differences: Expect) {
    differences.assert_eq(&compared(name, &expected, &[], &actual));
}

#[allow(clippy::needless_pass_by_value)] // the callers write literals
fn same(name: &'static str, expected: Value, actual: Value) {
    let (_, found) = Comparison::new(&kind(name), &object(&expected), &[]).with(object(&actual));
    assert_eq!(found, [], "{expected} {actual}");
}

const DATABASE: &str = "AWS::RDS::DBInstance";
const DEFINITION: &str = "AWS::ECS::TaskDefinition";
const GROUP: &str = "AWS::EC2::SecurityGroup";
const LOGS: &str = "AWS::Logs::LogGroup";
const ROLE: &str = "AWS::IAM::Role";

#[test]
fn equal_values_in_other_forms_are_no_drift() {
    same(
        DATABASE,
        json!({"AllocatedStorage": 20, "MultiAZ": "true"}),
        json!({"AllocatedStorage": "20", "MultiAZ": true}),
    );
    same("AWS::CloudWatch::Alarm", json!({"Threshold": 50}), json!({"Threshold": 50.0}));
    same(DATABASE, json!({"DBInstanceIdentifier": "Shop"}), json!({"DBInstanceIdentifier": "shop"}));
    same("AWS::Route53::RecordSet", json!({"Name": "a.test"}), json!({"Name": "a.test."}));
    same("AWS::RDS::DBSubnetGroup", json!({"SubnetIds": ["b", "a"]}), json!({"SubnetIds": ["a", "b"]}));
    same(LOGS, json!({"RetentionInDays": "7", "Tags": []}), json!({"RetentionInDays": 7}));
    // A property that the template does not set, and a default in a structure.
    same(LOGS, json!({}), json!({"RetentionInDays": 7}));
    let (one, two) = (json!({"Key": "a", "Value": "1"}), json!({"Key": "b", "Value": "2"}));
    same(LOGS, json!({"Tags": [one, two]}), json!({"Tags": [two, one]}));
    let rules = json!({"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 80}]});
    same(
        GROUP,
        rules,
        json!({"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 80, "Description": "x"}]}),
    );
    let document = json!({"Statement": [{"Action": "a:B", "Effect": "Allow"}]});
    let listed = json!({"Statement": [{"Action": ["a:B"], "Effect": "Allow"}]});
    same(
        ROLE,
        json!({"AssumeRolePolicyDocument": document}),
        json!({"AssumeRolePolicyDocument": document.to_string()}),
    );
    same(
        ROLE,
        json!({"AssumeRolePolicyDocument": document.to_string()}),
        json!({"AssumeRolePolicyDocument": listed}),
    );
}

#[test]
fn values_that_differ_are_listed_with_their_paths() {
    check(
        LOGS,
        json!({"RetentionInDays": 7, "LogGroupClass": "STANDARD"}),
        json!({"LogGroupClass": "DELIVERY", "KmsKeyId": "x"}),
        expect![[r#"
            REMOVE /RetentionInDays 7 -> null
            NOT_EQUAL /LogGroupClass "STANDARD" -> "DELIVERY"
            {"LogGroupClass":"DELIVERY"}"#]],
    );
    check(
        GROUP,
        json!({"SecurityGroupIngress": [{"FromPort": 80, "CidrIp": "10.0.0.0/8"}, {"FromPort": 443}]}),
        json!({"SecurityGroupIngress": [{"FromPort": 443}, {"FromPort": 81, "CidrIp": "10.0.0.0/8"}, {"FromPort": 22}]}),
        expect![[r#"
            NOT_EQUAL /SecurityGroupIngress/0/FromPort 80 -> 81
            ADD /SecurityGroupIngress/2 null -> {"FromPort":22}
            {"SecurityGroupIngress":[{"FromPort":443},{"FromPort":81,"CidrIp":"10.0.0.0/8"},{"FromPort":22}]}"#]],
    );
    check(
        DEFINITION,
        json!({"ContainerDefinitions": [{"Name": "web", "DockerLabels": {"a/b": "1"}, "Command": ["x", "y"]}]}),
        json!({"ContainerDefinitions": [{"Name": "web", "DockerLabels": {"a/b": "1", "c/d": "2"}, "Command": ["y"], "Cpu": 0}]}),
        expect![[r#"
            ADD /ContainerDefinitions/0/DockerLabels/c~1d null -> "2"
            REMOVE /ContainerDefinitions/0/Command/0 "x" -> null
            {"ContainerDefinitions":[{"Name":"web","DockerLabels":{"a/b":"1","c/d":"2"},"Command":["y"]}]}"#]],
    );
    check(
        ROLE,
        json!({"AssumeRolePolicyDocument": {"Statement": [{"Action": "a:B"}]}}),
        json!({"AssumeRolePolicyDocument": {"Statement": [{"Action": "a:C"}], "Version": "2012-10-17"}}),
        expect![[r#"
            NOT_EQUAL /AssumeRolePolicyDocument/Statement/0/Action "a:B" -> "a:C"
            ADD /AssumeRolePolicyDocument/Version null -> "2012-10-17"
            {"AssumeRolePolicyDocument":{"Statement":[{"Action":"a:C"}],"Version":"2012-10-17"}}"#]],
    );
}

#[test]
fn values_that_are_not_known_are_left_out_and_never_shown() {
    check(
        DATABASE,
        json!({"MasterUserPassword": "hush", "MasterUsername": "{{resolve:ssm:/user}}"}),
        json!({"MasterUserPassword": "other", "MasterUsername": "app"}),
        expect![[r#"{"MasterUsername":"{{resolve:ssm:/user}}"}"#]],
    );
    check(
        DEFINITION,
        json!({"ContainerDefinitions": [{"Name": "web", "Environment": [{"Name": "A", "Value": "{{NoEcho:1f}}"}]}]}),
        json!({"ContainerDefinitions": [{"Name": "web", "Environment": [{"Name": "B", "Value": "hush"}]}]}),
        expect![[r#"
            REMOVE /ContainerDefinitions/0/Environment/0 {"Name":"A","Value":"****"} -> null
            ADD /ContainerDefinitions/0/Environment/0 null -> {"Name":"****","Value":"****"}
            {"ContainerDefinitions":[{"Name":"web","Environment":[{"Name":"****","Value":"****"}]}]}"#]],
    );
    check(
        DEFINITION,
        json!({"ContainerDefinitions": [{"Name": "web", "Command": ["--password", "{{NoEcho:1f}}"]}]}),
        json!({"ContainerDefinitions": [{"Name": "web", "Command": ["--password", "hush"]}]}),
        expect![[r#"{"ContainerDefinitions":[{"Name":"web","Command":["--password","****"]}]}"#]],
    );
}

#[test]
fn tags_of_the_stack_are_expected_and_those_of_aws_ignored() {
    let of_stack = [Tag::new("team", "web"), Tag::new("a", "of the stack")];
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let actual = json!({"Tags": [tag("aws:cloudformation:stack-name", "s"), tag("a", "1"), tag("b", "2")]});
    expect![[r#"
        REMOVE /Tags/1 {"Key":"team","Value":"web"} -> null
        ADD /Tags/1 null -> {"Key":"b","Value":"2"}
        {"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}"#]]
    .assert_eq(&compared(LOGS, &json!({"Tags": [tag("a", "1")]}), &of_stack, &actual));
    let map = json!({"Tags": {"team": "web", "a": "1"}});
    expect![[r#"{"Tags":{"a":"1","team":"web"}}"#]].assert_eq(&compared(
        "AWS::SSM::Parameter",
        &json!({"Tags": {"a": "1"}}),
        &of_stack,
        &map,
    ));
    // Without tags of its own a resource has those of the stack.
    let map = json!({"Tags": {"team": "web", "a": "of the stack"}});
    expect![[r#"{"Tags":{"team":"web","a":"of the stack"}}"#]].assert_eq(&compared(
        "AWS::SSM::Parameter",
        &json!({}),
        &of_stack,
        &map,
    ));
}
