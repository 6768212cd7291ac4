//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetBucketTagging;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tag_set: Vec<escale_base::Tag>,
}

impl Operation for GetBucketTagging {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        // AWS has no empty tag set: a bucket without tags is an error.
        if bucket.tags.is_empty() {
            return Err(Error::NotConfigured {
                code: "NoSuchTagSet",
                message: "The TagSet does not exist",
                bucket: input.bucket,
            });
        }
        Ok(Output { tag_set: bucket.tags.clone() })
    }
}
