//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, DefaultEncryption};

pub(crate) struct GetBucketEncryption;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    server_side_encryption_configuration: Configuration,
}

#[derive(Wire)]
struct Configuration {
    rules: Vec<Rule>,
}

#[derive(Wire)]
struct Rule {
    apply_server_side_encryption_by_default: ByDefault,
    bucket_key_enabled: Option<bool>,
}

#[derive(Wire)]
struct ByDefault {
    #[wire("SSEAlgorithm")]
    sse_algorithm: DefaultEncryption,
    #[wire("KMSMasterKeyID")]
    kms_master_key_id: Option<String>,
}

impl Operation for GetBucketEncryption {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let bucket = rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let by_default =
            ByDefault { sse_algorithm: bucket.encryption, kms_master_key_id: bucket.kms_key.clone() };
        let rule = Rule {
            apply_server_side_encryption_by_default: by_default,
            bucket_key_enabled: Some(bucket.bucket_key),
        };
        Ok(Output { server_side_encryption_configuration: Configuration { rules: vec![rule] } })
    }
}
