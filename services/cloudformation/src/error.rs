//! CloudFormation's errors. Only this file maps them to error codes and HTTP statuses.
//!
//! The API model declares a few codes; all other errors are `ValidationError`, as on AWS.

use crate::template::{EvaluateError, TemplateError};
use escale_base::{AwsError, ErrorKind};
use escale_tables::cloudformation::{ChangeSetArn, StackName};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Stack with id {0} does not exist")]
    NoStack(String),
    #[error("Stack [{0}] already exists")]
    StackExists(StackName),
    #[error("ChangeSet [{0}] does not exist")]
    NoChangeSet(String),
    #[error("ChangeSet {0} already exists")]
    ChangeSetExists(ChangeSetArn),
    #[error("ChangeSet [{0}] cannot be executed in its current status of [{1}]")]
    ChangeSetStatus(ChangeSetArn, String),
    #[error("Requires capabilities : [{0}]")]
    Capabilities(String),
    #[error("{0}")]
    Invalid(String),
    /// A retry may succeed.
    #[error("{0}")]
    Busy(String),
    #[error("{0} does not exist yet")]
    NotYet(String),
    #[error(
        "The principal that stack [{0}] acts for cannot be read from the state ({1}), so the stack has no permissions. Delete the \
         stack: the deletion uses the permissions of its caller."
    )]
    UnreadablePrincipal(StackName, String),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(message.into())
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
        let (kind, code, status) = match &error {
            Error::StackExists(_) | Error::ChangeSetExists(_) => {
                (ErrorKind::AlreadyExists, "AlreadyExistsException", 400)
            }
            Error::NoChangeSet(_) => (ErrorKind::NotFound, "ChangeSetNotFound", 404),
            Error::ChangeSetStatus(..) => (ErrorKind::InUse, "InvalidChangeSetStatus", 400),
            Error::Busy(_) => (ErrorKind::InUse, "ValidationError", 400),
            Error::Capabilities(_) => (ErrorKind::Invalid, "InsufficientCapabilitiesException", 400),
            // The state is damaged: no other request of the client would help.
            Error::UnreadablePrincipal(..) => (ErrorKind::Internal, "InternalFailure", 500),
            Error::NoStack(_) => (ErrorKind::NotFound, "ValidationError", 400),
            Error::Invalid(_) | Error::NotYet(_) => (ErrorKind::Invalid, "ValidationError", 400),
            Error::Template(e) => {
                let place = e.at.map(|at| format!(" ({at})")).unwrap_or_default();
                return AwsError::new(
                    ErrorKind::Invalid,
                    "ValidationError",
                    400,
                    format!("{}{place}", e.message),
                );
            }
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}

/// Whether a retry may succeed. A failed deletion of a resource is retried only then.
pub(crate) fn is_transient(error: &AwsError) -> bool {
    matches!(error.kind, ErrorKind::Throttled | ErrorKind::InUse)
}

/// The handler error code by which CloudFormation classifies an error of a resource's service:
/// <https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html>
pub(crate) fn handler_code(error: &AwsError) -> &'static str {
    match error.kind {
        ErrorKind::AlreadyExists => "AlreadyExists",
        ErrorKind::InUse => "ResourceConflict",
        ErrorKind::Denied => "AccessDenied",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::LimitExceeded => "ServiceLimitExceeded",
        ErrorKind::Throttled => "Throttling",
        ErrorKind::Internal => "GeneralServiceException",
        ErrorKind::Invalid | ErrorKind::NotSupported => "InvalidRequest",
    }
}
