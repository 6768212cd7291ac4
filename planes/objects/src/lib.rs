//! The objects plane: buckets of versioned objects, on one disk.
//!
//! An object's bytes are a file (or, when few, a row of the index) that is complete and in its place before
//! the index row that names it is committed. So an acknowledged object is never missing, a torn one is never
//! visible, and a crash leaves at most a file without a row, which the next sweep removes.
//!
//! It never decides who may read or write, never stores a bucket's configuration other than its versioning,
//! and never interprets metadata or tags: they are maps that the caller passes and gets back.
//!
//! Start at [`Objects`], the trait; [`spec`] is the complete interface; [`Store`] is the real one, [`Fake`]
//! the one in memory. `tests/contract.rs` holds both to the same behaviour.

mod digest;
mod error;
mod fake;
mod files;
mod hot;
mod index;
mod rules;
pub mod spec;
mod store;

pub use digest::{Algorithm, Checksum, Checksums};
pub use error::{BodyError, Error, Result};
pub use fake::Fake;
pub use spec::*;
pub use store::Store;

use async_trait::async_trait;

/// Buckets and their objects. All methods may be called concurrently; changes to one
/// key take effect in the order in which they are acknowledged.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    async fn create_bucket(&self, name: &str) -> Result<Bucket>;
    async fn bucket(&self, name: &str) -> Result<Bucket>;
    /// Fails for a bucket that contains any version or delete marker; uploads in progress are aborted.
    async fn delete_bucket(&self, name: &str) -> Result<()>;
    /// Sorted by name.
    async fn list_buckets(&self) -> Result<Vec<Bucket>>;
    /// A bucket that was ever versioned cannot go back to [`Versioning::Off`].
    async fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<()>;

    /// Reads `body` to its end, and makes it the key's current object only if all conditions of `spec` hold.
    async fn put(&self, bucket: &str, key: &str, spec: Put, body: Body) -> Result<Object>;
    async fn head(&self, bucket: &str, key: &str, version: Option<&VersionId>) -> Result<Object>;
    /// The bytes stay readable until the body is dropped, even if the object is deleted meanwhile.
    async fn get(&self, bucket: &str, key: &str, read: Read) -> Result<Got>;
    /// Deleting an object that does not exist succeeds.
    async fn delete(&self, bucket: &str, key: &str, spec: Delete) -> Result<Deleted>;
    /// Does not copy the bytes unless a requested checksum has to be computed, or the source was uploaded
    /// in parts (the copy is then a single put, with its etag).
    async fn copy(&self, spec: Copy) -> Result<Object>;
    /// Replaces all tags; returns the version that now has them.
    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&VersionId>,
        tags: Labels,
    ) -> Result<VersionId>;
    /// Current objects, sorted by the bytes of their keys.
    async fn list(&self, bucket: &str, spec: &List) -> Result<Listing>;
    /// All versions and delete markers: by key, the newest first.
    async fn list_versions(&self, bucket: &str, spec: &ListVersions) -> Result<VersionListing>;

    async fn create_upload(&self, bucket: &str, key: &str, spec: NewUpload) -> Result<UploadId>;
    async fn upload_part(&self, at: &UploadAt, number: u32, spec: PutPart, body: Body) -> Result<Part>;
    /// Parts with a number above `after`.
    async fn list_parts(&self, at: &UploadAt, after: u32, limit: usize) -> Result<PartListing>;
    async fn list_uploads(&self, bucket: &str, spec: &ListUploads) -> Result<UploadListing>;
    /// Makes the listed parts one object without copying them; other parts are dropped.
    async fn complete_upload(&self, at: &UploadAt, spec: Complete) -> Result<Object>;
    async fn abort_upload(&self, at: &UploadAt) -> Result<()>;
}
