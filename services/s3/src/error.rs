//! S3's errors. Codes and HTTP statuses are defined only here.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use escale_base::{AwsError, ErrorKind};
use escale_objects as plane;
use escale_tables::s3::BucketName;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The specified bucket does not exist")]
    NoSuchBucket(BucketName),
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou(BucketName),
    #[error("A conflicting conditional operation is currently in progress against this resource. Try again.")]
    BeingDeleted(BucketName),
    #[error("The specified bucket is not valid.")]
    InvalidBucketName(BucketName),
    #[error(
        "The {} location constraint is incompatible for the region specific endpoint this request was sent to. The \
         region of this cloud is {region}.", given.as_deref().unwrap_or("unspecified")
    )]
    IllegalLocation { given: Option<String>, region: String },
    #[error("At least one of the pre-conditions you specified did not hold")]
    Precondition(&'static str),
    #[error("{why}")]
    InvalidArgument { name: &'static str, value: String, why: String },
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{0}")]
    InvalidTag(String),
    #[error("{0}")]
    MalformedPolicy(String),
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    MalformedXml,
    #[error("The bucket does not allow ACLs")]
    AclsNotSupported,
    #[error("Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")]
    AclWithOwnership,
    #[error("Bucket cannot have public ACLs set with BlockPublicAccess enabled")]
    AclWithBlock,
    #[error("Public ACLs are prevented by the BlockPublicAcls setting of the bucket's public access block.")]
    PublicAcl,
    #[error("{0}")]
    InvalidTargetBucket(String),
    #[error("Couldn't parse the specified URI.")]
    InvalidUri,
    #[error("The specified method is not allowed against this resource.")]
    MethodNotAllowed(String),
    #[error("{message}")]
    NotConfigured { code: &'static str, message: &'static str, bucket: BucketName },
    #[error("Access Denied")]
    Denied,
    #[error(
        "Public policies are prevented by the BlockPublicPolicy setting of the bucket's public access block. Change the policy or \
         the setting."
    )]
    PublicPolicy,
    #[error(transparent)]
    Plane(#[from] plane::Error),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Error {
    pub(crate) fn no_website(bucket: BucketName) -> Error {
        Error::NotConfigured {
            code: "NoSuchWebsiteConfiguration",
            message: "The specified bucket does not have a website configuration",
            bucket,
        }
    }
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let message = error.to_string();
        let aws = |kind, code: &str, status: u16| AwsError::new(kind, code, status, message.as_str());
        match error {
            Error::NoSuchBucket(name) => {
                aws(ErrorKind::NotFound, "NoSuchBucket", 404).with("BucketName", name.0)
            }
            Error::BucketAlreadyOwnedByYou(name) => {
                aws(ErrorKind::AlreadyExists, "BucketAlreadyOwnedByYou", 409).with("BucketName", name.0)
            }
            Error::BeingDeleted(name) => {
                aws(ErrorKind::InUse, "OperationAborted", 409).with("BucketName", name.0)
            }
            Error::InvalidBucketName(name) => {
                aws(ErrorKind::Invalid, "InvalidBucketName", 400).with("BucketName", name.0)
            }
            Error::IllegalLocation { .. } => {
                aws(ErrorKind::Invalid, "IllegalLocationConstraintException", 400)
            }
            Error::Precondition(condition) => {
                aws(ErrorKind::Invalid, "PreconditionFailed", 412).with("Condition", condition)
            }
            Error::InvalidArgument { name, value, .. } => aws(ErrorKind::Invalid, "InvalidArgument", 400)
                .with("ArgumentName", name)
                .with("ArgumentValue", value),
            Error::InvalidRequest(_) => aws(ErrorKind::Invalid, "InvalidRequest", 400),
            Error::InvalidTag(_) => aws(ErrorKind::Invalid, "InvalidTag", 400),
            Error::MalformedPolicy(why) if escale_policy::is_unsupported(&why) => {
                aws(ErrorKind::NotSupported, "MalformedPolicy", 400)
            }
            Error::MalformedPolicy(_) => aws(ErrorKind::Invalid, "MalformedPolicy", 400),
            Error::MalformedXml => aws(ErrorKind::Invalid, "MalformedXML", 400),
            Error::AclsNotSupported => aws(ErrorKind::Invalid, "AccessControlListNotSupported", 400),
            Error::NotConfigured { code, bucket, .. } => {
                aws(ErrorKind::NotFound, code, 404).with("BucketName", bucket.0)
            }
            Error::AclWithOwnership => aws(ErrorKind::Invalid, "InvalidBucketAclWithObjectOwnership", 400),
            Error::AclWithBlock => aws(ErrorKind::Invalid, "InvalidBucketAclWithBlockPublicAccessError", 400),
            Error::InvalidTargetBucket(_) => aws(ErrorKind::Invalid, "InvalidTargetBucketForLogging", 400),
            Error::InvalidUri => aws(ErrorKind::Invalid, "InvalidURI", 400),
            Error::MethodNotAllowed(method) => {
                let error = aws(ErrorKind::Invalid, "MethodNotAllowed", 405);
                error.with("Method", method).with("ResourceType", "OBJECT")
            }
            Error::Denied | Error::PublicPolicy | Error::PublicAcl => {
                aws(ErrorKind::Denied, "AccessDenied", 403)
            }
            Error::Plane(error) => of_plane(error),
            Error::Aws(error) => error,
        }
    }
}

