//! Registries in memory.

use crate::{
    Blob, Body, Credentials, Error, MANIFEST_BYTES, Manifest, Reference, Repository, Result, Upstream,
};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Images of other registries, as a test pushed them.
#[derive(Default)]
pub struct Fake(Mutex<State>);

#[derive(Default)]
struct State {
    /// By full name, with tag or digest: media type and bytes.
    manifests: BTreeMap<String, (String, Bytes)>,
    /// By repository and digest.
    blobs: BTreeMap<(String, String), Bytes>,
    /// Logins of private repositories.
    logins: BTreeMap<String, Credentials>,
    /// Requests for manifests and blobs, oldest first.
    requests: Vec<String>,
}

impl Fake {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a manifest under a tag and its digest, which is returned.
    pub fn push(&self, repository: &Repository, tag: &str, media_type: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let held = (media_type.to_owned(), Bytes::copy_from_slice(bytes));
        for reference in [Reference::Tag(tag.to_owned()), Reference::Digest(digest.clone())] {
            self.state().manifests.insert(repository.image(&reference), held.clone());
        }
        digest
    }

    /// Adds a blob and returns its digest.
    pub fn push_blob(&self, repository: &Repository, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let key = (repository.to_string(), digest.clone());
        self.state().blobs.insert(key, Bytes::copy_from_slice(bytes));
        digest
    }

    /// Makes a repository private.
    pub fn protect(&self, repository: &Repository, login: Credentials) {
        self.state().logins.insert(repository.to_string(), login);
    }

    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn admit(&self, repository: &Repository, image: &str, credentials: Option<&Credentials>) -> Result<()> {
        let mut state = self.state();
        state.requests.push(image.to_owned());
        match state.logins.get(&repository.to_string()) {
            Some(login) if Some(login) != credentials => Err(Error::Denied {
                image: image.to_owned(),
                message: "unauthorized: authentication required".into(),
            }),
            _ => Ok(()),
        }
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[async_trait]
impl Upstream for Fake {
    async fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Manifest> {
        let image = repository.image(reference);
        self.admit(repository, &image, credentials)?;
        let found = self.state().manifests.get(&image).cloned();
        let (media_type, bytes) = found.ok_or_else(|| Error::NotFound { image: image.clone() })?;
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(Error::Invalid {
                image,
                why: format!("its manifest is larger than {MANIFEST_BYTES} bytes"),
            });
        }
        Ok(Manifest { digest: digest_of(&bytes), media_type, bytes })
    }

    async fn blob(
        &self,
        repository: &Repository,
        blob: &Blob,
        from: u64,
        credentials: Option<&Credentials>,
    ) -> Result<Body> {
        let image = format!("{repository}@{}", blob.digest);
        self.admit(repository, &image, credentials)?;
        let found = self.state().blobs.get(&(repository.to_string(), blob.digest.clone())).cloned();
        let bytes = found.ok_or(Error::NotFound { image })?;
        let rest = bytes.slice((from as usize).min(bytes.len())..);
        let fits = bytes.len() as u64 == blob.size_bytes;
        let end = (!fits).then(|| Err("the registry sent another number of bytes than announced".into()));
        Ok(Box::pin(futures_util::stream::iter([Ok(rest)].into_iter().chain(end))))
    }
}
