//! CloudWatch's errors: code and HTTP status are here and nowhere else.

use escale_base::{AwsError, ErrorKind, PlaneError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    InvalidValue(String),
    #[error("{0}")]
    Combination(String),
    #[error("{0}")]
    Missing(String),
    /// A request that contradicts itself in a way that AWS calls a validation error.
    #[error("{0}")]
    Validation(String),
    #[error("The specified resource does not exist: {0}")]
    NoResource(String),
    #[error("{0}")]
    Limit(String),
    #[error("The state reason data must be a JSON document of at most 4000 characters: {0}")]
    Format(String),
    #[error("The token '{0}' is not a token of this operation")]
    Token(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the metrics plane failed: {0}")]
    Plane(PlaneError),
}

impl From<PlaneError> for Error {
    fn from(error: PlaneError) -> Error {
        match error.fault {
            escale_base::error::Fault::Asked => Error::Limit(error.what),
            _ => Error::Plane(error),
        }
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::InvalidValue(_) => (ErrorKind::Invalid, "InvalidParameterValue", 400),
            Error::Combination(_) => (ErrorKind::Invalid, "InvalidParameterCombination", 400),
            Error::Missing(_) => (ErrorKind::Invalid, "MissingParameter", 400),
            Error::Validation(_) => (ErrorKind::Invalid, "ValidationError", 400),
            Error::NoResource(_) => (ErrorKind::NotFound, "ResourceNotFound", 404),
            Error::Limit(_) => (ErrorKind::LimitExceeded, "LimitExceeded", 400),
            Error::Format(_) => (ErrorKind::Invalid, "InvalidFormat", 400),
            Error::Token(_) => (ErrorKind::Invalid, "InvalidNextToken", 400),
            Error::Aws(e) => return e.clone(),
            Error::Plane(_) => (ErrorKind::Internal, "InternalServiceError", 500),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
