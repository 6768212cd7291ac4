use super::*;
use crate::CloudFormation;
use escale_base::AwsError;
use escale_harness::Harness;
use escale_service::{Created, Cx, Entry, Props, Service};
use expect_test::{Expect, expect};
use std::sync::Arc;

/// A service with types of real schemas and a fake creation.
struct Fake;

impl Service for Fake {
    fn id(&self) -> &'static str {
        "fake"
    }
    fn operations(&self) -> Vec<Entry> {
        Vec::new()
    }
    fn recorded(&self) -> &'static [Recorded] {
        const {
            &[
                Recorded { name: "AWS::Logs::LogGroup.LogGroupClass", reason: "one class" },
                Recorded { name: "CreateVpc.InstanceTenancy", reason: "one customer" },
                Recorded { name: "AWS::EC2::VPC.Tags/Key", reason: "keys are long" },
                Recorded { name: "AWS::SSM::Parameter.Type=String*", reason: "any string" },
            ]
        }
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        let group = &["LogGroupName", "RetentionInDays", "LogGroupClass", "Tags"];
        vec![
            ResourceType::new("AWS::Logs::LogGroup", group, create, |_, _| Ok(())),
            ResourceType::new("AWS::EC2::VPC", &["CidrBlock", "InstanceTenancy", "Tags"], create, |_, _| {
                Ok(())
            }),
            ResourceType::new("AWS::SSM::Parameter", &["Name", "Type", "Value"], create, |_, _| Ok(()))
                .ready(|_, _| escale_service::Readiness::Pending("later".into())),
        ]
    }
}

fn create(_: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    match props.str("LogGroupName") {
        Some("refused") => Err(AwsError::not_supported("The name refused").hint("Use another.")),
        Some("missing") => Err(props.invalid("not here")),
        _ => Ok(Created::new(props.logical_id).with("Arn", format!("arn:{}", props.logical_id))),
    }
}

fn report(text: &str) -> Report {
    report_with(text, &[])
}

fn report_with(text: &str, given: &[(&str, &str)]) -> Report {
    let harness = Harness::new(vec![Arc::new(CloudFormation), Arc::new(Fake)]);
    let given = given.iter().map(|(key, value)| ((*key).into(), (*value).to_owned())).collect();
    check(&harness.cloud, &harness.store, text, &given)
}

