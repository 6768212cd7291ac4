//! Reads images over the network.

use crate::{
    Blob, Body, BodyError, Credentials, Error, MANIFEST_BYTES, Manifest, Mirrors, Proxies, Reference,
    Repository, Result, Roots, Upstream,
    connection::Connector,
    exchange::{Exchange, cause},
    mirrors::Endpoint,
};
use async_trait::async_trait;
use escale_base::Secret;
use futures_util::stream;
use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, Response, StatusCode, body::Incoming, header};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout, timeout_at};

/// The media types of manifests and indexes.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// Tokens that are kept. One exists per repository and login; with so many, all are forgotten.
const TOKENS: usize = 256;
/// Longest pause within a body.
const PAUSE: Duration = Duration::from_secs(60);
/// The time for a whole body is this, and a second more for each so many bytes: a registry that sends a byte a minute must not
/// occupy a download for years.
const BODY: Duration = Duration::from_secs(300);
const BODY_BYTES_PER_SECOND: u64 = 16 * 1024;

/// The real plane.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    /// The value of `Authorization` for a repository and a login, by the hash of both.
    tokens: Mutex<HashMap<[u8; 32], Secret<String>>>,
}

impl Client {
    pub fn new(mirrors: Mirrors, proxies: Proxies, roots: Roots) -> Client {
        let connector = Connector { mirrors, proxies, roots, has_internet: true };
        Client { connector, tokens: Mutex::default() }
    }

    /// Connects to the hosts that the mirrors name, and to no others.
    pub fn of_mirrors_only(mut self) -> Client {
        self.connector.has_internet = false;
        self
    }

    /// Checks the settings that can be checked without a connection: certificates and proxy.
    pub fn check(&self) -> Result<()> {
        self.connector.roots.config()?;
        self.connector.proxies.check()
    }

    async fn get(
        &self,
        repository: &Repository,
        credentials: Option<&Credentials>,
        image: String,
        rest: &str,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>> {
        let endpoint = self.connector.mirrors.endpoint(repository.registry());
        let Endpoint { origin, prefix } = endpoint.ok_or_else(|| Error::Name(image.clone()))?;
        let at = format!("{prefix}/{}", repository.path()).trim_start_matches('/').to_owned();
        let path = format!("/v2/{at}/{rest}");
        let key = key(repository, credentials);
        let tokens = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let mut authorization = tokens().get(&key).cloned();
        let exchange = Exchange { connector: &self.connector, repository: at, credentials, image };
        let answer = exchange.get(&origin, &path, &headers, &mut authorization).await;
        let mut kept = tokens();
        match authorization.filter(|_| answer.is_ok()) {
            Some(value) => {
                if kept.len() >= TOKENS {
                    kept.clear();
                }
                kept.insert(key, value);
            }
            None => drop(kept.remove(&key)),
        }
        answer
    }
}

fn key(repository: &Repository, credentials: Option<&Credentials>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let login = credentials.map(|c| (c.user.as_str(), c.password.reveal().as_str()));
    let (user, password) = login.unwrap_or_default();
    for part in [repository.to_string().as_str(), if login.is_some() { "login" } else { "" }, user, password]
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[async_trait]
impl Upstream for Client {
    async fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Manifest> {
        let image = repository.image(reference);
        let headers = HeaderMap::from_iter([(header::ACCEPT, header::HeaderValue::from_static(ACCEPT))]);
        let rest = format!("manifests/{reference}");
        let answer = self.get(repository, credentials, image.clone(), &rest, headers).await?;
        let kind =
            answer.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media_type = kind.split(';').next().unwrap_or_default().trim().to_owned();
        let read = Limited::new(answer.into_body(), MANIFEST_BYTES as usize).collect();
        let read = timeout(PAUSE, read).await;
        let invalid = |why: String| Error::Invalid { image: image.clone(), why };
        let read = read.map_err(|_| invalid(format!("its manifest did not arrive within {PAUSE:?}")))?;
        let bytes = match read {
            Ok(body) => body.to_bytes(),
            Err(e) if e.is::<http_body_util::LengthLimitError>() => {
                return Err(invalid(format!("its manifest is larger than {MANIFEST_BYTES} bytes")));
            }
            Err(e) => {
                let host = repository.registry().to_owned();
                return Err(Error::Broken { host, why: cause(e.as_ref()) });
            }
        };
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        match reference {
            Reference::Digest(expected) if *expected != digest => {
                Err(invalid(format!("the registry sent a manifest with the digest {digest}")))
            }
            _ => Ok(Manifest { digest, media_type, bytes }),
        }
    }

    async fn blob(
        &self,
        repository: &Repository,
        blob: &Blob,
        from: u64,
        credentials: Option<&Credentials>,
    ) -> Result<Body> {
        let image = format!("{repository}@{}", blob.digest);
        if !crate::spec::is_digest(&blob.digest) {
            return Err(Error::Name(image));
        }
        let mut headers = HeaderMap::new();
        if from > 0 {
            let range = header::HeaderValue::try_from(format!("bytes={from}-"));
            headers.insert(header::RANGE, range.map_err(|_| Error::Name(image.clone()))?);
        }
        let rest = format!("blobs/{}", blob.digest);
        let answer = self.get(repository, credentials, image.clone(), &rest, headers).await?;
        // A registry may ignore the range, and send the blob from its beginning.
        let skip = if answer.status() == StatusCode::PARTIAL_CONTENT { 0 } else { from };
        let begins =
            answer.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if skip == 0 && from > 0 && !begins.starts_with(&format!("bytes {from}-")) {
            return Err(Error::Invalid { image, why: format!("the registry sent the range `{begins}`") });
        }
        let left = blob.size_bytes.saturating_sub(from) + skip;
        let within = BODY + Duration::from_secs(left / BODY_BYTES_PER_SECOND);
        let reading = Reading { body: answer.into_body(), skip, left, until: Instant::now() + within };
        Ok(Box::pin(stream::try_unfold(reading, Reading::next)))
    }
}

/// A blob's body.
struct Reading {
    body: Incoming,
    /// Bytes to drop at the beginning.
    skip: u64,
    /// Bytes that the registry still owes.
    left: u64,
    until: Instant,
}

impl Reading {
    async fn next(mut self) -> std::result::Result<Option<(bytes::Bytes, Reading)>, BodyError> {
        loop {
            let until = self.until.min(Instant::now() + PAUSE);
            let frame = timeout_at(until, self.body.frame()).await;
            let frame = frame.map_err(|_| "the registry sends too slowly")?;
            let Some(frame) = frame else {
                return if self.left == 0 { Ok(None) } else { Err("the registry sent too few bytes".into()) };
            };
            let Ok(mut bytes) = frame.map_err(|e| cause(&e))?.into_data() else { continue };
            let size = bytes.len() as u64;
            self.left =
                self.left.checked_sub(size).ok_or("the registry sent more bytes than it announced")?;
            let dropped = self.skip.min(size);
            self.skip -= dropped;
            let bytes = bytes.split_off(dropped as usize);
            if !bytes.is_empty() {
                return Ok(Some((bytes, self)));
            }
        }
    }
}
