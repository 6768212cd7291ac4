//! The registry plane: container images, pushed and pulled by the OCI distribution API (v1.1).
//!
//! Blobs and manifests are plain files named by their digest, `<root>/blobs/sha256/<hex>`, so that the program
//! that runs images reads them by that path; an index in SQLite says which repository has which. A blob is hashed
//! while it is received, and becomes visible only when its digest is the announced one.
//!
//! It never decides who may push or pull (the caller's [`Access`] does) and never creates a repository by
//! itself: a missing one is an error, as in every managed registry.
//!
//! Start at [`Registry`], the trait, then [`Http`], its HTTP interface; [`Store`] is the real one, [`Fake`] the
//! one in memory.

mod digest;
mod error;
mod fake;
mod http;
mod manifest;
pub mod spec;
mod store;

pub use digest::Digest;
pub use error::{BodyError, Code, Error, Result};
pub use fake::Fake;
pub use http::{Access, Action, Denied, Http, ResponseBody};
pub use spec::*;
pub use store::Store;

use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::HashSet, ops::Range};

/// Repositories of images. Every method takes a repository's name and fails if that does not exist.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    async fn create_repository(&self, name: &str, spec: RepositorySpec) -> Result<()>;
    async fn set_repository(&self, name: &str, spec: RepositorySpec) -> Result<()>;
    /// Deletes it with all its images. Content shared with other repositories stays.
    async fn delete_repository(&self, name: &str) -> Result<()>;
    async fn repositories(&self) -> Result<Vec<String>>;

    async fn blob_size(&self, repository: &str, digest: &Digest) -> Result<u64>;
    /// `range` must lie inside of the blob.
    async fn read_blob(&self, repository: &str, digest: &Digest, range: Range<u64>) -> Result<Body>;
    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<()>;
    /// Gives `repository` a blob of `from`; returns whether `from` had it.
    async fn mount_blob(&self, repository: &str, from: &str, digest: &Digest) -> Result<bool>;

    async fn start_upload(&self, repository: &str) -> Result<UploadId>;
    /// Bytes received so far; they survive a restart.
    async fn upload_size(&self, repository: &str, id: &UploadId) -> Result<u64>;
    /// Appends to an upload, or, if `at` is given, only if that is its end. Returns the new size. The bytes
    /// of an interrupted body are kept: the client asks for the size and continues from there.
    async fn append(&self, repository: &str, id: &UploadId, at: Option<u64>, body: Body) -> Result<u64>;
    /// Makes the upload a blob of the repository, if its bytes have this digest; drops it otherwise.
    async fn finish_upload(&self, repository: &str, id: &UploadId, digest: &Digest) -> Result<()>;
    async fn cancel_upload(&self, repository: &str, id: &UploadId) -> Result<()>;

    /// Everything that the manifest refers to must be in the repository. The bytes are stored unchanged.
    async fn put_image(
        &self,
        repository: &str,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<PutImage>;
    async fn resolve(&self, repository: &str, reference: &Reference) -> Result<Digest>;
    async fn manifest(&self, repository: &str, reference: &Reference) -> Result<Manifest>;
    /// By tag: removes the tag; the image stays, untagged. By digest: removes the image and all its tags.
    async fn delete_image(&self, repository: &str, reference: &Reference) -> Result<()>;
    /// Up to `limit` tags after `after`, sorted by their bytes, and whether there are more.
    async fn tags(&self, repository: &str, after: &str, limit: usize) -> Result<(Vec<String>, bool)>;
    /// Manifests whose subject is `subject`, whether or not that exists.
    async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Descriptor>>;
    /// Every image, by digest.
    async fn images(&self, repository: &str) -> Result<Vec<Image>>;

    /// Tags pushed from now on. A receiver that lags gets an error, and must list again.
    fn pushes(&self) -> tokio::sync::broadcast::Receiver<Pushed>;

    /// Stores a blob or manifest of another registry, in no repository: programs that run images read it by its digest. If it
    /// exists already, only marks it as used. `fetch` opens its body; an interrupted body is continued, also after a restart.
    async fn cache(&self, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()>;
    /// Records that a caller got this manifest from a source, and that it is cached. Sources are the caller's own texts.
    async fn admit(&self, source: &str, digest: &Digest) -> Result<()>;
    /// A cached manifest, if it was admitted from this source: that a blob is cached does not mean that every caller may have it.
    async fn admitted(&self, source: &str, digest: &Digest) -> Result<Option<Bytes>>;

    /// Drops blobs that no manifest has referred to for `grace_ms`, then the files that no repository has, up to
    /// [`COLLECTED_AT_ONCE`]. Of cached blobs, the least recently used ones above the cache's bound go. `keep` are digests in use elsewhere, by containers: they stay, with everything that the manifests
    /// among them refer to. Returns what was freed.
    async fn collect(&self, keep: HashSet<Digest>, grace_ms: i64) -> Result<Collected>;
}
