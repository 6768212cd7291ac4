//! Answers requests at the address of websites: anonymous, over HTTP, with pages for errors.

use super::{Asked, Redirected, bucket_of, page};
use crate::{
    AccessLogs, Buckets, Error, access_log,
    conditions::{Conditions, Verdict},
    cors, rules, shapes,
    streams::{absent, from_plane},
};
use bytes::Bytes;
use escale_base::{AwsError, Timestamp, ids, path};
use escale_objects::{Got, Read};
use escale_service::{
    Arrival, Body, Caller, Cloud, CrossOrigin, CrossOriginGrant, Mount, Principal, Served, StreamCx, counted,
    is_preflight,
};
use escale_store::Store;
use escale_tables::s3::{Bucket, BucketName, Website};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts,
};
use http_body_util::{BodyExt, Full};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

/// The key of an object's metadata that makes its website redirect requests for it.
pub(crate) const REDIRECT: &str = "website-redirect-location";

/// The websites of all buckets.
pub(crate) struct Websites {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) access_logs: Arc<AccessLogs>,
}

/// One request.
struct Visit {
    cx: StreamCx,
    bucket: BucketName,
    authority: String,
    key: String,
    parts: Parts,
}

/// An error, and why the configured error document could not replace its page.
struct Failure {
    error: AwsError,
    document: Option<(String, AwsError)>,
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Failure {
        Failure { error, document: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        AwsError::from(error).into()
    }
}

impl Mount for Websites {
    fn claims(&self, _parts: &Parts) -> bool {
        true
    }

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        Box::pin(self.answer(request.into_parts().0, arrival))
    }
}

impl Websites {
    async fn answer(&self, parts: Parts, arrival: Arrival) -> Response<Body> {
        let (request_id, started) = (ids::random_upper(16), self.cloud.clock.now());
        let is_head = parts.method == Method::HEAD;
        let result = match self.visit(parts.clone(), arrival, &request_id) {
            Ok(visit) => self.reply(&visit).await,
            Err(error) => Err(error.into()),
        };
        let code = result.as_ref().err().map(|failure| failure.error.code.clone());
        let mut response = result.unwrap_or_else(|failure| {
            let html = page::html(&failure.error, &request_id, failure.document.as_ref());
            let mut response = Response::new(full(if is_head { String::new() } else { html }));
            *response.status_mut() =
                StatusCode::from_u16(failure.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            put(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=utf-8");
            mark(response.headers_mut(), &failure.error);
            response
        });
        let headers = response.headers_mut();
        put(headers, HeaderName::from_static("x-amz-request-id"), &request_id);
        put(headers, HeaderName::from_static("x-amz-id-2"), &request_id);
        put(headers, header::SERVER, "AmazonS3");
        let bucket = bucket_of(&authority(&parts), &self.cloud.config);
        let served = Served {
            path: &format!("/{bucket}{}", parts.uri.path()),
            request: &parts,
            request_id: &request_id,
            arrival,
            principal: None,
            status: response.status().as_u16(),
            error_code: code.as_deref(),
            headers: response.headers(),
            started,
            answered: self.cloud.clock.now(),
        };
        let (image, config) = (self.store.read(), &self.cloud.config);
        match access_log::note(&self.access_logs, &image, config, (&served, access_log::Kind::Website)) {
            Some(done) => response.map(|body| counted(body, done, self.cloud.clock.clone())),
            None => response,
        }
    }

    fn visit(&self, parts: Parts, arrival: Arrival, request_id: &str) -> Result<Visit, AwsError> {
        let authority = authority(&parts);
        let key = parts.uri.path();
        let key = key.strip_prefix('/').unwrap_or(key);
        let key = path::decode_once(key).map_err(|_| Error::InvalidUri)?;
        let id = request_id.to_owned();
        let caller = Caller::arriving(Principal::Anonymous, false, id, arrival, authority.clone())?;
        let cx = StreamCx {
            store: self.store.clone(),
            cloud: Arc::clone(&self.cloud),
            caller,
            config: Arc::clone(&self.cloud.config),
            now: self.cloud.clock.now(),
            headers: parts.headers.clone(),
        };
        let bucket = bucket_of(&authority, &cx.config);
        Ok(Visit { cx, bucket, authority, key, parts })
    }

    async fn reply(&self, visit: &Visit) -> Result<Response<Body>, Failure> {
        let row = crate::buckets::row(&self.store.read(), &visit.bucket)?;
        let Some(site) = &row.website else {
            return Err(Error::no_website(visit.bucket.clone()).into());
        };
        let grant = visit.grant();
        let method = &visit.parts.method;
        let mut response = match &grant {
            Some(_) if is_preflight(method, &visit.parts.headers) => Response::new(full("")),
            _ if *method != Method::GET && *method != Method::HEAD => {
                return Err(Error::MethodNotAllowed(method.to_string()).into());
            }
            _ => self.page(visit, &row, site).await?,
        };
        if let Some(grant) = grant {
            grant.allow(response.headers_mut(), method, &visit.parts.headers);
        }
        Ok(response)
    }

    async fn page(&self, visit: &Visit, row: &Bucket, site: &Website) -> Result<Response<Body>, Failure> {
        let asked = visit.asked();
        if let Some(redirected) = asked.redirect_all(site).or_else(|| asked.by_rule(site, None)) {
            return Ok(redirect(&redirected));
        }
        let error = match self.object(visit, row, &asked.object(site)).await {
            Ok(response) => return Ok(response),
            Err(error) => AwsError::from(error),
        };
        if matches!(error.status, 403 | 404) && !asked.is_folder() {
            let index = Asked { key: &format!("{}/", asked.key), ..visit.asked() }.object(site);
            if self.read(visit, &index, Read::default()).await.is_ok() {
                return Ok(redirect(&asked.to_folder()));
            }
        }
        if let Some(redirected) = asked.by_rule(site, Some(error.status)) {
            return Ok(redirect(&redirected));
        }
        let document = site
            .error_document
            .as_ref()
            .filter(|_| (400..500).contains(&error.status) && error.status != 412 && error.status != 416);
        let Some(document) = document else { return Err(error.into()) };
        match self.read(visit, &document.key, Read::default()).await {
            Ok(got) => {
                let mut response = visit.with_body(got, row);
                *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::NOT_FOUND);
                mark(response.headers_mut(), &error);
                Ok(response)
            }
            Err(failure) => {
                Err(Failure { error, document: Some((document.key.to_string(), failure.into())) })
            }
        }
    }

    /// The object, or the redirect that its metadata names.
    async fn object(&self, visit: &Visit, row: &Bucket, key: &str) -> Result<Response<Body>, Error> {
        let text = |name: HeaderName| visit.parts.headers.get(name).and_then(|v| v.to_str().ok());
        let time = |name| text(name).and_then(Timestamp::parse_http_date);
        let range = rules::range(text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none()));
        let got = self.read(visit, key, Read { range, ..Read::default() }).await?;
        if let Some(location) = got.object.meta.headers.get(REDIRECT) {
            return Ok(redirect(&Redirected { status: 301, location: location.clone() }));
        }
        let conditions = Conditions {
            if_match: text(header::IF_MATCH),
            if_none_match: text(header::IF_NONE_MATCH),
            if_modified_since: time(header::IF_MODIFIED_SINCE),
            if_unmodified_since: time(header::IF_UNMODIFIED_SINCE),
        };
        if conditions.check(&got.object.entry)? == Verdict::NotModified {
            let mut response = visit.with_body(got, row);
            *response.body_mut() = full("");
            for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_RANGE] {
                response.headers_mut().remove(name);
            }
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        let (size, part) = (got.object.entry.size_bytes, got.range.clone());
        let mut response = visit.with_body(got, row);
        if range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let value = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
            put(response.headers_mut(), header::CONTENT_RANGE, &value);
        }
        Ok(response)
    }

    /// Reads an object as an anonymous caller: only the bucket's policy or ACL can allow it.
    async fn read(&self, visit: &Visit, key: &str, read: Read) -> Result<Got, Error> {
        let (cx, bucket) = (&visit.cx, &visit.bucket);
        self.buckets.ready(cx, bucket, None).await?;
        rules::allowed(cx, "s3:GetObject", "GetObject", bucket, rules::object_arn(bucket, key))?;
        self.buckets.objects.get(bucket, key, read).await.map_err(|error| absent(cx, bucket, error))
    }
}

