//! The plane's errors in one enum; most of them are faults of the request.

use crate::{Algorithm, Condition, VersionId};
use escale_base::{PlaneError, Timestamp, error::Fault};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a sender's body was interrupted.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("bucket '{0}' does not exist")]
    NoSuchBucket(String),
    #[error("bucket '{0}' already exists")]
    BucketExists(String),
    #[error("bucket '{0}' still holds objects, versions or delete markers")]
    BucketNotEmpty(String),
    #[error("a bucket's name has 1 to 255 bytes; this one has {0}")]
    BadBucketName(usize),
    #[error("bucket '{0}' was versioned: suspend versioning instead of turning it off")]
    VersioningStays(String),
    #[error("a key has 1 to 1024 bytes; this one has {0}")]
    BadKey(usize),
    /// `marker` is set when the key's latest version is a delete marker.
    #[error("there is no object '{key}' in bucket '{bucket}'")]
    NoSuchKey { bucket: String, key: String, marker: Option<VersionId> },
    #[error("object '{key}' in bucket '{bucket}' has no version '{version}'")]
    NoSuchVersion { bucket: String, key: String, version: VersionId },
    #[error("version '{version}' of '{key}' is a delete marker, which has no content")]
    IsDeleteMarker { key: String, version: VersionId, modified: Timestamp },
    #[error("upload '{id}' for '{key}' is not in progress: it was completed, aborted or never started")]
    NoSuchUpload { key: String, id: String },
    #[error("part numbers are 1 to 10000, not {0}")]
    BadPartNumber(u32),
    #[error("part {0} was not uploaded, or its etag or checksum differs from the given one")]
    InvalidPart(u32),
    #[error("parts must be listed in ascending order; {0} comes after {1}")]
    PartOrder(u32, u32),
    #[error("an upload needs at least one part to be completed")]
    NoParts,
    #[error("part {number} has {size_bytes} bytes; all but the last need at least {min_bytes}")]
    PartTooSmall { number: u32, size_bytes: u64, min_bytes: u64, etag: String },
    #[error("part {asked} does not exist; the object has {have} parts")]
    NoSuchPart { asked: u32, have: u32 },
    #[error("the upload's checksum cannot be {algorithm:?} {kind:?}: {why}")]
    ChecksumKind { algorithm: Algorithm, kind: crate::ChecksumKind, why: &'static str },
    #[error("{size_bytes} bytes or more were sent; the limit is {limit_bytes}")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    #[error("{expected} bytes were announced and {received} were received")]
    SizeMismatch { expected: u64, received: u64 },
    #[error("the {algorithm:?} announced is {expected}, that of the bytes received is {computed} (base64)")]
    ChecksumMismatch { algorithm: Algorithm, expected: String, computed: String },
    #[error("{0:?} was announced to follow the body, but was not among the checksums to compute")]
    NotComputed(Algorithm),
    #[error("the condition on '{key}' does not hold: {why}")]
    PreconditionFailed { key: String, condition: Condition, why: String },
    #[error("the requested range is outside of the object's {size_bytes} bytes")]
    RangeNotSatisfiable { size_bytes: u64 },
    #[error("a read can have a range or a part number, not both")]
    RangeAndPart,
    #[error("the body was interrupted")]
    Body(#[source] BodyError),
    #[error(transparent)]
    Plane(#[from] PlaneError),
}

impl Error {
    /// Whose fault it is: the request's, or the machine's.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Plane(e) => e.fault,
            _ => Fault::Asked,
        }
    }
}

/// A failure of the index is the machine's or Escale's fault; the daemon logs both.
impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Error {
        let full = matches!(
            e.sqlite_error_code(),
            Some(
                rusqlite::ErrorCode::DiskFull
                    | rusqlite::ErrorCode::SystemIoFailure
                    | rusqlite::ErrorCode::ReadOnly
                    | rusqlite::ErrorCode::CannotOpen
            )
        );
        let what = "cannot use the object index";
        Error::Plane(if full { PlaneError::machine(what) } else { PlaneError::plane(what) }.because(e))
    }
}
