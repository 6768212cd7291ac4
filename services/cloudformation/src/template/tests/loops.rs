//! `Fn::ForEach`. The examples are those of AWS's page of the function.

use super::extensions::{check, process};
use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

#[test]
fn loops_create_resources_conditions_and_outputs() {
    check(
        "Parameters: {Names: {Type: CommaDelimitedList}}\n\
         Conditions:\n  Fn::ForEach::C: [N, !Ref Names, {'Is${N}': !Equals [!Ref N, b]}]\n\
         Resources:\n  Fn::ForEach::R:\n  - N\n  - !Ref Names\n  - Topic${N}:\n      Type: X\n      Condition: Is${N}\n      \
         DependsOn: ['Key${N}']\n      Properties: {Name: !Ref N, Text: !Sub '${N}-${AWS::Region}', Key: !GetAtt ['Key${N}', Arn]}\n    \
         Key${N}: {Type: Y}\n  Z: {Type: Y}\n\
         Outputs:\n  Fn::ForEach::O: [N, [a], {'Of${N}': {Value: !GetAtt 'Key${N}.Arn', Condition: 'Is${N}'}}]",
        &[("Names", "a, b")],
        expect![[
            r#"{"Conditions":{"Isa":{"Fn::Equals":["a","b"]},"Isb":{"Fn::Equals":["b","b"]}},"Resources":{"Topica":{"Type":"X","Condition":"Isa","DependsOn":["Keya"],"Properties":{"Name":"a","Text":{"Fn::Sub":"a-${AWS::Region}"},"Key":{"Fn::GetAtt":["Keya","Arn"]}}},"Keya":{"Type":"Y"},"Topicb":{"Type":"X","Condition":"Isb","DependsOn":["Keyb"],"Properties":{"Name":"b","Text":{"Fn::Sub":"b-${AWS::Region}"},"Key":{"Fn::GetAtt":["Keyb","Arn"]}}},"Keyb":{"Type":"Y"},"Z":{"Type":"Y"}},"Outputs":{"Ofa":{"Value":{"Fn::GetAtt":"Keya.Arn"},"Condition":"Isa"}}}"#
        ]],
    );
}

#[test]
fn loops_create_properties() {
    check(
        "Mappings: {Sizes: {a: {Cpu: 1, Memory: 2}}}\n\
         Resources:\n  R:\n    Type: X\n    Properties:\n      Fixed: 1\n      Fn::ForEach::P:\n      - Name\n      - [Cpu, Memory]\n      - ${Name}: !FindInMap [Sizes, a, !Ref Name]\n      \
         Deep: [{Fn::ForEach::Q: [K, [x, y], {'${K}': 0}]}]",
        &[],
        expect![[
            r#"{"Resources":{"R":{"Type":"X","Properties":{"Fixed":1,"Cpu":{"Fn::FindInMap":["Sizes","a","Cpu"]},"Memory":{"Fn::FindInMap":["Sizes","a","Memory"]},"Deep":[{"x":0,"y":0}]}}}}"#
        ]],
    );
}

#[test]
fn loops_nest() {
    check(
        "Mappings: {Zones: {Transit: {Names: [A, B]}, Public: {Names: [C]}}}\n\
         Resources:\n  Fn::ForEach::Outer:\n  - Prefix\n  - [Transit, Public]\n  - Acl${Prefix}: {Type: X}\n    Fn::ForEach::Inner:\n    - Suffix\n    \
         - !FindInMap [Zones, !Ref Prefix, Names]\n    - ${Prefix}Subnet${Suffix}:\n        Type: Y\n        Properties:\n          A: {Ref: {Fn::Sub: 'Acl${Prefix}'}}\n          B: !GetAtt [!Sub 'Acl${Prefix}', !Ref Suffix]",
        &[],
        expect![[
            r#"{"Resources":{"AclTransit":{"Type":"X"},"TransitSubnetA":{"Type":"Y","Properties":{"A":{"Ref":"AclTransit"},"B":{"Fn::GetAtt":["AclTransit","A"]}}},"TransitSubnetB":{"Type":"Y","Properties":{"A":{"Ref":"AclTransit"},"B":{"Fn::GetAtt":["AclTransit","B"]}}},"AclPublic":{"Type":"X"},"PublicSubnetC":{"Type":"Y","Properties":{"A":{"Ref":"AclPublic"},"B":{"Fn::GetAtt":["AclPublic","C"]}}}}}"#
        ]],
    );
}

