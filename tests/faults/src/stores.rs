//! Objects and images. A call that is not idempotent fails only before its execution ([`Kind::Nothing`]).

use crate::{Kind, Risky, risky::call};
use async_trait::async_trait;
use escale_objects::{self as objects, Objects};
use escale_registry::{self as registry, Registry};
use std::{collections::HashSet, ops::Range};
use tokio::sync::broadcast;

#[async_trait]
impl<P: Objects + ?Sized> Objects for Risky<P> {
    async fn create_bucket(&self, name: &str) -> objects::Result<objects::Bucket> {
        call(&*self.fate, "objects create_bucket", Kind::Unknown, self.plane.create_bucket(name)).await
    }
    async fn bucket(&self, name: &str) -> objects::Result<objects::Bucket> {
        call(&*self.fate, "objects bucket", Kind::Unknown, self.plane.bucket(name)).await
    }
    async fn delete_bucket(&self, name: &str) -> objects::Result<()> {
        call(&*self.fate, "objects delete_bucket", Kind::Unknown, self.plane.delete_bucket(name)).await
    }
    async fn list_buckets(&self) -> objects::Result<Vec<objects::Bucket>> {
        call(&*self.fate, "objects list_buckets", Kind::Unknown, self.plane.list_buckets()).await
    }
    async fn set_versioning(&self, name: &str, versioning: objects::Versioning) -> objects::Result<()> {
        call(
            &*self.fate,
            "objects set_versioning",
            Kind::Unknown,
            self.plane.set_versioning(name, versioning),
        )
        .await
    }
    async fn put(
        &self,
        bucket: &str,
        key: &str,
        spec: objects::Put,
        body: objects::Body,
    ) -> objects::Result<objects::Object> {
        call(&*self.fate, "objects put", Kind::Nothing, self.plane.put(bucket, key, spec, body)).await
    }
    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&objects::VersionId>,
    ) -> objects::Result<objects::Object> {
        call(&*self.fate, "objects head", Kind::Unknown, self.plane.head(bucket, key, version)).await
    }
    async fn get(&self, bucket: &str, key: &str, read: objects::Read) -> objects::Result<objects::Got> {
        call(&*self.fate, "objects get", Kind::Unknown, self.plane.get(bucket, key, read)).await
    }
    async fn delete(
        &self,
        bucket: &str,
        key: &str,
        spec: objects::Delete,
    ) -> objects::Result<objects::Deleted> {
        call(&*self.fate, "objects delete", Kind::Nothing, self.plane.delete(bucket, key, spec)).await
    }
    async fn copy(&self, spec: objects::Copy) -> objects::Result<objects::Object> {
        call(&*self.fate, "objects copy", Kind::Nothing, self.plane.copy(spec)).await
    }
    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&objects::VersionId>,
        tags: objects::Labels,
    ) -> objects::Result<objects::VersionId> {
        call(&*self.fate, "objects set_tags", Kind::Unknown, self.plane.set_tags(bucket, key, version, tags))
            .await
    }
    async fn list(&self, bucket: &str, spec: &objects::List) -> objects::Result<objects::Listing> {
        call(&*self.fate, "objects list", Kind::Unknown, self.plane.list(bucket, spec)).await
    }
    async fn list_versions(
        &self,
        bucket: &str,
        spec: &objects::ListVersions,
    ) -> objects::Result<objects::VersionListing> {
        call(&*self.fate, "objects list_versions", Kind::Unknown, self.plane.list_versions(bucket, spec))
            .await
    }
    async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        spec: objects::NewUpload,
    ) -> objects::Result<objects::UploadId> {
        call(&*self.fate, "objects create_upload", Kind::Nothing, self.plane.create_upload(bucket, key, spec))
            .await
    }
    async fn upload_part(
        &self,
        at: &objects::UploadAt,
        number: u32,
        spec: objects::PutPart,
        body: objects::Body,
    ) -> objects::Result<objects::Part> {
        call(
            &*self.fate,
            "objects upload_part",
            Kind::Unknown,
            self.plane.upload_part(at, number, spec, body),
        )
        .await
    }
    async fn list_parts(
        &self,
        at: &objects::UploadAt,
        after: u32,
        limit: usize,
    ) -> objects::Result<objects::PartListing> {
        call(&*self.fate, "objects list_parts", Kind::Unknown, self.plane.list_parts(at, after, limit)).await
    }
    async fn list_uploads(
        &self,
        bucket: &str,
        spec: &objects::ListUploads,
    ) -> objects::Result<objects::UploadListing> {
        call(&*self.fate, "objects list_uploads", Kind::Unknown, self.plane.list_uploads(bucket, spec)).await
    }
    async fn complete_upload(
        &self,
        at: &objects::UploadAt,
        spec: objects::Complete,
    ) -> objects::Result<objects::Object> {
        call(&*self.fate, "objects complete_upload", Kind::Nothing, self.plane.complete_upload(at, spec))
            .await
    }
    async fn abort_upload(&self, at: &objects::UploadAt) -> objects::Result<()> {
        call(&*self.fate, "objects abort_upload", Kind::Unknown, self.plane.abort_upload(at)).await
    }
}

