//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>
//!
//! Without `LoggingEnabled` the bucket is no longer logged.

use crate::choices::ChecksumAlgorithm;
use crate::{Error, access_log, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{AccessLogging, BucketName};

pub(crate) struct PutBucketLogging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    bucket_logging_status: Status,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Status {
    pub(crate) logging_enabled: Option<AccessLogging>,
}

impl Operation for PutBucketLogging {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let logging = input.bucket_logging_status.logging_enabled;
        if let Some(logging) = &logging {
            access_log::check(cx.tx, logging)?;
        }
        rules::update(cx, &input.bucket, None, |b| b.logging = logging)
    }
}
