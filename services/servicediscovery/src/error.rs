//! Cloud Map's errors: code and HTTP status are here and nowhere else.

use escale_base::{AwsError, ErrorKind};
use escale_tables::servicediscovery::{
    DiscoveryServiceId, DiscoveryServiceName, InstanceId, NamespaceId, NamespaceName, OperationId,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("Can't find namespace: {0}")]
    NoNamespace(String),
    #[error("Can't find service: {0}")]
    NoService(String),
    #[error("The instance {0} is not registered with the service {1}.")]
    NoInstance(InstanceId, DiscoveryServiceId),
    #[error("Can't find operation: {0}")]
    NoOperation(OperationId),
    #[error("There is no namespace or service with the ARN {0}.")]
    NoResource(String),
    #[error("The service {0} has no HealthCheckCustomConfig, so its instances have no custom health.")]
    NoCustomHealth(DiscoveryServiceId),
    #[error("The namespace {0} exists already: {1}.")]
    NamespaceExists(NamespaceName, NamespaceId),
    #[error("The namespace {1} has a service with the name {0} already: {2}.")]
    ServiceExists(DiscoveryServiceName, NamespaceId, DiscoveryServiceId),
    #[error("The namespace {0} still has services. Delete them first.")]
    NamespaceInUse(NamespaceId),
    #[error("The service {0} still has instances. Deregister them first.")]
    ServiceInUse(DiscoveryServiceId),
    #[error("The service {0} has {1} instances, which is the quota.")]
    TooManyInstances(DiscoveryServiceId, usize),
    #[error("A service can have at most {0} attributes.")]
    TooManyAttributes(usize),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code, status) = match &error {
            Error::Invalid(_) => (ErrorKind::Invalid, "InvalidInput", 400),
            Error::NoNamespace(_) => (ErrorKind::NotFound, "NamespaceNotFound", 404),
            Error::NoService(_) => (ErrorKind::NotFound, "ServiceNotFound", 404),
            Error::NoInstance(..) => (ErrorKind::NotFound, "InstanceNotFound", 404),
            Error::NoOperation(_) => (ErrorKind::NotFound, "OperationNotFound", 404),
            Error::NoResource(_) => (ErrorKind::NotFound, "ResourceNotFoundException", 404),
            Error::NoCustomHealth(_) => (ErrorKind::NotFound, "CustomHealthNotFound", 404),
            Error::NamespaceExists(..) => (ErrorKind::AlreadyExists, "NamespaceAlreadyExists", 400),
            Error::ServiceExists(..) => (ErrorKind::AlreadyExists, "ServiceAlreadyExists", 400),
            Error::NamespaceInUse(_) | Error::ServiceInUse(_) => (ErrorKind::InUse, "ResourceInUse", 409),
            Error::TooManyInstances(..) => (ErrorKind::Invalid, "ResourceLimitExceeded", 400),
            Error::TooManyAttributes(_) => {
                (ErrorKind::Invalid, "ServiceAttributesLimitExceededException", 400)
            }
            Error::Aws(error) => return error.clone(),
        };
        AwsError::new(kind, code, status, error.to_string())
    }
}
