//! The objects of a bucket, read and written in parts of bounded size.

use super::file::{CHUNK_BYTES, Object};
use crate::cli::client::{Answer, Client};
use anyhow::{Context, Result};
use bytes::Bytes;
use escale_base::path::{decode_once, percent_encode};
use escale_wire::Element;
use http::Method;
use std::collections::BTreeMap;

/// The headers that belong to an object, beside `x-amz-meta-`.
const KEPT: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
];

/// The buckets of a stack: their names by their logical ids.
pub(super) async fn of_stack(client: &Client, stack: &str) -> Result<BTreeMap<String, String>> {
    let named = [("StackName".to_owned(), stack.to_owned())];
    let found = client.query("cloudformation", "DescribeStackResources", &named).await?;
    let buckets = found.list("StackResources").iter().filter(|r| {
        r.text_of("ResourceType") == "AWS::S3::Bucket"
            && !r.text_of("PhysicalResourceId").is_empty()
            && r.text_of("ResourceStatus") != "DELETE_COMPLETE"
    });
    let ids = |r: &Element| (r.text_of("LogicalResourceId").into(), r.text_of("PhysicalResourceId").into());
    Ok(buckets.map(ids).collect())
}

/// The keys of all objects.
pub(super) async fn keys(client: &Client, bucket: &str) -> Result<Vec<String>> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let next =
            if token.is_empty() { token } else { format!("&continuation-token={}", percent_encode(&token)) };
        // Some keys cannot be in XML as they are.
        let path = format!("/{bucket}?encoding-type=url&list-type=2{next}");
        let page = Element::parse(&client.rest("s3", Method::GET, &path, &[], Bytes::new()).await?.body)?;
        for found in page.children.iter().filter(|c| c.name == "Contents") {
            let key = found.text_of("Key").replace('+', "%20");
            let key = decode_once(&key).map_err(|_| anyhow::anyhow!("the key {key} cannot be read"))?;
            all.push(key);
        }
        token = page.text_of("NextContinuationToken").to_owned();
        if token.is_empty() {
            return Ok(all);
        }
    }
}

fn path(bucket: &str, key: &str) -> String {
    let key = key.split('/').map(percent_encode).collect::<Vec<_>>().join("/");
    format!("/{bucket}/{key}")
}

/// An object that is read: its description, and the way to its content.
pub(super) struct Source {
    pub(super) object: Object,
    path: String,
    etag: String,
    read: u64,
}

impl Source {
    /// `None` if it no longer exists.
    pub(super) async fn open(client: &Client, id: &str, bucket: &str, key: String) -> Result<Option<Source>> {
        let path = path(bucket, &key);
        let head = match client.rest("s3", Method::HEAD, &path, &[], Bytes::new()).await {
            Ok(head) => head,
            Err(_) if !keys(client, bucket).await?.contains(&key) => return Ok(None),
            Err(error) => return Err(error.context(format!("cannot read {path}"))),
        };
        let header = |name: &str| header(&head, name);
        let size = header("content-length").parse().with_context(|| format!("{path} has no size"))?;
        let is_kept = |name: &str| KEPT.contains(&name) || name.starts_with("x-amz-meta-");
        let kept = head.headers.iter().filter(|(name, _)| is_kept(name.as_str()));
        let headers = kept.filter_map(|(n, v)| Some((n.to_string(), v.to_str().ok()?.to_owned()))).collect();
        let object = Object { bucket: id.to_owned(), key, size, headers };
        Ok(Some(Source { object, etag: header("etag"), path, read: 0 }))
    }

    /// The next part of the content; `None` at its end. An object that is replaced meanwhile is an error.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Bytes>> {
        if self.read >= self.object.size {
            return Ok(None);
        }
        let last = (self.read + CHUNK_BYTES as u64).min(self.object.size) - 1;
        let range = format!("bytes={}-{last}", self.read);
        let headers = [("range", range.as_str()), ("if-match", self.etag.as_str())];
        let part = client.rest("s3", Method::GET, &self.path, &headers, Bytes::new()).await;
        let part =
            part.with_context(|| format!("{} changed while it was read. Run the command again", self.path))?;
        if part.body.len() as u64 != last + 1 - self.read {
            anyhow::bail!(
                "{} was read with {} of {} bytes",
                self.path,
                part.body.len(),
                last + 1 - self.read
            );
        }
        self.read = last + 1;
        Ok(Some(part.body))
    }
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

/// An object that is written: it appears, whole, with `finish`.
pub(super) struct Sink {
    path: String,
    headers: Vec<(String, String)>,
    /// The upload and the tags of its parts, once there is more than one part.
    upload: Option<(String, Vec<String>)>,
    held: Option<Vec<u8>>,
}

impl Sink {
    pub(super) fn new(bucket: &str, object: &Object) -> Sink {
        let headers = object.headers.clone();
        Sink { path: path(bucket, &object.key), headers, upload: None, held: None }
    }

    pub(super) async fn put(&mut self, client: &Client, chunk: Vec<u8>) -> Result<()> {
        match self.held.replace(chunk) {
            Some(before) => self.part(client, before).await,
            None => Ok(()),
        }
    }

    async fn part(&mut self, client: &Client, bytes: Vec<u8>) -> Result<()> {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let (id, tags) = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let begin = format!("{}?uploads=", self.path);
                let begun = client.rest("s3", Method::POST, &begin, &headers, Bytes::new()).await?;
                let id = Element::parse(&begun.body)?.text_of("UploadId").to_owned();
                none.insert((id, Vec::new()))
            }
        };
        let at = format!("{}?partNumber={}&uploadId={}", self.path, tags.len() + 1, percent_encode(id));
        let stored = client.rest("s3", Method::PUT, &at, &[], bytes.into()).await?;
        tags.push(header(&stored, "etag"));
        Ok(())
    }

    pub(super) async fn finish(mut self, client: &Client) -> Result<()> {
        let last = self.held.take().unwrap_or_default();
        if self.upload.is_none() {
            let headers: Vec<(&str, &str)> =
                self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            client.rest("s3", Method::PUT, &self.path, &headers, last.into()).await?;
            return Ok(());
        }
        let stored = self.part(client, last).await;
        let Some((id, tags)) = &self.upload else { return Ok(()) };
        let at = format!("{}?uploadId={}", self.path, percent_encode(id));
        if let Err(error) = stored {
            let _ = client.rest("s3", Method::DELETE, &at, &[], Bytes::new()).await;
            return Err(error);
        }
        let parts: String = tags
            .iter()
            .enumerate()
            .map(|(n, tag)| format!("<Part><PartNumber>{}</PartNumber><ETag>{tag}</ETag></Part>", n + 1))
            .collect();
        let whole = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        client.rest("s3", Method::POST, &at, &[], whole.into()).await?;
        Ok(())
    }
}

pub(super) async fn delete(client: &Client, bucket: &str, key: &str) -> Result<()> {
    client.rest("s3", Method::DELETE, &path(bucket, key), &[], Bytes::new()).await.map(drop)
}
