//! What can go wrong, one enum: most of it is the caller's to hear.

use crate::{Algorithm, Condition, VersionId};
use escale_base::{PlaneError, Timestamp, error::Fault};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a sender's body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no bucket '{0}'")]
    NoSuchBucket(String),
    #[error("bucket '{0}' is already there")]
    BucketExists(String),
    #[error("bucket '{0}' still holds objects, versions or delete markers")]
    BucketNotEmpty(String),
    #[error("a bucket's name has 1 to 255 bytes; this one has {0}")]
    BadBucketName(usize),
    #[error("bucket '{0}' was versioned: suspend it instead of turning versioning off")]
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
    #[error("part numbers go from 1 to 10000; {0} does not")]
    BadPartNumber(u32),
    #[error("part {0} was not uploaded, or has another etag or checksum than the one given")]
    InvalidPart(u32),
    #[error("parts must be named in ascending order; {0} comes after {1}")]
    PartOrder(u32, u32),
    #[error("an upload is completed with at least one part")]
    NoParts,
    #[error("part {number} has {size_bytes} bytes; all but the last need at least {min_bytes}")]
    PartTooSmall { number: u32, size_bytes: u64, min_bytes: u64, etag: String },
    #[error("part {asked} was asked for; the object has {have}")]
    NoSuchPart { asked: u32, have: u32 },
    #[error("the upload's checksum cannot be {algorithm:?} {kind:?}: {why}")]
    ChecksumKind { algorithm: Algorithm, kind: crate::ChecksumKind, why: &'static str },
    #[error("{size_bytes} bytes or more were sent; the limit is {limit_bytes}")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    #[error("{expected} bytes were announced, {received} were received")]
    SizeMismatch { expected: u64, received: u64 },
    #[error("the {algorithm:?} announced is {expected}, that of the bytes received is {computed} (base64)")]
    ChecksumMismatch { algorithm: Algorithm, expected: String, computed: String },
    #[error("{0:?} was announced to follow the body, but was not among the checksums to compute")]
    NotComputed(Algorithm),
    #[error("the condition on '{key}' does not hold: {why}")]
    PreconditionFailed { key: String, condition: Condition, why: String },
    #[error("the range asked for is outside of the object's {size_bytes} bytes")]
    RangeNotSatisfiable { size_bytes: u64 },
    #[error("a read names a range or a part, not both")]
    RangeAndPart,
    #[error("the body broke off")]
    Body(#[source] BodyError),
    #[error(transparent)]
    Plane(#[from] PlaneError),
}

impl Error {
    /// Whose fault it is: what the caller asked, or the machine.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Plane(e) => e.fault,
            _ => Fault::Asked,
        }
    }
}

/// A fault of the index is a fault of the machine's disk, or ours; both are the daemon's to log.
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
        let what = "use the object index";
        Error::Plane(if full { PlaneError::machine(what) } else { PlaneError::plane(what) }.because(e))
    }
}
