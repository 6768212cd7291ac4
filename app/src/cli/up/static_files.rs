//! Copies folders of static files into their buckets.

use super::below;
use crate::cli::{
    client::{Client, encode, is_code},
    xml::Xml,
};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use escale_blueprint::Template;
use http::Method;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Paths of one invalidation; of more files, all are forgotten.
const AT_MOST_PATHS: usize = 1000;

/// Uploads under way at once: enough to hide the round trips, few enough to be polite.
const AT_ONCE: usize = 8;

/// Before anything is started: are the folders there?
pub(crate) fn check(folder: &Path, template: &Template) -> Result<()> {
    for sync in &template.syncs {
        let from = below(folder, &sync.folder);
        if !from.is_dir() {
            bail!("the bucket {} is filled from {}, which is no folder", sync.bucket, from.display());
        }
    }
    Ok(())
}

pub(crate) async fn sync_all(
    client: &Client,
    folder: &Path,
    template: &Template,
    outputs: &BTreeMap<String, String>,
) -> Result<()> {
    let mut changed = Vec::new();
    for sync in &template.syncs {
        let bucket =
            outputs.get(&sync.output).with_context(|| format!("the stack has no output {}", sync.output))?;
        let from = below(folder, &sync.folder);
        let before = etags(client, bucket, &sync.prefix).await?;
        let mut files = Vec::new();
        walk(&from, &mut files)?;
        let mut uploads = tokio::task::JoinSet::new();
        for file in files {
            let relative = file.strip_prefix(&from).context("it was found below")?;
            let key = format!("{}{}", sync.prefix, relative.to_string_lossy());
            let (client, bucket) = (client.clone(), bucket.clone());
            if uploads.len() >= AT_ONCE
                && let Some(done) = uploads.join_next().await
            {
                done??;
            }
            uploads.spawn(async move { upload(&client, &bucket, &key, &file).await });
        }
        while let Some(done) = uploads.join_next().await {
            done??;
        }
        let after = etags(client, bucket, &sync.prefix).await?;
        let is_other = |(key, etag): &(&String, &String)| after.get(*key).is_some_and(|now| now != *etag);
        changed.extend(before.iter().filter(is_other).map(|(key, _)| key.clone()));
    }
    match outputs.get("DistributionId") {
        Some(distribution) if !changed.is_empty() => invalidate(client, distribution, &changed).await,
        _ => Ok(()),
    }
}

/// What is in the bucket, and the mark of each content.
async fn etags(client: &Client, bucket: &str, prefix: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut from = String::new();
    loop {
        let path = format!("/{bucket}?list-type=2&prefix={}{from}", encode(prefix));
        let answer = client.rest("s3", Method::GET, &path, &[], Bytes::new()).await?;
        let page = Xml::parse(&answer.body)?;
        let objects = page.children.iter().filter(|c| c.name == "Contents");
        found.extend(objects.map(|o| (o.text_of("Key").to_owned(), o.text_of("ETag").to_owned())));
        match page.text_of("NextContinuationToken") {
            "" => return Ok(found),
            token => from = format!("&continuation-token={}", encode(token)),
        }
    }
}

/// The edge forgets what it has of files that are others now: it would serve them until their time is over.
async fn invalidate(client: &Client, distribution: &str, keys: &[String]) -> Result<()> {
    // Keys are the paths that viewers ask for: a bucket's prefix is its path in the distribution.
    let path =
        |key: &String| format!("<Path>/{}</Path>", key.split('/').map(encode).collect::<Vec<_>>().join("/"));
    let (count, paths): (usize, String) = match keys.len() {
        count @ ..=AT_MOST_PATHS => (count, keys.iter().map(path).collect()),
        _ => (1, "<Path>/*</Path>".to_owned()),
    };
    let reference = escale_base::ids::random_hex(16);
    let body = format!(
        "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>{count}</Quantity>\
         <Items>{paths}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>"
    );
    let to = format!("/2020-05-31/distribution/{distribution}/invalidation");
    client.rest("cloudfront", Method::POST, &to, &[("content-type", "text/xml")], Bytes::from(body)).await?;
    Ok(())
}

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

async fn upload(client: &Client, bucket: &str, key: &str, file: &Path) -> Result<()> {
    let body = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let path = key.split('/').map(encode).collect::<Vec<_>>().join("/");
    let headers = [("content-type", content_type(file))];
    client.rest("s3", Method::PUT, &format!("/{bucket}/{path}"), &headers, Bytes::from(body)).await?;
    Ok(())
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() { walk(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

/// The media type by the file's ending, as web servers do it; bytes otherwise.
fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
