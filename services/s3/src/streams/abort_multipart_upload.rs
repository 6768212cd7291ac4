//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use crate::{Buckets, Error, rules};
use escale_base::Wire;
use escale_objects::{UploadAt, UploadId};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct AbortMultipartUpload;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    key: String,
    upload_id: String,
    expected_bucket_owner: Option<String>,
}

impl StreamOperation<Buckets> for AbortMultipartUpload {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::object_arn(&input.bucket, &input.key)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<()>, Error> {
        service.ready(&cx, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
        let at = UploadAt { bucket: input.bucket.into(), key: input.key, id: UploadId(input.upload_id) };
        service.objects.abort_upload(&at).await?;
        Ok(().into())
    }
}
