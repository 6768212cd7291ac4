use super::*;
use expect_test::{Expect, expect};

/// The parameters for a declaration of `P` and a value of it.
fn check(declaration: &str, value: Option<&str>, expected: Expect) {
    let text = format!("Parameters: {{P: {declaration}}}\nResources: {{R: {{Type: AWS::X::Y}}}}");
    let given = value.map_or_else(BTreeMap::new, |v| given(&[("P", v)]));
    expected.assert_eq(&match parse(&text, Origin::Body).and_then(|t| t.bind(&given)) {
        Ok(bound) => format!("{} {:?}", json!(bound.values), bound.ssm),
        Err(error) => with_position(&error),
    });
}

#[test]
fn accepts_values_of_each_type() {
    check("{Type: String}", Some("x"), expect![[r#"{"P":"x"} {}"#]]);
    check("{Type: String}", None, expect!["Parameters: [P] must have values"]);
    check("{Type: String, Default: 'no'}", None, expect![[r#"{"P":"no"} {}"#]]);
    check("{Type: Number}", Some("8000"), expect![[r#"{"P":"8000"} {}"#]]);
    check("{Type: Number}", Some("x"), expect!["Parameter 'P' must be a number @ line 1, column 17"]);
    check("{Type: CommaDelimitedList}", Some("a, b,c"), expect![[r#"{"P":["a","b","c"]} {}"#]]);
    check("{Type: List<Number>}", Some("1,x"), expect!["Parameter 'P' must be a number @ line 1, column 17"]);
    check(
        "{Type: 'List<AWS::EC2::Subnet::Id>'}",
        Some("subnet-1,subnet-2"),
        expect![[r#"{"P":["subnet-1","subnet-2"]} {}"#]],
    );
    check("{Type: AWS::EC2::VPC::Id}", Some("vpc-1"), expect![[r#"{"P":"vpc-1"} {}"#]]);
    check(
        "{Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}",
        None,
        expect![[r#"{} {"P": "/a/b"}"#]],
    );
    // AWS accepts any type in `Value<…>` and `List<…>`.
    for name in ["Value<Number>", "Value<AWS::EC2::Image::Id>", "Value<List<Number>>", "Value<Whatever>"] {
        let declaration = format!("{{Type: 'AWS::SSM::Parameter::{name}', Default: /a/b}}");
        check(&declaration, None, expect![[r#"{} {"P": "/a/b"}"#]]);
    }
    check("{Type: 'List<AWS::EC2::KeyPair::KeyName>'}", Some("a,b"), expect![[r#"{"P":["a","b"]} {}"#]]);
}

#[test]
fn checks_constraints() {
    check("{Type: String, AllowedValues: ['yes', 'no']}", Some("yes"), expect![[r#"{"P":"yes"} {}"#]]);
    // YAML has several spellings of booleans; their strings are `true` and `false`.
    check(
        "{Type: String, Default: True, AllowedValues: [true, false]}",
        None,
        expect![[r#"{"P":"true"} {}"#]],
    );
    check("{Type: String, AllowedValues: [yes, no]}", Some("false"), expect![[r#"{"P":"false"} {}"#]]);
    check(
        "{Type: String, Default: 'True', AllowedValues: ['True', off]}",
        None,
        expect![[r#"{"P":"True"} {}"#]],
    );
    check("{Type: String, AllowedValues: [a, 5]}", Some("5"), expect![[r#"{"P":"5"} {}"#]]);
    check(
        "{Type: String, AllowedValues: [a, b]}",
        Some("c"),
        expect!["Parameter 'P' must be one of AllowedValues @ line 1, column 17"],
    );
    check(
        "{Type: String, AllowedValues: [a], ConstraintDescription: must be a.}",
        Some("c"),
        expect!["Parameter P failed to satisfy constraint: must be a. @ line 1, column 17"],
    );
    check(
        "{Type: String, AllowedPattern: '[a-z]+'}",
        Some("abc1"),
        expect!["Parameter 'P' must match pattern [a-z]+ @ line 1, column 17"],
    );
    check(
        "{Type: String, AllowedPattern: '(?=.*[0-9])[a-z0-9]{3,}'}",
        Some("abc1"),
        expect![[r#"{"P":"abc1"} {}"#]],
    );
    check(
        "{Type: String, AllowedPattern: '(('}",
        Some("a"),
        expect![
            "Template format error: AllowedPattern of parameter P is not a regular expression: Parsing error at position 2: Opening parenthesis without closing parenthesis @ line 1, column 48"
        ],
    );
    check(
        "{Type: String, MinLength: 8}",
        Some("short"),
        expect!["Parameter 'P' must contain at least 8 characters @ line 1, column 17"],
    );
    check(
        "{Type: String, MaxLength: 3}",
        Some("longer"),
        expect!["Parameter 'P' must contain at most 3 characters @ line 1, column 17"],
    );
    check(
        "{Type: Number, MinValue: 1, MaxValue: 10}",
        Some("11"),
        expect!["Parameter 'P' must be a number not greater than 10 @ line 1, column 17"],
    );
    check(
        "{Type: Number, MinValue: 1}",
        Some("0"),
        expect!["Parameter 'P' must be a number not less than 1 @ line 1, column 17"],
    );
    check("{Type: Number, Default: x}", None, expect!["Parameter 'P' must be a number @ line 1, column 17"]);
}

#[test]
fn refuses_invalid_declarations() {
    check(
        "{Type: Strin}",
        Some("x"),
        expect!["Template format error: Unrecognized parameter type: Strin @ line 1, column 17"],
    );
    check(
        "{Default: x}",
        None,
        expect![
            "Template format error: Every Parameters object must contain a Type member. @ line 1, column 17"
        ],
    );
    check(
        "{Type: String, Colour: red}",
        None,
        expect!["Invalid template parameter property 'Colour' @ line 1, column 32"],
    );
    check(
        "{Type: String, NoEcho: perhaps}",
        None,
        expect!["Template format error: NoEcho of parameter P must be true or false @ line 1, column 17"],
    );
    check(
        "{Type: String, Default: [a]}",
        None,
        expect!["Template format error: Every Default member must be a string. @ line 1, column 17"],
    );
}

#[test]
fn refuses_values_of_unknown_parameters() {
    let template = parse("Resources: {R: {Type: AWS::X::Y}}", Origin::Body).unwrap();
    let error = template.bind(&given(&[("B", "1"), ("A", "2")])).unwrap_err();
    assert_eq!(error.message, "Parameters: [A, B] do not exist in the template");
}

#[test]
fn resolves_lists_from_the_parameter_store() {
    let text = "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /l}}\nResources: {R: {Type: AWS::X::Y}}";
    let mut bound = parse(text, Origin::Body).unwrap().bind(&given(&[])).unwrap();
    bound.resolve("P", "a,b");
    assert_eq!((json!(bound.values), bound.ssm.len()), (json!({"P": ["a", "b"]}), 0));
}
