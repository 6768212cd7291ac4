//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use super::body;
use crate::choices::{ChecksumAlgorithm, ChecksumType, ServerSideEncryption};
use crate::{
    Buckets, Error,
    checksums::{self, WithChecksums, with_checksums},
    conditions, lifecycle,
    metadata::{self, with_metadata},
    rules, shapes,
};
use escale_objects::Put;
use escale_service::{Also, Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct PutObject;

with_metadata! {
    pub(crate) struct Input {
        bucket: BucketName,
        key: String,
        content_length: Option<u64>,
        #[wire("ContentMD5")]
        content_md5: Option<String>,
        checksum_algorithm: Option<ChecksumAlgorithm>,
        #[wire("ChecksumCRC32")]
        crc32: Option<String>,
        #[wire("ChecksumCRC32C")]
        crc32c: Option<String>,
        #[wire("ChecksumCRC64NVME")]
        crc64nvme: Option<String>,
        #[wire("ChecksumSHA1")]
        sha1: Option<String>,
        #[wire("ChecksumSHA256")]
        sha256: Option<String>,
        if_match: Option<String>,
        if_none_match: Option<String>,
        expected_bucket_owner: Option<String>,
    }
}

with_checksums! {
    pub(crate) struct Output {
        e_tag: String,
        expiration: Option<String>,
        checksum_type: Option<ChecksumType>,
        version_id: Option<String>,
        server_side_encryption: Option<ServerSideEncryption>,
    }
}

impl StreamOperation<Buckets> for PutObject {
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
        body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let meta = input.meta()?;
        let condition = conditions::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
        conditions::allowed(&cx, "PutObject", (&input.bucket, &input.key), &condition)?;
        // The gate compares the announced checksums, Content-MD5 and the length while it forwards the body.
        let spec = Put {
            meta,
            tags: metadata::tags_of_header(input.tagging.as_deref())?,
            compute: checksums::announced(&cx.headers, input.checksum_algorithm)?,
            condition,
            ..Put::default()
        };
        let stored = service.objects.put(&input.bucket, &input.key, spec, body::to_plane(body)).await?;
        let (stored, tags) = (stored.entry, stored.tags);
        let rules = bucket.lifecycle.as_ref().map(|lifecycle| &lifecycle.rules);
        let mut output = Output {
            e_tag: shapes::quoted(&stored.etag),
            expiration: rules.and_then(|rules| lifecycle::expiration_header(rules, &stored, &tags)),
            checksum_type: checksums::kind(&stored.checksums),
            version_id: shapes::version(&bucket, &stored.version),
            server_side_encryption: Some(ServerSideEncryption::Aes256),
            ..Output::default()
        };
        output.fill(&stored.checksums);
        Ok(output.into())
    }
}
