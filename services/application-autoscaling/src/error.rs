//! Application Auto Scaling's errors: code and HTTP status are here and nowhere else.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    /// In AWS's words: "No scalable target registered for service namespace: ecs, …".
    #[error("{0}")]
    NotFound(String),
    #[error("The resource {0} was not found.")]
    NoResource(String),
    #[error("{0}")]
    Limit(String),
    #[error("The token '{0}' is not a token of this operation")]
    Token(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::Invalid(_) => (ErrorKind::Invalid, "ValidationException"),
            Error::NotFound(_) => (ErrorKind::NotFound, "ObjectNotFoundException"),
            Error::NoResource(_) => (ErrorKind::NotFound, "ResourceNotFoundException"),
            Error::Limit(_) => (ErrorKind::LimitExceeded, "LimitExceededException"),
            Error::Token(_) => (ErrorKind::Invalid, "InvalidNextTokenException"),
            Error::Aws(error) => return error.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
