//! CloudFront's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_tables::cloudfront::{
    Alias, CachePolicyId, DistributionId, InvalidationId, KeyGroupId, OriginAccessControlId,
    OriginAccessIdentityId, OriginId, OriginRequestPolicyId, PublicKeyId, ResponseHeadersPolicyId,
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
    #[error("The specified response headers policy does not exist: {0}")]
    NoResponseHeadersPolicy(ResponseHeadersPolicyId),
    #[error("The specified origin access identity does not exist: {0}")]
    NoOriginAccessIdentity(OriginAccessIdentityId),
    #[error("The specified origin access identity does not exist or is not valid: {0}")]
    InvalidIdentity(String),
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
    IllegalDelete(String),
    #[error("The order of MinTTL, DefaultTTL and MaxTTL is not ascending")]
    TtlOrder,
    #[error("The value of the header Content-Security-Policy is longer than 2048 characters")]
    TooLongCsp,
    #[error("{0}")]
    InvalidArgument(String),
    #[error("The default root object file name is too big or contains an invalid character")]
    DefaultRootObject,
    #[error("A CustomErrorResponse has an invalid response code")]
    ResponseCode,
    #[error(transparent)]
    Aws(#[from] AwsError),
}

escale_base::choice! {
    pub enum Kind {
        CachePolicy = "cache policy", OriginAccessControl = "origin access control",
        OriginAccessIdentity = "origin access identity", OriginRequestPolicy = "origin request policy",
        PublicKey = "public key", KeyGroup = "key group", ResponseHeadersPolicy = "response headers policy",
    }
}

impl Kind {
    fn exists(self) -> &'static str {
        match self {
            Kind::CachePolicy => "CachePolicyAlreadyExists",
            Kind::OriginAccessControl => "OriginAccessControlAlreadyExists",
            Kind::OriginAccessIdentity => "CloudFrontOriginAccessIdentityAlreadyExists",
            Kind::OriginRequestPolicy => "OriginRequestPolicyAlreadyExists",
            Kind::PublicKey => "PublicKeyAlreadyExists",
            Kind::KeyGroup => "KeyGroupAlreadyExists",
            Kind::ResponseHeadersPolicy => "ResponseHeadersPolicyAlreadyExists",
        }
    }

    fn in_use(self) -> &'static str {
        match self {
            Kind::CachePolicy => "CachePolicyInUse",
            Kind::OriginAccessControl => "OriginAccessControlInUse",
            Kind::OriginAccessIdentity => "CloudFrontOriginAccessIdentityInUse",
            Kind::OriginRequestPolicy => "OriginRequestPolicyInUse",
            Kind::PublicKey => "PublicKeyInUse",
            Kind::KeyGroup => "ResourceInUse",
            Kind::ResponseHeadersPolicy => "ResponseHeadersPolicyInUse",
        }
    }
}

/// The bucket for logs does not exist or refuses ACLs, with which CloudFront gets its permission.
pub(crate) fn no_acl(bucket: &str) -> Error {
    invalid(format!(
        "The S3 bucket that you specified for CloudFront logs does not exist or does not enable ACL access: {bucket}. Set \
         its object ownership to BucketOwnerPreferred."
    ))
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
            Error::NoResponseHeadersPolicy(_) => (ErrorKind::NotFound, "NoSuchResponseHeadersPolicy", 404),
            Error::NoOriginAccessIdentity(_) => {
                (ErrorKind::NotFound, "NoSuchCloudFrontOriginAccessIdentity", 404)
            }
            Error::InvalidIdentity(_) => (ErrorKind::Invalid, "InvalidOriginAccessIdentity", 400),
            Error::NoOrigin(_) => (ErrorKind::NotFound, "NoSuchOrigin", 404),
            Error::NoTrustedKeyGroup(_) => (ErrorKind::Invalid, "TrustedKeyGroupDoesNotExist", 400),
            Error::NoTagged(_) => (ErrorKind::NotFound, "NoSuchResource", 404),
            Error::IfMatchMissing => (ErrorKind::Invalid, "InvalidIfMatchVersion", 400),
            Error::Precondition => (ErrorKind::Invalid, "PreconditionFailed", 412),
            Error::NotDisabled => (ErrorKind::InUse, "DistributionNotDisabled", 409),
            Error::DistributionExists(_) => (ErrorKind::AlreadyExists, "DistributionAlreadyExists", 409),
            Error::AliasTaken(_) => (ErrorKind::AlreadyExists, "CNAMEAlreadyExists", 409),
            Error::Exists { kind, .. } => (ErrorKind::AlreadyExists, kind.exists(), 409),
            Error::InUse { kind, .. } => (ErrorKind::InUse, kind.in_use(), 409),
            Error::KeyIsFixed => (ErrorKind::Invalid, "CannotChangeImmutablePublicKeyFields", 400),
            Error::ViewerCertificate(_) => (ErrorKind::Invalid, "InvalidViewerCertificate", 400),
            Error::IllegalUpdate(_) => (ErrorKind::Invalid, "IllegalUpdate", 400),
            Error::IllegalDelete(_) => (ErrorKind::Invalid, "IllegalDelete", 400),
            Error::TtlOrder => (ErrorKind::Invalid, "InvalidTTLOrder", 400),
            Error::TooLongCsp => (ErrorKind::Invalid, "TooLongCSPInResponseHeadersPolicy", 400),
            Error::DefaultRootObject => (ErrorKind::Invalid, "InvalidDefaultRootObject", 400),
            Error::ResponseCode => (ErrorKind::Invalid, "InvalidResponseCode", 400),
            Error::InvalidArgument(_) => (ErrorKind::Invalid, "InvalidArgument", 400),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
