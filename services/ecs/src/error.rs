//! ECS's errors: code and HTTP status stand here and nowhere else.

use escale_base::AwsError;

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
    /// The request as such is wrong.
    #[error("{0}")]
    Invalid(String),
    /// AWS's other word for it, mostly about task definitions.
    #[error("{0}")]
    Client(String),
    #[error("{0}")]
    NotSupported(String),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let code = match &error {
            Error::NoCluster => "ClusterNotFoundException",
            Error::NoService => "ServiceNotFoundException",
            Error::ServiceNotActive => "ServiceNotActiveException",
            Error::NoDefinition | Error::Client(_) => "ClientException",
            Error::NoActiveDefinition | Error::NoTask | Error::Invalid(_) => "InvalidParameterException",
            Error::NoResource(_) => "ResourceNotFoundException",
            Error::ClusterHasServices => "ClusterContainsServicesException",
            Error::ClusterHasTasks => "ClusterContainsTasksException",
            Error::NotSupported(what) => return AwsError::not_supported(what),
            Error::Aws(e) => return e.clone(),
        };
        AwsError::new(code, 400, error.to_string())
    }
}
