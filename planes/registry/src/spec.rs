//! The complete interface of the registry: requests and answers.

use crate::{BodyError, Digest};
use bytes::Bytes;
use escale_base::{Clock, Timestamp};
use futures_util::{future::BoxFuture, stream::Stream};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf, pin::Pin};

pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Opens the body of a blob that is cached, from an offset on.
pub type Fetch<'a> = &'a (dyn Fn(u64) -> BoxFuture<'a, Result<Body, BodyError>> + Send + Sync);

/// Files that one collection removes. The index is locked meanwhile: pushes and pulls wait for some milliseconds.
pub const COLLECTED_AT_ONCE: usize = 256;
/// Largest manifest: the 4 MiB of Docker's registry and the OCI specification.
pub const MANIFEST_BYTES: usize = 4 << 20;
/// Largest blob: 52,000 MiB, the largest layer that managed registries accept.
pub const BLOB_BYTES: u64 = 52_000 << 20;
/// What the cache may hold by default: the images of some tens of applications.
pub const CACHE_BYTES: u64 = 10 << 30;
/// A cached blob that was used within this time stays, whatever the cache holds: its image may still be incomplete.
pub const CACHE_GRACE_MS: i64 = 3_600_000;
/// Disk space that caching leaves free: databases share the disk, and stop when it is full.
pub const RESERVED_BYTES: u64 = 512 << 20;
/// How often the rest of a blob is fetched after the body ended early. Each time it must have got further.
pub const RESUMPTIONS: usize = 5;
/// Largest page of tags.
pub const TAGS_PAGE: usize = 1000;
/// Longest repository name.
pub const NAME_BYTES: usize = 255;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Blobs are stored in `blobs/sha256/` below; the index and uploads in `registry/`.
    pub root: PathBuf,
    pub clock: Clock,
    /// What the cache of other registries' images may hold: usually [`CACHE_BYTES`].
    pub cache_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepositorySpec {
    /// An existing tag cannot be moved to another image.
    pub immutable_tags: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(pub String);

/// A reference to an image in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(String),
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Tag(tag) => f.write_str(tag),
            Reference::Digest(digest) => digest.fmt(f),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutImage {
    pub digest: Digest,
    pub subject: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub digest: Digest,
    /// Sorted by their bytes.
    pub tags: Vec<String>,
    pub media_type: String,
    pub artifact_type: Option<String>,
    /// Of the config and all layers, as transferred. An index counts its own bytes only.
    pub size_bytes: u64,
    pub pushed: Timestamp,
    pub subject: Option<Digest>,
}

/// A manifest as an entry in the list of referrers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
}

/// `repository:tag` now refers to `digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub repository: String,
    pub tag: String,
    pub digest: Digest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub files: usize,
    pub size_bytes: u64,
}
