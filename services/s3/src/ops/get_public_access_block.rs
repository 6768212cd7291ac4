//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetPublicAccessBlock;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    public_access_block_configuration: Configuration,
}

#[derive(Wire)]
struct Configuration {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

impl Operation for GetPublicAccessBlock {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let found = bucket.public_access_block.ok_or(Error::NotConfigured {
            code: "NoSuchPublicAccessBlockConfiguration",
            message: "The public access block configuration was not found",
            bucket: input.bucket,
        })?;
        Ok(Output {
            public_access_block_configuration: Configuration {
                block_public_acls: found.block_public_acls,
                ignore_public_acls: found.ignore_public_acls,
                block_public_policy: found.block_public_policy,
                restrict_public_buckets: found.restrict_public_buckets,
            },
        })
    }
}
