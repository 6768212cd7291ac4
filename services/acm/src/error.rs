//! Acm's errors: code and HTTP status are here and nowhere else.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} was not found.")]
    NotFound(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NotFound(_) => (ErrorKind::NotFound, "ResourceNotFoundException", 400),
            Error::Aws(error) => return error.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
