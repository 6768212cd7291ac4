//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct GetBucketLocation;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    location_constraint: Option<String>,
}

impl Operation for GetBucketLocation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        // As on AWS, a bucket in us-east-1 has no location constraint.
        let region = cx.config.region.as_str();
        Ok(Output { location_constraint: (region != rules::UNCONSTRAINED_REGION).then(|| region.to_owned()) })
    }
}
