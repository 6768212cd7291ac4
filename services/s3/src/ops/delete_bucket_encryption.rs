//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html>
//!
//! Restores the default encryption, which is SSE-S3.

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::s3::{BucketName, DefaultEncryption};

pub(crate) struct DeleteBucketEncryption;

#[derive(Wire)]
pub(crate) struct Input {
    bucket: BucketName,
    expected_bucket_owner: Option<String>,
}

impl Operation for DeleteBucketEncryption {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![rules::bucket_arn(&input.bucket)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::update(cx, &input.bucket, input.expected_bucket_owner.as_deref(), |b| {
            (b.encryption, b.kms_key, b.bucket_key) = (DefaultEncryption::Aes256, None, false);
        })
    }
}
