//! All errors of CloudWatch Logs, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind, PlaneError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The specified log group does not exist.")]
    NoGroup,
    #[error("The specified log stream does not exist.")]
    NoStream,
    #[error("The specified log group already exists")]
    GroupExists,
    #[error("The specified log stream already exists")]
    StreamExists,
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotSupported(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the log plane failed: {0}")]
    Plane(#[from] PlaneError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NoGroup | Error::NoStream => (ErrorKind::NotFound, "ResourceNotFoundException"),
            Error::GroupExists | Error::StreamExists => {
                (ErrorKind::AlreadyExists, "ResourceAlreadyExistsException")
            }
            Error::Invalid(_) => (ErrorKind::Invalid, "InvalidParameterException"),
            Error::NotSupported(what) => return AwsError::not_supported(what),
            Error::Aws(e) => return e.clone(),
            Error::Plane(e) => {
                return AwsError::new(ErrorKind::Internal, "ServiceUnavailableException", 500, e.to_string());
            }
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
