//! The errors of the fake services.

use escale_base::{AwsError, ErrorKind};

pub(super) fn thing_exists(id: &str) -> AwsError {
    AwsError::new(ErrorKind::AlreadyExists, "ThingAlreadyExists", 400, format!("{id} exists"))
}

pub(super) fn limit(why: &str) -> AwsError {
    AwsError::new(ErrorKind::LimitExceeded, "ThingLimitExceeded", 400, why)
}

/// The error of a deletion; only a `DependencyViolation` may go away by itself.
pub(super) fn held(code: &str) -> AwsError {
    let kind = if code == "DependencyViolation" { ErrorKind::InUse } else { ErrorKind::Invalid };
    AwsError::new(kind, code, 400, "it is held")
}

pub(super) fn no_secret(id: &str) -> AwsError {
    AwsError::new(ErrorKind::NotFound, "ResourceNotFoundException", 400, format!("no secret {id}"))
}

pub(super) fn no_parameter() -> AwsError {
    AwsError::new(ErrorKind::NotFound, "ParameterNotFound", 400, "")
}

pub(super) fn no_key() -> AwsError {
    AwsError::new(ErrorKind::NotFound, "NoSuchKey", 404, "The specified key does not exist.")
}
