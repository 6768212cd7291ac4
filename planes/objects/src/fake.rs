//! The same behaviour in memory, implemented as simply as possible: it is also the model that the real store is tested
//! against.

use crate::digest::Hasher;
use crate::{
    Algorithm, Body, Bucket, ChecksumKind, Checksums, Complete, Condition, Copy, Delete, Deleted, Entry,
    Error, Expected, Got, Labels, Limits, List, ListUploads, ListVersions, Listing, Meta, NewUpload, Object,
    Objects, PAGE, Part, PartListing, Put, PutPart, Read, Result, Trailer, Upload, UploadAt, UploadId,
    UploadListing, VersionId, VersionListing, Versioning, body, read_all, rules,
};
use async_trait::async_trait;
use bytes::Bytes;
use escale_base::{Clock, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub struct Fake {
    clock: Clock,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, Held>,
    /// The source of version and upload ids.
    count: u64,
}

struct Held {
    bucket: Bucket,
    /// The versions of each key, the newest first.
    keys: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<(String, UploadId), HeldUpload>,
}

#[derive(Clone)]
struct Version {
    object: Object,
    bytes: Bytes,
    part_sizes: Vec<u64>,
}

struct HeldUpload {
    upload: Upload,
    meta: Meta,
    tags: Labels,
    parts: BTreeMap<u32, (Part, Bytes)>,
}

impl Fake {
    pub fn new(clock: Clock, limits: Limits) -> Fake {
        Fake { clock, limits, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive(&self, body: Body, spec: PutPart) -> Result<(Bytes, String, Checksums)> {
        let bytes = read_all(body).await?;
        let received = bytes.len() as u64;
        if received > self.limits.put_bytes {
            return Err(Error::TooLarge { size_bytes: received, limit_bytes: self.limits.put_bytes });
        }
        if let Some(expected) = spec.size_bytes.filter(|expected| *expected != received) {
            return Err(Error::SizeMismatch { expected, received });
        }
        let (etag, checksums) = sums(&bytes, spec.compute, spec.expect, spec.trailer)?;
        Ok((bytes.into(), etag, checksums))
    }
}

fn sums(
    bytes: &[u8],
    compute: Vec<Algorithm>,
    mut expect: Expected,
    trailer: Option<Trailer>,
) -> Result<(String, Checksums)> {
    let mut hasher = Hasher::new(compute.into_iter().chain(expect.iter().map(|(a, _)| *a)));
    hasher.update(bytes);
    let sums = hasher.finish();
    if let Some(trailer) = trailer {
        expect.extend(trailer().map_err(Error::Body)?);
    }
    sums.verify(&expect)?;
    Ok((sums.etag(), sums.kept()))
}

impl State {
    fn held(&mut self, name: &str) -> Result<&mut Held> {
        self.buckets.get_mut(name).ok_or_else(|| Error::NoSuchBucket(name.to_owned()))
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Adds a version according to the bucket's versioning; returns its id.
    fn push(&mut self, bucket: &str, mut new: Version) -> Result<VersionId> {
        let number = self.next();
        let held = self.held(bucket)?;
        let versions = held.keys.entry(new.object.entry.key.clone()).or_default();
        let id = match held.bucket.versioning {
            Versioning::Enabled => VersionId(format!("{number:032x}")),
            Versioning::Off | Versioning::Suspended => {
                versions.retain(|v| !v.object.entry.version.is_null());
                VersionId::null()
            }
        };
        new.object.entry.version = id.clone();
        versions.insert(0, new);
        Ok(id)
    }

    fn find(&mut self, bucket: &str, key: &str, version: Option<&VersionId>) -> Result<&mut Version> {
        let held = self.held(bucket)?;
        let none = |marker| Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned(), marker };
        let versions = held.keys.get_mut(key);
        let Some(version) = version else {
            let newest = versions.and_then(|v| v.first_mut()).ok_or_else(|| none(None))?;
            newest.object.entry.is_latest = true;
            return if newest.object.entry.is_delete_marker {
                Err(none(Some(newest.object.entry.version.clone())))
            } else {
                Ok(newest)
            };
        };
        let mut found = versions.into_iter().flatten().enumerate();
        let found = found.find(|(_, v)| v.object.entry.version == *version);
        let (place, found) = found.ok_or_else(|| Error::NoSuchVersion {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.clone(),
        })?;
        found.object.entry.is_latest = place == 0;
        if found.object.entry.is_delete_marker {
            let (version, modified) = (version.clone(), found.object.entry.modified);
            return Err(Error::IsDeleteMarker { key: key.to_owned(), version, modified });
        }
        Ok(found)
    }

    fn check(&mut self, bucket: &str, key: &str, condition: &Condition) -> Result<()> {
        let newest = self.held(bucket)?.keys.get(key).and_then(|v| v.first()).map(|v| &v.object.entry);
        rules::check_condition(condition, (bucket, key), newest.filter(|e| !e.is_delete_marker))
    }

    fn upload(&mut self, at: &UploadAt) -> Result<&mut HeldUpload> {
        let held = self.held(&at.bucket)?;
        let found = held.uploads.get_mut(&(at.key.clone(), at.id.clone()));
        found.ok_or_else(|| Error::NoSuchUpload { key: at.key.clone(), id: at.id.0.clone() })
    }
}

fn entry(key: &str, modified: Timestamp) -> Entry {
    Entry {
        key: key.to_owned(),
        version: VersionId::null(),
        is_latest: true,
        is_delete_marker: false,
        size_bytes: 0,
        etag: String::new(),
        modified,
        checksums: Checksums::new(),
    }
}

/// A naive listing: every item in order, rolled up, then cut. `mark` is the `next` of a page that ends with the
/// item.
fn cut<T, M: PartialEq>(
    all: impl Iterator<Item = (String, M, T)>,
    (prefix, delimiter): (&str, Option<&str>),
    after: Option<(&str, bool, M)>,
    limit: usize,
    common_mark: impl Fn(&str) -> M,
) -> (Vec<T>, Vec<String>, Option<M>) {
    enum Listed<T> {
        Item(T),
        Common(String),
    }
    let mut listed: Vec<(M, Listed<T>)> = Vec::new();
    // With a mark inside of a key: set once that position is passed.
    let mut passed = false;
    for (key, mark, item) in all.filter(|(key, _, _)| key.starts_with(prefix)) {
        if let Some((place, inside, at)) = &after {
            let common = rules::rolled_up(&key, prefix, delimiter);
            let behind = if *inside {
                key.as_str() > *place || (key == *place && passed)
            } else {
                key.as_str() > *place && common != Some(place)
            };
            passed |= key == *place && mark == *at;
            if !behind {
                continue;
            }
        }
        match rules::rolled_up(&key, prefix, delimiter) {
            Some(common) if matches!(listed.last(), Some((_, Listed::Common(c))) if c == common) => {}
            Some(common) => listed.push((common_mark(common), Listed::Common(common.to_owned()))),
            None => listed.push((mark, Listed::Item(item))),
        }
    }
    let limit = limit.min(PAGE);
    let more = limit > 0 && listed.len() > limit;
    listed.truncate(limit);
    let (mut items, mut commons, mut next) = (Vec::new(), Vec::new(), None);
    for (mark, one) in listed {
        next = more.then_some(mark);
        match one {
            Listed::Item(item) => items.push(item),
            Listed::Common(common) => commons.push(common),
        }
    }
    (items, commons, next)
}

#[async_trait]
impl Objects for Fake {
    async fn create_bucket(&self, name: &str) -> Result<Bucket> {
        rules::check_bucket_name(name)?;
        let mut state = self.state();
        if state.buckets.contains_key(name) {
            return Err(Error::BucketExists(name.to_owned()));
        }
        let bucket = Bucket { name: name.to_owned(), created: self.clock.now(), versioning: Versioning::Off };
        let held = Held { bucket: bucket.clone(), keys: BTreeMap::new(), uploads: BTreeMap::new() };
        state.buckets.insert(name.to_owned(), held);
        Ok(bucket)
    }

    async fn bucket(&self, name: &str) -> Result<Bucket> {
        Ok(self.state().held(name)?.bucket.clone())
    }

    async fn delete_bucket(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        if state.held(name)?.keys.values().any(|versions| !versions.is_empty()) {
            return Err(Error::BucketNotEmpty(name.to_owned()));
        }
        state.buckets.remove(name);
        Ok(())
    }

    async fn list_buckets(&self) -> Result<Vec<Bucket>> {
        Ok(self.state().buckets.values().map(|held| held.bucket.clone()).collect())
    }

    async fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<()> {
        let mut state = self.state();
        let bucket = &mut state.held(name)?.bucket;
        if versioning == Versioning::Off && bucket.versioning != Versioning::Off {
            return Err(Error::VersioningStays(name.to_owned()));
        }
        bucket.versioning = versioning;
        Ok(())
    }

    async fn put(&self, bucket: &str, key: &str, spec: Put, body: Body) -> Result<Object> {
        rules::check_key(key)?;
        self.bucket(bucket).await?;
        let Put { meta, tags, size_bytes, compute, expect, trailer, condition } = spec;
        let part = PutPart { size_bytes, compute, expect, trailer };
        let (bytes, etag, checksums) = self.receive(body, part).await?;
        let size_bytes = bytes.len() as u64;
        let entry = Entry { size_bytes, etag, checksums, ..entry(key, self.clock.now()) };
        let mut object = Object { entry, meta, tags, parts: None };
        let mut state = self.state();
        state.check(bucket, key, &condition)?;
        let version = Version { object: object.clone(), bytes, part_sizes: vec![size_bytes] };
        object.entry.version = state.push(bucket, version)?;
        Ok(object)
    }

    async fn head(&self, bucket: &str, key: &str, version: Option<&VersionId>) -> Result<Object> {
        Ok(self.state().find(bucket, key, version)?.object.clone())
    }

    async fn get(&self, bucket: &str, key: &str, read: Read) -> Result<Got> {
        let found = self.state().find(bucket, key, read.version.as_ref())?.clone();
        let range = match (read.range, read.part) {
            (Some(_), Some(_)) => return Err(Error::RangeAndPart),
            (None, Some(part)) => rules::part_range(part, &found.part_sizes)?,
            (range, None) => rules::resolve_range(range, found.bytes.len() as u64)?,
        };
        let bytes = found.bytes.slice(range.start as usize..range.end as usize);
        Ok(Got { object: found.object, range, body: body(bytes) })
    }

    async fn delete(&self, bucket: &str, key: &str, spec: Delete) -> Result<Deleted> {
        rules::check_key(key)?;
        let mut state = self.state();
        state.check(bucket, key, &spec.condition)?;
        let held = state.held(bucket)?;
        let versions = held.keys.entry(key.to_owned()).or_default();
        if let Some(version) = spec.version {
            let named = |v: &&Version| v.object.entry.version == version;
            let is_delete_marker =
                versions.iter().find(named).is_some_and(|v| v.object.entry.is_delete_marker);
            versions.retain(|v| v.object.entry.version != version);
            return Ok(Deleted { version: Some(version), is_delete_marker });
        }
        if held.bucket.versioning == Versioning::Off {
            versions.clear();
            return Ok(Deleted { version: None, is_delete_marker: false });
        }
        let entry = Entry { is_delete_marker: true, ..entry(key, self.clock.now()) };
        let object = Object { entry, meta: Meta::default(), tags: Labels::new(), parts: None };
        let marker = Version { object, bytes: Bytes::new(), part_sizes: Vec::new() };
        let version = state.push(bucket, marker)?;
        Ok(Deleted { version: Some(version), is_delete_marker: true })
    }

    async fn copy(&self, spec: Copy) -> Result<Object> {
        rules::check_key(&spec.to_key)?;
        let mut state = self.state();
        let from = state.find(&spec.from_bucket, &spec.from_key, spec.from_version.as_ref())?.clone();
        let (size_bytes, limit_bytes) = (from.object.entry.size_bytes, self.limits.put_bytes);
        if size_bytes > limit_bytes {
            return Err(Error::TooLarge { size_bytes, limit_bytes });
        }
        let has = |a: &Algorithm| from.object.entry.checksums.contains_key(a) || *a == Algorithm::Md5;
        let (etag, checksums) = if from.object.parts.is_none() && spec.compute.iter().all(has) {
            (from.object.entry.etag, from.object.entry.checksums)
        } else {
            sums(&from.bytes, spec.compute, Expected::new(), None)?
        };
        let entry = Entry { size_bytes, etag, checksums, ..entry(&spec.to_key, self.clock.now()) };
        let meta = spec.meta.unwrap_or(from.object.meta);
        let tags = spec.tags.unwrap_or(from.object.tags);
        let mut object = Object { entry, meta, tags, parts: None };
        state.check(&spec.to_bucket, &spec.to_key, &spec.condition)?;
        let version = Version { object: object.clone(), bytes: from.bytes, part_sizes: vec![size_bytes] };
        object.entry.version = state.push(&spec.to_bucket, version)?;
        Ok(object)
    }

    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&VersionId>,
        tags: Labels,
    ) -> Result<VersionId> {
        let mut state = self.state();
        let found = state.find(bucket, key, version)?;
        found.object.tags = tags;
        Ok(found.object.entry.version.clone())
    }

    async fn list(&self, bucket: &str, spec: &List) -> Result<Listing> {
        let mut state = self.state();
        let newest = state.held(bucket)?.keys.iter().filter_map(|(key, versions)| {
            let entry = versions.first().map(|v| v.object.entry.clone())?;
            let entry = Entry { is_latest: true, ..entry };
            (!entry.is_delete_marker).then(|| (key.clone(), key.clone(), entry))
        });
        let after = spec.after.as_deref().map(|a| (a, false, a.to_owned()));
        let by = (spec.prefix.as_str(), spec.delimiter.as_deref());
        let (objects, common_prefixes, next) = cut(newest, by, after, spec.limit, str::to_owned);
        Ok(Listing { objects, common_prefixes, next })
    }

    async fn list_versions(&self, bucket: &str, spec: &ListVersions) -> Result<VersionListing> {
        let mut state = self.state();
        let all = state.held(bucket)?.keys.iter().flat_map(|(key, versions)| {
            versions.iter().enumerate().map(move |(place, v)| {
                let entry = Entry { is_latest: place == 0, ..v.object.entry.clone() };
                (key.clone(), (key.clone(), Some(entry.version.clone())), entry)
            })
        });
        let after = spec.after.as_ref().map(|at| (at.0.as_str(), at.1.is_some(), at.clone()));
        let by = (spec.prefix.as_str(), spec.delimiter.as_deref());
        let (entries, common_prefixes, next) =
            cut(all, by, after, spec.limit, |common| (common.to_owned(), None));
        Ok(VersionListing { entries, common_prefixes, next })
    }

    async fn create_upload(&self, bucket: &str, key: &str, spec: NewUpload) -> Result<UploadId> {
        rules::check_key(key)?;
        spec.checksum.map_or(Ok(()), |(algorithm, kind): (_, ChecksumKind)| algorithm.check_kind(kind))?;
        let mut state = self.state();
        let id = UploadId(format!("{:032x}", state.next()));
        let upload = Upload {
            key: key.to_owned(),
            id: id.clone(),
            started: self.clock.now(),
            checksum: spec.checksum,
        };
        let held = HeldUpload { upload, meta: spec.meta, tags: spec.tags, parts: BTreeMap::new() };
        state.held(bucket)?.uploads.insert((key.to_owned(), id.clone()), held);
        Ok(id)
    }

    async fn upload_part(&self, at: &UploadAt, number: u32, mut spec: PutPart, body: Body) -> Result<Part> {
        rules::check_part_number(number)?;
        let checksum = self.state().upload(at)?.upload.checksum;
        spec.compute.extend(checksum.map(|(algorithm, _)| algorithm));
        let (bytes, etag, checksums) = self.receive(body, spec).await?;
        let (size_bytes, modified) = (bytes.len() as u64, self.clock.now());
        let part = Part { number, size_bytes, etag, modified, checksums };
        self.state().upload(at)?.parts.insert(number, (part.clone(), bytes));
        Ok(part)
    }

    async fn list_parts(&self, at: &UploadAt, after: u32, limit: usize) -> Result<PartListing> {
        let mut state = self.state();
        let held = state.upload(at)?;
        let rest: Vec<Part> =
            held.parts.values().map(|(p, _)| p.clone()).filter(|p| p.number > after).collect();
        let parts: Vec<Part> = rest.iter().take(limit.min(PAGE)).cloned().collect();
        let next = parts.last().filter(|_| rest.len() > parts.len()).map(|part| part.number);
        Ok(PartListing { upload: held.upload.clone(), parts, next })
    }

    async fn list_uploads(&self, bucket: &str, spec: &ListUploads) -> Result<UploadListing> {
        let mut state = self.state();
        let all = state
            .held(bucket)?
            .uploads
            .iter()
            .map(|((key, id), held)| (key.clone(), (key.clone(), Some(id.clone())), held.upload.clone()));
        let after = spec.after.as_ref().map(|at| (at.0.as_str(), at.1.is_some(), at.clone()));
        let by = (spec.prefix.as_str(), spec.delimiter.as_deref());
        let (uploads, common_prefixes, next) =
            cut(all, by, after, spec.limit, |common| (common.to_owned(), None));
        Ok(UploadListing { uploads, common_prefixes, next })
    }

    async fn complete_upload(&self, at: &UploadAt, spec: Complete) -> Result<Object> {
        let mut state = self.state();
        let held = state.upload(at)?;
        let uploaded: BTreeMap<u32, Part> = held.parts.iter().map(|(n, (p, _))| (*n, p.clone())).collect();
        let whole = rules::assemble(&uploaded, held.upload.checksum, &spec, &self.limits)?;
        let pieces: Vec<Bytes> = whole.numbers.iter().map(|n| held.parts[n].1.clone()).collect();
        let (meta, tags) = (held.meta.clone(), held.tags.clone());
        state.check(&at.bucket, &at.key, &spec.condition)?;
        let entry = Entry {
            size_bytes: whole.size_bytes,
            etag: whole.etag,
            checksums: whole.checksums,
            ..entry(&at.key, self.clock.now())
        };
        let mut object = Object { entry, meta, tags, parts: Some(pieces.len() as u32) };
        let part_sizes = pieces.iter().map(|p| p.len() as u64).collect();
        let version = Version { object: object.clone(), bytes: pieces.concat().into(), part_sizes };
        object.entry.version = state.push(&at.bucket, version)?;
        state.held(&at.bucket)?.uploads.remove(&(at.key.clone(), at.id.clone()));
        Ok(object)
    }

    async fn abort_upload(&self, at: &UploadAt) -> Result<()> {
        let mut state = self.state();
        state.upload(at)?;
        state.held(&at.bucket)?.uploads.remove(&(at.key.clone(), at.id.clone()));
        Ok(())
    }
}
