//! ECR's errors: code and HTTP status stand here and nowhere else.

use escale_base::AwsError;
use escale_registry as plane;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The repository with name '{name}' does not exist in the registry with id '{account}'")]
    NoSuchRepository { name: String, account: String },
    #[error("The repository with name '{name}' already exists in the registry with id '{account}'")]
    RepositoryExists { name: String, account: String },
    #[error(
        "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still contains images"
    )]
    NotEmpty { name: String, account: String },
    #[error(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository with name '{repository}'"
    )]
    NoSuchImage { digest: String, tag: String, repository: String },
    #[error(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{repository}'"
    )]
    ImageExists { digest: String, tag: String, repository: String },
    #[error(
        "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    NoPolicy { name: String, account: String },
    #[error(
        "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    NoLifecyclePolicy { name: String, account: String },
    #[error("Invalid parameter at '{parameter}' failed to satisfy constraint: '{why}'")]
    Invalid { parameter: &'static str, why: String },
    #[error("{0} is not supported by Escale")]
    NotSupported(String),
    #[error(transparent)]
    Plane(#[from] plane::Error),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let message = error.to_string();
        let code = match error {
            Error::NoSuchRepository { .. } => "RepositoryNotFoundException",
            Error::RepositoryExists { .. } => "RepositoryAlreadyExistsException",
            Error::NotEmpty { .. } => "RepositoryNotEmptyException",
            Error::NoSuchImage { .. } => "ImageNotFoundException",
            Error::ImageExists { .. } => "ImageAlreadyExistsException",
            Error::NoPolicy { .. } => "RepositoryPolicyNotFoundException",
            Error::NoLifecyclePolicy { .. } => "LifecyclePolicyNotFoundException",
            Error::Invalid { .. } => "InvalidParameterException",
            Error::NotSupported(_) => return AwsError::new("NotImplemented", 501, message),
            Error::Plane(error) => return of_plane(error),
            Error::Aws(error) => return error,
        };
        AwsError::new(code, 400, message)
    }
}

fn of_plane(error: plane::Error) -> AwsError {
    use plane::Error as E;
    let code = match &error {
        E::NoSuchRepository(_) => "RepositoryNotFoundException",
        E::NoSuchImage { .. } => "ImageNotFoundException",
        E::ImmutableTag { .. } => "ImageTagAlreadyExistsException",
        E::ManifestNames(_) => "LayersNotFoundException",
        E::Plane(fault) => {
            tracing::error!(%fault, "the registry plane failed");
            return AwsError::new(
                "ServerException",
                500,
                "The registry failed; the daemon's log has the cause",
            );
        }
        _ => "InvalidParameterException",
    };
    AwsError::new(code, 400, error.to_string())
}
