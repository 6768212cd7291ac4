//! Elastic Load Balancing's errors. Only this file maps them to error codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Load balancers '[{0}]' not found")]
    NoLoadBalancer(String),
    #[error("Target groups '[{0}]' not found")]
    NoTargetGroup(String),
    #[error("One or more listeners not found: '{0}'")]
    NoListener(String),
    #[error("One or more rules not found: '{0}'")]
    NoRule(String),
    #[error("The resource '{0}' does not exist")]
    NoTagged(String),
    #[error("The subnet ID '{0}' does not exist")]
    NoSubnet(String),
    #[error("A load balancer with the same name '{0}' exists, but with different settings")]
    DuplicateLoadBalancer(String),
    #[error("A target group with the same name '{0}' exists, but with different settings")]
    DuplicateTargetGroup(String),
    #[error("A listener already exists on this port for this load balancer '{0}'")]
    DuplicateListener(String),
    #[error("Priority '{0}' is currently in use")]
    PriorityInUse(u32),
    #[error("{0}")]
    InUse(String),
    #[error("{0}")]
    NotPermitted(String),
    #[error("{0}")]
    InvalidSubnet(String),
    #[error("One or more security groups are invalid: '{0}'")]
    InvalidGroup(String),
    #[error("{0}")]
    InvalidTarget(String),
    #[error("{0}")]
    InvalidConfiguration(String),
    #[error("{0}")]
    InvalidAction(String),
    #[error("{0}")]
    UnsupportedProtocol(String),
    #[error("{0}")]
    NoCertificate(String),
    #[error("{0}")]
    UnsupportedCertificate(String),
    #[error("SSL policy '{0}' not found")]
    NoSslPolicy(String),
    #[error("The following target groups cannot be associated with more than one load balancer: {0}")]
    AssociationLimit(String),
    #[error("{0}")]
    TooMany(TooMany),
    #[error("{0}")]
    Invalid(String),
    #[error("The maximum number of tags, {most}, has been reached on '{arn}'")]
    TooManyTags { most: usize, arn: String },
    #[error("A rule can have at most {most} condition values in total; this one has {count}")]
    TooManyValues { most: usize, count: usize },
    #[error("Tag keys must be unique in one request")]
    DuplicateTagKeys,
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// AWS's quotas that Escale enforces, so that clients get the same errors.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum TooMany {
    #[error("The maximum number of rules on load balancer has been reached")]
    Rules,
    #[error("The maximum number of listeners has been reached")]
    Listeners,
    #[error("The maximum number of actions has been reached: one forward, redirect or fixed-response action")]
    Actions,
    #[error("The maximum number of targets has been reached")]
    Targets,
    #[error("The maximum number of certificates on the load balancer has been reached")]
    Certificates,
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::Invalid(what.into())
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NoLoadBalancer(_) => (ErrorKind::NotFound, "LoadBalancerNotFound"),
            Error::NoTargetGroup(_) => (ErrorKind::NotFound, "TargetGroupNotFound"),
            Error::NoListener(_) => (ErrorKind::NotFound, "ListenerNotFound"),
            Error::NoRule(_) => (ErrorKind::NotFound, "RuleNotFound"),
            Error::NoTagged(_) => (ErrorKind::NotFound, "ResourceNotFound"),
            Error::NoSubnet(_) => (ErrorKind::NotFound, "SubnetNotFound"),
            Error::DuplicateLoadBalancer(_) => (ErrorKind::AlreadyExists, "DuplicateLoadBalancerName"),
            Error::DuplicateTargetGroup(_) => (ErrorKind::AlreadyExists, "DuplicateTargetGroupName"),
            Error::DuplicateListener(_) => (ErrorKind::AlreadyExists, "DuplicateListener"),
            Error::PriorityInUse(_) => (ErrorKind::AlreadyExists, "PriorityInUse"),
            Error::InUse(_) => (ErrorKind::InUse, "ResourceInUse"),
            Error::NotPermitted(_) => (ErrorKind::Invalid, "OperationNotPermitted"),
            Error::InvalidSubnet(_) => (ErrorKind::Invalid, "InvalidSubnet"),
            Error::InvalidGroup(_) => (ErrorKind::Invalid, "InvalidSecurityGroup"),
            Error::InvalidTarget(_) => (ErrorKind::Invalid, "InvalidTarget"),
            Error::InvalidConfiguration(_) => (ErrorKind::Invalid, "InvalidConfigurationRequest"),
            Error::InvalidAction(_) => (ErrorKind::Invalid, "InvalidLoadBalancerAction"),
            Error::NoCertificate(_) => (ErrorKind::NotFound, "CertificateNotFound"),
            Error::UnsupportedCertificate(_) => (ErrorKind::Invalid, "UnsupportedCertificate"),
            Error::NoSslPolicy(_) => (ErrorKind::NotFound, "SSLPolicyNotFound"),
            Error::UnsupportedProtocol(_) => (ErrorKind::Invalid, "UnsupportedProtocol"),
            Error::AssociationLimit(_) => (ErrorKind::LimitExceeded, "TargetGroupAssociationLimit"),
            Error::TooManyTags { .. } => (ErrorKind::LimitExceeded, "TooManyTags"),
            Error::TooManyValues { .. } => (ErrorKind::LimitExceeded, "TooManyRules"),
            Error::DuplicateTagKeys => (ErrorKind::Invalid, "DuplicateTagKeys"),
            Error::TooMany(TooMany::Rules) => (ErrorKind::LimitExceeded, "TooManyRules"),
            Error::TooMany(TooMany::Listeners) => (ErrorKind::LimitExceeded, "TooManyListeners"),
            Error::TooMany(TooMany::Actions) => (ErrorKind::LimitExceeded, "TooManyActions"),
            Error::TooMany(TooMany::Targets) => (ErrorKind::LimitExceeded, "TooManyTargets"),
            Error::TooMany(TooMany::Certificates) => (ErrorKind::LimitExceeded, "TooManyCertificates"),
            Error::Invalid(_) => (ErrorKind::Invalid, "ValidationError"),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
