//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use crate::choices::{ChecksumAlgorithm, ChecksumType, ServerSideEncryption};
use crate::{
    Buckets, Error, checksums,
    metadata::{self, with_metadata},
    rules,
};
use escale_base::Wire;
use escale_objects::{Algorithm, ChecksumKind, NewUpload};
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct CreateMultipartUpload;

with_metadata! {
    pub(crate) struct Input {
        bucket: BucketName,
        key: String,
        checksum_algorithm: Option<ChecksumAlgorithm>,
        checksum_type: Option<ChecksumType>,
        expected_bucket_owner: Option<String>,
    }
}

#[derive(Wire)]
pub(crate) struct Output {
    bucket: BucketName,
    key: String,
    upload_id: String,
    server_side_encryption: Option<ServerSideEncryption>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    checksum_type: Option<ChecksumType>,
}

impl StreamOperation<Buckets> for CreateMultipartUpload {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    fn keys(input: &Input) -> Vec<(&'static str, String)> {
        input.condition_keys()
    }

    fn also(input: &Input, cx: &StreamCx) -> Vec<Also> {
        input.tagging.iter().map(|_| Also::new("s3:PutObjectTagging", Self::resources(input, cx))).collect()
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        mut input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let meta = input.meta()?;
        let tags = metadata::tags_of_header(input.tagging.as_deref())?;
        let checksum = checksum(input.checksum_algorithm, input.checksum_type)?;
        let id = service
            .objects
            .create_upload(&input.bucket, &input.key, NewUpload { meta, tags, checksum })
            .await?;
        Ok(Output {
            bucket: input.bucket,
            key: input.key,
            upload_id: id.0,
            server_side_encryption: Some(ServerSideEncryption::Aes256),
            checksum_algorithm: checksum.and_then(|(algorithm, _)| checksums::shown(algorithm)),
            checksum_type: checksum.map(|(_, kind)| checksums::kind_name(kind)),
        }
        .into())
    }
}

/// The checksum of the upload. Without a request it is CRC-64/NVME of the full object, as on AWS.
fn checksum(
    algorithm: Option<ChecksumAlgorithm>,
    kind: Option<ChecksumType>,
) -> Result<Option<(Algorithm, ChecksumKind)>, Error> {
    let algorithm = match algorithm {
        Some(named) => checksums::named(named)?,
        None if kind == Some(ChecksumType::Composite) => {
            let why = "The checksum type can only be specified together with a checksum algorithm.";
            return Err(Error::InvalidRequest(why.into()));
        }
        None => Algorithm::Crc64nvme,
    };
    let kind = match kind {
        Some(ChecksumType::FullObject) => ChecksumKind::FullObject,
        Some(ChecksumType::Composite) => ChecksumKind::Composite,
        None if algorithm == Algorithm::Crc64nvme => ChecksumKind::FullObject,
        None => ChecksumKind::Composite,
    };
    Ok(Some((algorithm, kind)))
}
