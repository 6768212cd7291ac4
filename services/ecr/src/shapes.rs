//! Shapes that several operations accept and return.

use crate::choices::{EncryptionType, ImageFailureCode, ImageTagMutability, TagStatus};
use escale_base::{Timestamp, Wire};
use escale_service::Config;
use escale_tables::ecr;
use escale_tables::ecr::RepositoryName;

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct RepositoryShape {
    pub repository_arn: String,
    pub registry_id: String,
    pub repository_name: RepositoryName,
    pub repository_uri: String,
    pub created_at: Timestamp,
    pub image_tag_mutability: ImageTagMutability,
    pub image_scanning_configuration: Scanning,
    pub encryption_configuration: EncryptionShape,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct Scanning {
    pub scan_on_push: Option<bool>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct EncryptionShape {
    pub encryption_type: EncryptionType,
}

pub(crate) fn repository(row: &ecr::Repository, config: &Config) -> RepositoryShape {
    RepositoryShape {
        repository_arn: crate::rules::arn(config, &row.name),
        registry_id: config.account.clone(),
        repository_name: row.name.clone(),
        repository_uri: uri(&row.name, config),
        created_at: row.created,
        image_tag_mutability: mutability(row.immutable_tags),
        image_scanning_configuration: Scanning { scan_on_push: Some(row.scan_on_push) },
        encryption_configuration: EncryptionShape { encryption_type: EncryptionType::Aes256 },
    }
}

/// The part of an image's name before the tag.
pub(crate) fn uri(name: &RepositoryName, config: &Config) -> String {
    format!("{}/{name}", config.endpoint)
}

pub(crate) fn mutability(immutable: bool) -> ImageTagMutability {
    if immutable { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable }
}

/// Key and value, spelled as in most services.
pub(crate) type Tag = escale_base::Tag;

#[derive(Clone, Debug, Default, PartialEq, Wire)]
#[wire(camelCase)]
pub(crate) struct ImageId {
    pub image_digest: Option<String>,
    pub image_tag: Option<String>,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ImageFailure {
    pub image_id: ImageId,
    pub failure_code: ImageFailureCode,
    pub failure_reason: String,
}

#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct ImageShape {
    pub registry_id: String,
    pub repository_name: RepositoryName,
    pub image_id: ImageId,
    pub image_manifest: String,
    pub image_manifest_media_type: String,
}

/// Selects images by whether they have a tag.
#[derive(Clone, Debug, Wire)]
#[wire(camelCase)]
pub(crate) struct Filter {
    tag_status: Option<TagStatus>,
}

impl Filter {
    pub(crate) fn passes(filter: Option<&Filter>, tagged: bool) -> bool {
        match filter.and_then(|f| f.tag_status) {
            Some(TagStatus::Tagged) => tagged,
            Some(TagStatus::Untagged) => !tagged,
            Some(TagStatus::Any) | None => true,
        }
    }
}

/// Turns an error of one image into an entry of `failures`. An error of the registry itself fails the whole request.
pub(crate) fn failure(image_id: ImageId, error: crate::Error) -> Result<ImageFailure, crate::Error> {
    use escale_registry::Error as Plane;
    let failure_code = match &error {
        crate::Error::Plane(Plane::NoSuchImage { .. }) => ImageFailureCode::ImageNotFound,
        crate::Error::Plane(Plane::BadDigest(_)) => ImageFailureCode::InvalidImageDigest,
        crate::Error::Plane(Plane::BadTag(_)) => ImageFailureCode::InvalidImageTag,
        crate::Error::Invalid { .. } => ImageFailureCode::MissingDigestAndTag,
        _ => return Err(error),
    };
    let failure_reason = match failure_code {
        ImageFailureCode::ImageNotFound => "Requested image not found".to_owned(),
        _ => error.to_string(),
    };
    Ok(ImageFailure { image_id, failure_code, failure_reason })
}
