//! CloudFormation: `AWS::SSM::Parameter`. Its `Ref` is the name.

use escale_base::{AwsError, ErrorKind, already_gone};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use serde_json::{Map, Value, json};

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType {
        name: "AWS::SSM::Parameter",
        properties: &["Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Tags"],
        create,
        ready: |_, _| Readiness::ready(),
        delete,
        gone: |_, _| Readiness::ready(),
    }]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let kind = props.required("Type")?.clone();
    if kind == "SecureString" {
        let what = "AWS::SSM::Parameter does not support the type SecureString; use a Secrets Manager secret";
        return Err(AwsError::new(ErrorKind::Invalid, "ValidationException", 400, what));
    }
    let value = match props.required("Value")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = props.name_or_generated("Name", 128);
    let mut input = json!({"Name": name, "Type": kind, "Value": value, "Tags": tags(props)});
    for member in ["Description", "AllowedPattern", "Tier", "DataType"] {
        if let Some(given) = props.get(member) {
            input[member] = given.clone();
        }
    }
    cx.call_untyped("ssm", "PutParameter", input)?;
    Ok(Created::new(name).with("Type", kind).with("Value", value))
}

/// This type alone writes its tags as a map.
fn tags(props: &Props<'_>) -> Value {
    let mut tags: Map<String, Value> =
        props.stack_tags.iter().map(|t| (t.key.clone(), t.value.clone().into())).collect();
    if let Some(own) = props.get("Tags").and_then(Value::as_object) {
        tags.extend(own.clone());
    }
    tags.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    already_gone(cx.call_untyped("ssm", "DeleteParameter", json!({"Name": created.physical_id})))
}
