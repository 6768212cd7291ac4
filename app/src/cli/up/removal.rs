//! Lists the resources that are deleted with a stack, and the data that is lost permanently then.

use super::stack::describe;
use crate::cli::client::{Client, is_code};
use anyhow::{Context, Result};
use bytes::Bytes;
use escale_base::path::percent_encode;
use escale_wire::Element;
use http::Method;
use serde_json::Value;

const BUCKET: &str = "AWS::S3::Bucket";
const DATABASE: &str = "AWS::RDS::DBInstance";

/// A bucket or a database of a stack.
struct Resource {
    kind: String,
    /// Its name.
    id: String,
    /// Its `DeletionPolicy`, or AWS's default.
    policy: Policy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Delete,
    Snapshot,
    Retain,
}

/// The data that would be lost permanently if the stack were deleted now, a line each: objects in buckets, and databases of
/// which no snapshot is kept.
pub(crate) async fn losses(client: &Client, stack: &str) -> Result<Vec<String>> {
    let mut losses = Vec::new();
    for Resource { kind, id, policy } in resources(client, stack).await? {
        match (kind.as_str(), policy) {
            (BUCKET, Policy::Delete) => losses.extend(in_bucket(client, &id).await?),
            (DATABASE, Policy::Delete) => losses.push(format!(
                "the database {id}, of which no snapshot is kept (its DeletionPolicy is Delete)"
            )),
            _ => {}
        }
    }
    Ok(losses)
}

/// The buckets that are deleted with a stack.
pub(super) async fn buckets(client: &Client, stack: &str) -> Result<Vec<String>> {
    let all = resources(client, stack).await?;
    let go = all.into_iter().filter(|r| r.kind == BUCKET && r.policy == Policy::Delete);
    Ok(go.map(|r| r.id).collect())
}

async fn resources(client: &Client, stack: &str) -> Result<Vec<Resource>> {
    let Some(_) = describe(client, stack).await? else { return Ok(Vec::new()) };
    let named = [("StackName".to_owned(), stack.to_owned())];
    let template = client.query("cloudformation", "GetTemplate", &named).await?;
    let template: Value = serde_json::from_str(template.text_of("TemplateBody")).with_context(|| {
        format!(
            "the stack {stack} was not created by `escale up`, because its template is not JSON. Remove the stack with `escale \
             aws cloudformation delete-stack --stack-name {stack}`"
        )
    })?;
    let found = super::stack::resources(client, stack).await?;
    let made = found.iter().filter(|r| {
        !r.text_of("PhysicalResourceId").is_empty() && r.text_of("ResourceStatus") != "DELETE_COMPLETE"
    });
    Ok(made
        .map(|r| {
            let kind = r.text_of("ResourceType").to_owned();
            let given = template["Resources"][r.text_of("LogicalResourceId")]["DeletionPolicy"].as_str();
            Resource { policy: policy(&kind, given), id: r.text_of("PhysicalResourceId").to_owned(), kind }
        })
        .collect())
}

/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html>
fn policy(kind: &str, given: Option<&str>) -> Policy {
    match given {
        Some("Retain" | "RetainExceptOnCreate") => Policy::Retain,
        Some("Snapshot") => Policy::Snapshot,
        None if kind == DATABASE => Policy::Snapshot,
        _ => Policy::Delete,
    }
}

/// Describes the content of a bucket; `None` if it is empty or does not exist.
pub(crate) async fn in_bucket(client: &Client, bucket: &str) -> Result<Option<String>> {
    let path = format!("/{}?versions=", percent_encode(bucket));
    let answer = client.rest("s3", Method::GET, &path, &[], Bytes::new()).await;
    let page = match answer {
        Ok(answer) => Element::parse(&answer.body)?,
        Err(error) if is_code(&error, "NoSuchBucket") => return Ok(None),
        Err(error) => return Err(error),
    };
    let count = page.children.iter().filter(|c| c.name == "Version").count();
    let more = if page.text_of("IsTruncated") == "true" { " or more" } else { "" };
    Ok((count > 0).then(|| {
        let objects = if count == 1 && more.is_empty() { "object" } else { "objects" };
        format!("the bucket {bucket} with {count}{more} {objects} (including older versions)")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_policy_is_the_default_of_aws() {
        for (kind, given, expected) in [
            (BUCKET, None, Policy::Delete),
            (BUCKET, Some("Delete"), Policy::Delete),
            (BUCKET, Some("Retain"), Policy::Retain),
            (BUCKET, Some("RetainExceptOnCreate"), Policy::Retain),
            (DATABASE, None, Policy::Snapshot),
            (DATABASE, Some("Snapshot"), Policy::Snapshot),
            (DATABASE, Some("Delete"), Policy::Delete),
        ] {
            assert!(policy(kind, given) == expected, "{kind} {given:?}");
        }
    }
}
