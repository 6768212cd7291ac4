//! CloudFormation's errors: code and HTTP status stand here and nowhere else.
//!
//! The model declares a few; the rest is `ValidationError`, as on AWS.

use crate::template::{EvaluateError, TemplateError};
use escale_base::AwsError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Stack with id {0} does not exist")]
    NoStack(String),
    #[error("Stack [{0}] already exists")]
    StackExists(String),
    #[error("ChangeSet [{0}] does not exist")]
    NoChangeSet(String),
    #[error("ChangeSet {0} already exists")]
    ChangeSetExists(String),
    #[error("ChangeSet [{0}] cannot be executed in its current status of [{1}]")]
    ChangeSetStatus(String, String),
    #[error("Requires capabilities : [{0}]")]
    Capabilities(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0} does not exist yet")]
    NotYet(String),
    #[error(
        "The principal that stack [{0}] acts for cannot be read from the state ({1}), so the stack may change nothing. Delete the \
         stack: it then acts for whoever deletes it."
    )]
    UnreadablePrincipal(String, String),
    /// AWS does it and Escale does not.
    #[error("{0}")]
    NotSupported(AwsError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(message.into())
    }

    pub(crate) fn not_supported(what: &str) -> Error {
        Error::NotSupported(AwsError::not_supported(what))
    }
}

impl From<EvaluateError> for Error {
    fn from(error: EvaluateError) -> Error {
        match error {
            EvaluateError::Template(e) => Error::Template(e),
            EvaluateError::NotYet { logical, attribute } => {
                Error::NotYet(attribute.map_or_else(|| logical.clone(), |a| format!("{logical}.{a}")))
            }
        }
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (code, status) = match &error {
            Error::StackExists(_) | Error::ChangeSetExists(_) => ("AlreadyExistsException", 400),
            Error::NoChangeSet(_) => ("ChangeSetNotFound", 404),
            Error::ChangeSetStatus(..) => ("InvalidChangeSetStatus", 400),
            Error::Capabilities(_) => ("InsufficientCapabilitiesException", 400),
            Error::UnreadablePrincipal(..) => ("InternalFailure", 500),
            Error::NoStack(_) | Error::Invalid(_) | Error::NotYet(_) => ("ValidationError", 400),
            Error::Template(e) => {
                let place = e.at.map(|at| format!(" ({at})")).unwrap_or_default();
                return AwsError::new("ValidationError", 400, format!("{}{place}", e.message));
            }
            Error::NotSupported(e) | Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, status, error.to_string())
    }
}

/// Whether a client that asks again may get another answer: only then a resource's deletion is tried again.
pub(crate) fn may_pass(error: &AwsError) -> bool {
    ["Throttl", "RequestLimitExceeded", "DependencyViolation", "InUse", "ClusterContains", "InvalidDB"]
        .iter()
        .any(|part| error.code.contains(part))
}

/// The word by which CloudFormation classes what a resource's service answered.
pub(crate) fn handler_code(error: &AwsError) -> &'static str {
    let has = |parts: &[&str]| parts.iter().any(|p| error.code.contains(p));
    match () {
        () if has(&["AlreadyExist", "AlreadyOwned", "Duplicate", "InUse"]) => "AlreadyExists",
        () if has(&["AccessDenied", "Unauthorized"]) => "AccessDenied",
        () if has(&["NotFound", "NoSuch"]) => "NotFound",
        () if has(&["LimitExceeded"]) => "ServiceLimitExceeded",
        () if error.status >= 500 => "GeneralServiceException",
        () => "InvalidRequest",
    }
}
