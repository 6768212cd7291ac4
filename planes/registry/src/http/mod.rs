//! The distribution API over HTTP: finds the endpoint, asks whether the caller is authorized, answers.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md>

mod answer;
mod blobs;
mod images;

pub use answer::ResponseBody;

use crate::{Digest, Error, Reference, Registry, Result, manifest};
use answer::{denied, error, plain, status};
use async_trait::async_trait;
use bytes::Bytes;
use escale_base::path::RawPath;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::sync::Arc;

/// The permission on a repository that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To detect the registry and to log in: `GET /v2/`.
    Ping,
    /// To read manifests and tags, and to check whether blobs exist.
    Pull,
    /// To read a blob's bytes, also by mounting it into another repository.
    PullBlob,
    Push,
    Delete,
}

/// The access decision's answer to a request that is not authorized.
#[derive(Clone, Debug)]
pub struct Denied {
    pub status: StatusCode,
    /// The value of `WWW-Authenticate`, which makes clients send credentials.
    pub challenge: Option<String>,
    /// For example `UNAUTHORIZED` or `DENIED`.
    pub code: String,
    pub message: String,
}

/// Access control, implemented by the registry's operator.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    async fn check(
        &self,
        headers: &HeaderMap,
        repository: Option<&str>,
        action: Action,
    ) -> std::result::Result<(), Denied>;
}

/// The registry's HTTP interface. Serves any connection: `handle` answers one request.
#[derive(Clone)]
pub struct Http {
    registry: Arc<dyn Registry>,
    access: Arc<dyn Access>,
}

/// One endpoint, with the names from its path.
enum Endpoint {
    Root,
    Blob(String, Digest),
    Uploads(String),
    Upload(String, String),
    Manifest(String, Reference),
    Tags(String),
    Referrers(String, Digest),
}

impl Endpoint {
    fn repository(&self) -> Option<&str> {
        match self {
            Endpoint::Root => None,
            Endpoint::Blob(name, _)
            | Endpoint::Uploads(name)
            | Endpoint::Upload(name, _)
            | Endpoint::Manifest(name, _)
            | Endpoint::Tags(name)
            | Endpoint::Referrers(name, _) => Some(name),
        }
    }
}

/// `None` for a path that the specification does not define. Names are read from the segments, each decoded once: an
/// encoded slash is not a separator, and no valid name contains one.
fn find(path: RawPath<'_>) -> Option<Result<Endpoint>> {
    let segments = path.segments().ok()?;
    let words = segments.plain()?;
    let ["v2", words @ ..] = words.as_slice() else { return None };
    type Make = fn(String, &str) -> Result<Endpoint>;
    let (name, endpoint): (&[&str], Make) = match words {
        [] | [""] => return Some(Ok(Endpoint::Root)),
        // Matched from the end of the path: a repository's name may itself contain the word `blobs` or `manifests`.
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
            (name, |name, _| Ok(Endpoint::Uploads(name)))
        }
        [name @ .., "blobs", "uploads", _] => (name, |name, id| Ok(Endpoint::Upload(name, id.to_owned()))),
        [name @ .., "blobs", _] => (name, |name, digest| Ok(Endpoint::Blob(name, digest.parse()?))),
        [name @ .., "manifests", _] => (name, |name, text| Ok(Endpoint::Manifest(name, text.parse()?))),
        [name @ .., "tags", "list"] => (name, |name, _| Ok(Endpoint::Tags(name))),
        [name @ .., "referrers", _] => (name, |name, digest| Ok(Endpoint::Referrers(name, digest.parse()?))),
        _ => return None,
    };
    let name = name.join("/");
    let last = words.last().copied().unwrap_or_default();
    Some(manifest::check_name(&name).and_then(|()| endpoint(name, last)))
}

impl Http {
    pub fn new(registry: Arc<dyn Registry>, access: Arc<dyn Access>) -> Http {
        Http { registry, access }
    }

    /// Answers one request. Never fails: errors become answers too.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<crate::BodyError>,
    {
        let is_head = request.method() == Method::HEAD;
        let mut response = self.route(request).await.unwrap_or_else(|e| {
            if let Error::Plane(fault) = &e {
                tracing::error!("a request to the registry failed: {fault}");
            }
            error(&e)
        });
        // Some handlers make a body for HEAD as well.
        if is_head {
            *response.body_mut() = answer::empty();
        }
        response
    }

