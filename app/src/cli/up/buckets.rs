//! Empties an application's buckets, so that CloudFormation can delete them.

use super::removal;
use crate::cli::client::{Client, is_code};
use anyhow::Result;
use bytes::Bytes;
use escale_base::path::percent_encode;
use escale_wire::Element;
use http::Method;

/// Deletes every object and version of the buckets that are deleted with a stack, because S3 refuses to delete a bucket that
/// is not empty. Buckets that the template retains keep their objects.
pub(crate) async fn empty_buckets(client: &Client, stack: &str) -> Result<()> {
    for bucket in removal::buckets(client, stack).await? {
        empty(client, &bucket).await?;
    }
    Ok(())
}

/// Deletes a bucket with its objects, if it exists.
pub(super) async fn delete(client: &Client, bucket: &str) -> Result<()> {
    empty(client, bucket).await?;
    match client.rest("s3", Method::DELETE, &format!("/{bucket}"), &[], Bytes::new()).await {
        Err(error) if !is_code(&error, "NoSuchBucket") => Err(error),
        _ => Ok(()),
    }
}

async fn empty(client: &Client, bucket: &str) -> Result<()> {
    // Lists the first page until it is empty: each pass deletes what the page names.
    loop {
        let answer = client.rest("s3", Method::GET, &format!("/{bucket}?versions="), &[], Bytes::new()).await;
        let page = match answer {
            Ok(answer) => Element::parse(&answer.body)?,
            Err(error) if is_code(&error, "NoSuchBucket") => return Ok(()),
            Err(error) => return Err(error),
        };
        let versions: Vec<&Element> =
            page.children.iter().filter(|c| c.name == "Version" || c.name == "DeleteMarker").collect();
        if versions.is_empty() {
            return Ok(());
        }
        for version in versions {
            let key = version.text_of("Key").split('/').map(percent_encode).collect::<Vec<_>>().join("/");
            let id = percent_encode(version.text_of("VersionId"));
            let path = format!("/{bucket}/{key}?versionId={id}");
            client.rest("s3", Method::DELETE, &path, &[], Bytes::new()).await?;
        }
    }
}
