//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
//!
//! Accepts only BucketOwnerEnforced: the bucket's owner owns all of its objects, and ACLs have no effect.

use crate::choices::{ChecksumAlgorithm, ObjectOwnership};
use crate::{Error, rules};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct PutBucketOwnershipControls;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    ownership_controls: Controls,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
struct Controls {
    rules: Vec<Rule>,
}

#[derive(Wire)]
struct Rule {
    object_ownership: ObjectOwnership,
}

impl Operation for PutBucketOwnershipControls {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        match input.ownership_controls.rules.as_slice() {
            [Rule { object_ownership: ObjectOwnership::BucketOwnerEnforced }] => Ok(()),
            [Rule { object_ownership }] => {
                Err(AwsError::not_supported(format_args!("The object ownership {object_ownership}"))
                    .hint("Use BucketOwnerEnforced.")
                    .into())
            }
            _ => Err(Error::MalformedXml),
        }
    }
}
