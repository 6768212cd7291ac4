//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, ObjectOwnership};

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
pub(crate) struct Controls {
    rules: Vec<Rule>,
}

#[derive(Wire)]
struct Rule {
    object_ownership: ObjectOwnership,
}

/// The ownership of a new bucket.
pub(crate) fn enforced() -> Controls {
    Controls { rules: vec![Rule { object_ownership: ObjectOwnership::BucketOwnerEnforced }] }
}

impl Operation for PutBucketOwnershipControls {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let [Rule { object_ownership }] = input.ownership_controls.rules.as_slice() else {
            return Err(Error::MalformedXml);
        };
        if *object_ownership == ObjectOwnership::BucketOwnerEnforced && !row.acl.is_empty() {
            return Err(Error::AclWithOwnership);
        }
        rules::update(cx, &input.bucket, None, |b| b.ownership = *object_ownership)
    }
}
