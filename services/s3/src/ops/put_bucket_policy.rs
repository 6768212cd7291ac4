//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, policy, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct PutBucketPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    confirm_remove_self_bucket_access: Option<bool>,
    policy: String,
    expected_bucket_owner: Option<String>,
}

impl Operation for PutBucketPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        policy::check(&input.policy, &input.bucket)?;
        policy::check_principals(cx.tx, &input.policy, &cx.config.account)?;
        // Only a new policy is checked: as on AWS, an earlier public one stays when the block is put.
        let blocked = bucket.public_access_block.is_some_and(|b| b.block_public_policy);
        if blocked && policy::is_public(&input.policy) {
            return Err(Error::PublicPolicy);
        }
        rules::update(cx, &input.bucket, None, |b| b.policy = Some(input.policy))
    }
}
