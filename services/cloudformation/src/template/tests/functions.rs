use super::*;
use expect_test::{Expect, expect};

/// The property `P` of a resource, evaluated.
fn check(property: &str, expected: Expect) {
    expected.assert_eq(&evaluate(property, true));
}

fn evaluate(property: &str, exists: bool) -> String {
    let text = format!(
        "
Parameters: {{N: {{Type: Number, Default: 8000}}, L: {{Type: CommaDelimitedList, Default: 'a, b'}}, S: {{Type: String, Default: ''}}}}
Mappings: {{M: {{k: {{s: text, l: [p, q], id: 012}}}}}}
Conditions: {{Yes: !Equals [1, '1'], No: !Not [!Condition Yes]}}
Resources:
  R: {{Type: AWS::X::Y}}
  A:
    Type: AWS::X::Y
    Properties:
      P: {property}"
    );
    let template = match parse(&text, Origin::Body) {
        Ok(template) => template,
        Err(error) => return with_position(&error),
    };
    let bound = template.bind(&given(&[])).unwrap();
    let (pseudo, stack) = (pseudo(), FakeStack { exists });
    let scope = Scope::new(&template, &bound.values, &pseudo, &stack).unwrap();
    match scope.properties("A") {
        Ok(value) => Value::Object(value).to_string(),
        Err(EvaluateError::Template(error)) => with_position(&error),
        Err(error) => error.to_string(),
    }
}

