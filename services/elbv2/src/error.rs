//! ELB's errors: code and HTTP status stand here and nowhere else.

use escale_base::AwsError;

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
    #[error("The following target groups cannot be associated with more than one load balancer: {0}")]
    AssociationLimit(String),
    #[error("{0}")]
    TooMany(TooMany),
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// A quota of AWS's that is kept, because clients meet it there too.
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
}

pub(crate) fn invalid(what: impl Into<String>) -> Error {
    Error::Invalid(what.into())
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let code = match &error {
            Error::NoLoadBalancer(_) => "LoadBalancerNotFound",
            Error::NoTargetGroup(_) => "TargetGroupNotFound",
            Error::NoListener(_) => "ListenerNotFound",
            Error::NoRule(_) => "RuleNotFound",
            Error::NoTagged(_) => "ResourceNotFound",
            Error::NoSubnet(_) => "SubnetNotFound",
            Error::DuplicateLoadBalancer(_) => "DuplicateLoadBalancerName",
            Error::DuplicateTargetGroup(_) => "DuplicateTargetGroupName",
            Error::DuplicateListener(_) => "DuplicateListener",
            Error::PriorityInUse(_) => "PriorityInUse",
            Error::InUse(_) => "ResourceInUse",
            Error::NotPermitted(_) => "OperationNotPermitted",
            Error::InvalidSubnet(_) => "InvalidSubnet",
            Error::InvalidGroup(_) => "InvalidSecurityGroup",
            Error::InvalidTarget(_) => "InvalidTarget",
            Error::InvalidConfiguration(_) => "InvalidConfigurationRequest",
            Error::InvalidAction(_) => "InvalidLoadBalancerAction",
            Error::UnsupportedProtocol(_) => "UnsupportedProtocol",
            Error::AssociationLimit(_) => "TargetGroupAssociationLimit",
            Error::TooMany(TooMany::Rules) => "TooManyRules",
            Error::TooMany(TooMany::Listeners) => "TooManyListeners",
            Error::TooMany(TooMany::Actions) => "TooManyActions",
            Error::TooMany(TooMany::Targets) => "TooManyTargets",
            Error::Invalid(_) => "ValidationError",
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, 400, error.to_string())
    }
}
