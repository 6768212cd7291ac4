//! STS's errors.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}")]
    NotTrusted { caller: String, role: String },
    #[error("{0}")]
    Validation(String),
    #[error("Cannot call {0} with session credentials")]
    SessionCannot(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NotTrusted { .. } | Error::SessionCannot(_) => (ErrorKind::Denied, "AccessDenied", 403),
            Error::Validation(_) => (ErrorKind::Invalid, "ValidationError", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
