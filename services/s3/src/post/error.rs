//! The errors of form uploads, which no operation has. The other ones are in S3's own `error.rs`.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error("The body of your POST request is not well-formed multipart/form-data. {0}")]
    Malformed(String),
    #[error("Your POST request fields preceding the upload file were too large.")]
    FieldsTooLarge { most_bytes: usize },
    #[error("The AWS Access Key Id you provided does not exist in our records.")]
    UnknownAccessKey(String),
    #[error("The provided token has expired.")]
    ExpiredToken,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    WrongSignature,
    #[error("Invalid Policy: {0}")]
    InvalidPolicy(String),
    #[error("Invalid according to Policy: {0}")]
    AgainstPolicy(String),
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    FileTooSmall { size_bytes: u64, min_bytes: u64 },
    #[error("Your proposed upload exceeds the maximum allowed size")]
    FileTooLarge { size_bytes: u64, max_bytes: u64 },
}

impl From<FormError> for AwsError {
    fn from(error: FormError) -> AwsError {
        let message = error.to_string();
        let aws = |kind, code: &str, status: u16| AwsError::new(kind, code, status, message.as_str());
        match error {
            FormError::Malformed(_) => aws(ErrorKind::Invalid, "MalformedPOSTRequest", 400),
            FormError::FieldsTooLarge { most_bytes } => {
                let error = aws(ErrorKind::Invalid, "MaxPostPreDataLengthExceeded", 400);
                error.with("MaxPostPreDataLengthBytes", most_bytes.to_string())
            }
            FormError::UnknownAccessKey(key) => {
                aws(ErrorKind::Denied, "InvalidAccessKeyId", 403).with("AWSAccessKeyId", key)
            }
            FormError::ExpiredToken => aws(ErrorKind::Denied, "ExpiredToken", 400),
            FormError::WrongSignature => aws(ErrorKind::Denied, "SignatureDoesNotMatch", 403),
            FormError::InvalidPolicy(_) => aws(ErrorKind::Invalid, "InvalidPolicyDocument", 400),
            FormError::AgainstPolicy(_) => aws(ErrorKind::Denied, "AccessDenied", 403),
            FormError::FileTooSmall { size_bytes, min_bytes } => {
                aws(ErrorKind::Invalid, "EntityTooSmall", 400)
                    .with("ProposedSize", size_bytes.to_string())
                    .with("MinSizeAllowed", min_bytes.to_string())
            }
            FormError::FileTooLarge { size_bytes, max_bytes } => {
                aws(ErrorKind::Invalid, "EntityTooLarge", 400)
                    .with("ProposedSize", size_bytes.to_string())
                    .with("MaxSizeAllowed", max_bytes.to_string())
            }
        }
    }
}