/// What is not enacted, one a line.
fn found(text: &str, expected: Expect) {
    let report = report(text);
    let note = |kind: &str, note: &Note| {
        format!("{kind} {}: {}", note.place.map_or(0, |place| place.line), note.message)
    };
    let mut lines: Vec<String> = report.errors.iter().map(|n| note("error", n)).collect();
    lines.extend(report.notes.iter().map(|n| note("note", n)));
    for resource in &report.resources {
        let mut line = |name: &str, place: &Place, support: &Support| match support {
            Support::Enacted => {}
            Support::Recorded { reason } => lines.push(format!("recorded {}: {name}: {reason}", place.line)),
            Support::Refused { reason } => lines.push(format!("refused {}: {name}: {reason}", place.line)),
        };
        line(&resource.logical_id, &resource.place, &resource.support);
        resource
            .properties
            .iter()
            .for_each(|p| line(&format!("{}.{}", resource.logical_id, p.name), &p.place, &p.support));
        if resource.created != Presence::Yes {
            lines.push(format!("{} created: {:?}", resource.logical_id, resource.created));
        }
    }
    lines.push(format!("refused: {}", report.is_refused()));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn accepts_supported_templates() {
    found(
        "Resources:\n  G:\n    Type: AWS::Logs::LogGroup\n    Properties: {LogGroupName: a, Tags: [{Key: k, Value: v}], LogGroupClass: STANDARD}\n  V:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16, InstanceTenancy: default}",
        expect![[r#"
            recorded 4: G.LogGroupClass: one class
            recorded 7: V.InstanceTenancy: one customer
            refused: false"#]],
    );
}

#[test]
fn values_without_effect_are_reported() {
    found(
        "Resources:
  A:
    Type: AWS::SSM::Parameter
    Properties: {Name: a, Value: b, Type: !Join ['', [Stri, ngList]]}
  B:
    Type: AWS::SSM::Parameter
    Properties: {Name: b, Value: b, Type: SecureString}",
        expect![[r#"
            recorded 4: A.Type: any string
            refused 7: B.Type: failed validation constraint for keyword [enum]: valid are [String, StringList].
            refused: true"#]],
    );
}

#[test]
fn members_without_effect_are_reported() {
    found(
        "Resources:
  V:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/16
      Tags:
        - !Ref AWS::NoValue
        - {Key: k, Value: v}",
        expect![[r#"
            recorded 8: V.Tags/Key: keys are long
            refused: false"#]],
    );
}

#[test]
fn reports_all_refusals_at_once() {
    found(
        "Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {Role: x}
  G:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Snapshot
    CreationPolicy: {}
    Properties:
      LogGroupName: refused
      KmsKeyId: k
      Colour: red
      RetentionInDays: 2
      Tags: [{Key: k, Value: v, Extra: 1}]
  H:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: refused
      KmsKeyId: k
      Tags: [!Ref 'AWS::NoValue']
  I:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: missing, KmsKeyId: !Ref 'AWS::NoValue'}",
        expect![[r#"
            refused 3: F: Escale does not have this type. Leave it out, or give it a Condition that is false here.
            refused 8: G.CreationPolicy: Escale does not support the attribute CreationPolicy. Leave it out, or give it a Condition that is false here.
            refused 6: G.DeletionPolicy: The type has no snapshots. Use Retain or Delete.
            refused 11: G.KmsKeyId: Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.
            refused 12: G.Colour: The type has no such property on AWS either. Remove it.
            refused 13: G.RetentionInDays: failed validation constraint for keyword [enum]: valid are [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653].
            refused 14: G.Tags/0/Extra: extraneous key [Extra] is not permitted.
            refused 19: H.KmsKeyId: Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.
            refused 16: H.Properties: The name refused is not supported. Use another.
            refused: true"#]],
    );
}

#[test]
fn errors_of_the_whole_template_are_reported() {
    found(
        "Resources: {",
        expect![[r#"
        error 2: Template format error: YAML not well-formed. (line 2, column 1)
        refused: true"#]],
    );
    found(
        "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: B}}",
        expect![[r#"
        error 0: Template format error: Unresolved resource dependencies [B] in the Resources block of the template
        refused: true"#]],
    );
    found(
        "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: B}, B: {Type: AWS::Logs::LogGroup, DependsOn: A}}",
        expect![[r#"
            error 0: Circular dependency between resources: [A, B]
            refused: true"#]],
    );
    found(
        "Rules: {R: {Assertions: [{Assert: !Equals [1, 2], AssertDescription: not equal}]}}\nResources: {A: {Type: AWS::Logs::LogGroup}}",
        expect![[r#"
            error 0: Template validation error: Rule R: not equal
            refused: true"#]],
    );
}

#[test]
fn conditions_decide_what_counts() {
    found(
        "Parameters: {Stage: {Type: String, Default: test}, Size: {Type: Number}}
Conditions: {Prod: !Equals [!Ref Stage, prod], Large: !Equals [!Ref Size, 9]}
Resources:
  A: {Type: AWS::Lambda::Function, Condition: Prod}
  B: {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: !If [Prod, k, !Ref 'AWS::NoValue'], RetentionInDays: !If [Large, 1, 3]}}",
        expect![[r#"
            note 1: Parameter Size has no value: what depends on it is not checked.
            refused 4: A: Escale does not have this type. Leave it out, or give it a Condition that is false here.
            A created: No
            refused: false"#]],
    );
    found(
        "Parameters: {Size: {Type: Number}}
Conditions: {Large: !Equals [!Ref Size, 9]}
Resources:
  A: {Type: AWS::Lambda::Function, Condition: Large}
  B: {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: !If [Large, k, !Ref 'AWS::NoValue']}}",
        expect![[r#"
            note 1: Parameter Size has no value: what depends on it is not checked.
            refused 4: A: Escale does not have this type. Leave it out, or give it a Condition that is false here.
            A created: Depends
            refused 5: B.KmsKeyId: Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.
            refused: true"#]],
    );
}

#[test]
fn given_values_replace_defaults() {
    let text = "Parameters: {Stage: {Type: String, Default: test}, Key: {Type: String}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources: {A: {Type: AWS::Lambda::Function, Condition: Prod}, B: {Type: AWS::Logs::LogGroup}}";
    assert!(!report(text).is_refused());
    let given = report_with(text, &[("Stage", "prod"), ("Key", "k")]);
    assert!(given.is_refused() && given.notes.is_empty());
    let wrong = report_with(text, &[("Nope", "x")]);
    assert_eq!(wrong.errors[0].message, "Parameters: [Nope] do not exist in the template");
    assert_eq!((parameters(text), parameters("{")), (vec!["Stage".to_owned(), "Key".to_owned()], vec![]));
}

#[test]
fn attributes_are_those_of_the_type() {
    // `P` becomes ready later: its other attributes are not known.
    found(
        "Resources:
  A: {Type: AWS::Logs::LogGroup}
  P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: v}}
  B:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !GetAtt A.Arn
      Tags: [{Key: k, Value: !GetAtt A.Nope}]
  C: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !GetAtt P.Later}}",
        expect![[r#"
            recorded 3: P.Type: any string
            refused 8: B.Properties: Template error: resource A does not support attribute type Nope in Fn::GetAtt (AWS::Logs::LogGroup has: Arn)
            refused: true"#]],
    );
}

#[test]
fn notes_name_what_the_deployment_needs() {
    found(
        "Parameters:
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/ami/x}
  Bootstrap: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}
  Own: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /own}
  Free: {Type: String}
Resources:
  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !ImportValue shared, Tags: [{Key: k, Value: !Ref Image}]}}
  B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: '{{resolve:ssm:/x}}'}}",
        expect![[r#"
            error 3: Parameter Bootstrap reads /cdk-bootstrap/hnb659fds/version, which `cdk bootstrap` creates and Escale does not have. Use the CDK's LegacyStackSynthesizer.
            error 2: Parameter Image reads AWS's public parameter /aws/service/ami/x, which Escale does not have. Put a parameter of your own, and pass its name.
            note 5: Parameter Free has no value: what depends on it is not checked.
            note 4: Parameter Own reads the SSM parameter /own: it must exist before the deployment.
            note 0: Another stack must export shared before the deployment.
            refused: true"#]],
    );
}

#[test]
fn loops_are_checked() {
    found(
        "Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList}}
Resources:
  Fn::ForEach::A: [N, [a, b], {'A${N}': {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: k}}}]
  Fn::ForEach::B: [N, !Ref Names, {'B${N}': {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: k}}}]",
        expect![[r#"
            note 2: Parameter Names has no value: what depends on it is not checked.
            refused 4: Aa.KmsKeyId: Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.
            refused 4: Ab.KmsKeyId: Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here.
            refused: true"#]],
    );
}

#[test]
fn reports_are_complete_json() {
    let text = "Resources: {A: {Type: AWS::Logs::LogGroup, Metadata: {'aws:cdk:path': App/A}, Properties: {LogGroupName: a, KmsKeyId: k}}}";
    let value = serde_json::to_value(report(text)).unwrap();
    expect![[r#"{"errors":[],"notes":[],"resources":[{"logical_id":"A","type":"AWS::Logs::LogGroup","cdk_path":"App/A","line":1,"column":16,"created":"yes","support":"enacted","properties":[{"name":"LogGroupName","line":1,"column":106,"support":"enacted"},{"name":"KmsKeyId","line":1,"column":119,"support":"refused","reason":"Escale does not support this property. Remove it, or use Fn::If and AWS::NoValue here."}]}]}"#]].assert_eq(&value.to_string());
}

/// What depends on a value that only the deployment knows is tried, too.
#[test]
fn refusals_behind_unknown_values_are_found() {
    let text = "
Resources:
  First: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !ImportValue name}}
  Unknown: {Type: Other::Type}
  Second:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: refused
      Tags: [{Key: a, Value: !ImportValue value}, {Key: b, Value: !GetAtt Unknown.Id}]
  Third:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Select [1, !Split [',', !ImportValue names]]}
";
    let found = report(text);
    let refused: Vec<&str> =
        found.resources.iter().filter(|r| r.is_refused()).map(|r| r.logical_id.as_str()).collect();
    assert_eq!(refused, ["Unknown", "Second"]);
}
