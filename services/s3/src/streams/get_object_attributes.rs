//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use super::read;
use crate::choices::{ChecksumType, ObjectAttribute, StoredClass};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    rules, shapes,
};
use escale_base::{Timestamp, Wire};
use escale_objects::VersionId;
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct GetObjectAttributes;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    version_id: Option<String>,
    object_attributes: Vec<ObjectAttribute>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    last_modified: Timestamp,
    version_id: Option<String>,
    e_tag: Option<String>,
    checksum: Option<Checksum>,
    object_parts: Option<Parts>,
    storage_class: Option<StoredClass>,
    object_size: Option<u64>,
}

with_checksums! {
    pub(crate) struct Checksum {
        checksum_type: Option<ChecksumType>,
    }
}

#[derive(Wire)]
struct Parts {
    total_parts_count: u32,
}

impl StreamOperation<Buckets> for GetObjectAttributes {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn action(input: &Input) -> Option<&'static str> {
        input.version_id.as_ref().map(|_| "s3:GetObjectVersion")
    }

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    fn also(input: &Input, cx: &StreamCx) -> Vec<Also> {
        let action = match input.version_id {
            Some(_) => "s3:GetObjectVersionAttributes",
            None => "s3:GetObjectAttributes",
        };
        vec![Also::new(action, Self::resources(input, cx))]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let version = input.version_id.map(VersionId);
        let found = service.objects.head(&input.bucket, &input.key, version.as_ref()).await;
        let object = found.map_err(|error| read::absent(&cx, &input.bucket, error))?;
        let entry = &object.entry;
        let requested = |attribute| input.object_attributes.contains(&attribute);
        let checksum = (requested(ObjectAttribute::Checksum) && !entry.checksums.is_empty()).then(|| {
            let mut shape =
                Checksum { checksum_type: checksums::kind(&entry.checksums), ..Checksum::default() };
            shape.fill(&entry.checksums);
            shape
        });
        Ok(Output {
            last_modified: entry.modified,
            version_id: shapes::version(&bucket, &entry.version),
            // Only this operation of S3 returns the etag without quotes.
            e_tag: requested(ObjectAttribute::ETag).then(|| entry.etag.clone()),
            checksum,
            object_parts: object
                .parts
                .filter(|_| requested(ObjectAttribute::ObjectParts))
                .map(|total_parts_count| Parts { total_parts_count }),
            storage_class: requested(ObjectAttribute::StorageClass).then_some(StoredClass::Standard),
            object_size: requested(ObjectAttribute::ObjectSize).then_some(entry.size_bytes),
        }
        .into())
    }
}