impl Visit {
    fn asked(&self) -> Asked<'_> {
        let uri = &self.parts.uri;
        Asked { authority: &self.authority, path: uri.path(), query: uri.query(), key: &self.key }
    }

    /// The permission of the bucket's CORS rules for the page that made this request.
    fn grant(&self) -> Option<CrossOriginGrant> {
        let path = format!("/{}/", self.bucket);
        let request = CrossOrigin::of(&self.parts.method, &self.parts.headers, &path)?;
        cors::grant(&self.cx.store.read(), &request)
    }

    fn with_body(&self, got: Got, row: &Bucket) -> Response<Body> {
        let Got { object, range, body } = got;
        let is_head = self.parts.method == Method::HEAD;
        let mut response = Response::new(if is_head { full("") } else { from_plane(body) });
        let headers = response.headers_mut();
        let default_type = ("content-type", "binary/octet-stream");
        let stored = object.meta.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in [default_type].into_iter().chain(stored.filter(|(name, _)| *name != REDIRECT)) {
            put_named(headers, name, value);
        }
        for (name, value) in &object.meta.user {
            put_named(headers, &format!("x-amz-meta-{name}"), value);
        }
        let entry = &object.entry;
        put(headers, header::ETAG, &shapes::quoted(&entry.etag));
        put(headers, header::LAST_MODIFIED, &entry.modified.http_date());
        put(headers, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
        put(headers, header::ACCEPT_RANGES, "bytes");
        if let Some(version) = shapes::version(row, &entry.version) {
            put_named(headers, "x-amz-version-id", &version);
        }
        response
    }
}

/// Host and port as the client named them.
fn authority(parts: &Parts) -> String {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| parts.uri.authority().map(|a| a.as_str())).unwrap_or("").to_owned()
}

fn redirect(to: &Redirected) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::from_u16(to.status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    put(response.headers_mut(), header::LOCATION, &to.location);
    put(response.headers_mut(), header::CONTENT_LENGTH, "0");
    response
}

/// The headers that describe an error, as on AWS also beside a configured error document.
fn mark(headers: &mut HeaderMap, error: &AwsError) {
    put_named(headers, "x-amz-error-code", &error.code);
    put_named(headers, "x-amz-error-message", &error.message);
    for (name, value) in &error.extra {
        put_named(headers, &format!("x-amz-error-detail-{name}"), value.as_str().unwrap_or_default());
    }
}

fn put_named(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(name) = HeaderName::try_from(name) {
        put(headers, name, value);
    }
}

/// Metadata with characters that no header can have is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}
