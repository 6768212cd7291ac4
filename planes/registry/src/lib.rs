//! The registry plane: container images, pushed and pulled by the OCI distribution API (v1.1).
//!
//! Blobs and manifests are plain files named by their digest, `<root>/blobs/sha256/<hex>`, so that whoever
//! runs images reads them by that path; an index in SQLite says which repository has which. A blob is hashed
//! while it is received, and becomes visible only when it is what it was announced to be.
//!
//! It never decides who may push or pull (the caller's [`Access`] does) and never makes a repository by
//! itself: one that is not there is an error, as in every registry that is managed.
//!
//! Start at [`Registry`], the trait, then [`Http`], its HTTP form; [`Store`] is the real one, [`Fake`] the
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
use std::{collections::HashSet, ops::Range};

/// Repositories of images. Every method names its repository and fails if there is none of that name.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    async fn create_repository(&self, name: &str, spec: RepositorySpec) -> Result<()>;
    async fn set_repository(&self, name: &str, spec: RepositorySpec) -> Result<()>;
    /// With all its images. What other repositories share stays.
    async fn delete_repository(&self, name: &str) -> Result<()>;
    async fn repositories(&self) -> Result<Vec<String>>;

    async fn blob_size(&self, repository: &str, digest: &Digest) -> Result<u64>;
    /// `range` lies inside of the blob.
    async fn read_blob(&self, repository: &str, digest: &Digest, range: Range<u64>) -> Result<Body>;
    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<()>;
    /// Whether `from` had the blob, and `repository` has it now too.
    async fn mount_blob(&self, repository: &str, from: &str, digest: &Digest) -> Result<bool>;

    async fn start_upload(&self, repository: &str) -> Result<UploadId>;
    /// Bytes received so far; they survive a restart.
    async fn upload_size(&self, repository: &str, id: &UploadId) -> Result<u64>;
    /// Adds to an upload, at its end or, if `at` is given, only if that is its end. Gives the new size. What
    /// was received of a body that breaks off is kept: the client asks for the size and goes on from there.
    async fn append(&self, repository: &str, id: &UploadId, at: Option<u64>, body: Body) -> Result<u64>;
    /// Makes the upload a blob of the repository, if its bytes have this digest; drops it if not.
    async fn finish_upload(&self, repository: &str, id: &UploadId, digest: &Digest) -> Result<()>;
    async fn cancel_upload(&self, repository: &str, id: &UploadId) -> Result<()>;

    /// Everything that the manifest names must be in the repository. The bytes are kept as they are.
    async fn put_image(
        &self,
        repository: &str,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<PutImage>;
    async fn resolve(&self, repository: &str, reference: &Reference) -> Result<Digest>;
    async fn manifest(&self, repository: &str, reference: &Reference) -> Result<Manifest>;
    /// By tag: the tag alone; the image stays, untagged. By digest: the image and all its tags.
    async fn delete_image(&self, repository: &str, reference: &Reference) -> Result<()>;
    /// Up to `limit` tags above `after`, in the order of their bytes, and whether there are more.
    async fn tags(&self, repository: &str, after: &str, limit: usize) -> Result<(Vec<String>, bool)>;
    /// Manifests whose subject is `subject`, whether or not that one is there.
    async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Descriptor>>;
    /// Every image, by digest.
    async fn images(&self, repository: &str) -> Result<Vec<Image>>;

    /// Pushed tags from now on. A receiver that lags is told so, and lists again.
    fn pushes(&self) -> tokio::sync::broadcast::Receiver<Pushed>;

    /// Drops blobs that no manifest has named for `grace_ms`, then the files that no repository has, up to
    /// [`COLLECTED_AT_ONCE`]. `keep` are digests in use elsewhere, by containers: they stay, with what the manifests
    /// among them name. Gives what was freed.
    async fn collect(&self, keep: HashSet<Digest>, grace_ms: i64) -> Result<Collected>;
}
