//! `AWS::ECR::Repository`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html>

use crate::{rules, shapes};
use escale_base::{AwsError, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ecr::{Deletion, Repository, RepositorySeen};
use serde_json::json;

pub(crate) fn types() -> Vec<ResourceType> {
    vec![ResourceType {
        name: "AWS::ECR::Repository",
        properties: &[
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "RepositoryName",
            "RepositoryPolicyText",
            "Tags",
        ],
        create,
        ready: |_, _| Readiness::ready(),
        delete,
        gone,
    }]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("RepositoryName", 256);
    let name = if props.str("RepositoryName").is_some() { name } else { name.to_ascii_lowercase() };
    let mut input = json!({"repositoryName": name, "tags": props.tags()});
    if let Some(mutability) = props.get("ImageTagMutability") {
        input["imageTagMutability"] = mutability.clone();
    }
    // The template's members begin large, the API's small; a member that is not known is refused there.
    for (property, member) in [
        ("ImageScanningConfiguration", "imageScanningConfiguration"),
        ("EncryptionConfiguration", "encryptionConfiguration"),
    ] {
        if let Some(Value::Object(members)) = props.get(property) {
            input[member] = members.iter().map(|(k, v)| (lower_first(k), truth(v))).collect();
        }
    }
    cx.call_untyped("ecr", "CreateRepository", input)?;
    if let Some(policy) = props.get("RepositoryPolicyText") {
        let text = policy.as_str().map_or_else(|| policy.to_string(), str::to_owned);
        cx.call_untyped("ecr", "SetRepositoryPolicy", json!({"repositoryName": name, "policyText": text}))?;
    }
    if props.bool("EmptyOnDelete") == Some(true) {
        cx.tx.update::<Repository, ()>(&name, |r| r.empty_on_delete = true);
    }
    Ok(Created::new(&name)
        .with("Arn", rules::arn(cx.config, &name))
        .with("RepositoryUri", shapes::uri(&name, cx.config)))
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// CloudFormation takes `"true"` for `true`.
fn truth(value: &Value) -> Value {
    match value.as_str() {
        Some("true") => json!(true),
        Some("false") => json!(false),
        _ => value.clone(),
    }
}

/// DeleteRepository itself has to ask the plane; here the row is marked, and `reconcile` deletes the repository.
fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
    cx.tx.delete::<RepositorySeen>(name);
    cx.tx.update::<Repository, ()>(name, |r| {
        r.deletion = if r.empty_on_delete { Deletion::WithImages } else { Deletion::IfEmpty };
    });
    Ok(())
}

fn gone(image: &Image, created: &Created) -> Readiness {
    let name = &created.physical_id;
    match (image.get::<Repository>(name), image.get::<RepositorySeen>(name)) {
        (None, _) => Readiness::ready(),
        (Some(row), _) if row.deletion != Deletion::No => {
            Readiness::Pending(format!("the repository {name} is being deleted"))
        }
        (Some(_), Some(seen)) => Readiness::Failed(seen.not_deleted.clone()),
        (Some(_), None) => Readiness::Failed(format!("the repository {name} was made anew")),
    }
}
