//! Two errors cross crate borders: [`AwsError`], which a client reads, and [`PlaneError`], which a data plane
//! returns.

use serde_json::Value;
use std::fmt;

/// The kind of failure of an [`AwsError`]. Code matches on the kind; the code and the message are for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object of the request does not exist.
    NotFound,
    AlreadyExists,
    /// Another object uses it, or its own state forbids this now. The same request can succeed later.
    InUse,
    /// The request itself must change.
    Invalid,
    /// The caller is unknown or not authorized.
    Denied,
    /// A quota is reached.
    LimitExceeded,
    /// The same request can succeed after a short wait.
    Throttled,
    /// AWS supports it and Escale does not.
    NotSupported,
    /// A bug in Escale.
    Internal,
}

/// An error in AWS's format. Services build it from their own error enum (`error.rs`), nowhere else.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    pub kind: ErrorKind,
    /// The error code on the wire, for example `InvalidVpcID.NotFound`.
    pub code: String,
    /// The text for the caller: what failed, on which object, why, and what to do next.
    pub message: String,
    pub status: u16,
    /// Further members of the modelled error shape.
    pub extra: Vec<(String, Value)>,
}

/// Unsupported operations for which there is a command of Escale: service, operation, and the hint that names the command.
const INSTEAD: &[(&str, &str, &str)] =
    &[("ecs", "ExecuteCommand", "Use `escale exec SERVICE -- COMMAND`, which needs no plugin.")];

impl AwsError {
    pub fn new(kind: ErrorKind, code: &str, status: u16, message: impl Into<String>) -> AwsError {
        AwsError { kind, code: code.into(), message: message.into(), status, extra: Vec::new() }
    }

    /// For an operation, parameter or value that AWS supports and Escale does not. `what` is the subject of the sentence and names it:
    /// "The launch type EC2". Wherever there is a fix, [`AwsError::hint`] adds it.
    pub fn not_supported(what: impl fmt::Display) -> AwsError {
        AwsError::new(ErrorKind::NotSupported, "NotImplemented", 501, format!("{what} is not supported."))
    }

    /// For an operation that AWS has and Escale does not.
    pub fn no_operation(service: &str, operation: &str) -> AwsError {
        let error = AwsError::not_supported(format_args!("The operation {service}:{operation}"));
        let instead = INSTEAD.iter().find(|(s, o, _)| (*s, *o) == (service, operation));
        match instead {
            Some((_, _, sentence)) => error.hint(sentence),
            None => error.hint(format_args!("`escale coverage {service}` lists the supported operations.")),
        }
    }

    /// Adds a sentence with the fix to the message: the supported values, or what to use instead.
    pub fn hint(mut self, sentence: impl fmt::Display) -> AwsError {
        self.message = format!("{} {sentence}", self.message);
        self
    }

    /// For a bug in Escale. The detail goes to the log, never to the caller.
    pub fn internal() -> AwsError {
        AwsError::new(
            ErrorKind::Internal,
            "InternalFailure",
            500,
            "Escale failed internally. See the daemon's log for the cause.",
        )
    }

    /// The machine temporarily lacks something, such as disk space. The message names it, since the caller can help.
    pub fn unavailable(why: impl Into<String>) -> AwsError {
        AwsError::new(ErrorKind::Throttled, "ServiceUnavailable", 503, why)
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// An additional member of the error's shape.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.extra.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    pub fn with(mut self, member: &str, value: impl Into<Value>) -> AwsError {
        self.extra.push((member.into(), value.into()));
        self
    }
}

/// Whose fault a failed step is; decides who gets to see the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be fulfilled: its image does not exist, its CIDRs overlap.
    Asked,
    /// The machine lacks something: a program, a privilege, disk space.
    Machine,
    /// A bug in the plane itself.
    Plane,
}

/// The error of a data plane's step.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}", detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
pub struct PlaneError {
    pub fault: Fault,
    /// Whether the same step can succeed later without any change by a person.
    pub retry: bool,
    /// One sentence that names the object, the reason and the fix.
    pub what: String,
    pub detail: Option<String>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl PlaneError {
    pub fn asked(what: impl Into<String>) -> PlaneError {
        PlaneError { fault: Fault::Asked, retry: false, what: what.into(), detail: None, source: None }
    }

    pub fn machine(what: impl Into<String>) -> PlaneError {
        PlaneError { fault: Fault::Machine, retry: true, what: what.into(), detail: None, source: None }
    }

    pub fn plane(what: impl Into<String>) -> PlaneError {
        PlaneError { fault: Fault::Plane, retry: true, what: what.into(), detail: None, source: None }
    }

    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PlaneError {
        let source = source.into();
        self.detail = Some(source.to_string());
        self.source = Some(source);
        self
    }

    pub fn retry(mut self, retry: bool) -> PlaneError {
        self.retry = retry;
        self
    }
}

/// `io_call().machine(|| format!("write {path}"))?` turns an I/O error into "cannot write {path}: {error}".
pub trait Context<T> {
    fn machine(self, what: impl FnOnce() -> String) -> Result<T, PlaneError>;
    fn plane(self, what: impl FnOnce() -> String) -> Result<T, PlaneError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn machine(self, what: impl FnOnce() -> String) -> Result<T, PlaneError> {
        self.map_err(|e| PlaneError::machine(format!("cannot {}", what())).because(e))
    }
    fn plane(self, what: impl FnOnce() -> String) -> Result<T, PlaneError> {
        self.map_err(|e| PlaneError::plane(format!("cannot {}", what())).because(e))
    }
}

/// The answer, or `None` when the object of the request does not exist.
pub fn found<T>(result: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// For deletions: an object that does not exist was deleted before.
pub fn already_gone<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    found(result).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::AwsError;

    #[test]
    fn unsupported_thing_and_its_fix_are_two_sentences() {
        let error = AwsError::not_supported("An HTTPS listener").hint("Use an HTTP listener.");
        assert_eq!(error.message, "An HTTPS listener is not supported. Use an HTTP listener.");
        let error = AwsError::no_operation("ecs", "CreateTaskSet");
        let message = "The operation ecs:CreateTaskSet is not supported. `escale coverage ecs` lists the supported operations.";
        assert_eq!((error.message.as_str(), error.status), (message, 501));
        let error = AwsError::no_operation("ecs", "ExecuteCommand");
        let message = "The operation ecs:ExecuteCommand is not supported. Use `escale exec SERVICE -- COMMAND`, which needs no plugin.";
        assert_eq!(error.message, message);
    }
}
