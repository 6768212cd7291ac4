//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use crate::choices::ChecksumAlgorithm;
use crate::{Error, cors, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, CorsRule};

pub(crate) struct PutBucketCors;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("CORSConfiguration")]
    cors_configuration: Configuration,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    #[wire("CORSRules")]
    pub(crate) cors_rules: Vec<CorsRule>,
}

impl Operation for PutBucketCors {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let list = input.cors_configuration.cors_rules;
        cors::check(&list)?;
        let owner = input.expected_bucket_owner.as_deref();
        rules::update(cx, &input.bucket, owner, |b| b.cors = Some(list))
    }
}
