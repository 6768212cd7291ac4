//! Pulls images of other registries into the registry plane's cache, where the containers plane reads them.

use crate::image::{uncopied, unresolved, words};
use escale_base::error::Fault;
use escale_registry::{self as registry, Digest, Registry};
use escale_upstream::{Blob, Credentials, Reference, Repository, Upstream};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Blobs that are downloaded at the same time, by all tasks together: Docker's default for one image, twice.
const DOWNLOADS: usize = 6;
/// Blobs of one image that wait for a download at the same time.
const OF_AN_IMAGE: usize = 3;
/// Layers of one image: the limit of overlayfs and Docker.
const LAYERS: usize = 127;
/// Largest configuration of an image, which is read into memory. Registries refuse larger ones.
const CONFIG_BYTES: u64 = 4 << 20;

pub(crate) struct Puller {
    registry: Arc<dyn Registry>,
    upstream: Arc<dyn Upstream>,
    downloads: Semaphore,
}

/// Why an image was not pulled.
#[derive(Debug)]
pub(crate) enum PullError {
    /// In AWS's words.
    Failed(String),
    /// A bug or a fault of this machine: the same pull can succeed later.
    Plane(registry::Error),
}

/// The parts of manifests and indexes that a pull needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    config: Option<Part>,
    layers: Option<Vec<Part>>,
    manifests: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// A manifest with its bytes.
struct Known {
    digest: Digest,
    bytes: bytes::Bytes,
    document: Document,
}

/// One pull.
struct Pull<'a> {
    puller: &'a Puller,
    repository: &'a Repository,
    credentials: Option<&'a Credentials>,
    image: String,
    /// Names the repository and the login to the cache.
    source: String,
}

impl Puller {
    pub(crate) fn new(registry: Arc<dyn Registry>, upstream: Arc<dyn Upstream>) -> Puller {
        Puller { registry, upstream, downloads: Semaphore::new(DOWNLOADS) }
    }

    /// Fetches what the cache does not have, and returns the digest that the reference names: of an index, if it is one. A
    /// digest that this login pulled before needs no network.
    pub(crate) async fn pull(
        &self,
        repository: &Repository,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<String, PullError> {
        let image = repository.image(reference);
        let source = source(repository, credentials);
        let pull = Pull { puller: self, repository, credentials, image, source };
        let top = pull.manifest(reference).await?;
        let child = match &top.document.manifests {
            Some(choices) => Some(pull.manifest(&Reference::Digest(pull.choose(choices)?)).await?),
            None => None,
        };
        let blobs = pull.blobs(&child.as_ref().unwrap_or(&top).document)?;
        let fetches: Vec<_> = blobs.iter().map(|blob| pull.blob(blob).boxed()).collect();
        stream::iter(fetches).buffer_unordered(OF_AN_IMAGE).try_collect::<()>().await?;
        for known in child.iter().chain([&top]) {
            pull.keep(known).await?;
        }
        Ok(top.digest.to_string())
    }
}

/// A login may see other images than anybody. The password itself must not reach the cache.
fn source(repository: &Repository, credentials: Option<&Credentials>) -> String {
    let Some(Credentials { user, password }) = credentials else { return repository.to_string() };
    let mut hash = Sha256::new();
    hash.update((user.len() as u64).to_be_bytes());
    hash.update(user);
    hash.update(password.reveal());
    format!("{repository} {:x}", hash.finalize())
}

impl Pull<'_> {
    fn unresolved(&self, why: &str) -> PullError {
        PullError::Failed(unresolved(&self.image, why))
    }

    async fn manifest(&self, reference: &Reference) -> Result<Known, PullError> {
        if let Reference::Digest(text) = reference
            && let Ok(digest) = text.parse::<Digest>()
            && let Some(bytes) =
                self.puller.registry.admitted(&self.source, &digest).await.map_err(PullError::Plane)?
        {
            return self.parse(digest, bytes);
        }
        let get = || self.puller.upstream.manifest(self.repository, reference, self.credentials);
        let found = match get().await {
            Err(error) if error.is_transient() => get().await,
            found => found,
        };
        let found = found.map_err(|e| self.unresolved(&words(&e)))?;
        let digest = found.digest.parse().map_err(|_| self.unresolved("its digest is not valid"))?;
        self.parse(digest, found.bytes)
    }

