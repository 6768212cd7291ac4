//! Shapes that several operations return.

use escale_base::{Tag, Timestamp, Wire};
use escale_tables::secretsmanager::{OwningService, SecretName, SecretVersionId, StagingLabel, StoredSecret};
use std::collections::BTreeMap;

/// The answer of most operations.
#[derive(Debug, Wire)]
pub(crate) struct Named {
    #[wire("ARN")]
    pub arn: String,
    pub name: SecretName,
}

impl Named {
    pub(crate) fn of(secret: &StoredSecret) -> Named {
        Named { arn: secret.arn.to_string(), name: secret.name.clone() }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct NamedVersion {
    #[wire("ARN")]
    pub arn: String,
    pub name: SecretName,
    pub version_id: Option<SecretVersionId>,
}

impl NamedVersion {
    pub(crate) fn of(secret: &StoredSecret, version_id: Option<SecretVersionId>) -> NamedVersion {
        NamedVersion { arn: secret.arn.to_string(), name: secret.name.clone(), version_id }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct Described {
    #[wire("ARN")]
    pub arn: String,
    pub name: SecretName,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    pub rotation_enabled: bool,
    pub last_changed_date: Timestamp,
    pub deleted_date: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub version_ids_to_stages: BTreeMap<String, Vec<StagingLabel>>,
    pub owning_service: Option<OwningService>,
    pub created_date: Timestamp,
}

pub(crate) fn described(secret: &StoredSecret) -> Described {
    Described {
        arn: secret.arn.to_string(),
        name: secret.name.clone(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        rotation_enabled: false,
        last_changed_date: secret.changed,
        deleted_date: secret.deletion.map(|d| d.asked),
        tags: secret.tags.clone(),
        version_ids_to_stages: stages(secret),
        owning_service: secret.owning_service.clone(),
        created_date: secret.created,
    }
}

/// The versions that have a staging label.
pub(crate) fn stages(secret: &StoredSecret) -> BTreeMap<String, Vec<StagingLabel>> {
    let staged = secret.versions.iter().filter(|v| !v.stages.is_empty());
    staged.map(|v| (v.id.to_string(), v.stages.clone())).collect()
}
