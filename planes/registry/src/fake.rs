//! The same behaviour in memory.

use crate::{
    BLOB_BYTES, Body, CACHE_BYTES, CACHE_GRACE_MS, COLLECTED_AT_ONCE, Collected, Descriptor, Digest, Error,
    Fetch, Image, Manifest, Pushed, PutImage, Reference, Registry, RepositorySpec, Result, UploadId,
    manifest,
};
use async_trait::async_trait;
use bytes::Bytes;
use escale_base::{Clock, ids::random_uuid, limits::PLANE_EVENTS};
use futures_util::stream::{self, StreamExt};
use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

pub struct Fake {
    clock: Clock,
    state: Mutex<State>,
    pushes: broadcast::Sender<Pushed>,
    cache_bytes: u64,
}

#[derive(Default)]
struct State {
    files: BTreeMap<Digest, Bytes>,
    /// With the time of the last use.
    cached: BTreeMap<Digest, i64>,
    admitted: HashSet<(String, Digest)>,
    repositories: BTreeMap<String, Held>,
}

#[derive(Default)]
struct Held {
    spec: RepositorySpec,
    /// With the time at which each was added.
    blobs: BTreeMap<Digest, i64>,
    images: BTreeMap<Digest, HeldImage>,
    tags: BTreeMap<String, Digest>,
    uploads: BTreeMap<String, (i64, Vec<u8>)>,
}

struct HeldImage {
    parsed: manifest::Parsed,
    image: Image,
}

impl Fake {
    pub fn new(clock: Clock) -> Fake {
        Fake::caching(clock, CACHE_BYTES)
    }

