use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&match tree(text) {
        Ok(node) => node.value().to_string(),
        Err(error) => with_position(&error),
    });
}

#[test]
fn parses_scalars() {
    check(
        "a: 2010-09-09\nb: 012345678901\nc: 1.5\nd: -3\ne: yes\nf: 'yes'\ng: 0x10\nh: 1e3\ni: 18446744073709551616\nj: on",
        expect![[
            r#"{"a":"2010-09-09","b":"012345678901","c":1.5,"d":-3,"e":true,"f":"yes","g":"0x10","h":1000.0,"i":"18446744073709551616","j":true}"#
        ]],
    );
    check("a: |\n  x\n  y\nb: >-\n  x\n  y\nc: !!str 5", expect![[r#"{"a":"x\ny\n","b":"x y","c":"5"}"#]]);
    check(
        r#"{"a": [1, 2.50, true, "\ud83d\ude00\n"], "b": {}, "c": -0.5e2}"#,
        expect![[r#"{"a":[1,2.5,true,"😀\n"],"b":{},"c":-50.0}"#]],
    );
}

#[test]
fn expands_short_forms() {
    check(
        "a: !Ref B\nb: !GetAtt C.D\nc: !Join [',', [!Sub 'x${y}', !If [a, !Ref \"AWS::NoValue\", 2]]]",
        expect![[
            r#"{"a":{"Ref":"B"},"b":{"Fn::GetAtt":"C.D"},"c":{"Fn::Join":[",",[{"Fn::Sub":"x${y}"},{"Fn::If":["a",{"Ref":"AWS::NoValue"},2]}]]}}"#
        ]],
    );
    check(
        "a: !Sub\n  - ${x}\n  - x: !GetAZs ''\nb: !Condition c",
        expect![[r#"{"a":{"Fn::Sub":["${x}",{"x":{"Fn::GetAZs":""}}]},"b":{"Condition":"c"}}"#]],
    );
    check(
        "a: !Nope 1",
        expect!["Template format error: unrecognized tag '!Nope' (line 1, column 4) @ line 1, column 4"],
    );
}

#[test]
fn reports_syntax_errors_with_positions() {
    check(
        "a: [1, 2\nb: 3",
        expect!["Template format error: YAML not well-formed. (line 2, column 2) @ line 2, column 2"],
    );
    check(
        "a:\n  - b\n c: 1",
        expect!["Template format error: YAML not well-formed. (line 3, column 2) @ line 3, column 2"],
    );
    check(
        "a: 1\n\tb: 2",
        expect!["Template format error: YAML not well-formed. (line 1, column 4) @ line 1, column 4"],
    );
    check(
        "a: &x 1\nb: *x",
        expect![
            "Template format error: YAML aliases are not allowed in CloudFormation templates @ line 2, column 4"
        ],
    );
    check(
        "a: {b: 1}\nc:\n  <<: {d: 1}",
        expect![
            "Template format error: YAML merges (<<) are not allowed in CloudFormation templates @ line 3, column 3"
        ],
    );
    check(
        "? [a]\n: 1",
        expect!["Template format error: a key is not a string (line 1, column 3) @ line 1, column 3"],
    );
    check(
        "a: 1\n---\nb: 2",
        expect!["Template format error: only one YAML document is allowed @ line 2, column 1"],
    );
    check("# nothing", expect!["Template format error: the template is empty"]);
    check(
        "{\n  \"a\": 1,\n  \"b\" 2}",
        expect!["Template format error: JSON not well-formed. (line 3, column 7) @ line 3, column 7"],
    );
    check(
        "{\"a\": 1,}",
        expect!["Template format error: JSON not well-formed. (line 1, column 9) @ line 1, column 9"],
    );
    check(
        "{\"a\": 1} x",
        expect!["Template format error: JSON not well-formed. (line 1, column 10) @ line 1, column 10"],
    );
    check(
        "{\"a\": tru}",
        expect!["Template format error: JSON not well-formed. (line 1, column 7) @ line 1, column 7"],
    );
    check(
        "{\"a\": \"x",
        expect!["Template format error: JSON not well-formed. (line 1, column 7) @ line 1, column 7"],
    );
}

/// As CloudFormation does, unlike linters.
#[test]
fn last_value_of_a_repeated_key_counts() {
    check("a: 1\nb: 2\na: 3", expect![[r#"{"a":3,"b":2}"#]]);
    check("{\"a\": 1, \"b\": 2, \"a\": {\"a\": 3, \"a\": 4}}", expect![[r#"{"a":{"a":4},"b":2}"#]]);
}

#[test]
fn tagged_values_are_never_null() {
    check(
        "a: [!GetAZs , !GetAZs ]\nb: !Sub",
        expect![[r#"{"a":[{"Fn::GetAZs":""},{"Fn::GetAZs":""}],"b":{"Fn::Sub":""}}"#]],
    );
    check("a:\n  Fn::GetAZs:", expect![[r#"{"a":{"Fn::GetAZs":null}}"#]]);
}

#[test]
fn limits_depth() {
    for open in ["[", "{\"a\":", "- "] {
        let error = tree(&open.repeat(20_000)).unwrap_err();
        assert!(
            error.message.contains("nested deeper") || error.message.contains("not well-formed"),
            "{error}"
        );
    }
}

#[test]
fn counts_lines_and_columns() {
    let node = tree("Resources:\n  A:\n    Type: x\n").unwrap();
    let at = node.get("Resources").unwrap().get("A").unwrap().get("Type").unwrap().place;
    assert_eq!(at, Position::at(3, 11));
    let node = tree("{\"é\": {\n \"b\": 5}}").unwrap();
    assert_eq!(node.get("é").unwrap().get("b").unwrap().place, Position::at(2, 7));
}

proptest! {
    #[test]
    fn never_panics(text in "[ -~\n]{0,200}") {
        let _ = parse(&text, Origin::Body);
    }

    #[test]
    fn parses_json_like_serde(text in "[{}\\[\\]\",:0-9a-z. -]{0,40}") {
        let text = format!("{{{text}");
        let ours = tree(&text).map(|node| node.value()).ok();
        let theirs = serde_json::from_str::<Value>(&text).ok();
        prop_assert_eq!(&ours, &theirs);
        if let (None, Err(error)) = (theirs, tree(&text)) {
            prop_assert!(error.at.is_some());
        }
    }
}
