//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, PublicAccessBlock};

pub(crate) struct PutPublicAccessBlock;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    public_access_block_configuration: Configuration,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    block_public_acls: Option<bool>,
    ignore_public_acls: Option<bool>,
    block_public_policy: Option<bool>,
    restrict_public_buckets: Option<bool>,
}

/// The settings of a new bucket.
pub(crate) const ALL: Configuration = Configuration {
    block_public_acls: Some(true),
    ignore_public_acls: Some(true),
    block_public_policy: Some(true),
    restrict_public_buckets: Some(true),
};

impl Operation for PutPublicAccessBlock {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let requested = input.public_access_block_configuration;
        // The request replaces the whole configuration: an omitted setting is off.
        let block = PublicAccessBlock {
            block_public_acls: requested.block_public_acls.unwrap_or(false),
            ignore_public_acls: requested.ignore_public_acls.unwrap_or(false),
            block_public_policy: requested.block_public_policy.unwrap_or(false),
            restrict_public_buckets: requested.restrict_public_buckets.unwrap_or(false),
        };
        let owner = input.expected_bucket_owner.as_deref();
        rules::update(cx, &input.bucket, owner, |b| b.public_access_block = Some(block))
    }
}
