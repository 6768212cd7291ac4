//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>

use crate::{Error, policy, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetBucketPolicyStatus;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    policy_status: Status,
}

#[derive(Wire)]
struct Status {
    is_public: bool,
}

impl Operation for GetBucketPolicyStatus {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let policy = bucket.policy.as_deref().ok_or(Error::NotConfigured {
            code: "NoSuchBucketPolicy",
            message: "The bucket policy does not exist",
            bucket: input.bucket,
        })?;
        Ok(Output { policy_status: Status { is_public: policy::is_public(policy) } })
    }
}
