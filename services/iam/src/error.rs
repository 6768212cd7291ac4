//! IAM's errors.

use escale_base::AwsError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The {kind} with name {name} cannot be found.")]
    NotFound { kind: &'static str, name: String },
    #[error("{kind} with name {name} already exists.")]
    Exists { kind: &'static str, name: String },
    #[error("{0}")]
    MalformedPolicy(String),
    #[error("Cannot delete entity, must {0} first.")]
    DeleteConflict(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (code, status) = match &error {
            Error::NotFound { .. } => ("NoSuchEntity", 404),
            Error::Exists { .. } => ("EntityAlreadyExists", 409),
            Error::MalformedPolicy(_) => ("MalformedPolicyDocument", 400),
            Error::DeleteConflict(_) => ("DeleteConflict", 409),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, status, error.to_string())
    }
}
