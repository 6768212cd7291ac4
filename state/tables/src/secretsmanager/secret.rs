//! A secret with all of its versions.

use crate::row;
use escale_base::{Arn, Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

/// Its key is the name: there is never more than one secret of a name, and another one later has another ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSecret {
    pub name: String,
    /// `arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>`
    pub arn: Arn,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    /// The service that made it for a resource of its own (`rds`); only that one changes or deletes it.
    pub owning_service: Option<String>,
    pub versions: Vec<Version>,
    /// Set while it waits for its deletion.
    pub deletion: Option<Deletion>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    pub changed: Timestamp,
}
row!(StoredSecret, "secretsmanager_secret", |r| r.name.clone());

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub asked: Timestamp,
    /// From then on it cannot be restored.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub id: String,
    pub value: VersionValue,
    /// `AWSCURRENT`, `AWSPREVIOUS` and labels of the user's; one without any is deprecated.
    pub stages: Vec<String>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VersionValue {
    Text(Secret<String>),
    /// Base64.
    Binary(Secret<String>),
}
