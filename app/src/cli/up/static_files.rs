//! Copies folders of static files into their buckets.

use super::named_folder;
use crate::cli::client::Client;
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use escale_base::path::percent_encode;
use escale_blueprint::Template;
use escale_files::Folder;
use escale_wire::Element;
use http::Method;
use md5::{Digest, Md5};
use std::{collections::BTreeMap, io::Read, path::Path};

/// Concurrent uploads: enough to hide the round trips, few enough not to crowd out other clients.
const AT_ONCE: usize = 8;

/// Checks before anything is started that the folders exist and all of their files can be read. Otherwise a link out of a
/// folder, or a pipe in it, would be an error only when half of the bucket is filled.
pub(crate) fn check(folder: &Path, template: &Template) -> Result<()> {
    for sync in &template.syncs {
        open(folder, &sync.bucket, &sync.folder)?
            .files()
            .with_context(|| format!("the files of the bucket {} cannot be read", sync.bucket))?;
    }
    Ok(())
}

fn open(folder: &Path, bucket: &str, named: &str) -> Result<Folder> {
    named_folder(folder, named).map_err(|error| match error {
        error if error.is_missing() || error.is_no_folder() => {
            anyhow!(
                "the bucket {bucket} is filled from {}, which is not a folder. Create it, or change `sync` in the manifest",
                super::below(folder, named).display()
            )
        }
        error => anyhow::Error::new(error).context(format!("the files of the bucket {bucket} cannot be read")),
    })
}

/// Uploads files that are new or changed, and invalidates their paths in the distribution's cache.
pub(crate) async fn sync_all(
    client: &Client,
    folder: &Path,
    template: &Template,
    outputs: &BTreeMap<String, String>,
) -> Result<()> {
    let mut changed = Vec::new();
    let invalidated_at = match outputs.get("DistributionId") {
        Some(distribution) if !template.syncs.is_empty() => last_invalidation(client, distribution).await?,
        _ => String::new(),
    };
    for sync in &template.syncs {
        let bucket =
            outputs.get(&sync.output).with_context(|| format!("the stack has no output {}", sync.output))?;
        let from = open(folder, &sync.bucket, &sync.folder)?;
        let there = objects(client, bucket, &sync.prefix).await?;
        let uploaded = upload_all(client, bucket, &sync.prefix, &from, &there).await?;
        // An earlier `up` may have been interrupted between its upload and its invalidation. Both times are from the same
        // clock, in seconds, so an equal time counts, too.
        let not_invalidated = there.values().any(|object| object.modified >= invalidated_at);
        if uploaded > 0 || not_invalidated {
            changed.push(format!("/{}*", sync.prefix));
        }
    }
    match outputs.get("DistributionId") {
        Some(distribution) if !changed.is_empty() => invalidate(client, distribution, &changed).await,
        _ => Ok(()),
    }
}

/// Returns the number of files that were new or changed.
async fn upload_all(
    client: &Client,
    bucket: &str,
    prefix: &str,
    from: &Folder,
    there: &BTreeMap<String, Object>,
) -> Result<usize> {
    let mut uploads = tokio::task::JoinSet::new();
    let mut uploaded = 0;
    for file in from.files()? {
        let key = format!("{prefix}{file}");
        let mut body = Vec::new();
        let read = from.file(&file)?.read_to_end(&mut body);
        read.with_context(|| format!("cannot read {}", from.path().join(&file).display()))?;
        // The bucket is versioned, so uploading an unchanged file would add a version.
        if there.get(&key).is_some_and(|object| object.etag == etag(&body)) {
            continue;
        }
        uploaded += 1;
        let (client, bucket) = (client.clone(), bucket.to_owned());
        if uploads.len() >= AT_ONCE
            && let Some(done) = uploads.join_next().await
        {
            done??;
        }
        uploads
            .spawn(async move { upload(&client, &bucket, &key, content_type(Path::new(&file)), body).await });
    }
    while let Some(done) = uploads.join_next().await {
        done??;
    }
    Ok(uploaded)
}

/// An object in the bucket, as ListObjectsV2 returns it.
struct Object {
    /// The MD5 of the content, since every file is uploaded in one part.
    etag: String,
    /// `2026-11-22T12:00:00.000Z`. In this form times compare as text.
    modified: String,
}

fn etag(body: &[u8]) -> String {
    format!("\"{:x}\"", Md5::digest(body))
}

async fn objects(client: &Client, bucket: &str, prefix: &str) -> Result<BTreeMap<String, Object>> {
    let mut found = BTreeMap::new();
    let mut from = String::new();
    loop {
        let path = format!("/{bucket}?list-type=2&prefix={}{from}", percent_encode(prefix));
        let answer = client.rest("s3", Method::GET, &path, &[], Bytes::new()).await?;
        let page = Element::parse(&answer.body)?;
        let contents = page.children.iter().filter(|c| c.name == "Contents");
        found.extend(contents.map(|o| {
            let object =
                Object { etag: o.text_of("ETag").to_owned(), modified: o.text_of("LastModified").to_owned() };
            (o.text_of("Key").to_owned(), object)
        }));
        match page.text_of("NextContinuationToken") {
            "" => return Ok(found),
            token => from = format!("&continuation-token={}", percent_encode(token)),
        }
    }
}

/// The time of the last invalidation; empty, which is before all times, if there was none.
async fn last_invalidation(client: &Client, distribution: &str) -> Result<String> {
    let path = format!("/2020-05-31/distribution/{distribution}/invalidation?MaxItems=1");
    let answer = client.rest("cloudfront", Method::GET, &path, &[], Bytes::new()).await?;
    let list = Element::parse(&answer.body)?;
    // CloudFront lists invalidations newest first.
    let newest = list.list("Items").first().map(|i| i.text_of("CreateTime").to_owned());
    Ok(newest.unwrap_or_default())
}

/// Invalidates cached files, which would otherwise be served until they expire. A pattern counts as one path, however many
/// files it matches.
async fn invalidate(client: &Client, distribution: &str, patterns: &[String]) -> Result<()> {
    let paths: String =
        patterns.iter().map(|p| format!("<Path>{}</Path>", quick_xml::escape::escape(p))).collect();
    let reference = escale_base::ids::random_hex(16);
    let body = format!(
        "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>{}</Quantity>\
         <Items>{paths}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>",
        patterns.len()
    );
    let to = format!("/2020-05-31/distribution/{distribution}/invalidation");
    client.rest("cloudfront", Method::POST, &to, &[("content-type", "text/xml")], Bytes::from(body)).await?;
    Ok(())
}

async fn upload(client: &Client, bucket: &str, key: &str, content_type: &str, body: Vec<u8>) -> Result<()> {
    let path = key.split('/').map(percent_encode).collect::<Vec<_>>().join("/");
    let headers = [("content-type", content_type)];
    client.rest("s3", Method::PUT, &format!("/{bucket}/{path}"), &headers, Bytes::from(body)).await?;
    Ok(())
}

/// The media type by the file's extension, as web servers do it.
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
