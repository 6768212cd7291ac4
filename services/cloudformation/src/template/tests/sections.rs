use super::*;
use expect_test::{Expect, expect};

/// The error of a template; the waves of its resources if it has none.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&match parse(text, Origin::Body).and_then(|t| plan(&t)) {
        Ok(plan) => format!("{:?}", plan.waves),
        Err(error) => with_position(&error),
    });
}

fn plan(template: &Template) -> Result<Plan, TemplateError> {
    let bound = template.bind(&given(&[]))?;
    let (pseudo, stack) = (pseudo(), FakeStack { exists: true });
    match Scope::new(template, &bound.values, &pseudo, &stack) {
        Ok(scope) => template.plan(scope.conditions()),
        Err(EvaluateError::Template(error)) => Err(error),
        Err(error) => Err(TemplateError::plain(error.to_string())),
    }
}

#[test]
fn a_resource_may_have_a_description() {
    check("Resources: {R: {Type: AWS::X::Y, Description: the first}}", expect![[r#"[["R"]]"#]]);
    check(
        "Resources: {R: {Type: AWS::X::Y, Description: [1]}}",
        expect!["Template format error: [/Resources/R] Description must be a string. @ line 1, column 16"],
    );
}

#[test]
fn checks_the_sections() {
    check("Resources: {R: {Type: AWS::X::Y}}", expect![[r#"[["R"]]"#]]);
    check(
        "Resources: {}",
        expect!["Template format error: At least one Resources member must be defined. @ line 1, column 1"],
    );
    check(
        "Description: x",
        expect!["Template format error: At least one Resources member must be defined. @ line 1, column 1"],
    );
    check("[1]", expect!["Template format error: unsupported structure. @ line 1, column 1"]);
    check(
        "Resource: {}\nOutput: {}",
        expect!["Invalid template property or properties [Resource, Output] @ line 1, column 1"],
    );
    check(
        "AWSTemplateFormatVersion: 2011-01-01\nResources: {R: {Type: X}}",
        expect![
            "Template format error: Template format version not supported: use 2010-09-09 @ line 1, column 27"
        ],
    );
    check(
        "Transform: AWS::Serverless-2016-10-31\nResources: {R: {Type: X}}",
        expect![
            "Template validation error: The transform AWS::Serverless-2016-10-31 is not supported. Its functions run on Lambda, which Escale does not have. Run them as services of ECS @ line 1, column 1"
        ],
    );
    check(
        "Hooks: {}\nResources: {R: {Type: X}}",
        expect!["Template validation error: The section Hooks is not supported @ line 1, column 1"],
    );
    check(
        "Resources: {R: {Type: X, Properties: {A: [1, ]}}}\nOutputs:",
        expect![
            "Template format error: [/Outputs] 'null' values are not allowed in templates @ line 2, column 8"
        ],
    );
    check(
        "Resources: {R: {Type: X, Properties: {A: null}}}",
        expect![
            "Template format error: [/Resources/R/Properties/A] 'null' values are not allowed in templates @ line 1, column 42"
        ],
    );
}

#[test]
fn checks_resources_and_their_references() {
    check(
        "Resources: {R: {Properties: {}}}",
        expect![
            "Template format error: [/Resources/R] Every Resources object must contain a Type member. @ line 1, column 16"
        ],
    );
    check(
        "Resources: {R: {Type: X, Propertys: {}}}",
        expect!["Invalid template resource property 'Propertys' @ line 1, column 26"],
    );
    check(
        "Resources: {R: {Type: X, Properties: []}}",
        expect!["Template format error: [/Resources/R] Properties must be an object. @ line 1, column 16"],
    );
    check(
        "Resources: {my-bucket: {Type: X}}",
        expect!["Template format error: Resource name my-bucket is non alphanumeric. @ line 1, column 13"],
    );
    check(
        "Resources: {R: {Type: X, DeletionPolicy: Keep}}",
        expect!["Template format error: Unrecognized DeletionPolicy Keep for resource R @ line 1, column 13"],
    );
    check(
        "Resources: {R: {Type: X, UpdateReplacePolicy: RetainExceptOnCreate}}",
        expect![
            "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource R @ line 1, column 13"
        ],
    );
    // A resource that a condition excludes may have them.
    let text = "Resources: {R: {Type: X, CreationPolicy: {ResourceSignal: {Count: 1}}, UpdatePolicy: {}}}";
    let policies = parse(text, Origin::Body).unwrap().resources["R"].policies.clone();
    assert_eq!(
        policies.iter().map(|(name, at)| format!("{name} {at}")).collect::<Vec<_>>(),
        ["CreationPolicy line 1, column 26", "UpdatePolicy line 1, column 72"]
    );
    check("Resources: {R: {Type: Custom::X, Version: '1.0'}}", expect![[r#"[["R"]]"#]]);
    check(
        "Resources: {R: {Type: X, Version: '1.0'}}",
        expect!["Invalid template resource property 'Version' @ line 1, column 26"],
    );
    check(
        "Resources: {R: {Type: X, Condition: Nope}}",
        expect![
            "Template format error: Unresolved condition dependency Nope in the Resources block of the template"
        ],
    );
    check(
        "Resources: {R: {Type: X, DependsOn: [B, A]}}",
        expect![
            "Template format error: Unresolved resource dependencies [A, B] in the Resources block of the template"
        ],
    );
    check(
        "Resources: {R: {Type: X}}\nOutputs: {O: {Description: x}}",
        expect!["Template format error: Output O must have a Value @ line 2, column 14"],
    );
    check(
        "Resources: {R: {Type: X}}\nOutputs: {O: {Value: !Ref Q}}",
        expect![
            "Template format error: Unresolved resource dependencies [Q] in the Outputs block of the template"
        ],
    );
    check(
        "Conditions: {C: !Equals [!Ref R, 1]}\nResources: {R: {Type: X}}",
        expect![
            "Template format error: Unresolved dependencies [R]. Cannot reference resources in the Conditions block of the template"
        ],
    );
}

#[test]
fn orders_resources_by_dependency() {
    check(
        "Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, Properties: {P: !GetAtt C.Arn}}, C: {Type: X}, D: {Type: X, Properties: {P: !Sub '${C}'}}}",
        expect![[r#"[["C"], ["B", "D"], ["A"]]"#]],
    );
    check(
        "Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, DependsOn: A}, C: {Type: X, DependsOn: A}, D: {Type: X}}",
        expect!["Circular dependency between resources: [A, B]"],
    );
    check(
        "Resources: {A: {Type: X, Properties: {P: !Ref A}}}",
        expect!["Circular dependency between resources: [A]"],
    );
    // A cycle through a branch that is not chosen is no cycle.
    check(
        "Conditions: {No: !Equals [1, 2]}\nResources: {A: {Type: X, Properties: {P: !If [No, !Ref B, 1]}}, B: {Type: X, DependsOn: A}}",
        expect![[r#"[["A"], ["B"]]"#]],
    );
    check(
        "Conditions: {No: !Equals [1, 2]}\nResources: {A: {Type: X, DependsOn: B}, B: {Type: X, Condition: No}}",
        expect![[r#"[["A"]]"#]],
    );
    check(
        "Conditions: {No: !Equals [1, 2]}\nResources: {A: {Type: X, Properties: {P: !Ref B}}, B: {Type: X, Condition: No}}",
        expect![
            "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"
        ],
    );
    check(
        "Conditions: {A: !Condition B, B: !Not [!Condition A]}\nResources: {A: {Type: X}}",
        expect!["Template format error: Circular dependency between conditions: [A]"],
    );
}

#[test]
fn enforces_limits() {
    let resources: String = (0..501).map(|i| format!("  R{i}: {{Type: X}}\n")).collect();
    check(
        &format!("Resources:\n{resources}"),
        expect![
            "Template format error: Number of resources, 501, is greater than maximum allowed, 500 @ line 2, column 3"
        ],
    );
    check(
        &" ".repeat(51_201),
        expect![
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200"
        ],
    );
    assert!(parse(&format!("Resources: {{R: {{Type: X}}}}{}", " ".repeat(60_000)), Origin::File).is_ok());
}

#[test]
fn lists_required_capabilities() {
    let check = |properties: &str, kind: &str, expected: Expect| {
        let text = format!("Resources: {{R: {{Type: {kind}, Properties: {properties}}}}}");
        let template = parse(&text, Origin::Body).unwrap();
        let Capabilities { needed, reason } = template.capabilities();
        expected.assert_eq(&format!(
            "{needed:?} {reason:?} {:?}",
            template.capabilities_missing(&[escale_tables::cloudformation::Capability::CapabilityIam], false)
        ));
    };
    check("{}", "AWS::S3::Bucket", expect!["[] None []"]);
    check(
        "{PolicyName: x}",
        "AWS::IAM::Policy",
        expect![[
            r#"[CapabilityIam] Some("The following resource(s) require capabilities: [AWS::IAM::Policy]") []"#
        ]],
    );
    check(
        "{RoleName: x}",
        "AWS::IAM::Role",
        expect![[
            r#"[CapabilityNamedIam] Some("The following resource(s) require capabilities: [AWS::IAM::Role]") [CapabilityNamedIam]"#
        ]],
    );
}
