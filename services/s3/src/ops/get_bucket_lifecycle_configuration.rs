//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, LifecycleRule, TransitionMinimum};

pub(crate) struct GetBucketLifecycleConfiguration;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) rules: Vec<LifecycleRule>,
    pub(crate) transition_default_minimum_object_size: TransitionMinimum,
}

impl Operation for GetBucketLifecycleConfiguration {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let found = row.lifecycle.clone().ok_or(Error::NotConfigured {
            code: "NoSuchLifecycleConfiguration",
            message: "The lifecycle configuration does not exist",
            bucket: input.bucket,
        })?;
        Ok(Output { rules: found.rules, transition_default_minimum_object_size: found.minimum })
    }
}
