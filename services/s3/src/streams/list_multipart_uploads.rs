//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use crate::choices::{ChecksumAlgorithm, ChecksumType, EncodingType, StoredClass};
use crate::{
    Buckets, Error, checksums,
    rules::{self, Encoding},
    shapes::{self, CommonPrefix, Owner},
};
use escale_base::{Timestamp, Wire};
use escale_objects::{ListUploads, UploadId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct ListMultipartUploads;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    delimiter: Option<String>,
    encoding_type: Option<EncodingType>,
    key_marker: Option<String>,
    max_uploads: Option<i64>,
    prefix: Option<String>,
    upload_id_marker: Option<String>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    bucket: BucketName,
    key_marker: String,
    upload_id_marker: String,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    prefix: String,
    delimiter: Option<String>,
    max_uploads: usize,
    is_truncated: bool,
    uploads: Vec<Upload>,
    common_prefixes: Vec<CommonPrefix>,
    encoding_type: Option<EncodingType>,
}

#[derive(Wire)]
struct Upload {
    upload_id: String,
    key: String,
    initiated: Timestamp,
    storage_class: StoredClass,
    owner: Owner,
    initiator: Owner,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    checksum_type: Option<ChecksumType>,
}

impl StreamOperation<Buckets> for ListMultipartUploads {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let encoding = Encoding::of(input.encoding_type);
        let limit = rules::page_size("max-uploads", input.max_uploads)?.max(1);
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let prefix = input.prefix.unwrap_or_default();
        // As on AWS, `upload-id-marker` has an effect only together with `key-marker`.
        let id = input.upload_id_marker.clone().filter(|m| !m.is_empty()).map(UploadId);
        let after = input.key_marker.clone().filter(|m| !m.is_empty()).map(|key| (key, id));
        let spec = ListUploads { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit };
        let found = service.objects.list_uploads(&input.bucket, &spec).await?;
        let owner = shapes::owner(&cx.config.account);
        let upload = |upload: &escale_objects::Upload| Upload {
            upload_id: upload.id.0.clone(),
            key: encoding.write(&upload.key),
            initiated: upload.started,
            storage_class: StoredClass::Standard,
            owner: owner.clone(),
            initiator: owner.clone(),
            checksum_algorithm: upload.checksum.and_then(|(algorithm, _)| checksums::shown(algorithm)),
            checksum_type: upload.checksum.map(|(_, kind)| checksums::kind_name(kind)),
        };
        let uploads = found.uploads.iter().map(upload).collect();
        let (next_key, next_id) = found.next.unzip();
        Ok(Output {
            bucket: input.bucket,
            key_marker: encoding.write(input.key_marker.as_deref().unwrap_or_default()),
            upload_id_marker: input.upload_id_marker.unwrap_or_default(),
            is_truncated: next_key.is_some(),
            next_key_marker: encoding.write_some(next_key.as_deref()),
            next_upload_id_marker: next_id.flatten().map(|id| id.0),
            prefix: encoding.write(&prefix),
            delimiter: encoding.write_some(input.delimiter.as_deref()),
            max_uploads: limit,
            uploads,
            common_prefixes: shapes::common_prefixes(&found.common_prefixes, encoding),
            encoding_type: input.encoding_type,
        }
        .into())
    }
}
