//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>

use crate::choices::{ChecksumAlgorithm, ServerSideEncryption};
use crate::{Error, rules};
use escale_base::{Arn, AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, DefaultEncryption};

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
        let by_default = rule.apply_server_side_encryption_by_default.as_ref();
        let encryption =
            by_default.map_or(Ok(DefaultEncryption::Aes256), |by_default| chosen(cx, by_default))?;
        let kms_key = by_default.and_then(|by_default| by_default.kms_master_key_id.clone());
        let key = rule.bucket_key_enabled.unwrap_or(false);
        rules::update(cx, &input.bucket, None, |b| {
            (b.encryption, b.kms_key, b.bucket_key) = (encryption, kms_key, key);
        })
    }
}

/// Whether the name is that of the key that AWS manages for S3, which a request without a name selects, too.
fn is_managed(cx: &Cx<'_>, name: &str) -> bool {
    let alias = "alias/aws/s3";
    let arn = Arn::new("kms", &cx.config.region, &cx.config.account, alias).to_string();
    name == alias || name == arn
}

/// `aws:kms` without a key's id selects the key that AWS manages for S3.
fn chosen(cx: &Cx<'_>, by_default: &ByDefault) -> Result<DefaultEncryption, Error> {
    let key = by_default.kms_master_key_id.as_deref();
    match by_default.sse_algorithm {
        ServerSideEncryption::Aes256 if key.is_some() => {
            let why = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms";
            Err(Error::InvalidRequest(why.into()))
        }
        ServerSideEncryption::Aes256 => Ok(DefaultEncryption::Aes256),
        ServerSideEncryption::AwsKms if key.is_some_and(|key| !is_managed(cx, key)) => {
            Err(AwsError::not_supported("A key of your own in KMSMasterKeyID")
                .hint("Leave it out, or use alias/aws/s3, for the key that AWS manages for S3.")
                .into())
        }
        ServerSideEncryption::AwsKms => Ok(DefaultEncryption::AwsKms),
        other => Err(AwsError::not_supported(format_args!("The server-side encryption {other}"))
            .hint("Use AES256 or aws:kms.")
            .into()),
    }
}