#[test]
fn ampersands_keep_letters_and_digits_only() {
    check(
        "Resources:\n  Fn::ForEach::R: [Ip, [10.0.0.1, 10.0.0.2], {'At&{Ip}': {Type: X, Properties: {Ip: !Ref Ip}}}]",
        &[],
        expect![[
            r#"{"Resources":{"At10001":{"Type":"X","Properties":{"Ip":"10.0.0.1"}},"At10002":{"Type":"X","Properties":{"Ip":"10.0.0.2"}}}}"#
        ]],
    );
}

#[test]
fn loops_without_items_create_nothing() {
    check(
        "Mappings: {M: {a: {b: c}}}\nResources: {R: {Type: X}}\nOutputs:\n  Fn::ForEach::O: [N, !FindInMap [M, x, y, DefaultValue: []], {'${N}': {Value: 1}}]",
        &[],
        expect![[r#"{"Resources":{"R":{"Type":"X"}}}"#]],
    );
}

/// Checks a template with a parameter `P`, a resource `R` and other resources.
fn in_resources(resources: &str, expected: Expect) {
    check(
        &format!(
            "Parameters: {{P: {{Type: String, Default: p}}}}\nResources:\n  R: {{Type: X}}\n{resources}"
        ),
        &[],
        expected,
    );
}

#[test]
fn loops_are_checked() {
    let check = in_resources;
    check(
        "  Fn::ForEach::L: [N, [a]]",
        expect![
            "Template error: Fn::ForEach::L must be a list of three: an identifier, a collection, and an object with the output keys @ line 5, column 3"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, [a], [b]]",
        expect![
            "Template error: Fn::ForEach::L must be a list of three: an identifier, a collection, and an object with the output keys @ line 5, column 3"
        ],
    );
    check(
        "  Fn::ForEach: [N, [a], {'A${N}': {Type: X}}]",
        expect![
            "Template format error: Fn::ForEach must be Fn::ForEach::Name with a name of letters and digits @ line 5, column 3"
        ],
    );
    check(
        "  Fn::ForEach::R: [N, [a], {'A${N}': {Type: X}}]",
        expect![
            "Template format error: the loop Fn::ForEach::R has the name of a resource @ line 4, column 3"
        ],
    );
    check(
        "  Fn::ForEach::L: [P, [a], {'A${P}': {Type: X}}]",
        expect![
            "Template format error: the identifier P of Fn::ForEach::L is the name of a parameter @ line 5, column 3"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, [a], {'Fn::ForEach::M': [N, [b], {'A${N}': {Type: X}}]}]",
        expect![
            "Template format error: the identifier N of Fn::ForEach::M is that of an outer loop @ line 5, column 29"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, [a], {'A${N}': {Type: X}}]\nOutputs:\n  Fn::ForEach::L: [N, [a], {'A${N}': {Value: 1}}]",
        expect![
            "Template format error: the name of the loop Fn::ForEach::L is not unique in the template @ line 7, column 3"
        ],
    );
}

#[test]
fn results_of_loops_are_checked() {
    let check = in_resources;
    check(
        "  Fn::ForEach::L: [N, [a, a], {'A${N}': {Type: X}}]",
        expect![
            "Template format error: the transform AWS::LanguageExtensions creates the key 'Aa' twice @ line 5, column 32"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, [a], {'R': {Type: X}}]",
        expect![
            "Template format error: the transform AWS::LanguageExtensions creates the key 'R' twice @ line 5, column 29"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, [a-b], {'A${N}': {Type: X}}]",
        expect!["Template format error: Resource name Aa-b is non alphanumeric. @ line 5, column 31"],
    );
    check(
        "  Fn::ForEach::L: [N, !Ref P, {'A${N}': {Type: X}}]",
        expect!["Template error: Fn::ForEach::L needs a list of strings, got a scalar @ line 5, column 23"],
    );
    check(
        "  Fn::ForEach::L: [N, !Ref R, {'A${N}': {Type: X}}]",
        expect![
            "Template error: the value of R is not known when the transform AWS::LanguageExtensions runs. Use parameters, mappings and literals here @ line 5, column 23"
        ],
    );
    check(
        "  Fn::ForEach::L: [N, !GetAtt R.List, {'A${N}': {Type: X}}]",
        expect![
            "Template error: the value of R.List is not known when the transform AWS::LanguageExtensions runs. Use parameters, mappings and literals here @ line 5, column 23"
        ],
    );
    // CloudFormation does not replace identifiers in the first parameter of Fn::If.
    check(
        "  Fn::ForEach::L: [N, [a], {'A${N}': {Type: X, Properties: {B: !If ['Is${N}', 1, 2]}}}]",
        expect![
            "Template format error: Unresolved condition dependency Is${N} in the Resources block of the template"
        ],
    );
}

fn nested_loops(levels: usize, collection: &str) -> String {
    let body = |inner: String, level: usize| {
        format!("{{'Fn::ForEach::L{level}': [N{level}, {collection}, {inner}]}}")
    };
    let key: String = (0..levels).map(|level| format!("${{N{level}}}x")).collect();
    (0..levels).rev().fold(format!("{{'R{key}': {{Type: X}}}}"), body)
}

#[test]
fn limits_levels_of_loops() {
    let text = |levels| format!("Resources: {}", nested_loops(levels, "[a]"));
    assert_eq!(
        process(&text(5), &[]).unwrap().template.resources.keys().collect::<Vec<_>>(),
        ["Raxaxaxaxax"]
    );
    expect!["Template format error: loops are nested deeper than 5 levels @ line 2, column 163"]
        .assert_eq(&with_position(&process(&text(6), &[]).unwrap_err()));
}

/// Nested loops multiply: a short template must not fill the memory, even if its loops create nothing.
#[test]
fn limits_the_size_of_the_result() {
    let items = (0..60).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let empty =
        nested_loops(5, &format!("[{items}]")).replace("'R${N0}x${N1}x${N2}x${N3}x${N4}x': {Type: X}", "");
    for resources in [nested_loops(5, &format!("[{items}]")), empty] {
        let error = process(&format!("Resources: {resources}"), &[]).unwrap_err();
        assert!(error.message.contains("larger than 1048576 bytes after the transform"), "{error}");
    }
    // The quota of resources applies to the result.
    let items = (0..501).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let error = process(&format!("Resources: {}", nested_loops(1, &format!("[{items}]"))), &[]).unwrap_err();
    assert!(error.message.contains("501, is greater than maximum allowed, 500"), "{error}");
}

proptest! {
    /// Every item of a collection becomes a resource, in order, and the text reads as the same template.
    #[test]
    fn loops_create_one_resource_for_each_item(items in prop::collection::btree_set("[a-zA-Z0-9]{1,6}", 1..20)) {
        let names = items.iter().cloned().collect::<Vec<_>>();
        let text = "Parameters: {L: {Type: CommaDelimitedList}}\nResources:\n  Fn::ForEach::L: [N, !Ref L, {'R${N}': {Type: X, Properties: {P: !Ref N}}}]";
        let Processed { template, text } = process(text, &[("L", &names.join(","))]).unwrap();
        let expected: Vec<String> = names.iter().map(|name| format!("R{name}")).collect();
        prop_assert_eq!(template.resources.keys().cloned().collect::<Vec<_>>(), expected.clone());
        let again = parse(&text.unwrap(), Origin::File).unwrap();
        prop_assert_eq!(again.resources.keys().cloned().collect::<Vec<_>>(), expected);
    }
}