/// A full disk is a 503 rather than a 500, because a retry succeeds as soon as the user has freed space.
fn of_plane(error: plane::Error) -> AwsError {
    use plane::Error as E;
    let own = error.to_string();
    let invalid =
        |code: &str, status: u16, message: &str| AwsError::new(ErrorKind::Invalid, code, status, message);
    let missing = |code: &str, message: &str| AwsError::new(ErrorKind::NotFound, code, 404, message);
    match error {
        E::NoSuchBucket(name) => Error::NoSuchBucket(name.into()).into(),
        E::BucketExists(name) => Error::BucketAlreadyOwnedByYou(name.into()).into(),
        E::BucketNotEmpty(name) => {
            invalid("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")
                .with("BucketName", name)
        }
        E::BadBucketName(_) => invalid("InvalidBucketName", 400, "The specified bucket is not valid."),
        E::VersioningStays(_) => invalid("IllegalVersioningConfigurationException", 400, &own),
        E::BadKey(_) => invalid("KeyTooLongError", 400, "Your key is too long"),
        E::NoSuchKey { key, .. } => {
            missing("NoSuchKey", "The specified key does not exist.").with("Key", key)
        }
        E::NoSuchVersion { key, version, .. } => {
            missing("NoSuchVersion", "The specified version does not exist.")
                .with("Key", key)
                .with("VersionId", version.0)
        }
        E::IsDeleteMarker { .. } => {
            invalid("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
        }
        E::NoSuchUpload { id, .. } => {
            let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may \
                           have been aborted or completed.";
            missing("NoSuchUpload", message).with("UploadId", id)
        }
        E::BadPartNumber(_) => {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            invalid("InvalidArgument", 400, message).with("ArgumentName", "partNumber")
        }
        E::InvalidPart(number) => {
            let message = "One or more of the specified parts could not be found.  The part may not have been \
                           uploaded, or the specified entity tag may not match the part's entity tag.";
            invalid("InvalidPart", 400, message).with("PartNumber", number.to_string())
        }
        E::PartOrder(..) => {
            let message =
                "The list of parts was not in ascending order. Parts must be ordered by part number.";
            invalid("InvalidPartOrder", 400, message)
        }
        E::NoParts => Error::MalformedXml.into(),
        E::PartTooSmall { number, size_bytes, min_bytes, etag } => {
            invalid("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")
                .with("ProposedSize", size_bytes.to_string())
                .with("MinSizeAllowed", min_bytes.to_string())
                .with("PartNumber", number.to_string())
                .with("ETag", etag)
        }
        E::NoSuchPart { .. } => {
            invalid("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
        }
        E::ChecksumKind { .. } | E::NotComputed(_) | E::RangeAndPart => invalid("InvalidRequest", 400, &own),
        E::TooLarge { size_bytes, limit_bytes } => {
            invalid("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size")
                .with("ProposedSize", size_bytes.to_string())
                .with("MaxSizeAllowed", limit_bytes.to_string())
        }
        E::SizeMismatch { .. } => {
            let message =
                "You did not provide the number of bytes specified by the Content-Length HTTP header";
            invalid("IncompleteBody", 400, message)
        }
        E::ChecksumMismatch { algorithm, .. } => {
            let name = crate::checksums::name(algorithm);
            invalid(
                "BadDigest",
                400,
                &format!("The {name} you specified did not match the calculated checksum."),
            )
        }
        E::PreconditionFailed { condition: plane::Condition::Absent, .. } => {
            Error::Precondition("If-None-Match").into()
        }
        E::PreconditionFailed { .. } => Error::Precondition("If-Match").into(),
        E::RangeNotSatisfiable { size_bytes } => {
            invalid("InvalidRange", 416, "The requested range is not satisfiable")
                .with("ActualObjectSize", size_bytes.to_string())
        }
        E::Body(error) => match error.downcast::<AwsError>() {
            // The gate reports a wrong signature or checksum as an error of the body.
            Ok(found) => *found,
            Err(other) => invalid("IncompleteBody", 400, &format!("The request body ended early: {other}")),
        },
        E::Plane(fault) if escale_files::disk::is_full(&fault) => {
            tracing::error!(%fault, "the objects plane failed");
            AwsError::new(ErrorKind::Throttled, "ServiceUnavailable", 503, fault.what.as_str())
        }
        E::Plane(fault) => {
            tracing::error!(%fault, "the objects plane failed");
            AwsError::new(
                ErrorKind::Internal,
                "InternalError",
                500,
                "We encountered an internal error. Please try again.",
            )
        }
    }
}
