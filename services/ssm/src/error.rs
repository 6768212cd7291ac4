//! All errors of Systems Manager, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_tables::ssm::ParameterName;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Parameter {0} not found.")]
    NotFound(String),
    #[error("Systems Manager could not find version {1} of {0}. Verify the version and try again.")]
    NoVersion(ParameterName, i64),
    #[error(
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
    )]
    Exists,
    #[error("{0}")]
    Validation(String),
    #[error("The request does not meet the regular expression requirement.")]
    InvalidPattern,
    #[error("Parameter value, cannot be validated against allowedPattern: {0}")]
    PatternMismatch(String),
    #[error("The resource ID '{0}' is not valid. Verify the ID and try again.")]
    NoResource(String),
    #[error("The filter key '{0}' is not valid for this operation.")]
    FilterKey(String),
    #[error("The filter option '{0}' is not valid for its key.")]
    FilterOption(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NotFound(_) => (ErrorKind::NotFound, "ParameterNotFound"),
            Error::NoVersion(..) => (ErrorKind::NotFound, "ParameterVersionNotFound"),
            Error::Exists => (ErrorKind::AlreadyExists, "ParameterAlreadyExists"),
            Error::Validation(_) => (ErrorKind::Invalid, "ValidationException"),
            Error::InvalidPattern => (ErrorKind::Invalid, "InvalidAllowedPatternException"),
            Error::PatternMismatch(_) => (ErrorKind::Invalid, "ParameterPatternMismatchException"),
            Error::NoResource(_) => (ErrorKind::NotFound, "InvalidResourceId"),
            Error::FilterKey(_) => (ErrorKind::Invalid, "InvalidFilterKey"),
            Error::FilterOption(_) => (ErrorKind::Invalid, "InvalidFilterOption"),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
