//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>

use crate::{Buckets, Error, rules};
use escale_base::Wire;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::s3::BucketName;
use std::sync::Arc;

pub(crate) struct DeleteBucket;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

impl StreamOperation<Buckets> for DeleteBucket {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &StreamCx) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    async fn run(
        service: Arc<Buckets>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<()>, Error> {
        if input.expected_bucket_owner.is_some_and(|owner| owner != cx.config.account) {
            return Err(Error::Denied);
        }
        service.remove(&cx.store, &input.bucket).await?;
        Ok(().into())
    }
}
