//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, rules, website};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, Website};

pub(crate) struct PutBucketWebsite;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    website_configuration: Website,
    expected_bucket_owner: Option<String>,
}

impl Operation for PutBucketWebsite {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        website::check(&input.website_configuration)?;
        let owner = input.expected_bucket_owner.as_deref();
        rules::update(cx, &input.bucket, owner, |b| b.website = Some(input.website_configuration))
    }
}
