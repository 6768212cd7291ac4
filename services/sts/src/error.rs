//! STS's errors.

use escale_base::AwsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("User: {who} is not authorized to perform: sts:AssumeRole on resource: {role}")]
    NotTrusted { who: String, role: String },
    #[error("{0}")]
    Validation(String),
    #[error("Cannot call {0} with session credentials")]
    SessionCannot(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (code, status) = match &error {
            Error::NotTrusted { .. } | Error::SessionCannot(_) => ("AccessDenied", 403),
            Error::Validation(_) => ("ValidationError", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, status, error.to_string())
    }
}
