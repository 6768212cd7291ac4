//! Pulls an image from a registry. Blobs in the cache are not fetched again, and every digest is verified.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>

use crate::{
    cache::Cache,
    layout::{INDEX, Layout, MANIFEST, NESTED_INDEXES, at, choose, digest_of, is_index, text},
    registry::{Registry, RegistryError, Target, empty},
};
use escale_upstream::{Blob, Credentials, Reference, Repository, Upstream};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Response, StatusCode, body::Incoming, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The limit for manifests and configurations, which are held in memory. Registries have the same limit.
const DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;

/// How often the rest of a blob is fetched after its connection broke. Each time it must have got further.
const RESUMPTIONS: usize = 5;

/// Pulls an image of the cloud's own registry into the cache. If the image supports several architectures, it selects this one
/// (by Go's names: `amd64`).
pub async fn pull(source: &Target, architecture: &str, cache: &Cache) -> Result<Layout, RegistryError> {
    let registry = Registry { target: source };
    pull_from(&registry, &name(source), source.reference.clone(), architecture, cache).await
}

/// Pulls an image of a registry on the Internet into the cache.
pub async fn pull_upstream(
    upstream: &dyn Upstream,
    repository: &Repository,
    reference: &Reference,
    credentials: Option<&Credentials>,
    architecture: &str,
    cache: &Cache,
) -> Result<Layout, RegistryError> {
    let (image, reference) = (repository.image(reference), reference.to_string());
    pull_from(&Remote { upstream, repository, credentials }, &image, reference, architecture, cache).await
}

/// A registry that images are pulled from.
trait Source {
    /// A manifest's media type and bytes.
    async fn manifest(&self, reference: &str) -> Result<(String, Vec<u8>), RegistryError>;
    /// Adds a blob to the cache. It gets its name there once the digest is verified.
    async fn fetch_blob(&self, digest: &str, size_bytes: u64, cache: &Cache) -> Result<(), RegistryError>;
}

async fn pull_from(
    registry: &impl Source,
    name: &str,
    mut reference: String,
    architecture: &str,
    cache: &Cache,
) -> Result<Layout, RegistryError> {
    for _ in 0..NESTED_INDEXES {
        let (kind, bytes) = registry.manifest(&reference).await?;
        let unfit = |why: String| RegistryError::Unfit { image: name.to_owned(), why };
        let manifest: Value = serde_json::from_slice(&bytes).map_err(|e| unfit(e.to_string()))?;
        if is_index(&kind) {
            let entry = choose(name, &manifest, architecture)?;
            reference = text(&entry["digest"]);
            continue;
        }
        if kind != MANIFEST && kind != DOCKER_MANIFEST {
            return Err(unfit(format!("its manifest is of the type {kind}")));
        }
        let layout = Layout::of(cache.folder(), cache.put(&bytes)?, manifest);
        let config = &layout.manifest["config"];
        if config["size"].as_u64().is_none_or(|size| size > DOCUMENT_BYTES) {
            return Err(unfit(format!("its configuration is larger than {DOCUMENT_BYTES} bytes")));
        }
        for layer in layout.manifest["layers"].as_array().into_iter().flatten() {
            let kind = text(&layer["mediaType"]);
            if kind.contains(".foreign.") || kind.contains(".nondistributable.") {
                return Err(unfit(format!(
                    "its layer {} is not in the registry, because its type is {kind}",
                    text(&layer["digest"])
                )));
            }
        }
        for (digest, size_bytes) in layout.blobs() {
            if !cache.has(&digest, size_bytes)? {
                registry.fetch_blob(&digest, size_bytes, cache).await?;
            }
        }
        return Ok(layout);
    }
    Err(RegistryError::Unfit {
        image: name.to_owned(),
        why: "its image indexes are nested too deeply".into(),
    })
}

/// Fails unless the image exists, for any architecture.
pub async fn exists(source: &Target) -> Result<(), RegistryError> {
    Registry { target: source }.manifest(&source.reference).await.map(drop)
}

/// A repository of a registry on the Internet.
struct Remote<'a> {
    upstream: &'a dyn Upstream,
    repository: &'a Repository,
    credentials: Option<&'a Credentials>,
}

