//! CloudTrail's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind, PlaneError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Only one lookup attribute is supported per lookup.")]
    LookupAttributes,
    #[error("StartTime {start} is after EndTime {end}.")]
    TimeRange { start: String, end: String },
    #[error(
        "The token in the request is not valid: use the NextToken of an earlier answer to the same lookup."
    )]
    NextToken,
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Plane(#[from] PlaneError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::LookupAttributes => (ErrorKind::Invalid, "InvalidLookupAttributesException"),
            Error::TimeRange { .. } => (ErrorKind::Invalid, "InvalidTimeRangeException"),
            Error::NextToken => (ErrorKind::Invalid, "InvalidNextTokenException"),
            Error::Aws(e) => return e.clone(),
            Error::Plane(error) => {
                tracing::error!(%error, "cannot read the record of calls");
                return AwsError::internal();
            }
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
