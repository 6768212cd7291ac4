//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Buckets, Error, metadata, rules, shapes};
use escale_base::Wire;
use escale_objects::VersionId;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct PutObjectTagging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    version_id: Option<String>,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    tagging: shapes::Tagging,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    version_id: Option<String>,
}

impl StreamOperation<Buckets> for PutObjectTagging {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn action(input: &Input) -> Option<&'static str> {
        input.version_id.as_ref().map(|_| "s3:PutObjectVersionTagging")
    }

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let bucket = service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let tags = metadata::object_tags(input.tagging.tag_set)?;
        let version = input.version_id.map(VersionId);
        let changed = service.objects.set_tags(&input.bucket, &input.key, version.as_ref(), tags).await?;
        Ok(Output { version_id: shapes::version(&bucket, &changed) }.into())
    }
}
