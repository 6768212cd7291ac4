//! `AWS::S3::Bucket`, `AWS::S3::BucketPolicy`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html>

use crate::rules;
use escale_base::{AwsError, ErrorKind, already_gone, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::s3::{Bucket, BucketSeen};
use serde_json::json;

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType {
            name: "AWS::S3::Bucket",
            properties: &[
                "AccessControl",
                "BucketEncryption",
                "BucketName",
                "OwnershipControls",
                "PublicAccessBlockConfiguration",
                "Tags",
                "VersioningConfiguration",
            ],
            create: create_bucket,
            ready: |_, _| Readiness::ready(),
            delete: delete_bucket,
            gone: bucket_gone,
        },
        ResourceType {
            name: "AWS::S3::BucketPolicy",
            properties: &["Bucket", "PolicyDocument"],
            create: create_policy,
            ready: |_, _| Readiness::ready(),
            delete: delete_policy,
            gone: |_, _| Readiness::ready(),
        },
    ]
}

fn create_bucket(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // A bucket's name is in lower case; CloudFormation's own is too.
    let name = props.name_or_generated("BucketName", 63);
    let name = if props.str("BucketName").is_some() { name } else { name.to_ascii_lowercase() };
    let acl = props.str("AccessControl").map(|a| if a == "Private" { "private" } else { a });
    let mut input = json!({"Bucket": name});
    if let Some(acl) = acl {
        input["ACL"] = json!(acl);
    }
    if cx.config.region != rules::UNSPOKEN_REGION {
        input["CreateBucketConfiguration"] = json!({"LocationConstraint": cx.config.region});
    }
    cx.call_untyped("s3", "CreateBucket", input)?;
    let of_bucket = |member: &str, value: &Value| json!({"Bucket": name, member: value});
    if let Some(block) = props.get("PublicAccessBlockConfiguration") {
        let input = of_bucket("PublicAccessBlockConfiguration", &truths(block));
        cx.call_untyped("s3", "PutPublicAccessBlock", input)?;
    }
    if let Some(controls) = props.get("OwnershipControls") {
        cx.call_untyped("s3", "PutBucketOwnershipControls", of_bucket("OwnershipControls", controls))?;
    }
    // `Suspended` is how a template says "not versioned".
    if let Some(versioning) = props.get("VersioningConfiguration").filter(|v| v["Status"] != "Suspended") {
        cx.call_untyped("s3", "PutBucketVersioning", of_bucket("VersioningConfiguration", versioning))?;
    }
    if let Some(encryption) = props.get("BucketEncryption") {
        let input = of_bucket("ServerSideEncryptionConfiguration", &encryption_of(encryption)?);
        cx.call_untyped("s3", "PutBucketEncryption", input)?;
    }
    let tags = props.tags();
    if tags.as_array().is_some_and(|t| !t.is_empty()) {
        cx.call_untyped("s3", "PutBucketTagging", json!({"Bucket": name, "Tagging": {"TagSet": tags}}))?;
    }
    let region = &cx.config.region;
    Ok(Created::new(&name)
        .with("Arn", rules::bucket_arn(&name))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com"))
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")))
}

/// CloudFormation takes `"true"` for `true`.
fn truths(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), truths(v))).collect(),
        Value::String(s) if s.eq_ignore_ascii_case("true") => json!(true),
        Value::String(s) if s.eq_ignore_ascii_case("false") => json!(false),
        other => other.clone(),
    }
}

/// The template's words for the same rules: `ServerSideEncryptionByDefault` for `Apply…`.
fn encryption_of(property: &Value) -> Result<Value, AwsError> {
    let rules = property.get("ServerSideEncryptionConfiguration").and_then(Value::as_array);
    let rule = |rule: &Value| {
        let mut out = serde_json::Map::new();
        for (name, value) in rule.as_object().into_iter().flatten() {
            let name = match name.as_str() {
                "ServerSideEncryptionByDefault" => "ApplyServerSideEncryptionByDefault",
                other => other,
            };
            out.insert(name.to_owned(), truths(value));
        }
        Value::Object(out)
    };
    let rules = rules.ok_or_else(|| {
        let message = "BucketEncryption needs ServerSideEncryptionConfiguration, a list of rules";
        AwsError::new(ErrorKind::Invalid, "ValidationError", 400, message)
    })?;
    Ok(json!({"Rules": rules.iter().map(rule).collect::<Vec<_>>()}))
}

/// DeleteBucket itself has to ask the plane; here the row is marked, and `reconcile` deletes the bucket.
fn delete_bucket(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
    cx.tx.delete::<BucketSeen>(name);
    cx.tx.update::<Bucket, ()>(name, |b| b.deleting = true);
    Ok(())
}

fn bucket_gone(image: &Image, created: &Created) -> Readiness {
    let name = &created.physical_id;
    match (image.get::<Bucket>(name), image.get::<BucketSeen>(name)) {
        (None, _) => Readiness::ready(),
        (Some(row), _) if row.deleting => Readiness::Pending(format!("the bucket {name} is being deleted")),
        (Some(_), Some(seen)) => Readiness::Failed(seen.not_deleted.clone()),
        (Some(_), None) => Readiness::Failed(format!("the bucket {name} was made anew")),
    }
}

fn create_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let bucket = props.text("Bucket")?.to_owned();
    let document = match props.required("PolicyDocument")? {
        Value::String(text) => text.clone(),
        tree => tree.to_string(),
    };
    cx.call_untyped("s3", "PutBucketPolicy", json!({"Bucket": bucket, "Policy": document}))?;
    Ok(Created::new(bucket))
}

fn delete_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    already_gone(cx.call_untyped("s3", "DeleteBucketPolicy", json!({"Bucket": created.physical_id})))
}