    fn parse(&self, digest: Digest, bytes: bytes::Bytes) -> Result<Known, PullError> {
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|e| self.unresolved(&format!("its manifest is not valid: {e}")))?;
        Ok(Known { digest, bytes, document })
    }

    /// The digest of an index's image for this machine, by the same rule as the containers plane.
    fn choose(&self, choices: &[Part]) -> Result<String, PullError> {
        let own = architecture();
        let platform = |part: &Part| part.platform.as_ref().map(|p| (p.os.clone(), p.architecture.clone()));
        let fits = |part: &&Part| platform(part).is_some_and(|(os, arch)| os == "linux" && arch == own);
        if let Some(part) = choices.iter().find(fits) {
            return Ok(part.digest.clone());
        }
        // Attestations are listed as images of the platform unknown/unknown.
        let offered = choices.iter().filter_map(platform).filter(|(os, _)| os != "unknown");
        let offered: Vec<String> = offered.map(|(os, arch)| format!("{os}/{arch}")).collect();
        Err(PullError::Failed(format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor \
             matching platform 'linux/{own}': {} is for {}",
            self.image,
            if offered.is_empty() { "no platform".into() } else { offered.join(", ") }
        )))
    }

    /// The configuration and the layers of an image.
    fn blobs(&self, document: &Document) -> Result<Vec<Blob>, PullError> {
        let (Some(config), Some(layers), None) = (&document.config, &document.layers, &document.manifests)
        else {
            return Err(self.unresolved("its manifest is not that of an image"));
        };
        if layers.len() > LAYERS {
            return Err(self.unresolved(&format!("it has {} layers; the limit is {LAYERS}", layers.len())));
        }
        if config.size > CONFIG_BYTES {
            return Err(self.unresolved(&format!("its configuration is larger than {CONFIG_BYTES} bytes")));
        }
        let is_foreign = |part: &&Part| {
            part.media_type.contains(".foreign.") || part.media_type.contains(".nondistributable.")
        };
        if let Some(layer) = layers.iter().find(is_foreign) {
            let why = format!(
                "its layer {} is not in the registry, because its type is {}",
                layer.digest, layer.media_type
            );
            return Err(self.unresolved(&why));
        }
        let blob = |part: &Part| Blob { digest: part.digest.clone(), size_bytes: part.size };
        Ok(std::iter::once(config).chain(layers).map(blob).collect())
    }

    async fn blob(&self, blob: &Blob) -> Result<(), PullError> {
        let digest: Digest = blob.digest.parse().map_err(|_| self.unresolved("a digest is not valid"))?;
        let fetch = |from: u64| {
            let open = async move {
                Ok(self.puller.upstream.blob(self.repository, blob, from, self.credentials).await?)
            };
            open.boxed()
        };
        // Also held while another task downloads the same blob: that task has a permit of its own.
        let _permit = self.puller.downloads.acquire().await.map_err(|e| self.unresolved(&e.to_string()))?;
        let cached = self.puller.registry.cache(&digest, blob.size_bytes, &fetch).await;
        cached.map_err(|error| self.uncopied(error))
    }

    fn uncopied(&self, error: registry::Error) -> PullError {
        match error {
            registry::Error::Body { source, .. } => {
                PullError::Failed(uncopied(&match source.downcast_ref() {
                    Some(error) => words(error),
                    None => format!("{}: {source}", self.image),
                }))
            }
            registry::Error::Plane(e) if e.fault == Fault::Machine => {
                PullError::Failed(uncopied(&e.to_string()))
            }
            registry::Error::Plane(e) => PullError::Plane(registry::Error::Plane(e)),
            other => PullError::Failed(uncopied(&format!("{}: {other}", self.image))),
        }
    }

    /// Adds a manifest to the cache, once everything that it refers to is there.
    async fn keep(&self, known: &Known) -> Result<(), PullError> {
        let fetch = |from: u64| {
            let rest = known.bytes.slice((from as usize).min(known.bytes.len())..);
            async move { Ok(Box::pin(stream::iter([Ok(rest)])) as registry::Body) }.boxed()
        };
        let registry = &self.puller.registry;
        registry
            .cache(&known.digest, known.bytes.len() as u64, &fetch)
            .await
            .map_err(|e| self.uncopied(e))?;
        registry.admit(&self.source, &known.digest).await.map_err(PullError::Plane)
    }
}

/// This machine's architecture in the terms of images.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