impl Source for Remote<'_> {
    async fn manifest(&self, reference: &str) -> Result<(String, Vec<u8>), RegistryError> {
        let found = self.upstream.manifest(self.repository, &reference.parse()?, self.credentials).await?;
        Ok((found.media_type, found.bytes.to_vec()))
    }

    async fn fetch_blob(&self, digest: &str, size_bytes: u64, cache: &Cache) -> Result<(), RegistryError> {
        let blob = Blob { digest: digest.to_owned(), size_bytes };
        let host = || self.repository.registry().to_owned();
        let temporary = cache.temporary()?;
        let fault = |error| at(temporary.path(), error);
        let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(fault)?);
        let (mut hash, mut have) = (Sha256::new(), 0);
        for left in (0..=RESUMPTIONS).rev() {
            let begun = have;
            let mut body = self.upstream.blob(self.repository, &blob, have, self.credentials).await?;
            let mut broken = None;
            while let Some(bytes) = body.next().await {
                let bytes = match bytes {
                    Ok(bytes) => bytes,
                    Err(why) => {
                        broken = Some(why);
                        break;
                    }
                };
                have += bytes.len() as u64;
                hash.update(&bytes);
                file.write_all(&bytes).await.map_err(fault)?;
            }
            match broken {
                None => break,
                Some(_) if have > begun && left > 0 => {}
                Some(why) => {
                    let (host, why) = (host(), why.to_string());
                    return Err(escale_upstream::Error::Broken { host, why }.into());
                }
            }
        }
        file.sync_all().await.map_err(fault)?;
        if format!("sha256:{}", hex::encode(hash.finalize())) != digest {
            return Err(RegistryError::OtherBytes { address: host(), digest: digest.to_owned() });
        }
        Ok(cache.keep(temporary, digest)?)
    }
}

impl Registry<'_> {
    fn missing(&self, reference: &str, body: &[u8]) -> RegistryError {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let repository = self.target.repository.clone();
        match body["errors"][0]["code"].as_str() {
            Some("NAME_UNKNOWN") => {
                RegistryError::NoSuchRepository { address: self.target.address.clone(), repository }
            }
            _ => RegistryError::NoSuchImage { repository, reference: reference.to_owned() },
        }
    }
}

impl Source for Registry<'_> {
    async fn manifest(&self, reference: &str) -> Result<(String, Vec<u8>), RegistryError> {
        let path = format!("/v2/{}/manifests/{reference}", self.target.repository);
        let accept = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let request = self.request(Method::GET, &path)?.header(header::ACCEPT, accept);
        let answer = self.open(request, empty(), &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        let (status, kind) = (answer.status(), content_type(&answer));
        let limit = usize::try_from(DOCUMENT_BYTES).unwrap_or(usize::MAX);
        let read = Limited::new(answer.into_body(), limit).collect().await;
        let bytes = read.map(|b| b.to_bytes().to_vec()).map_err(|e| RegistryError::Unfit {
            image: name(self.target),
            why: format!("its manifest cannot be read: {e}"),
        })?;
        if status == StatusCode::NOT_FOUND {
            return Err(self.missing(reference, &bytes));
        }
        if reference.contains(':') && digest_of(&bytes) != reference {
            let address = self.target.address.clone();
            return Err(RegistryError::OtherBytes { address, digest: reference.to_owned() });
        }
        Ok((kind, bytes))
    }

    /// Streams a blob into a file, so that a layer is never held in memory. The file gets its final name once the digest is
    /// verified.
    async fn fetch_blob(&self, digest: &str, size_bytes: u64, cache: &Cache) -> Result<(), RegistryError> {
        let path = format!("/v2/{}/blobs/{digest}", self.target.repository);
        let request = self.request(Method::GET, &path)?;
        let mut body = self.open(request, empty(), &[StatusCode::OK]).await?.into_body();
        let temporary = cache.temporary()?;
        let fault = |error| at(temporary.path(), error);
        let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(fault)?);
        let (mut hash, mut left) = (Sha256::new(), size_bytes);
        let other =
            || RegistryError::OtherBytes { address: self.target.address.clone(), digest: digest.to_owned() };
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame.map_err(|e| self.broken(e))?.into_data() else { continue };
            // never more than the manifest announces
            left = left.checked_sub(bytes.len() as u64).ok_or_else(other)?;
            hash.update(&bytes);
            file.write_all(&bytes).await.map_err(fault)?;
        }
        file.sync_all().await.map_err(fault)?;
        if left > 0 || format!("sha256:{}", hex::encode(hash.finalize())) != digest {
            return Err(other());
        }
        Ok(cache.keep(temporary, digest)?)
    }
}

fn content_type(answer: &Response<Incoming>) -> String {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_owned()
}

/// The image's name in errors.
fn name(source: &Target) -> String {
    let joint = if source.reference.contains(':') { '@' } else { ':' };
    format!("{}/{}{joint}{}", source.address, source.repository, source.reference)
}