    /// With another bound of the cache.
    pub fn caching(clock: Clock, cache_bytes: u64) -> Fake {
        let (pushes, _) = broadcast::channel(PLANE_EVENTS);
        Fake { clock, state: Mutex::default(), pushes, cache_bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes from the cache what exceeds its bound.
    fn drop_cached(&mut self, cache_bytes: u64, before: i64) {
        let mut newest: Vec<_> = self.cached.iter().map(|(digest, used)| (-used, digest.clone())).collect();
        newest.sort();
        let mut total = 0;
        for (used, digest) in newest {
            total += self.files.get(&digest).map_or(0, |bytes| bytes.len() as u64);
            if total > cache_bytes && -used < before {
                self.cached.remove(&digest);
                self.admitted.retain(|(_, admitted)| *admitted != digest);
            }
        }
    }

    fn held(&mut self, name: &str) -> Result<&mut Held> {
        self.repositories.get_mut(name).ok_or_else(|| Error::NoSuchRepository(name.to_owned()))
    }

    fn blob(&mut self, name: &str, digest: &Digest) -> Result<Bytes> {
        if self.held(name)?.blobs.contains_key(digest) {
            Ok(self.files[digest].clone())
        } else {
            Err(Error::NoSuchBlob { repository: name.to_owned(), digest: digest.clone() })
        }
    }

    fn upload(&mut self, name: &str, id: &UploadId) -> Result<&mut Vec<u8>> {
        let missing = Error::NoSuchUpload { repository: name.to_owned(), id: id.0.clone() };
        self.held(name)?.uploads.get_mut(&id.0).map(|(_, bytes)| bytes).ok_or(missing)
    }

    fn resolve(&mut self, name: &str, reference: &Reference) -> Result<Digest> {
        let held = self.held(name)?;
        let digest = match reference {
            Reference::Tag(tag) => held.tags.get(tag),
            Reference::Digest(digest) => Some(digest),
        };
        let digest = digest.filter(|d| held.images.contains_key(*d)).cloned();
        let (repository, reference) = (name.to_owned(), reference.clone());
        digest.ok_or(Error::NoSuchImage { repository, reference })
    }
}

#[async_trait]
impl Registry for Fake {
    async fn create_repository(&self, name: &str, spec: RepositorySpec) -> Result<()> {
        manifest::check_name(name)?;
        let mut state = self.state();
        if state.repositories.contains_key(name) {
            return Err(Error::RepositoryExists(name.to_owned()));
        }
        state.repositories.insert(name.to_owned(), Held { spec, ..Held::default() });
        Ok(())
    }

    async fn set_repository(&self, name: &str, spec: RepositorySpec) -> Result<()> {
        self.state().held(name)?.spec = spec;
        Ok(())
    }

    async fn delete_repository(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.held(name)?;
        state.repositories.remove(name);
        Ok(())
    }

    async fn repositories(&self) -> Result<Vec<String>> {
        Ok(self.state().repositories.keys().cloned().collect())
    }

    async fn blob_size(&self, repository: &str, digest: &Digest) -> Result<u64> {
        Ok(self.state().blob(repository, digest)?.len() as u64)
    }

    async fn read_blob(&self, repository: &str, digest: &Digest, range: Range<u64>) -> Result<Body> {
        let bytes = self.state().blob(repository, digest)?.slice(range.start as usize..range.end as usize);
        Ok(stream::iter([Ok(bytes)]).boxed())
    }

    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<()> {
        let mut state = self.state();
        state.blob(repository, digest)?;
        let held = state.held(repository)?;
        if let Some(image) = held.images.values().find(|i| i.parsed.blobs.contains(digest)) {
            return Err(Error::BlobInUse { digest: digest.clone(), image: image.image.digest.clone() });
        }
        held.blobs.remove(digest);
        Ok(())
    }

    async fn mount_blob(&self, repository: &str, from: &str, digest: &Digest) -> Result<bool> {
        let mut state = self.state();
        state.held(repository)?;
        let has = state.blob(from, digest).is_ok();
        if has {
            state.held(repository)?.blobs.insert(digest.clone(), self.clock.now().0);
        }
        Ok(has)
    }

    async fn start_upload(&self, repository: &str) -> Result<UploadId> {
        let id = random_uuid();
        self.state().held(repository)?.uploads.insert(id.clone(), (self.clock.now().0, Vec::new()));
        Ok(UploadId(id))
    }

    async fn upload_size(&self, repository: &str, id: &UploadId) -> Result<u64> {
        Ok(self.state().upload(repository, id)?.len() as u64)
    }

    async fn append(&self, repository: &str, id: &UploadId, at: Option<u64>, mut body: Body) -> Result<u64> {
        let have = self.upload_size(repository, id).await?;
        if let Some(at) = at.filter(|at| *at != have) {
            return Err(Error::OutOfOrder { have, at });
        }
        loop {
            let chunk = body.next().await;
            let mut state = self.state();
            let upload = state.upload(repository, id)?;
            let received = upload.len() as u64;
            match chunk {
                None => return Ok(received),
                Some(Ok(chunk)) => upload.extend_from_slice(&chunk),
                Some(Err(source)) => return Err(Error::Body { received, source }),
            }
        }
    }

    async fn finish_upload(&self, repository: &str, id: &UploadId, digest: &Digest) -> Result<()> {
        let mut state = self.state();
        let bytes = std::mem::take(state.upload(repository, id)?);
        let held = state.held(repository)?;
        held.uploads.remove(&id.0);
        let computed = Digest::of(&bytes);
        if computed != *digest {
            return Err(Error::DigestMismatch { expected: digest.clone(), computed });
        }
        held.blobs.insert(computed.clone(), self.clock.now().0);
        state.files.insert(computed, bytes.into());
        Ok(())
    }

    async fn cancel_upload(&self, repository: &str, id: &UploadId) -> Result<()> {
        let mut state = self.state();
        state.upload(repository, id)?;
        state.held(repository)?.uploads.remove(&id.0);
        Ok(())
    }

    async fn put_image(
        &self,
        repository: &str,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<PutImage> {
        let parsed = manifest::parse(media_type, bytes)?;
        manifest::check_reference(reference, &parsed.digest)?;
        let answer = PutImage { digest: parsed.digest.clone(), subject: parsed.subject.clone() };
        let digest = parsed.digest.clone();
        let mut state = self.state();
        let held = state.held(repository)?;
        let old = match reference {
            Reference::Tag(tag) => held.tags.get(tag).cloned(),
            Reference::Digest(_) => None,
        };
        if let (true, Some(_), Reference::Tag(tag)) =
            (held.spec.immutable_tags, old.as_ref().filter(|old| **old != digest), reference)
        {
            return Err(Error::ImmutableTag { repository: repository.to_owned(), tag: tag.clone() });
        }
        let missing = parsed.blobs.iter().find(|d| !held.blobs.contains_key(*d));
        let missing = missing.or(parsed.manifests.iter().find(|d| !held.images.contains_key(*d)));
        if let Some(missing) = missing {
            return Err(Error::ManifestNames(missing.clone()));
        }
        let image = Image {
            digest: digest.clone(),
            tags: Vec::new(),
            media_type: parsed.descriptor.media_type.clone(),
            artifact_type: parsed.descriptor.artifact_type.clone(),
            size_bytes: parsed.size_bytes,
            pushed: self.clock.now(),
            subject: parsed.subject.clone(),
        };
        held.images.entry(digest.clone()).or_insert(HeldImage { parsed, image });
        if let Reference::Tag(tag) = reference {
            held.tags.insert(tag.clone(), digest.clone());
            if old.as_ref() != Some(&digest) {
                let (repository, tag) = (repository.to_owned(), tag.clone());
                // Without a subscriber the event is dropped.
                let _ = self.pushes.send(Pushed { repository, tag, digest: digest.clone() });
            }
        }
        state.files.insert(digest, Bytes::copy_from_slice(bytes));
        Ok(answer)
    }

    async fn resolve(&self, repository: &str, reference: &Reference) -> Result<Digest> {
        self.state().resolve(repository, reference)
    }

    async fn manifest(&self, repository: &str, reference: &Reference) -> Result<Manifest> {
        let mut state = self.state();
        let digest = state.resolve(repository, reference)?;
        let media_type = state.held(repository)?.images[&digest].image.media_type.clone();
        Ok(Manifest { bytes: state.files[&digest].clone(), digest, media_type })
    }

    async fn delete_image(&self, repository: &str, reference: &Reference) -> Result<()> {
        let mut state = self.state();
        let digest = state.resolve(repository, reference)?;
        let held = state.held(repository)?;
        match reference {
            Reference::Tag(tag) => {
                held.tags.remove(tag);
            }
            Reference::Digest(_) => {
                held.images.remove(&digest);
                held.tags.retain(|_, d| *d != digest);
            }
        }
        Ok(())
    }

    async fn tags(&self, repository: &str, after: &str, limit: usize) -> Result<(Vec<String>, bool)> {
        let mut state = self.state();
        let all = state.held(repository)?.tags.keys().filter(|tag| tag.as_str() > after);
        let mut tags: Vec<String> = all.cloned().collect();
        let more = tags.len() > limit;
        tags.truncate(limit);
        Ok((tags, more))
    }

    async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Descriptor>> {
        let mut state = self.state();
        let images = state.held(repository)?.images.values();
        let about = images.filter(|i| i.parsed.subject.as_ref() == Some(subject));
        Ok(about.map(|i| i.parsed.descriptor.clone()).collect())
    }

    async fn images(&self, repository: &str) -> Result<Vec<Image>> {
        let mut state = self.state();
        let held = state.held(repository)?;
        let tags_of = |digest: &Digest| {
            let tags = held.tags.iter().filter(|(_, d)| *d == digest);
            tags.map(|(tag, _)| tag.clone()).collect()
        };
        Ok(held
            .images
            .values()
            .map(|i| Image { tags: tags_of(&i.image.digest), ..i.image.clone() })
            .collect())
    }

    fn pushes(&self) -> broadcast::Receiver<Pushed> {
        self.pushes.subscribe()
    }

    async fn cache(&self, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()> {
        if size_bytes > BLOB_BYTES {
            return Err(Error::BlobTooLarge { limit_bytes: BLOB_BYTES });
        }
        let other = |size: u64| Error::OtherSize {
            digest: digest.clone(),
            size_bytes: size,
            announced_bytes: size_bytes,
        };
        let known = self.state().files.get(digest).map(|bytes| bytes.len() as u64);
        if let Some(size) = known.filter(|size| *size != size_bytes) {
            return Err(other(size));
        }
        let mut bytes = Vec::new();
        while known.is_none() && (bytes.len() as u64) < size_bytes {
            let received = bytes.len() as u64;
            let mut body = fetch(received).await.map_err(|source| Error::Body { received, source })?;
            let before = bytes.len();
            while let Some(chunk) = body.next().await {
                match chunk {
                    Ok(chunk) => bytes.extend_from_slice(&chunk),
                    Err(_) if bytes.len() > before => break,
                    Err(source) => return Err(Error::Body { received, source }),
                }
            }
            if bytes.len() == before || bytes.len() as u64 > size_bytes {
                return Err(other(bytes.len() as u64));
            }
        }
        let mut state = self.state();
        if known.is_none() {
            let computed = Digest::of(&bytes);
            if computed != *digest {
                return Err(Error::DigestMismatch { expected: digest.clone(), computed });
            }
            state.files.insert(computed, bytes.into());
        }
        state.cached.insert(digest.clone(), self.clock.now().0);
        Ok(())
    }

    async fn admit(&self, source: &str, digest: &Digest) -> Result<()> {
        self.state().admitted.insert((source.to_owned(), digest.clone()));
        Ok(())
    }

    async fn admitted(&self, source: &str, digest: &Digest) -> Result<Option<Bytes>> {
        let mut state = self.state();
        if !state.admitted.contains(&(source.to_owned(), digest.clone())) {
            return Ok(None);
        }
        state.cached.insert(digest.clone(), self.clock.now().0);
        Ok(state.files.get(digest).cloned())
    }

    async fn collect(&self, keep: HashSet<Digest>, grace_ms: i64) -> Result<Collected> {
        let before = self.clock.now().0.saturating_sub(grace_ms);
        let mut state = self.state();
        state.drop_cached(self.cache_bytes, self.clock.now().0.saturating_sub(CACHE_GRACE_MS));
        let mut linked = manifest::with_named(keep, |digest| state.files.get(digest).map(|b| b.to_vec()));
        for held in state.repositories.values_mut() {
            let named: HashSet<Digest> =
                held.images.values().flat_map(|i| i.parsed.blobs.iter().cloned()).collect();
            held.blobs.retain(|digest, since| named.contains(digest) || *since >= before);
            held.uploads.retain(|_, (started, _)| *started >= before);
            linked.extend(held.blobs.keys().chain(held.images.keys()).cloned());
        }
        linked.extend(state.cached.keys().cloned());
        let mut collected = Collected::default();
        state.files.retain(|digest, bytes| {
            let stays = linked.contains(digest) || collected.files == COLLECTED_AT_ONCE;
            if !stays {
                collected.files += 1;
                collected.size_bytes += bytes.len() as u64;
            }
            stays
        });
        Ok(collected)
    }
}
