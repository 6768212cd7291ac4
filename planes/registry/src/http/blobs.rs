//! Blobs and uploads.

use super::answer::{plain, received, set, status, streamed};
use super::{Action, Http, Query, ResponseBody};
use crate::{Body, Digest, Error, Result, UploadId};
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use std::ops::Range;

impl Http {
    pub(super) async fn get_blob(
        &self,
        name: &str,
        digest: &Digest,
        parts: &Parts,
    ) -> Result<Response<ResponseBody>> {
        let size = self.registry.blob_size(name, digest).await?;
        let (code, range) = match range(&parts.headers, size) {
            None => (StatusCode::OK, 0..size),
            Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
            Some(None) => {
                let text = format!("the blob has {size} bytes");
                let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", &text);
                set(&mut response, "content-range", &format!("bytes */{size}"));
                return Ok(response);
            }
        };
        let mut response = status(code);
        set(&mut response, "content-type", "application/octet-stream");
        set(&mut response, "content-length", &(range.end - range.start).to_string());
        set(&mut response, "docker-content-digest", digest.as_str());
        set(&mut response, "etag", &format!("\"{digest}\""));
        set(&mut response, "accept-ranges", "bytes");
        if code == StatusCode::PARTIAL_CONTENT {
            set(&mut response, "content-range", &format!("bytes {}-{}/{size}", range.start, range.end - 1));
        }
        if parts.method != http::Method::HEAD {
            *response.body_mut() = streamed(self.registry.read_blob(name, digest, range).await?);
        }
        Ok(response)
    }

    pub(super) async fn start_upload(
        &self,
        name: &str,
        query: &Query,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<ResponseBody>> {
        if let Some(digest) = query.get("mount") {
            let digest = digest.parse()?;
            if let Some(from) = query.get("from")
                // Without this check, a client could copy any blob whose digest it knows into a repository of its own.
                && self.access.check(&parts.headers, Some(from), Action::PullBlob).await.is_ok()
                && self.registry.mount_blob(name, from, &digest).await?
            {
                return Ok(created(name, &digest));
            }
        }
        // A whole blob in one request.
        let digest = query.get("digest").map(str::parse::<Digest>).transpose()?;
        let id = self.registry.start_upload(name).await?;
        let Some(digest) = digest else { return Ok(in_progress(name, &id, 0, StatusCode::ACCEPTED)) };
        if let Err(e) = self.registry.append(name, &id, None, body).await {
            // The client does not know this upload's id, so it could not continue it.
            self.registry.cancel_upload(name, &id).await?;
            return Err(e);
        }
        self.registry.finish_upload(name, &id, &digest).await?;
        Ok(created(name, &digest))
    }

    pub(super) async fn upload_status(&self, name: &str, id: String) -> Result<Response<ResponseBody>> {
        let id = UploadId(id);
        let size = self.registry.upload_size(name, &id).await?;
        Ok(in_progress(name, &id, size, StatusCode::NO_CONTENT))
    }

    pub(super) async fn patch_upload(
        &self,
        name: &str,
        id: String,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<ResponseBody>> {
        let id = UploadId(id);
        let at = match chunk(&parts.headers) {
            None => None,
            Some(Some(chunk)) => Some(chunk.start),
            Some(None) => return Ok(bad_chunk()),
        };
        let size = self.registry.append(name, &id, at, body).await?;
        Ok(in_progress(name, &id, size, StatusCode::ACCEPTED))
    }

    pub(super) async fn finish_upload(
        &self,
        name: &str,
        id: String,
        query: &Query,
        parts: &Parts,
        mut body: Body,
    ) -> Result<Response<ResponseBody>> {
        let id = UploadId(id);
        let text = query.get("digest").unwrap_or_default();
        let digest: Digest = text.parse().map_err(|_| Error::BadDigest(text.to_owned()))?;
        let at = match chunk(&parts.headers) {
            Some(None) => return Ok(bad_chunk()),
            given => given.flatten().map(|chunk| chunk.start),
        };
        // The last chunk may be in this request, or may have been sent before.
        let first = loop {
            match body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                first => break first,
            }
        };
        if let Some(first) = first {
            let body = stream::iter([first]).chain(body).boxed();
            self.registry.append(name, &id, at, body).await?;
        }
        self.registry.finish_upload(name, &id, &digest).await?;
        Ok(created(name, &digest))
    }
}

fn created(name: &str, digest: &Digest) -> Response<ResponseBody> {
    let mut response = status(StatusCode::CREATED);
    set(&mut response, "location", &format!("/v2/{name}/blobs/{digest}"));
    set(&mut response, "docker-content-digest", digest.as_str());
    response
}

fn in_progress(name: &str, id: &UploadId, size: u64, code: StatusCode) -> Response<ResponseBody> {
    let mut response = status(code);
    set(&mut response, "location", &format!("/v2/{name}/blobs/uploads/{}", id.0));
    set(&mut response, "docker-upload-uuid", &id.0);
    set(&mut response, "range", &received(size));
    response
}

fn bad_chunk() -> Response<ResponseBody> {
    let text = "Content-Range of a chunk is <first byte>-<last byte>";
    plain(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", text)
}

/// `Content-Range: <first>-<last>`, as uploads use it; `Some(None)` if it has another format.
fn chunk(headers: &HeaderMap) -> Option<Option<Range<u64>>> {
    let text = headers.get(header::CONTENT_RANGE)?;
    let parse = || {
        let text = text.to_str().ok()?;
        let text = text.strip_prefix("bytes ").unwrap_or(text);
        let (first, last) = text.split('/').next()?.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
        (first <= last).then(|| first..last.saturating_add(1))
    };
    Some(parse())
}

/// `Range: bytes=…` with one range; `Some(None)` if it lies outside. Another format is ignored, by RFC 9110
/// (14.2), and the whole blob is sent.
fn range(headers: &HeaderMap, size: u64) -> Option<Option<Range<u64>>> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = text.split_once('-')?;
    let range = match (first, last) {
        ("", n) => size.saturating_sub(n.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size),
    };
    Some((range.start < range.end).then_some(range))
}
