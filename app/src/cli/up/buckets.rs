//! Empties an application's buckets, so that they can go.

use crate::cli::{
    client::{Client, encode, is_code},
    xml::Xml,
};
use anyhow::Result;
use bytes::Bytes;
use http::Method;

/// Deletes every object and version of a stack's buckets: CloudFormation leaves a bucket that holds something.
pub(crate) async fn empty_buckets(client: &Client, stack: &str) -> Result<()> {
    let Some(_) = super::stack::describe(client, stack).await? else { return Ok(()) };
    let found = client
        .query("cloudformation", "DescribeStackResources", &[("StackName".into(), stack.into())])
        .await?;
    let buckets = found.list("StackResources").iter().filter(|r| {
        r.text_of("ResourceType") == "AWS::S3::Bucket" && !r.text_of("PhysicalResourceId").is_empty()
    });
    for bucket in buckets {
        empty(client, bucket.text_of("PhysicalResourceId")).await?;
    }
    Ok(())
}

async fn empty(client: &Client, bucket: &str) -> Result<()> {
    loop {
        let answer = client.rest("s3", Method::GET, &format!("/{bucket}?versions="), &[], Bytes::new()).await;
        let page = match answer {
            Ok(answer) => Xml::parse(&answer.body)?,
            Err(error) if is_code(&error, "NoSuchBucket") => return Ok(()),
            Err(error) => return Err(error),
        };
        let versions: Vec<&Xml> =
            page.children.iter().filter(|c| c.name == "Version" || c.name == "DeleteMarker").collect();
        if versions.is_empty() {
            return Ok(());
        }
        for version in versions {
            let key = version.text_of("Key").split('/').map(encode).collect::<Vec<_>>().join("/");
            let id = encode(version.text_of("VersionId"));
            let path = format!("/{bucket}/{key}?versionId={id}");
            client.rest("s3", Method::DELETE, &path, &[], Bytes::new()).await?;
        }
    }
}
