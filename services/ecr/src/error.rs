//! All errors of ECR, with their codes and HTTP statuses.

use escale_base::{AwsError, ErrorKind};
use escale_registry as plane;
use escale_tables::ecr::RepositoryName;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The repository with name '{name}' does not exist in the registry with id '{account}'")]
    NoSuchRepository { name: RepositoryName, account: String },
    #[error("The repository with name '{name}' already exists in the registry with id '{account}'")]
    RepositoryExists { name: RepositoryName, account: String },
    #[error(
        "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still contains images"
    )]
    NotEmpty { name: RepositoryName, account: String },
    #[error(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the repository with name '{repository}'"
    )]
    NoSuchImage { digest: String, tag: String, repository: RepositoryName },
    #[error(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{repository}'"
    )]
    ImageExists { digest: String, tag: String, repository: RepositoryName },
    #[error(
        "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    NoPolicy { name: RepositoryName, account: String },
    #[error(
        "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
    )]
    NoLifecyclePolicy { name: RepositoryName, account: String },
    #[error("Invalid parameter at '{parameter}' failed to satisfy constraint: '{why}'")]
    Invalid { parameter: &'static str, why: String },
    #[error(transparent)]
    Plane(#[from] plane::Error),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<Error> for AwsError {
    fn from(error: Error) -> AwsError {
        let message = error.to_string();
        let (kind, code) = match error {
            Error::NoSuchRepository { .. } => (ErrorKind::NotFound, "RepositoryNotFoundException"),
            Error::RepositoryExists { .. } => (ErrorKind::AlreadyExists, "RepositoryAlreadyExistsException"),
            Error::NotEmpty { .. } => (ErrorKind::Invalid, "RepositoryNotEmptyException"),
            Error::NoSuchImage { .. } => (ErrorKind::NotFound, "ImageNotFoundException"),
            Error::ImageExists { .. } => (ErrorKind::AlreadyExists, "ImageAlreadyExistsException"),
            Error::NoPolicy { .. } => (ErrorKind::NotFound, "RepositoryPolicyNotFoundException"),
            Error::NoLifecyclePolicy { .. } => (ErrorKind::NotFound, "LifecyclePolicyNotFoundException"),
            Error::Invalid { .. } => (ErrorKind::Invalid, "InvalidParameterException"),
            Error::Plane(error) => return of_plane(error),
            Error::Aws(error) => return error,
        };
        AwsError::new(kind, code, 400, message)
    }
}

fn of_plane(error: plane::Error) -> AwsError {
    use plane::Error as E;
    let (kind, code) = match &error {
        E::NoSuchRepository(_) => (ErrorKind::NotFound, "RepositoryNotFoundException"),
        E::NoSuchImage { .. } => (ErrorKind::NotFound, "ImageNotFoundException"),
        E::ImmutableTag { .. } => (ErrorKind::AlreadyExists, "ImageTagAlreadyExistsException"),
        E::ManifestNames(_) => (ErrorKind::NotFound, "LayersNotFoundException"),
        E::Plane(fault) => {
            tracing::error!(%fault, "the registry plane failed");
            return AwsError::new(
                ErrorKind::Internal,
                "ServerException",
                500,
                "The registry failed. See the daemon's log for the cause.",
            );
        }
        _ => (ErrorKind::Invalid, "InvalidParameterException"),
    };
    AwsError::new(kind, code, 400, error.to_string())
}
