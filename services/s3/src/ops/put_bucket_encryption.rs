//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>

use crate::choices::{ChecksumAlgorithm, ServerSideEncryption};
use crate::{Error, rules};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::BucketName;

pub(crate) struct PutBucketEncryption;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    server_side_encryption_configuration: Configuration,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
struct Configuration {
    rules: Vec<Rule>,
}

#[derive(Wire)]
struct Rule {
    apply_server_side_encryption_by_default: Option<ByDefault>,
    bucket_key_enabled: Option<bool>,
}

#[derive(Wire)]
struct ByDefault {
    #[wire("SSEAlgorithm")]
    sse_algorithm: ServerSideEncryption,
    #[wire("KMSMasterKeyID")]
    kms_master_key_id: Option<String>,
}

impl Operation for PutBucketEncryption {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::bucket(cx, &input.bucket, input.expected_bucket_owner.as_deref())?;
        let [rule] = input.server_side_encryption_configuration.rules.as_slice() else {
            return Err(Error::MalformedXml);
        };
        if let Some(by_default) = &rule.apply_server_side_encryption_by_default {
            let algorithm = by_default.sse_algorithm;
            if algorithm != ServerSideEncryption::Aes256 {
                return Err(AwsError::not_supported(format_args!("The server-side encryption {algorithm}"))
                    .hint("Use AES256.")
                    .into());
            }
            if by_default.kms_master_key_id.is_some() {
                let why = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms";
                return Err(Error::InvalidRequest(why.into()));
            }
        }
        let key = rule.bucket_key_enabled.unwrap_or(false);
        rules::update(cx, &input.bucket, None, |b| b.bucket_key = key)
    }
}
