//! All errors of Secrets Manager, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_tables::secretsmanager::{SecretName, SecretVersionId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Secrets Manager can't find the specified secret.")]
    NoSecret,
    #[error("Secrets Manager can't find the specified secret value for {0}")]
    NoVersion(String),
    #[error("The operation failed because the secret {0} already exists.")]
    Exists(SecretName),
    #[error(
        "A resource with the ID you requested already exists: version {0} has another value. Use another \
         ClientRequestToken"
    )]
    VersionExists(SecretVersionId),
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Parameter(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Error {
    pub(crate) fn marked_for_deletion() -> Error {
        let what = "You can't perform this operation on the secret because it was marked for deletion.";
        Error::Request(what.into())
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NoSecret | Error::NoVersion(_) => (ErrorKind::NotFound, "ResourceNotFoundException"),
            Error::Exists(_) | Error::VersionExists(_) => {
                (ErrorKind::AlreadyExists, "ResourceExistsException")
            }
            Error::Request(_) => (ErrorKind::Invalid, "InvalidRequestException"),
            Error::Parameter(_) => (ErrorKind::Invalid, "InvalidParameterException"),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
