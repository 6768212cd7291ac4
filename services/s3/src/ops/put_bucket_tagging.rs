//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, metadata, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct PutBucketTagging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    tagging: shapes::Tagging,
    expected_bucket_owner: Option<String>,
}

impl Operation for PutBucketTagging {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let tags = input.tagging.tag_set;
        metadata::check_bucket_tags(&tags)?;
        rules::update(cx, &input.bucket, input.expected_bucket_owner.as_deref(), |b| b.tags = tags)
    }
}
