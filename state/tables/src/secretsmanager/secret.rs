//! A secret with all its versions.

use crate::row;
use escale_base::{Arn, Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

/// A secret. Its key is the name, since no two secrets share a name. A later secret of the same name has another ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSecret {
    pub name: String,
    /// `arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>`
    pub arn: Arn,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    /// The service that created the secret for one of its resources, such as `rds`. Only that service can change or delete it.
    pub owning_service: Option<String>,
    pub versions: Vec<Version>,
    /// Set during the recovery window.
    pub deletion: Option<Deletion>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    pub changed: Timestamp,
}
row!(StoredSecret, "secretsmanager_secret", |r| r.name.clone());

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    pub asked: Timestamp,
    /// The end of the recovery window. After that the secret cannot be restored.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub id: String,
    pub value: VersionValue,
    /// `AWSCURRENT`, `AWSPREVIOUS` and the user's own labels. A version without labels is deprecated.
    pub stages: Vec<String>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VersionValue {
    Text(Secret<String>),
    /// Base64.
    Binary(Secret<String>),
}
