//! Two errors cross crate borders: [`AwsError`], what a client reads, and [`PlaneError`], what a data plane
//! says of its work.

use serde_json::Value;
use std::fmt;

/// What kind of failure an [`AwsError`] is. Code decides by it; the code and the message are for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object of the request does not exist.
    NotFound,
    AlreadyExists,
    /// Another object uses it, or its own state forbids this now. It can succeed later without a change of the request.
    InUse,
    /// The request itself must change.
    Invalid,
    /// Who asks may not, or is not known.
    Denied,
    /// A quota is reached.
    LimitExceeded,
    /// The same request can succeed a little later.
    Throttled,
    /// AWS has it and Escale does not.
    NotSupported,
    /// A fault of Escale's own.
    Internal,
}

/// An error as AWS words it. Services build it from their own error enum (`error.rs`), nowhere else.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    pub kind: ErrorKind,
    /// The code as on the wire, for example `InvalidVpcID.NotFound`.
    pub code: String,
    /// What the caller reads: names the thing, the place and the way out.
    pub message: String,
    pub status: u16,
    /// Further members of the modelled error shape.
    pub extra: Vec<(String, Value)>,
}

impl AwsError {
    pub fn new(kind: ErrorKind, code: &str, status: u16, message: impl Into<String>) -> AwsError {
        AwsError { kind, code: code.into(), message: message.into(), status, extra: Vec::new() }
    }

    /// An operation, parameter or value that AWS has and Escale does not enact. Always names it.
    pub fn not_supported(what: impl fmt::Display) -> AwsError {
        AwsError::new(
            ErrorKind::NotSupported,
            "NotImplemented",
            501,
            format!("{what} is not supported by Escale"),
        )
    }

    /// A fault of Escale's own. The detail goes to the log, never to the caller.
    pub fn internal() -> AwsError {
        AwsError::new(
            ErrorKind::Internal,
            "InternalFailure",
            500,
            "An internal fault of Escale; the daemon's log has the cause",
        )
    }

    /// The machine lacks something for a while, as space on its disk. Says what, for here the caller can help.
    pub fn unavailable(why: impl Into<String>) -> AwsError {
        AwsError::new(ErrorKind::Throttled, "ServiceUnavailable", 503, why)
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// A further member of the error's shape.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.extra.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    pub fn with(mut self, member: &str, value: impl Into<Value>) -> AwsError {
        self.extra.push((member.into(), value.into()));
        self
    }
}

/// Whose fault a failed step is; decides who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What was asked cannot be done: an image that does not exist, a CIDR that overlaps.
    Asked,
    /// The machine lacks something: a program, a privilege, disk space.
    Machine,
    /// The plane itself is wrong: a bug.
    Plane,
}

/// What a data plane says when a step did not come about.
#[derive(Debug, thiserror::Error)]
#[error("{what}{}", detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
pub struct PlaneError {
    pub fault: Fault,
    /// Whether the same step can succeed later without anybody changing anything.
    pub retry: bool,
    /// One sentence that names the thing, the place and the way out.
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

/// `io_call().plane("write the bundle of {id}")?`: gives an error of the world its place.
pub trait Context<T> {
    fn machine(self, what: impl FnOnce() -> String) -> Result<T, PlaneError>;
    fn plane(self, what: impl FnOnce() -> String) -> Result<T, PlaneError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn machine(self, what: impl FnOnce() -> String) -> Result<T, PlaneError> {
        self.map_err(|e| PlaneError::machine(what()).because(e))
    }
    fn plane(self, what: impl FnOnce() -> String) -> Result<T, PlaneError> {
        self.map_err(|e| PlaneError::plane(what()).because(e))
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

/// For deletions: an object that does not exist has been deleted before.
pub fn already_gone<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    found(result).map(|_| ())
}
