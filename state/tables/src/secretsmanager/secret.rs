//! A secret with all its versions.

use crate::row;
use escale_base::{Arn, Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A secret's name. It may have slashes.
    SecretName;
    /// The client's token of the request that created a version, or a UUID.
    SecretVersionId;
    /// A label of a version: `AWSCURRENT`, `AWSPREVIOUS`, `AWSPENDING` or the user's own.
    StagingLabel;
    /// A service that creates secrets for its resources, such as `rds`.
    OwningService;
}

/// A secret. Its key is the name, since no two secrets share a name. A later secret of the same name has another ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSecret {
    pub name: SecretName,
    /// `arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>`
    pub arn: Arn,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    /// The service that created the secret for one of its resources. Only that service can change or delete it.
    pub owning_service: Option<OwningService>,
    pub versions: Vec<Version>,
    /// Set during the recovery window.
    pub deletion: Option<Deletion>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    pub changed: Timestamp,
}
row!(StoredSecret, "secretsmanager_secret", |r| r.name.to_string());

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub asked: Timestamp,
    /// The end of the recovery window. After that the secret cannot be restored.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub id: SecretVersionId,
    pub value: VersionValue,
    /// A version without labels is deprecated.
    pub stages: Vec<StagingLabel>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VersionValue {
    Text(Secret<String>),
    /// Base64.
    Binary(Secret<String>),
}
