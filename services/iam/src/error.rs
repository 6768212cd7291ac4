//! IAM's errors.

use escale_base::{AwsError, ErrorKind};
use escale_tables::iam::PolicyName;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The {kind} with name {name} cannot be found.")]
    NotFound { kind: &'static str, name: String },
    #[error("{0}")]
    NoSuch(String),
    #[error("{kind} with name {name} already exists.")]
    Exists { kind: &'static str, name: String },
    #[error("A policy called {0} already exists. Duplicate names are not allowed.")]
    PolicyExists(PolicyName),
    #[error("{0}")]
    MalformedPolicy(String),
    #[error("Cannot delete entity, must {0} first.")]
    DeleteConflict(&'static str),
    #[error("{0}")]
    DeleteRefused(String),
    #[error("Cannot exceed quota for {quota}: {limit}")]
    Quota { quota: &'static str, limit: usize },
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    NotAttachable(&'static str),
    #[error("Cannot perform the operation on the protected role '{0}' - this role is only modifiable by AWS")]
    Protected(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NotFound { .. } | Error::NoSuch(_) => (ErrorKind::NotFound, "NoSuchEntity", 404),
            Error::Exists { .. } | Error::PolicyExists(_) => {
                (ErrorKind::AlreadyExists, "EntityAlreadyExists", 409)
            }
            Error::MalformedPolicy(why) if escale_policy::is_unsupported(why) => {
                (ErrorKind::NotSupported, "MalformedPolicyDocument", 400)
            }
            Error::MalformedPolicy(_) => (ErrorKind::Invalid, "MalformedPolicyDocument", 400),
            Error::DeleteConflict(_) | Error::DeleteRefused(_) => (ErrorKind::InUse, "DeleteConflict", 409),
            Error::Quota { .. } | Error::Limit(_) => (ErrorKind::LimitExceeded, "LimitExceeded", 409),
            Error::Invalid(_) => (ErrorKind::Invalid, "InvalidInput", 400),
            Error::Validation(_) => (ErrorKind::Invalid, "ValidationError", 400),
            Error::NotAttachable(_) => (ErrorKind::Invalid, "PolicyNotAttachable", 400),
            Error::Protected(_) => (ErrorKind::Invalid, "UnmodifiableEntity", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