#[test]
fn evaluates_references() {
    check("!Ref R", expect![[r#"{"P":"r"}"#]]);
    check("!Ref N", expect![[r#"{"P":"8000"}"#]]);
    check("!Ref L", expect![[r#"{"P":["a","b"]}"#]]);
    check("!Ref AWS::NoValue", expect!["{}"]);
    check("[1, !Ref AWS::NoValue, 2]", expect![[r#"{"P":[1,2]}"#]]);
    check(
        "!Ref AWS::StackId",
        expect![[r#"{"P":"arn:aws:cloudformation:eu-west-3:000000000000:stack/shop/1"}"#]],
    );
    check("!Ref AWS::NotificationARNs", expect![[r#"{"P":[]}"#]]);
    check(
        "!Ref [R]",
        expect!["Template error: every Ref object must have a single String value. @ line 10, column 10"],
    );
    check(
        "!Ref Missing",
        expect![
            "Template format error: Unresolved resource dependencies [Missing] in the Resources block of the template"
        ],
    );
    check(
        "[!Ref Zed, !Sub '${Missing}']",
        expect![
            "Template format error: Unresolved resource dependencies [Missing, Zed] in the Resources block of the template"
        ],
    );
    check("!GetAtt R.Endpoint.Address", expect![[r#"{"P":"R.Endpoint.Address"}"#]]);
    check("!GetAtt [R, Endpoint.Address]", expect![[r#"{"P":"R.Endpoint.Address"}"#]]);
    check("!GetAtt [R, !Ref S]", expect![[r#"{"P":"R."}"#]]);
    check("!GetAtt R.Nope", expect!["Template error: resource R has no attribute Nope @ line 10, column 10"]);
    check(
        "!GetAtt R",
        expect![
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute @ line 10, column 10"
        ],
    );
    check(
        "!GetAtt Missing.Arn",
        expect![
            "Template error: instance of Fn::GetAtt references undefined resource Missing @ line 10, column 7"
        ],
    );
    assert_eq!(evaluate("!GetAtt R.Arn", false), "R does not exist yet");
}

#[test]
fn evaluates_string_functions() {
    check(
        "!Sub '${R}/${R.Arn}/${N}/${AWS::Region}/${!Keep}/$x${'",
        expect![[r#"{"P":"r/R.Arn/8000/eu-west-3/${Keep}/$x${"}"#]],
    );
    check("!Sub ['${a}-${b.c}', {a: !Ref N, b.c: 010}]", expect![[r#"{"P":"8000-010"}"#]]);
    check(
        "!Sub '${no-dash}'",
        expect![
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons @ line 10, column 10"
        ],
    );
    check(
        "!Sub '${L}'",
        expect!["Template error: Fn::Sub needs strings, got a list for ${L} @ line 10, column 10"],
    );
    check(
        "!Sub [x]",
        expect![
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string @ line 10, column 10"
        ],
    );
    check(
        "!Join ['-', [a, !Ref N, !Ref L, true, !Ref AWS::NoValue]]",
        expect![[r#"{"P":"a-8000-a-b-true"}"#]],
    );
    check("!Join [',', !GetAtt R.List]", expect![[r#"{"P":"x,y"}"#]]);
    check(
        "!Join [',', [[a], {b: c}]]",
        expect!["Template error: Fn::Join needs a list of strings, got an object in it @ line 10, column 10"],
    );
    check(
        "!Join [a]",
        expect![
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined. @ line 10, column 10"
        ],
    );
    check("!Split [',', 'a,b,']", expect![[r#"{"P":["a","b",""]}"#]]);
    check(
        "!Split ['', x]",
        expect![
            "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split. @ line 10, column 10"
        ],
    );
    check("!Base64 'hello'", expect![[r#"{"P":"aGVsbG8="}"#]]);
    check("{Fn::Base64: !Sub 'x${N}'}", expect![[r#"{"P":"eDgwMDA="}"#]]);
    check("!Select [1, !Ref L]", expect![[r#"{"P":"b"}"#]]);
    check("!Select ['0', [!Ref R]]", expect![[r#"{"P":"r"}"#]]);
    check(
        "!Select [5, !Ref L]",
        expect!["Template error: Fn::Select cannot select nonexistent value at index 5 @ line 10, column 10"],
    );
    check(
        "!Select [0, x]",
        expect![
            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list @ line 10, column 10"
        ],
    );
}

#[test]
fn evaluates_conditions_and_lookups() {
    check("!If [Yes, !Ref R, 2]", expect![[r#"{"P":"r"}"#]]);
    check("!If [No, 1, !Ref AWS::NoValue]", expect!["{}"]);
    check(
        "!If [Maybe, 1, 2]",
        expect![
            "Template format error: Unresolved condition dependency Maybe in the Resources block of the template"
        ],
    );
    check(
        "!If [Yes, 1]",
        expect![
            "Template error: Fn::If requires a list argument with three elements: a condition name and two values @ line 10, column 10"
        ],
    );
    check("!FindInMap [M, k, s]", expect![[r#"{"P":"text"}"#]]);
    check("!FindInMap [M, k, l]", expect![[r#"{"P":["p","q"]}"#]]);
    check("!FindInMap [M, k, id]", expect![[r#"{"P":"012"}"#]]);
    check(
        "!FindInMap [M, k, z]",
        expect!["Template error: Unable to get mapping for M::k::z @ line 10, column 10"],
    );
    check(
        "!FindInMap [X, k, z]",
        expect![
            "Template error: Mapping named 'X' is not present in the 'Mappings' section of template. @ line 10, column 7"
        ],
    );
    check("!ImportValue shared-vpc", expect![[r#"{"P":"vpc-1"}"#]]);
    check(
        "!ImportValue {Fn::Sub: '${AWS::StackName}-vpc'}",
        expect!["No export named shop-vpc found. @ line 10, column 10"],
    );
    check("!GetAZs us-east-1", expect![[r#"{"P":["us-east-1a","us-east-1b","us-east-1c"]}"#]]);
    check("!Cidr [10.0.0.0/16, 3, 8]", expect![[r#"{"P":["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]}"#]]);
    check("!Cidr ['2001:db8::/56', '2', 64]", expect![[r#"{"P":["2001:db8::/64","2001:db8:0:1::/64"]}"#]]);
    check(
        "!Cidr [10.0.0.0/24, 3, 8]",
        expect![
            "Template error: Fn::Cidr cannot take 3 subnets of 8 bits from 10.0.0.0/24, which has only 1 @ line 10, column 10"
        ],
    );
    check(
        "!Cidr [10.0.0.0/24, 0, 4]",
        expect!["Template error: Fn::Cidr needs a count from 1 to 256, got '0' @ line 10, column 10"],
    );
    check(
        "!Cidr [x, 1]",
        expect!["Template error: Fn::Cidr needs an IP block, got 'x' @ line 10, column 10"],
    );
}

#[test]
fn refuses_unsupported_functions() {
    check(
        "!Equals [1, 2]",
        expect![
            "Template error: Fn::Equals is not allowed in the Resources block: define a condition and use Fn::If @ line 10, column 10"
        ],
    );
    check(
        "!Transform {Name: AWS::Include}",
        expect![
            "Template validation error: The function Fn::Transform is not supported. Write the result of the transform into the template @ line 10, column 10"
        ],
    );
    check(
        "{Fn::ToJsonString: {}}",
        expect![
            "Template error: the function Fn::ToJsonString needs the transform. Add Transform: AWS::LanguageExtensions to the template @ line 10, column 11"
        ],
    );
    check(
        "{'Fn::ForEach::X': []}",
        expect![
            "Template error: the function Fn::ForEach needs the transform. Add Transform: AWS::LanguageExtensions to the template @ line 10, column 11"
        ],
    );
    check("{Fn::Nope: 1}", expect!["Template format error: Fn::Nope is not a function @ line 10, column 11"]);
    check(
        "{Fn::Sub: x, Other: 1}",
        expect![
            "Template format error: Fn::Sub must be the only key of its object (line 10, column 11) @ line 10, column 11"
        ],
    );
    // The Condition of a policy is not a function.
    check(
        "{Condition: {StringEquals: {a: b}}}",
        expect![[r#"{"P":{"Condition":{"StringEquals":{"a":"b"}}}}"#]],
    );
    check("{Condition: word}", expect![[r#"{"P":{"Condition":"word"}}"#]]);
}

#[test]
fn parses_dynamic_references() {
    let check = |text: &str, expected: Expect| {
        expected.assert_eq(&match dynamic::find(&json!({ "a": [text] })) {
            Ok(found) => format!("{found:?}"),
            Err(error) => with_position(&error),
        });
    };
    check("{{resolve:ssm:/shop/db:3}}", expect![[r#"[Ssm { name: "/shop/db", version: Some(3) }]"#]]);
    check(
        "x{{resolve:ssm-secure:key}}y{{resolve:ssm:other}}",
        expect![[r#"[SsmSecure { name: "key", version: None }, Ssm { name: "other", version: None }]"#]],
    );
    check(
        "{{resolve:secretsmanager:shop/db:SecretString:password}}",
        expect![[
            r#"[Secret { id: "shop/db", json_key: Some("password"), version_stage: None, version_id: None }]"#
        ]],
    );
    check(
        "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-3:000000000000:secret:db-x1:SecretString:p:AWSCURRENT}}",
        expect![[
            r#"[Secret { id: "arn:aws:secretsmanager:eu-west-3:000000000000:secret:db-x1", json_key: Some("p"), version_stage: Some("AWSCURRENT"), version_id: None }]"#
        ]],
    );
    check(
        "{{resolve:secretsmanager:shop}}",
        expect![[r#"[Secret { id: "shop", json_key: None, version_stage: None, version_id: None }]"#]],
    );
    check(
        "{{resolve:secretsmanager:shop:Binary}}",
        expect![
            "Incorrect format is used in the following dynamic reference: [{{resolve:secretsmanager:shop:Binary}}]"
        ],
    );
    check(
        "{{resolve:vault:x}}",
        expect!["Incorrect format is used in the following dynamic reference: [{{resolve:vault:x}}]"],
    );
    check(
        "{{resolve:ssm:x:latest}}",
        expect!["Incorrect format is used in the following dynamic reference: [{{resolve:ssm:x:latest}}]"],
    );
    check("{{resolve:ssm:x", expect!["[]"]);
    let value = json!({"url": "db://u:{{resolve:ssm:p}}@h", "n": 1});
    let replaced = dynamic::replace::<TemplateError>(&value, &mut |_| Ok("s3cret".into())).unwrap();
    assert_eq!(replaced, json!({"url": "db://u:s3cret@h", "n": 1}));
}
