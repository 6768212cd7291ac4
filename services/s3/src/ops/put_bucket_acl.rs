//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>
//!
//! Accepts only `private`, which every bucket is already.

use crate::choices::{BucketCannedAcl, ChecksumAlgorithm};
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct PutBucketAcl;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ACL")]
    acl: Option<BucketCannedAcl>,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

impl Operation for PutBucketAcl {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        match input.acl {
            Some(BucketCannedAcl::Private) => Ok(()),
            _ => Err(Error::AclsNotSupported),
        }
    }
}
