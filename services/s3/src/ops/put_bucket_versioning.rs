//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>

use crate::choices::{BucketVersioningStatus, ChecksumAlgorithm, MfaDelete};
use crate::{Error, rules};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, Versioning};

pub(crate) struct PutBucketVersioning;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    #[wire("ContentMD5")]
    content_md5: Option<String>,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    versioning_configuration: Configuration,
    expected_bucket_owner: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Configuration {
    #[wire("MFADelete")]
    pub(crate) mfa_delete: Option<MfaDelete>,
    pub(crate) status: Option<BucketVersioningStatus>,
}

impl Operation for PutBucketVersioning {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let configuration = input.versioning_configuration;
        if configuration.mfa_delete == Some(MfaDelete::Enabled) {
            return Err(AwsError::not_supported("MFA delete (VersioningConfiguration.MFADelete)").into());
        }
        let versioning = match configuration.status {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
            None => return Err(Error::MalformedXml),
        };
        // `Buckets::ready` applies this to the plane before the next access to an object.
        rules::update(cx, &input.bucket, input.expected_bucket_owner.as_deref(), |b| {
            b.versioning = versioning
        })
    }
}
