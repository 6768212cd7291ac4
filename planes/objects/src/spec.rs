//! The complete interface of the objects plane: requests and answers.

use crate::{Algorithm, BodyError, Checksums, Result};
use bytes::Bytes;
use escale_base::{Clock, Timestamp};
use futures_util::stream::{self, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, ops::Range, path::PathBuf, pin::Pin};

/// Stored and returned for the caller, never interpreted.
pub type Labels = BTreeMap<String, String>;

/// A body. It ends with an error if the sender fails, and then none of it is kept.
pub type Body = Pin<Box<dyn Stream<Item = std::result::Result<Bytes, BodyError>> + Send>>;

/// A body of bytes in memory.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()
}

/// The configuration of a [`Store`](crate::Store).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory that the store owns: `index.sqlite`, `data/`, `tmp/`, `lock`.
    pub root: PathBuf,
    pub clock: Clock,
    pub durability: Durability,
    pub limits: Limits,
}

/// The durability of an acknowledged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The object survives the death of this process (`kill -9`), not a power failure.
    Process,
    /// It survives a power failure as well: files, directories and index are synced first.
    Power,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body of one put or one part.
    pub put_bytes: u64,
    /// Smallest part, except the last one.
    pub part_min_bytes: u64,
    /// Largest object made of parts.
    pub object_bytes: u64,
    /// Longest body that is kept in the index instead of a file. Measured with 32 senders at 16 KiB: 2.5
    /// times the puts and 1.7 times the gets of files; at 4 KiB 9 and 2 times.
    pub inline_bytes: usize,
    /// Bodies received concurrently; more wait for their turn. Bounds memory to this × 512 KiB.
    pub bodies: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            put_bytes: 5 << 30,
            part_min_bytes: 5 << 20,
            object_bytes: 5 << 40,
            inline_bytes: 16 << 10,
            bodies: 256,
        }
    }
}

/// Longest key, in bytes of UTF-8.
pub const KEY_BYTES: usize = 1024;
/// Longest bucket name, in bytes.
pub const BUCKET_NAME_BYTES: usize = 255;
/// Highest part number, and so the largest number of parts of an object.
pub const PARTS: u32 = 10_000;
/// Most entries of one page of any list.
pub const PAGE: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    pub created: Timestamp,
    pub versioning: Versioning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// Never versioned: a put replaces, a delete removes.
    Off,
    /// Every put adds a version; a delete adds a marker.
    Enabled,
    /// Versions stay; puts and deletes act on the version `null`.
    Suspended,
}

/// Names one version of a key. Objects written while versioning was not enabled have the version `null`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub String);

impl VersionId {
    pub fn null() -> VersionId {
        VersionId("null".into())
    }
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Metadata stored with the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Representation headers: content-type, cache-control, …
    pub headers: Labels,
    pub user: Labels,
}

/// One version in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub version: VersionId,
    pub is_latest: bool,
    /// A marker hides the versions below it and has no bytes.
    pub is_delete_marker: bool,
    pub size_bytes: u64,
    /// Without quotes: MD5 in hexadecimal, or for an object of N parts the MD5 of their MD5s and `-N`.
    pub etag: String,
    pub modified: Timestamp,
    pub checksums: Checksums,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub entry: Entry,
    pub meta: Meta,
    pub tags: Labels,
    /// How many parts it was uploaded in; `None` for a single put.
    pub parts: Option<u32>,
}

/// Checksum values that the sender announced, as raw bytes.
pub type Expected = Vec<(Algorithm, Vec<u8>)>;

/// Called once the body has ended: for values that a client sends after the body.
pub type Trailer = Box<dyn FnOnce() -> std::result::Result<Expected, BodyError> + Send>;

#[derive(Default)]
pub struct Put {
    pub meta: Meta,
    pub tags: Labels,
    /// Fails unless the body has this length.
    pub size_bytes: Option<u64>,
    /// Checksums to compute and keep. MD5 is always computed.
    pub compute: Vec<Algorithm>,
    /// Fails unless the body has these checksums; those other than MD5 are stored as well.
    pub expect: Expected,
    /// Further expected checksums; their algorithms have to be listed in `compute`.
    pub trailer: Option<Trailer>,
    pub condition: Condition,
}

/// Checked in the same transaction that makes the object current.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    None,
    /// Only if the key has no current object (`If-None-Match: *`).
    Absent,
    /// Only if the key has a current object (`If-Match: *`).
    Present,
    /// Only if the current object has this etag (`If-Match`).
    Etag(String),
}

