//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetBucketPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy: String,
}

impl Operation for GetBucketPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let policy = bucket.policy.clone().ok_or(Error::NotConfigured {
            code: "NoSuchBucketPolicy",
            message: "The bucket policy does not exist",
            bucket: input.bucket,
        })?;
        Ok(Output { policy })
    }
}
