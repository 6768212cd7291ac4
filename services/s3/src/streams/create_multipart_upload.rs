//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use crate::{
    Buckets, Error, checksums,
    metadata::{self, described},
    rules,
};
use escale_base::Wire;
use escale_objects::{Algorithm, ChecksumKind, NewUpload};
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use std::sync::Arc;

pub(crate) struct CreateMultipartUpload;

described! {
    pub(crate) struct Input {
        bucket: String,
        key: String,
        checksum_algorithm: Option<String>,
        checksum_type: Option<String>,
        expected_bucket_owner: Option<String>,
    }
}

#[derive(Wire)]
pub(crate) struct Output {
    bucket: String,
    key: String,
    upload_id: String,
    server_side_encryption: Option<&'static str>,
    checksum_algorithm: Option<&'static str>,
    checksum_type: Option<&'static str>,
}

impl StreamOperation<Buckets> for CreateMultipartUpload {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
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
        let checksum = checksum(input.checksum_algorithm.as_deref(), input.checksum_type.as_deref())?;
        let id = service
            .objects
            .create_upload(&input.bucket, &input.key, NewUpload { meta, tags, checksum })
            .await?;
        Ok(Output {
            bucket: input.bucket,
            key: input.key,
            upload_id: id.0,
            server_side_encryption: Some("AES256"),
            checksum_algorithm: checksum.map(|(algorithm, _)| checksums::name(algorithm)),
            checksum_type: checksum.map(|(_, kind)| checksums::kind_name(kind)),
        }
        .into())
    }
}

/// Who names none gets CRC-64/NVME of the full object, as on AWS.
fn checksum(algorithm: Option<&str>, kind: Option<&str>) -> Result<Option<(Algorithm, ChecksumKind)>, Error> {
    let algorithm = match algorithm {
        Some(name) => checksums::by_name(name)?,
        None if kind == Some("COMPOSITE") => {
            let why = "The checksum type can only be specified together with a checksum algorithm.";
            return Err(Error::InvalidRequest(why.into()));
        }
        None => Algorithm::Crc64nvme,
    };
    let kind = match kind {
        Some("FULL_OBJECT") => ChecksumKind::FullObject,
        Some(_) => ChecksumKind::Composite,
        None if algorithm == Algorithm::Crc64nvme => ChecksumKind::FullObject,
        None => ChecksumKind::Composite,
    };
    Ok(Some((algorithm, kind)))
}