#[derive(Clone, Debug, Default)]
pub struct Read {
    pub version: Option<VersionId>,
    pub range: Option<ByteRange>,
    /// Only this part, counted from 1; not together with `range`.
    pub part: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    From(u64),
    /// First and last byte, both included.
    Between(u64, u64),
    Last(u64),
}

pub struct Got {
    pub object: Object,
    /// The range of the object that `body` contains.
    pub range: Range<u64>,
    pub body: Body,
}

#[derive(Clone, Debug, Default)]
pub struct Delete {
    /// Removes exactly this version; without it the key's current object is deleted according to the versioning.
    pub version: Option<VersionId>,
    /// Applies to the key's current object, also when a version is named.
    pub condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The removed version, or the new delete marker; `None` in a bucket that was never versioned.
    pub version: Option<VersionId>,
    /// A delete marker was created, or the removed version was one.
    pub is_delete_marker: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Copy {
    pub from_bucket: String,
    pub from_key: String,
    pub from_version: Option<VersionId>,
    pub to_bucket: String,
    pub to_key: String,
    /// `None` copies the source's.
    pub meta: Option<Meta>,
    pub tags: Option<Labels>,
    pub compute: Vec<Algorithm>,
    /// Applies to the destination.
    pub condition: Condition,
}

#[derive(Clone, Debug)]
pub struct List {
    pub prefix: String,
    /// Keys with this text after the prefix are listed once, as a common prefix.
    pub delimiter: Option<String>,
    /// Starts after this key or common prefix.
    pub after: Option<String>,
    /// Objects and common prefixes together; at most [`PAGE`]. With 0 the page is empty and has no next one.
    pub limit: usize,
}

impl Default for List {
    fn default() -> List {
        List { prefix: String::new(), delimiter: None, after: None, limit: PAGE }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub objects: Vec<Entry>,
    pub common_prefixes: Vec<String>,
    /// The `after` of the next page; `None` on the last.
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ListVersions {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Starts after all versions of this key, or after one version of it.
    pub after: Option<(String, Option<VersionId>)>,
    pub limit: usize,
}

impl Default for ListVersions {
    fn default() -> ListVersions {
        ListVersions { prefix: String::new(), delimiter: None, after: None, limit: PAGE }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionListing {
    pub entries: Vec<Entry>,
    pub common_prefixes: Vec<String>,
    pub next: Option<(String, Option<VersionId>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub String);

/// A multipart upload, with its bucket and key: all three have to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadAt {
    pub bucket: String,
    pub key: String,
    pub id: UploadId,
}

#[derive(Clone, Debug, Default)]
pub struct NewUpload {
    pub meta: Meta,
    pub tags: Labels,
    /// Computed for every part, and for the object.
    pub checksum: Option<(Algorithm, ChecksumKind)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumKind {
    /// Over the parts' checksums, as the etag is.
    Composite,
    /// Over the bytes, combined from the parts' checksums without reading the bytes again. CRCs only.
    FullObject,
}

#[derive(Default)]
pub struct PutPart {
    pub size_bytes: Option<u64>,
    pub compute: Vec<Algorithm>,
    pub expect: Expected,
    pub trailer: Option<Trailer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: u32,
    pub size_bytes: u64,
    pub etag: String,
    pub modified: Timestamp,
    pub checksums: Checksums,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartListing {
    pub upload: Upload,
    pub parts: Vec<Part>,
    pub next: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub key: String,
    pub id: UploadId,
    pub started: Timestamp,
    pub checksum: Option<(Algorithm, ChecksumKind)>,
}

#[derive(Clone, Debug)]
pub struct ListUploads {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Starts after all uploads of this key, or after one of them.
    pub after: Option<(String, Option<UploadId>)>,
    pub limit: usize,
}

impl Default for ListUploads {
    fn default() -> ListUploads {
        ListUploads { prefix: String::new(), delimiter: None, after: None, limit: PAGE }
    }
}

/// Uploads sorted by key; those of one key by the time of their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadListing {
    pub uploads: Vec<Upload>,
    pub common_prefixes: Vec<String>,
    pub next: Option<(String, Option<UploadId>)>,
}

#[derive(Clone, Debug, Default)]
pub struct Complete {
    /// Sorted by number.
    pub parts: Vec<CompletePart>,
    pub condition: Condition,
    /// Fails unless the object has this checksum (of the kind that the upload was started with).
    pub expect: Option<(Algorithm, Vec<u8>)>,
}

#[derive(Clone, Debug)]
pub struct CompletePart {
    pub number: u32,
    pub etag: String,
    /// Fails unless the part has these checksums.
    pub expect: Expected,
}

/// Reads a whole body into memory: for small objects and for tests.
pub async fn read_all(mut body: Body) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.map_err(crate::Error::Body)?);
    }
    Ok(all)
}
