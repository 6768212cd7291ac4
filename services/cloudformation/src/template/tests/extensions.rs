//! The functions of the transform `AWS::LanguageExtensions`; `loops` has those of its loops.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// The template after the transform, as compact JSON without the parameters; or the error.
pub(super) fn check(text: &str, values: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&match process(text, values) {
        Ok(Processed { text, .. }) => {
            let mut shown: serde_json::Map<String, Value> = serde_json::from_str(&text.unwrap()).unwrap();
            shown.retain(|section, _| !matches!(section.as_str(), "Parameters" | "Mappings"));
            Value::from(shown).to_string()
        }
        Err(error) => with_position(&error),
    });
}

pub(super) fn process(text: &str, values: &[(&str, &str)]) -> Result<Processed, TemplateError> {
    let source = read(&format!("Transform: AWS::LanguageExtensions\n{text}"), Origin::Body)?;
    let bound = source.bind(&given(values))?;
    let (pseudo, stack) = (pseudo(), FakeStack { exists: false });
    source.process(Known { parameters: &bound.values, pseudo: &pseudo, environment: &stack })
}

#[test]
fn counts_lists() {
    let check = |list: &str, expected: Expect| {
        check(
            &format!(
                "Parameters: {{L: {{Type: CommaDelimitedList, Default: 'a,b,c'}}, S: {{Type: String, Default: x}}}}\nResources: {{R: {{Type: X, Properties: {{P: {{Fn::Length: {list}}}}}}}}}"
            ),
            &[],
            expected,
        );
    };
    check("!Ref L", expect![[r#"{"Resources":{"R":{"Type":"X","Properties":{"P":3}}}}"#]]);
    check("[1, !Ref S]", expect![[r#"{"Resources":{"R":{"Type":"X","Properties":{"P":2}}}}"#]]);
    check("!Split ['|', 'a|b|c|d']", expect![[r#"{"Resources":{"R":{"Type":"X","Properties":{"P":4}}}}"#]]);
    check("!Ref S", expect!["Template error: every Fn::Length object requires a list @ line 3, column 43"]);
    check(
        "!Split [',', !GetAtt R.Arn]",
        expect![
            "Template error: the value of R.Arn is not known when the transform AWS::LanguageExtensions runs. Use parameters, mappings and literals here @ line 3, column 55"
        ],
    );
}

#[test]
fn lengths_decide_conditions() {
    check(
        "Parameters: {L: {Type: CommaDelimitedList, Default: 'a,b'}}\nConditions: {Two: !Equals [{Fn::Length: !Ref L}, 2], Same: !Equals [!Ref 'AWS::Region', {Fn::Select: [0, [eu-west-3]]}]}\n\
         Resources: {R: {Type: X, DeletionPolicy: !If [Two, Retain, Delete], UpdateReplacePolicy: !If [Same, Delete, Retain]}}",
        &[],
        expect![[
            r#"{"Conditions":{"Two":{"Fn::Equals":[2,2]},"Same":{"Fn::Equals":[{"Ref":"AWS::Region"},{"Fn::Select":[0,["eu-west-3"]]}]}},"Resources":{"R":{"Type":"X","DeletionPolicy":"Retain","UpdateReplacePolicy":"Delete"}}}"#
        ]],
    );
}

#[test]
fn writes_json() {
    let check = |value: &str, expected: Expect| {
        check(
            &format!(
                "Parameters: {{S: {{Type: String, Default: 'a\"b'}}, Secret: {{Type: String, Default: s, NoEcho: true}}}}\nResources: {{Q: {{Type: X}}, R: {{Type: X, Properties: {{P: {{Fn::ToJsonString: {value}}}}}}}}}"
            ),
            &[],
            expected,
        );
    };
    check(
        "{z: 1, a: [true, '2', !Ref S], n: !Ref 'AWS::NoValue', r: !Ref 'AWS::Region'}",
        expect![[
            r#"{"Resources":{"Q":{"Type":"X"},"R":{"Type":"X","Properties":{"P":"{\"z\":1,\"a\":[true,\"2\",\"a\\\"b\"],\"r\":\"eu-west-3\"}"}}}}"#
        ]],
    );
    // A secret is not a part of the processed template, nor is a value that is not known yet.
    check(
        "{a: !Ref Secret}",
        expect![[
            r#"{"Transform":"AWS::LanguageExtensions","Resources":{"Q":{"Type":"X"},"R":{"Type":"X","Properties":{"P":{"Fn::ToJsonString":{"a":{"Ref":"Secret"}}}}}}}"#
        ]],
    );
    check(
        "{a: !GetAtt Q.Arn}",
        expect![[
            r#"{"Transform":"AWS::LanguageExtensions","Resources":{"Q":{"Type":"X"},"R":{"Type":"X","Properties":{"P":{"Fn::ToJsonString":{"a":{"Fn::GetAtt":"Q.Arn"}}}}}}}"#
        ]],
    );
    check(
        "!Ref S",
        expect![
            "Template error: Fn::ToJsonString needs an object or a list, got a scalar @ line 3, column 57"
        ],
    );
    check(
        "text",
        expect![
            "Template error: every Fn::ToJsonString object requires an object or a list @ line 3, column 57"
        ],
    );
}

/// The engine reads the processed text again: what is left in it is evaluated when its values exist.
#[test]
fn json_of_late_values_is_written_when_they_exist() {
    let text = "Parameters: {Secret: {Type: String, NoEcho: true}}\nResources: {Q: {Type: X}, R: {Type: X, Properties: {P: {Fn::ToJsonString: {a: !Ref Secret, b: !GetAtt Q.Arn}}}}}";
    let processed = process(text, &[("Secret", "s\"1")]).unwrap();
    let text = processed.text.unwrap();
    assert!(!text.contains("s\\\"1"), "{text}");
    let again = parse(&text, Origin::File).unwrap();
    let bound = again.bind(&given(&[("Secret", "s\"1")])).unwrap();
    let (pseudo, stack) = (pseudo(), FakeStack { exists: true });
    let scope = Scope::new(&again, &bound.values, &pseudo, &stack).unwrap();
    assert_eq!(scope.properties("R").unwrap()["P"], r#"{"a":"s\"1","b":"Q.Arn"}"#);
    assert_eq!(again.plan(scope.conditions()).unwrap().waves, [["Q"], ["R"]]);
}

#[test]
fn finds_in_maps_with_functions_and_defaults() {
    let check = |arguments: &str, expected: Expect| {
        check(
            &format!(
                "Parameters: {{K: {{Type: String, Default: RSA_2048}}, L: {{Type: CommaDelimitedList, Default: 'x,y'}}}}\nMappings: {{M: {{RSA: {{use: sign, list: [a, 010]}}}}}}\nConditions: {{Yes: !Equals [1, 1]}}\n\
                 Resources: {{Q: {{Type: X}}, R: {{Type: X, Properties: {{P: !FindInMap [{arguments}]}}}}}}"
            ),
            &[],
            expected,
        );
    };
    let shown = |p: &str| {
        format!(
            r#"{{"Conditions":{{"Yes":{{"Fn::Equals":[1,1]}}}},"Resources":{{"Q":{{"Type":"X"}},"R":{{"Type":"X","Properties":{{"P":{p}}}}}}}}}"#
        )
    };
    let found = |arguments: &str, p: &str| {
        let text = format!(
            "Parameters: {{K: {{Type: String, Default: RSA_2048}}, L: {{Type: CommaDelimitedList, Default: 'x,y'}}}}\nMappings: {{M: {{RSA: {{use: sign, list: [a, 010]}}}}}}\nConditions: {{Yes: !Equals [1, 1]}}\n\
             Resources: {{Q: {{Type: X}}, R: {{Type: X, Properties: {{P: !FindInMap [{arguments}]}}}}}}"
        );
        let text = process(&text, &[]).unwrap().text.unwrap();
        let mut all: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        all.retain(|section, _| matches!(section.as_str(), "Conditions" | "Resources"));
        assert_eq!(Value::from(all).to_string(), shown(p), "{arguments}");
    };
    found("M, !Select [0, !Split [_, !Ref K]], use", r#""sign""#);
    found("M, !If [Yes, RSA, x], list", r#"["a","010"]"#);
    found("!Sub M, RSA, !Join ['', [u, se]], DefaultValue: 1", r#""sign""#);
    found("M, EC, use, DefaultValue: 1", "1");
    found("No, EC, use, DefaultValue: !Ref L", r#"{"Ref":"L"}"#);
    found("M, EC, use, DefaultValue: !FindInMap [M, RSA, nope, DefaultValue: [a, b]]", r#"["a","b"]"#);
    found("M, EC, use, DefaultValue: !GetAtt Q.Arn", r#"{"Fn::GetAtt":"Q.Arn"}"#);
    check(
        "M, !Sub EC, use",
        expect!["Template error: Unable to get mapping for M::EC::use @ line 5, column 56"],
    );
    check(
        "M, EC, use, Default: 1",
        expect![
            "Template error: the fourth parameter of Fn::FindInMap must be an object whose only key is DefaultValue @ line 5, column 56"
        ],
    );
    check(
        "M, !GetAtt Q.Arn, use",
        expect![
            "Template error: the value of Q.Arn is not known when the transform AWS::LanguageExtensions runs. Use parameters, mappings and literals here @ line 5, column 71"
        ],
    );
}

#[test]
fn attributes_of_resources_may_be_functions() {
    let check = |attributes: &str, expected: Expect| {
        check(
            &format!(
                "Parameters: {{Stage: {{Type: String, Default: Prod}}}}\nMappings: {{M: {{Prod: {{policy: Snapshot, condition: IsProd}}}}}}\nConditions: {{IsProd: !Equals [!Ref Stage, Prod]}}\nResources: {{R: {{Type: X, {attributes}}}}}"
            ),
            &[],
            expected,
        );
    };
    check(
        "DeletionPolicy: !FindInMap [M, !Ref Stage, policy]",
        expect![[
            r#"{"Conditions":{"IsProd":{"Fn::Equals":[{"Ref":"Stage"},"Prod"]}},"Resources":{"R":{"Type":"X","DeletionPolicy":"Snapshot"}}}"#
        ]],
    );
    check(
        "Condition: !FindInMap [M, !Ref Stage, condition]",
        expect![[
            r#"{"Conditions":{"IsProd":{"Fn::Equals":[{"Ref":"Stage"},"Prod"]}},"Resources":{"R":{"Type":"X","Condition":"IsProd"}}}"#
        ]],
    );
    check(
        "Condition: !FindInMap [M, Test, condition, DefaultValue: !Ref 'AWS::NoValue']",
        expect![[
            r#"{"Conditions":{"IsProd":{"Fn::Equals":[{"Ref":"Stage"},"Prod"]}},"Resources":{"R":{"Type":"X"}}}"#
        ]],
    );
    check(
        "DeletionPolicy: !Ref Stage",
        expect!["Template format error: Unrecognized DeletionPolicy Prod for resource R @ line 5, column 13"],
    );
    check(
        "DeletionPolicy: !Ref R",
        expect![
            "Template error: the value of R is not known when the transform AWS::LanguageExtensions runs. Use parameters, mappings and literals here @ line 5, column 42"
        ],
    );
}

#[test]
fn functions_of_the_transform_need_it() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&with_position(&read(text, Origin::Body).map(drop).unwrap_err()));
    };
    check(
        "Resources:\n  Fn::ForEach::R: [N, [a], {'A${N}': {Type: X}}]",
        expect![
            "Template error: the function Fn::ForEach needs the transform. Add Transform: AWS::LanguageExtensions to the template @ line 2, column 3"
        ],
    );
    check(
        "Resources: {R: {Type: X, Properties: {A: {Fn::Length: [1]}}}}",
        expect![
            "Template error: the function Fn::Length needs the transform. Add Transform: AWS::LanguageExtensions to the template @ line 1, column 43"
        ],
    );
    check(
        "Resources: {R: {Type: X, Properties: {A: !Length [1]}}}",
        expect![
            "Template format error: the function Fn::Length has no short form: write Fn::Length instead of !Length @ line 1, column 42"
        ],
    );
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&with_position(&parse(text, Origin::Body).map(drop).unwrap_err()));
    };
    check(
        "Mappings: {M: {a: {b: c}}}\nResources: {R: {Type: X, Properties: {A: !FindInMap [M, a, b, DefaultValue: 1]}}}",
        expect![
            "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value @ line 2, column 42"
        ],
    );
    check(
        "Resources: {R: {Type: X, Properties: {A: {Ref: {Fn::Sub: R}}}}}",
        expect!["Template error: every Ref object must have a single String value. @ line 1, column 43"],
    );
    check(
        "Resources: {R: {Type: X, DeletionPolicy: {Ref: P}}}",
        expect!["Template format error: [/Resources/R] DeletionPolicy must be a string. @ line 1, column 16"],
    );
}

#[test]
fn refuses_other_transforms_by_name() {
    let check = |transform: &str, expected: Expect| {
        let text = format!("Transform: {transform}\nResources: {{R: {{Type: X}}}}");
        expected.assert_eq(&match read(&text, Origin::Body) {
            Ok(source) => format!("{:?}", source.transforms),
            Err(error) => with_position(&error),
        });
    };
    check("AWS::LanguageExtensions", expect![[r#"["AWS::LanguageExtensions"]"#]]);
    check("[AWS::LanguageExtensions]", expect![[r#"["AWS::LanguageExtensions"]"#]]);
    check(
        "[AWS::LanguageExtensions, AWS::Serverless-2016-10-31]",
        expect![
            "Template validation error: The transform AWS::Serverless-2016-10-31 is not supported. Its functions run on Lambda, which Escale does not have. Run them as services of ECS @ line 1, column 1"
        ],
    );
    check(
        "{Name: AWS::Include, Parameters: {Location: s3://b/k}}",
        expect![
            "Template validation error: The transform AWS::Include is not supported. Copy the snippet into the template @ line 1, column 1"
        ],
    );
    check(
        "MyMacro",
        expect![
            "Template validation error: The transform MyMacro is not supported. Deploy the template that the transform creates: GetTemplate of AWS returns it as the stage Processed @ line 1, column 1"
        ],
    );
    check(
        "{Name: AWS::LanguageExtensions}",
        expect![
            "Template validation error: The transform AWS::LanguageExtensions is not supported. It has no parameters: write only its name @ line 1, column 1"
        ],
    );
    check(
        "[[a]]",
        expect![
            "Template format error: Every Transform must be the name of a transform. @ line 1, column 13"
        ],
    );
}

#[test]
fn transform_needs_a_capability_unless_a_change_set_shows_its_result() {
    use escale_tables::cloudformation::Capability::{CapabilityAutoExpand as Expand, CapabilityIam as Iam};
    let template = process("Resources: {R: {Type: AWS::IAM::Role}}", &[]).unwrap().template;
    assert_eq!(template.capabilities().needed, [Iam, Expand]);
    for (acknowledged, for_change_set, missing) in [
        (&[Iam][..], false, &[Expand][..]),
        (&[Iam], true, &[]),
        (&[Iam, Expand], false, &[]),
        (&[Expand], true, &[Iam]),
    ] {
        assert_eq!(template.capabilities_missing(acknowledged, for_change_set), missing);
    }
}

#[test]
fn outlines_need_no_values() {
    let text = "Transform: AWS::LanguageExtensions\nParameters: {Names: {Type: CommaDelimitedList}, Known: {Type: CommaDelimitedList, Default: 'a,b'}}\n\
        Conditions: {Many: !Equals [{Fn::Length: !Ref Names}, 2]}\n\
        Resources:\n  A: {Type: X, DeletionPolicy: !If [Many, Retain, Delete]}\n  Fn::ForEach::L: [N, !Ref Names, {'L${N}': {Type: Y}}]\n  Fn::ForEach::K: [N, !Ref Known, {'K${N}': {Type: Z}}]";
    let source = read(text, Origin::Body).unwrap();
    let bound = source.defaults().unwrap();
    let (pseudo, stack) = (pseudo(), FakeStack { exists: false });
    let known = Known { parameters: &bound.values, pseudo: &pseudo, environment: &stack };
    let outline = source.outline(known).unwrap();
    assert_eq!(outline.resources.keys().collect::<Vec<_>>(), ["A", "Ka", "Kb"]);
    assert_eq!((outline.resource_types(), outline.resources["A"].deletion_policy), (vec!["X", "Z"], None));
    // Nothing else may guess: the template itself has no values.
    assert!(parse(text, Origin::Body).is_err());
}

/// The shop's template has no function of the transform: with the transform it is the same template.
#[test]
fn transform_changes_nothing_else() {
    let text = include_str!("shop.yaml");
    let processed = process(
        text.trim_start_matches("AWSTemplateFormatVersion: \"2010-09-09\"\n"),
        &[("ImageUri", "shop:1")],
    );
    let processed = processed.unwrap_or_else(|error| panic!("{}", with_position(&error)));
    let printed = tree(&processed.text.unwrap()).unwrap().value();
    assert_eq!(printed["Resources"], tree(text).unwrap().value()["Resources"]);
    assert_eq!(printed.get("Transform"), None);
}

proptest! {
    /// What the transform returns is a template that needs no transform, and no input makes it panic.
    #[test]
    fn never_panics(text in "[ -~\n]{0,120}", name in "Fn::(ForEach::L|Length|ToJsonString|FindInMap|Sub|If)|Ref") {
        for resources in [
            format!("Resources: {{{name}: {text}}}"),
            format!("Resources: {{R: {{Type: X, Properties: {{{name}: {text}}}}}}}"),
            format!("Resources: {{'Fn::ForEach::A': [N, [a, b], {{'R${{N}}': {{Type: X, Properties: {{{name}: [{text}]}}}}}}]}}"),
        ] {
            if let Ok(Processed { text: Some(text), .. }) = process(&resources, &[]) {
                prop_assert!(parse(&text, Origin::File).is_ok(), "{}", text);
            }
        }
    }

    /// Printed trees read as the same trees.
    #[test]
    fn printed_json_is_the_same_tree(text in "[{}\\[\\]\",:0-9a-z. -]{0,60}") {
        for text in [format!("a: {text}"), format!("{{\"a\": {text}}}")] {
            if let Ok(node) = tree(&text) {
                let printed = json::text(&node);
                prop_assert_eq!(tree(&printed).map(|node| node.value()), Ok(node.value()), "{}", printed);
            }
        }
    }
}
