//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, CorsRule};

pub(crate) struct GetBucketCors;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("CORSRules")]
    cors_rules: Vec<CorsRule>,
}

impl Operation for GetBucketCors {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let cors_rules = row.cors.clone().ok_or(Error::NotConfigured {
            code: "NoSuchCORSConfiguration",
            message: "The CORS configuration does not exist",
            bucket: input.bucket,
        })?;
        Ok(Output { cors_rules })
    }
}