    async fn route<B>(&self, request: Request<B>) -> Result<Response<ResponseBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<crate::BodyError>,
    {
        let (parts, body) = request.into_parts();
        let Some(endpoint) = find(RawPath::new(parts.uri.path())) else {
            return Ok(plain(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "the registry has no endpoint with this path",
            ));
        };
        // A name or digest with a wrong syntax is refused before the access check: it can name nothing that exists.
        let endpoint = endpoint?;
        let action = match (&endpoint, &parts.method) {
            (Endpoint::Root, _) => Action::Ping,
            // Cancelling needs Push too: the same client pushed the data.
            (Endpoint::Uploads(_) | Endpoint::Upload(..), _) => Action::Push,
            (Endpoint::Blob(..), &Method::GET) => Action::PullBlob,
            (_, &Method::GET | &Method::HEAD) => Action::Pull,
            (_, &Method::DELETE) => Action::Delete,
            _ => Action::Push,
        };
        if let Err(no) = self.access.check(&parts.headers, endpoint.repository(), action).await {
            return Ok(denied(&no));
        }
        let body: crate::Body =
            Box::pin(futures_util::TryStreamExt::map_err(body.into_data_stream(), Into::into));
        let (method, query) = (&parts.method, Query::of(parts.uri.query()));
        match (endpoint, method) {
            (Endpoint::Root, &Method::GET | &Method::HEAD) => Ok(status(StatusCode::OK)),
            (Endpoint::Blob(name, digest), &Method::GET | &Method::HEAD) => {
                self.get_blob(&name, &digest, &parts).await
            }
            (Endpoint::Blob(name, digest), &Method::DELETE) => {
                self.registry.delete_blob(&name, &digest).await?;
                Ok(status(StatusCode::ACCEPTED))
            }
            (Endpoint::Uploads(name), &Method::POST) => self.start_upload(&name, &query, &parts, body).await,
            (Endpoint::Upload(name, id), &Method::GET | &Method::HEAD) => self.upload_status(&name, id).await,
            (Endpoint::Upload(name, id), &Method::PATCH) => self.patch_upload(&name, id, &parts, body).await,
            (Endpoint::Upload(name, id), &Method::PUT) => {
                self.finish_upload(&name, id, &query, &parts, body).await
            }
            (Endpoint::Upload(name, id), &Method::DELETE) => {
                self.registry.cancel_upload(&name, &crate::UploadId(id)).await?;
                Ok(status(StatusCode::NO_CONTENT))
            }
            (Endpoint::Manifest(name, at), &Method::GET | &Method::HEAD) => {
                self.get_manifest(&name, &at).await
            }
            (Endpoint::Manifest(name, at), &Method::PUT) => self.put_manifest(&name, &at, &parts, body).await,
            (Endpoint::Manifest(name, at), &Method::DELETE) => {
                self.registry.delete_image(&name, &at).await?;
                Ok(status(StatusCode::ACCEPTED))
            }
            (Endpoint::Tags(name), &Method::GET) => self.list_tags(&name, &query).await,
            (Endpoint::Referrers(name, digest), &Method::GET) => self.referrers(&name, &digest, &query).await,
            _ => {
                let text = format!("{method} is not supported here");
                Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", &text))
            }
        }
    }
}

/// The query's parameters, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(text: Option<&str>) -> Query {
        let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8_lossy().into_owned();
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Query(
            pairs
                .map(|p| p.split_once('=').unwrap_or((p, "")))
                .map(|(k, v)| (decode(k), decode(v)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_found_by_decoded_segments() {
        let blob = format!("sha256:{}", "0".repeat(64));
        let show = |path: &str| match find(RawPath::new(path)) {
            None => "none".to_owned(),
            Some(Err(error)) => error.code().word.to_owned(),
            Some(Ok(endpoint)) => match endpoint {
                Endpoint::Root => "root".to_owned(),
                Endpoint::Blob(name, digest) => format!("blob {name} {}", digest == blob.parse().unwrap()),
                Endpoint::Uploads(name) => format!("uploads {name}"),
                Endpoint::Upload(name, id) => format!("upload {name} {id}"),
                Endpoint::Manifest(name, reference) => format!("manifest {name} {reference}"),
                Endpoint::Tags(name) => format!("tags {name}"),
                Endpoint::Referrers(name, _) => format!("referrers {name}"),
            },
        };
        for (path, expected) in [
            ("/v2", "root"),
            ("/v2/", "root"),
            ("/%762/", "root"),
            ("/v2/shop/web/manifests/1.0", "manifest shop/web 1.0"),
            ("/v2/shop/w%65b/manifests/1%2E0", "manifest shop/web 1.0"),
            ("/v2/shop%2Fweb/manifests/1", "none"),
            ("/v2/shop/web%2Fblobs/manifests/1", "none"),
            ("/v2/shop/../web/manifests/1", "NAME_INVALID"),
            ("/v2/shop/%2e%2e/web/manifests/1", "NAME_INVALID"),
            ("/v2//web/manifests/1", "NAME_INVALID"),
            ("/v2/web/manifests/%00", "TAG_INVALID"),
            ("/v2/web/manifests/%ff", "none"),
            ("/v2/web/manifests/%zz", "none"),
            ("/v2/web/tags/list", "tags web"),
            ("/v2x/web/tags/list", "none"),
        ] {
            assert_eq!(show(path), expected, "{path}");
        }
        for digest in [blob.clone(), blob.replace("sha", "%73ha"), blob.replace(':', "%3A")] {
            assert_eq!(show(&format!("/v2/web/blobs/{digest}")), "blob web true", "{digest}");
            assert_eq!(show(&format!("/v2/w%65b/%62lobs/{digest}")), "blob web true", "{digest}");
            assert_eq!(show(&format!("/v2/web%2Fblobs/{digest}")), "none", "{digest}");
        }
    }
}
