//! `cargo xtask new-operation SERVICE NAME`.

use super::{add_sorted, create, edit, exists, read, snake};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt::Write;

pub(crate) fn operation(service: &str, name: &str) -> Result<()> {
    let list = format!("services/{service}/src/ops/mod.rs");
    if !exists(&list) {
        bail!("there is no {list}. Create the service first: cargo xtask new-service {service}");
    }
    let model: Value = serde_json::from_str(&read(&format!("models/{service}.json"))?)?;
    if model["operations"].get(name).is_none() {
        bail!(
            "models/{service}.json has no operation {name}. See: jq '.operations | keys' models/{service}.json"
        );
    }
    let module = snake(name);
    if read(&list)?.contains(&format!("    {name} =>")) {
        bail!("{list} has {name} already");
    }
    create(&format!("services/{service}/src/ops/{module}.rs"), &text(&model, service, name))?;
    edit(&list, |text| {
        let line = format!("    {name} => {module},");
        let added = add_sorted(text, &line, |other| other.starts_with("    ") && other.contains(" => "));
        let added =
            added.or_else(|| text.contains('}').then(|| text.replacen('}', &format!("{line}\n}}"), 1)));
        added.with_context(|| format!("{list} has no list of operations"))
    })?;
    println!(
        "\nNow write `run`, `resources` and the optional members that the operation enacts; CONTRIBUTING.md says how. AWS's page is \
         in the first line of the new file, and the shapes are in: jq '.operations.{name}, .shapes' models/{service}.json"
    );
    Ok(())
}

/// The file of the operation: its required members, and a body that is still to be written.
fn text(model: &Value, service: &str, name: &str) -> String {
    let operation = &model["operations"][name];
    let members = required(model, operation);
    let is_camel = members.first().is_some_and(|m| m.name.starts_with(char::is_lowercase));
    let mut fields = String::new();
    for Member { name, kind } in &members {
        let field = snake(name);
        if spelling(&field, is_camel) != *name {
            let _ = writeln!(fields, "    #[wire(\"{name}\")]");
        }
        let _ = writeln!(fields, "    {field}: {kind},");
    }
    let camel = if is_camel { "#[wire(camelCase)]\n" } else { "" };
    let input = match fields.as_str() {
        "" => "#[derive(Wire)]\npub(crate) struct Input {}".to_owned(),
        fields => format!("#[derive(Wire)]\n{camel}pub(crate) struct Input {{\n{fields}}}"),
    };
    let (output, declared) = match operation.get("output") {
        Some(_) => ("Output", "\n#[derive(Wire)]\npub(crate) struct Output {}\n"),
        None => ("()", ""),
    };
    format!(
        "\
//! <{url}{name}.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{{Cx, Operation}};

pub(crate) struct {name};

{input}
{declared}
impl Operation for {name} {{
    type Input = Input;
    type Output = {output};
    type Error = Error;

    fn resources(_input: &Input, _cx: &Cx<'_>) -> Vec<String> {{
        todo!(\"the ARNs that a policy names\")
    }}

    fn run(_cx: &mut Cx<'_>, _input: Input) -> Result<{output}, Error> {{
        todo!(\"check everything, then write the rows\")
    }}
}}
",
        url = page(service),
    )
}

struct Member {
    name: String,
    /// In Rust.
    kind: &'static str,
}

fn required(model: &Value, operation: &Value) -> Vec<Member> {
    let shape = |name: &Value| &model["shapes"][name.as_str().unwrap_or_default()];
    let input = shape(&operation["input"]["shape"]);
    let names = input["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let member = |name: &Value| {
        let name = name.as_str()?.to_owned();
        let kind = kind(shape(&input["members"][&name]["shape"]));
        Some(Member { name, kind })
    };
    names.iter().filter_map(member).collect()
}

/// The closest Rust type. The author of the operation replaces it by a type of its own for choices, ids and structures: start-up
/// refuses a choice that is a `String`.
fn kind(shape: &Value) -> &'static str {
    match shape["type"].as_str().unwrap_or_default() {
        "string" | "character" => "String",
        "boolean" => "bool",
        "integer" => "i32",
        "long" => "i64",
        "float" | "double" => "f64",
        "timestamp" => "escale_base::Timestamp",
        "list" => "Vec<escale_base::wire::Value>",
        _ => "escale_base::wire::Value",
    }
}

/// How `Wire` spells a field.
fn spelling(field: &str, is_camel: bool) -> String {
    let mut upper = !is_camel;
    let mut out = String::new();
    for letter in field.chars() {
        match (letter, upper) {
            ('_', _) => upper = true,
            (letter, true) => {
                out.extend(letter.to_uppercase());
                upper = false;
            }
            (letter, false) => out.push(letter),
        }
    }
    out
}

/// The beginning of the addresses of AWS's reference.
fn page(service: &str) -> String {
    let path = match service {
        "cloudformation" => "AWSCloudFormation/latest/APIReference",
        "cloudfront" => "cloudfront/latest/APIReference",
        "cloudtrail" => "awscloudtrail/latest/APIReference",
        "cloudwatch" => "AmazonCloudWatch/latest/APIReference",
        "ec2" => "AWSEC2/latest/APIReference",
        "ecr" => "AmazonECR/latest/APIReference",
        "ecs" => "AmazonECS/latest/APIReference",
        "elbv2" => "elasticloadbalancing/latest/APIReference",
        "iam" => "IAM/latest/APIReference",
        "logs" => "AmazonCloudWatchLogs/latest/APIReference",
        "rds" => "AmazonRDS/latest/APIReference",
        "route53" => "Route53/latest/APIReference",
        "s3" => "AmazonS3/latest/API",
        "ssm" => "systems-manager/latest/APIReference",
        "sts" => "STS/latest/APIReference",
        other => return format!("https://docs.aws.amazon.com/{other}/latest/APIReference/API_"),
    };
    format!("https://docs.aws.amazon.com/{path}/API_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operation_has_its_required_members() {
        let model = json!({
            "operations": {
                "PutThing": {"input": {"shape": "In"}, "output": {"shape": "Out"}},
                "ListThings": {"input": {"shape": "None"}},
            },
            "shapes": {
                "In": {"type": "structure", "required": ["DBName", "Count", "ThingId"], "members": {
                    "DBName": {"shape": "Text"}, "Count": {"shape": "Number"}, "ThingId": {"shape": "Text"},
                    "Comment": {"shape": "Text"},
                }},
                "None": {"type": "structure", "members": {}},
                "Text": {"type": "string"},
                "Number": {"type": "integer"},
            },
        });
        let put = text(&model, "ssm", "PutThing");
        assert!(put.starts_with(
            "//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutThing.html>"
        ));
        let input = "pub(crate) struct Input {\n    #[wire(\"DBName\")]\n    db_name: String,\n    count: i32,\n    thing_id: String,\n}";
        assert!(put.contains(input), "{put}");
        assert!(put.contains("pub(crate) struct Output {}"), "{put}");
        let list = text(&model, "ssm", "ListThings");
        assert!(list.contains("type Output = ();") && list.contains("struct Input {}"), "{list}");
    }
}
