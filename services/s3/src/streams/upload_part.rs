//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use super::body;
use crate::choices::{ChecksumAlgorithm, ServerSideEncryption};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    rules, shapes,
};
use escale_objects::{PutPart, UploadAt, UploadId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct UploadPart;

with_checksums! {
    pub(crate) struct Input {
        bucket: BucketName,
        key: String,
        part_number: u32,
        upload_id: String,
        content_length: Option<u64>,
        #[wire("ContentMD5")]
        content_md5: Option<String>,
        checksum_algorithm: Option<ChecksumAlgorithm>,
        expected_bucket_owner: Option<String>,
    }
}

with_checksums! {
    pub(crate) struct Output {
        server_side_encryption: Option<ServerSideEncryption>,
        e_tag: String,
    }
}

impl StreamOperation<Buckets> for UploadPart {
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
        body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let compute = checksums::announced(&cx.headers, input.checksum_algorithm)?;
        let at = UploadAt { bucket: input.bucket.into(), key: input.key, id: UploadId(input.upload_id) };
        let spec = PutPart { compute, ..PutPart::default() };
        let part = service.objects.upload_part(&at, input.part_number, spec, body::to_plane(body)).await?;
        let mut output = Output {
            server_side_encryption: Some(ServerSideEncryption::Aes256),
            e_tag: shapes::quoted(&part.etag),
            ..Output::default()
        };
        output.fill(&part.checksums);
        Ok(output.into())
    }
}
