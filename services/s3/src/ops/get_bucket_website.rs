//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, Website};

pub(crate) struct GetBucketWebsite;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

impl Operation for GetBucketWebsite {
    type Input = Input;
    type Output = Website;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Website, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        row.website.clone().ok_or(Error::no_website(input.bucket))
    }
}
