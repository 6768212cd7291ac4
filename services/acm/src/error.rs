//! ACM's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Could not find certificate {0}.")]
    NotFound(String),
    #[error(
        "The certificate ARN '{0}' is not valid. It has the form arn:aws:acm:REGION:ACCOUNT:certificate/ID."
    )]
    InvalidArn(String),
    #[error(
        "The certificate {0} is still being validated. Create the CNAME records that DescribeCertificate returns."
    )]
    InProgress(String),
    #[error("Certificate {arn} is in use by {users}. Remove it there first.")]
    InUse { arn: String, users: String },
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    InvalidParameter(String),
    #[error("A certificate can have at most {0} tags.")]
    TooManyTags(usize),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::Invalid(what.into())
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NotFound(_) => (ErrorKind::NotFound, "ResourceNotFoundException"),
            Error::InvalidArn(_) => (ErrorKind::Invalid, "InvalidArnException"),
            Error::InProgress(_) => (ErrorKind::InUse, "RequestInProgressException"),
            Error::InUse { .. } => (ErrorKind::InUse, "ResourceInUseException"),
            Error::Invalid(_) => (ErrorKind::Invalid, "ValidationException"),
            Error::InvalidParameter(_) => (ErrorKind::Invalid, "InvalidParameterException"),
            Error::TooManyTags(_) => (ErrorKind::LimitExceeded, "TooManyTagsException"),
            Error::Aws(error) => return error.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
