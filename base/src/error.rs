//! Two errors cross crate borders: [`AwsError`], what a client reads, and [`PlaneError`], what a data plane
//! says of its work.

use serde_json::Value;
use std::fmt;

/// An error as AWS words it. Services build it from their own error enum (`error.rs`), nowhere else.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// The code as on the wire, for example `InvalidVpcID.NotFound`.
    pub code: String,
    /// What the caller reads: names the thing, the place and the way out.
    pub message: String,
    pub status: u16,
    /// Further members of the modelled error shape.
    pub extra: Vec<(String, Value)>,
}

impl AwsError {
    pub fn new(code: &str, status: u16, message: impl Into<String>) -> AwsError {
        AwsError { code: code.into(), message: message.into(), status, extra: Vec::new() }
    }

    /// An operation, parameter or value that AWS has and Escale does not enact. Always names it.
    pub fn not_supported(what: impl fmt::Display) -> AwsError {
        AwsError::new("NotImplemented", 501, format!("{what} is not supported by Escale"))
    }

    /// A fault of Escale's own. The detail goes to the log, never to the caller.
    pub fn internal() -> AwsError {
        AwsError::new("InternalFailure", 500, "An internal fault of Escale; the daemon's log has the cause")
    }

    /// The machine lacks something for a while, as space on its disk. Says what, for here the caller can help.
    pub fn unavailable(why: impl Into<String>) -> AwsError {
        AwsError::new("ServiceUnavailable", 503, why)
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
