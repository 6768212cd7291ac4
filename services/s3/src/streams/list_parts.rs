//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>

use crate::choices::{ChecksumAlgorithm, ChecksumType, StoredClass};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    rules,
    shapes::{self, Owner},
};
use escale_base::{Timestamp, Wire};
use escale_objects::{UploadAt, UploadId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct ListParts;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    max_parts: Option<i64>,
    part_number_marker: Option<u32>,
    upload_id: String,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    bucket: BucketName,
    key: String,
    upload_id: String,
    part_number_marker: u32,
    next_part_number_marker: Option<u32>,
    max_parts: usize,
    is_truncated: bool,
    parts: Vec<Part>,
    initiator: Owner,
    owner: Owner,
    storage_class: StoredClass,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    checksum_type: Option<ChecksumType>,
}

with_checksums! {
    pub(crate) struct Part {
        part_number: u32,
        last_modified: Timestamp,
        e_tag: String,
        size: u64,
    }
}

impl StreamOperation<Buckets> for ListParts {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let limit = rules::page_size("max-parts", input.max_parts)?.max(1);
        let after = input.part_number_marker.unwrap_or(0);
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let at = UploadAt { bucket: input.bucket.into(), key: input.key, id: UploadId(input.upload_id) };
        let found = service.objects.list_parts(&at, after, limit).await?;
        let owner = shapes::owner(&cx.config.account);
        let part = |part: &escale_objects::Part| {
            let mut shape = Part {
                part_number: part.number,
                last_modified: part.modified,
                e_tag: shapes::quoted(&part.etag),
                size: part.size_bytes,
                ..Part::default()
            };
            shape.fill(&part.checksums);
            shape
        };
        let UploadAt { bucket, key, id } = at;
        let checksum = found.upload.checksum;
        Ok(Output {
            bucket: bucket.into(),
            key,
            upload_id: id.0,
            part_number_marker: after,
            next_part_number_marker: found.parts.last().map(|p| p.number),
            max_parts: limit,
            is_truncated: found.next.is_some(),
            parts: found.parts.iter().map(part).collect(),
            initiator: owner.clone(),
            owner,
            storage_class: StoredClass::Standard,
            checksum_algorithm: checksum.and_then(|(algorithm, _)| checksums::shown(algorithm)),
            checksum_type: checksum.map(|(_, kind)| checksums::kind_name(kind)),
        }
        .into())
    }
}
