//! The registry's errors, and the distribution specification's code of each.

use crate::{Digest, Reference};
use escale_base::PlaneError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the repository '{0}' does not exist; create it first")]
    NoSuchRepository(String),
    #[error("the repository '{0}' already exists")]
    RepositoryExists(String),
    #[error(
        "'{0}' is not a repository name: use lower-case words, separated by . _ - and /, up to 255 bytes"
    )]
    BadName(String),
    #[error("'{0}' is not a tag: use 1 to 128 letters, digits, . _ and -")]
    BadTag(String),
    #[error("'{0}' is not a supported digest; use sha256: and 64 lower-case hexadecimal digits")]
    BadDigest(String),
    #[error("the bytes received have the digest {computed}, not {expected}")]
    DigestMismatch { expected: Digest, computed: Digest },
    #[error("the repository '{repository}' has no blob {digest}")]
    NoSuchBlob { repository: String, digest: Digest },
    #[error("the blob {digest} is part of the image {image}; delete that image first")]
    BlobInUse { digest: Digest, image: Digest },
    #[error("the repository '{repository}' has no image '{reference}'")]
    NoSuchImage { repository: String, reference: Reference },
    #[error(
        "the repository '{repository}' has no upload '{id}': it was finished, cancelled or never started"
    )]
    NoSuchUpload { repository: String, id: String },
    #[error("the upload has {have} bytes; a chunk cannot start at {at}")]
    OutOfOrder { have: u64, at: u64 },
    #[error("another request is writing to this upload")]
    UploadBusy,
    #[error("the blob {digest} has {size_bytes} bytes, not {announced_bytes} as its manifest says")]
    OtherSize { digest: Digest, size_bytes: u64, announced_bytes: u64 },
    #[error("the upload is larger than {limit_bytes} bytes")]
    BlobTooLarge { limit_bytes: u64 },
    #[error("the manifest is larger than {limit_bytes} bytes")]
    ManifestTooLarge { limit_bytes: usize },
    #[error("the manifest is not valid: {0}")]
    BadManifest(String),
    #[error("the manifest refers to {0}, which is not in the repository; push it first")]
    ManifestNames(Digest),
    #[error(
        "the image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
         because the repository is immutable"
    )]
    ImmutableTag { repository: String, tag: String },
    #[error("the body ended early, after {received} bytes")]
    Body {
        received: u64,
        #[source]
        source: BodyError,
    },
    #[error(transparent)]
    Plane(#[from] PlaneError),
}

/// An error's code and HTTP status. Source: OCI distribution specification 1.1, "Error Codes"; the statuses
/// that it leaves open are those of the reference implementation (distribution/distribution).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub word: &'static str,
    pub status: u16,
}

impl Error {
    pub fn code(&self) -> Code {
        let (word, status) = match self {
            Error::NoSuchRepository(_) => ("NAME_UNKNOWN", 404),
            Error::RepositoryExists(_) => ("NAME_INVALID", 409),
            Error::BadName(_) => ("NAME_INVALID", 400),
            Error::BadTag(_) | Error::ImmutableTag { .. } => ("TAG_INVALID", 400),
            Error::BadDigest(_) | Error::DigestMismatch { .. } => ("DIGEST_INVALID", 400),
            Error::NoSuchBlob { .. } => ("BLOB_UNKNOWN", 404),
            Error::BlobInUse { .. } => ("DENIED", 409),
            Error::NoSuchImage { .. } => ("MANIFEST_UNKNOWN", 404),
            Error::NoSuchUpload { .. } => ("BLOB_UPLOAD_UNKNOWN", 404),
            Error::OutOfOrder { .. } => ("BLOB_UPLOAD_INVALID", 416),
            Error::UploadBusy => ("BLOB_UPLOAD_INVALID", 409),
            Error::Body { .. } => ("BLOB_UPLOAD_INVALID", 400),
            Error::OtherSize { .. } => ("SIZE_INVALID", 400),
            Error::BlobTooLarge { .. } => ("SIZE_INVALID", 413),
            Error::ManifestTooLarge { .. } => ("SIZE_INVALID", 413),
            Error::BadManifest(_) => ("MANIFEST_INVALID", 400),
            Error::ManifestNames(_) => ("MANIFEST_BLOB_UNKNOWN", 400),
            Error::Plane(_) => ("UNKNOWN", 500),
        };
        Code { word, status }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Error {
        PlaneError::machine("cannot use the registry's index").because(e).into()
    }
}
