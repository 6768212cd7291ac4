//! SNS's errors: code and HTTP status are here and nowhere else.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Topic does not exist")]
    NoTopic,
    #[error("Subscription does not exist")]
    NoSubscription,
    #[error("Resource does not exist")]
    NoResource,
    #[error("Invalid parameter: {0}")]
    Invalid(String),
    /// Too many messages wait for their endpoints.
    #[error("Rate exceeded: {0}")]
    Throttled(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NoTopic | Error::NoSubscription => (ErrorKind::NotFound, "NotFound", 404),
            Error::NoResource => (ErrorKind::NotFound, "ResourceNotFound", 404),
            Error::Invalid(_) => (ErrorKind::Invalid, "InvalidParameter", 400),
            Error::Throttled(_) => (ErrorKind::Throttled, "Throttled", 429),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