#[async_trait]
impl<P: Registry + ?Sized> Registry for Risky<P> {
    async fn create_repository(&self, name: &str, spec: registry::RepositorySpec) -> registry::Result<()> {
        call(
            &*self.fate,
            "registry create_repository",
            Kind::Unknown,
            self.plane.create_repository(name, spec),
        )
        .await
    }
    async fn set_repository(&self, name: &str, spec: registry::RepositorySpec) -> registry::Result<()> {
        call(&*self.fate, "registry set_repository", Kind::Unknown, self.plane.set_repository(name, spec))
            .await
    }
    async fn delete_repository(&self, name: &str) -> registry::Result<()> {
        call(&*self.fate, "registry delete_repository", Kind::Unknown, self.plane.delete_repository(name))
            .await
    }
    async fn repositories(&self) -> registry::Result<Vec<String>> {
        call(&*self.fate, "registry repositories", Kind::Unknown, self.plane.repositories()).await
    }
    async fn blob_size(&self, repository: &str, digest: &registry::Digest) -> registry::Result<u64> {
        call(&*self.fate, "registry blob_size", Kind::Unknown, self.plane.blob_size(repository, digest)).await
    }
    async fn read_blob(
        &self,
        repository: &str,
        digest: &registry::Digest,
        range: Range<u64>,
    ) -> registry::Result<registry::Body> {
        call(
            &*self.fate,
            "registry read_blob",
            Kind::Unknown,
            self.plane.read_blob(repository, digest, range),
        )
        .await
    }
    async fn delete_blob(&self, repository: &str, digest: &registry::Digest) -> registry::Result<()> {
        call(&*self.fate, "registry delete_blob", Kind::Unknown, self.plane.delete_blob(repository, digest))
            .await
    }
    async fn mount_blob(
        &self,
        repository: &str,
        from: &str,
        digest: &registry::Digest,
    ) -> registry::Result<bool> {
        call(
            &*self.fate,
            "registry mount_blob",
            Kind::Unknown,
            self.plane.mount_blob(repository, from, digest),
        )
        .await
    }
    async fn start_upload(&self, repository: &str) -> registry::Result<registry::UploadId> {
        call(&*self.fate, "registry start_upload", Kind::Nothing, self.plane.start_upload(repository)).await
    }
    async fn upload_size(&self, repository: &str, id: &registry::UploadId) -> registry::Result<u64> {
        call(&*self.fate, "registry upload_size", Kind::Unknown, self.plane.upload_size(repository, id)).await
    }
    async fn append(
        &self,
        repository: &str,
        id: &registry::UploadId,
        at: Option<u64>,
        body: registry::Body,
    ) -> registry::Result<u64> {
        call(&*self.fate, "registry append", Kind::Nothing, self.plane.append(repository, id, at, body)).await
    }
    async fn finish_upload(
        &self,
        repository: &str,
        id: &registry::UploadId,
        digest: &registry::Digest,
    ) -> registry::Result<()> {
        call(
            &*self.fate,
            "registry finish_upload",
            Kind::Nothing,
            self.plane.finish_upload(repository, id, digest),
        )
        .await
    }
    async fn cancel_upload(&self, repository: &str, id: &registry::UploadId) -> registry::Result<()> {
        call(&*self.fate, "registry cancel_upload", Kind::Unknown, self.plane.cancel_upload(repository, id))
            .await
    }
    async fn put_image(
        &self,
        repository: &str,
        reference: &registry::Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> registry::Result<registry::PutImage> {
        call(
            &*self.fate,
            "registry put_image",
            Kind::Unknown,
            self.plane.put_image(repository, reference, media_type, bytes),
        )
        .await
    }
    async fn resolve(
        &self,
        repository: &str,
        reference: &registry::Reference,
    ) -> registry::Result<registry::Digest> {
        call(&*self.fate, "registry resolve", Kind::Unknown, self.plane.resolve(repository, reference)).await
    }
    async fn manifest(
        &self,
        repository: &str,
        reference: &registry::Reference,
    ) -> registry::Result<registry::Manifest> {
        call(&*self.fate, "registry manifest", Kind::Unknown, self.plane.manifest(repository, reference))
            .await
    }
    async fn delete_image(&self, repository: &str, reference: &registry::Reference) -> registry::Result<()> {
        call(
            &*self.fate,
            "registry delete_image",
            Kind::Unknown,
            self.plane.delete_image(repository, reference),
        )
        .await
    }
    async fn tags(
        &self,
        repository: &str,
        after: &str,
        limit: usize,
    ) -> registry::Result<(Vec<String>, bool)> {
        call(&*self.fate, "registry tags", Kind::Unknown, self.plane.tags(repository, after, limit)).await
    }
    async fn referrers(
        &self,
        repository: &str,
        subject: &registry::Digest,
    ) -> registry::Result<Vec<registry::Descriptor>> {
        call(&*self.fate, "registry referrers", Kind::Unknown, self.plane.referrers(repository, subject))
            .await
    }
    async fn images(&self, repository: &str) -> registry::Result<Vec<registry::Image>> {
        call(&*self.fate, "registry images", Kind::Unknown, self.plane.images(repository)).await
    }
    async fn cache(
        &self,
        digest: &registry::Digest,
        size_bytes: u64,
        fetch: registry::Fetch<'_>,
    ) -> registry::Result<()> {
        call(&*self.fate, "registry cache", Kind::Unknown, self.plane.cache(digest, size_bytes, fetch)).await
    }
    async fn admit(&self, source: &str, digest: &registry::Digest) -> registry::Result<()> {
        call(&*self.fate, "registry admit", Kind::Unknown, self.plane.admit(source, digest)).await
    }
    async fn admitted(
        &self,
        source: &str,
        digest: &registry::Digest,
    ) -> registry::Result<Option<bytes::Bytes>> {
        call(&*self.fate, "registry admitted", Kind::Unknown, self.plane.admitted(source, digest)).await
    }
    async fn collect(
        &self,
        keep: HashSet<registry::Digest>,
        grace_ms: i64,
    ) -> registry::Result<registry::Collected> {
        call(&*self.fate, "registry collect", Kind::Unknown, self.plane.collect(keep, grace_ms)).await
    }
    fn pushes(&self) -> broadcast::Receiver<registry::Pushed> {
        self.plane.pushes()
    }
}
