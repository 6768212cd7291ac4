//! CloudFront's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_tables::cloudfront::{
    Alias, CachePolicyId, DistributionId, InvalidationId, KeyGroupId, OriginAccessControlId, OriginId,
    OriginRequestPolicyId, PublicKeyId,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The specified distribution does not exist: {0}")]
    NoDistribution(DistributionId),
    #[error("The specified invalidation does not exist: {0}")]
    NoInvalidation(InvalidationId),
    #[error("The specified origin access control does not exist: {0}")]
    NoOriginAccessControl(OriginAccessControlId),
    #[error("The specified public key does not exist: {0}")]
    NoPublicKey(PublicKeyId),
    #[error("The specified key group does not exist: {0}")]
    NoKeyGroup(KeyGroupId),
    #[error("The specified cache policy does not exist: {0}")]
    NoCachePolicy(CachePolicyId),
    #[error("The specified origin request policy does not exist: {0}")]
    NoOriginRequestPolicy(OriginRequestPolicyId),
    #[error("No origin exists with the specified Origin Id: {0}")]
    NoOrigin(OriginId),
    #[error("One or more of the specified trusted key groups do not exist: {0}")]
    NoTrustedKeyGroup(KeyGroupId),
    #[error("The resource {0} does not exist")]
    NoTagged(String),
    #[error("The If-Match version is missing or not valid for the resource.")]
    IfMatchMissing,
    #[error(
        "The request failed because it didn't meet the preconditions in one or more request-header fields."
    )]
    Precondition,
    #[error("The distribution you are trying to delete has not been disabled.")]
    NotDisabled,
    #[error(
        "The caller reference that you are using to create a distribution is associated with distribution {0}, which has another configuration."
    )]
    DistributionExists(DistributionId),
    #[error("One or more of the CNAMEs you provided are already associated with a different resource: {0}")]
    AliasTaken(Alias),
    #[error("The {kind} with the name {name} already exists")]
    Exists { kind: Kind, name: String },
    #[error("The {kind} {id} is in use by {by}")]
    InUse { kind: Kind, id: String, by: String },
    #[error("You can't change a public key except for its comment")]
    KeyIsFixed,
    #[error("{0}")]
    ViewerCertificate(String),
    #[error("{0}")]
    IllegalUpdate(String),
    #[error("{0}")]
    InvalidArgument(String),
    #[error("The default root object must not begin with '/'")]
    DefaultRootObject,
    #[error("A CustomErrorResponse has an invalid response code")]
    ResponseCode,
    #[error(transparent)]
    Aws(#[from] AwsError),
}

escale_base::choice! {
    pub enum Kind { OriginAccessControl = "origin access control", PublicKey = "public key", KeyGroup = "key group" }
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::InvalidArgument(what.into())
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::NoDistribution(_) => (ErrorKind::NotFound, "NoSuchDistribution", 404),
            Error::NoInvalidation(_) => (ErrorKind::NotFound, "NoSuchInvalidation", 404),
            Error::NoOriginAccessControl(_) => (ErrorKind::NotFound, "NoSuchOriginAccessControl", 404),
            Error::NoPublicKey(_) => (ErrorKind::NotFound, "NoSuchPublicKey", 404),
            Error::NoKeyGroup(_) => (ErrorKind::NotFound, "NoSuchResource", 404),
            Error::NoCachePolicy(_) => (ErrorKind::NotFound, "NoSuchCachePolicy", 404),
            Error::NoOriginRequestPolicy(_) => (ErrorKind::NotFound, "NoSuchOriginRequestPolicy", 404),
            Error::NoOrigin(_) => (ErrorKind::NotFound, "NoSuchOrigin", 404),
            Error::NoTrustedKeyGroup(_) => (ErrorKind::Invalid, "TrustedKeyGroupDoesNotExist", 400),
            Error::NoTagged(_) => (ErrorKind::NotFound, "NoSuchResource", 404),
            Error::IfMatchMissing => (ErrorKind::Invalid, "InvalidIfMatchVersion", 400),
            Error::Precondition => (ErrorKind::Invalid, "PreconditionFailed", 412),
            Error::NotDisabled => (ErrorKind::InUse, "DistributionNotDisabled", 409),
            Error::DistributionExists(_) => (ErrorKind::AlreadyExists, "DistributionAlreadyExists", 409),
            Error::AliasTaken(_) => (ErrorKind::AlreadyExists, "CNAMEAlreadyExists", 409),
            Error::Exists { kind: Kind::OriginAccessControl, .. } => {
                (ErrorKind::AlreadyExists, "OriginAccessControlAlreadyExists", 409)
            }
            Error::Exists { kind: Kind::PublicKey, .. } => {
                (ErrorKind::AlreadyExists, "PublicKeyAlreadyExists", 409)
            }
            Error::Exists { kind: Kind::KeyGroup, .. } => {
                (ErrorKind::AlreadyExists, "KeyGroupAlreadyExists", 409)
            }
            Error::InUse { kind: Kind::OriginAccessControl, .. } => {
                (ErrorKind::InUse, "OriginAccessControlInUse", 409)
            }
            Error::InUse { kind: Kind::PublicKey, .. } => (ErrorKind::InUse, "PublicKeyInUse", 409),
            Error::InUse { kind: Kind::KeyGroup, .. } => (ErrorKind::InUse, "ResourceInUse", 409),
            Error::KeyIsFixed => (ErrorKind::Invalid, "CannotChangeImmutablePublicKeyFields", 400),
            Error::ViewerCertificate(_) => (ErrorKind::Invalid, "InvalidViewerCertificate", 400),
            Error::IllegalUpdate(_) => (ErrorKind::Invalid, "IllegalUpdate", 400),
            Error::DefaultRootObject => (ErrorKind::Invalid, "InvalidDefaultRootObject", 400),
            Error::ResponseCode => (ErrorKind::Invalid, "InvalidResponseCode", 400),
            Error::InvalidArgument(_) => (ErrorKind::Invalid, "InvalidArgument", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
