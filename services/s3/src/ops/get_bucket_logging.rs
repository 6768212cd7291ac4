//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html>
//!
//! As on AWS, the response for a bucket without logging is empty.

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{AccessLogging, BucketName};

pub(crate) struct GetBucketLogging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) logging_enabled: Option<AccessLogging>,
}

impl Operation for GetBucketLogging {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        Ok(Output { logging_enabled: row.logging.clone() })
    }
}
