//! All errors of ECS, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Cluster not found.")]
    NoCluster,
    #[error("Service not found.")]
    NoService,
    #[error("Service was not ACTIVE.")]
    ServiceNotActive,
    #[error("Unable to describe task definition.")]
    NoDefinition,
    #[error("TaskDefinition not found.")]
    NoActiveDefinition,
    #[error("The referenced task was not found.")]
    NoTask,
    #[error("The specified resource '{0}' does not exist.")]
    NoResource(String),
    #[error("The Cluster cannot be deleted while Services are active.")]
    ClusterHasServices,
    #[error("The Cluster cannot be deleted while Tasks are active.")]
    ClusterHasTasks,
    #[error("The session of the task's role has ended.")]
    SessionEnded,
    #[error("Service deployment not found.")]
    NoServiceDeployment,
    #[error("{0}")]
    Conflict(String),
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// AWS reports some invalid requests, mostly about task definitions, as a ClientException.
    #[error("{0}")]
    Client(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let (kind, code) = match &error {
            Error::NoCluster => (ErrorKind::NotFound, "ClusterNotFoundException"),
            Error::NoService => (ErrorKind::NotFound, "ServiceNotFoundException"),
            Error::ServiceNotActive => (ErrorKind::Invalid, "ServiceNotActiveException"),
            Error::NoDefinition => (ErrorKind::NotFound, "ClientException"),
            Error::Client(_) => (ErrorKind::Invalid, "ClientException"),
            Error::NoActiveDefinition | Error::NoTask => (ErrorKind::NotFound, "InvalidParameterException"),
            Error::Invalid(_) => (ErrorKind::Invalid, "InvalidParameterException"),
            Error::NoResource(_) => (ErrorKind::NotFound, "ResourceNotFoundException"),
            Error::SessionEnded => (ErrorKind::Denied, "AccessDeniedException"),
            Error::NoServiceDeployment => (ErrorKind::NotFound, "ServiceDeploymentNotFoundException"),
            Error::Conflict(_) => (ErrorKind::InUse, "ConflictException"),
            Error::ClusterHasServices => (ErrorKind::InUse, "ClusterContainsServicesException"),
            Error::ClusterHasTasks => (ErrorKind::InUse, "ClusterContainsTasksException"),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(kind, code, 400, error.to_string())
    }
}
