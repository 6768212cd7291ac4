//! Managed policies.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub arn: String,
    /// `ANPA…`
    pub id: String,
    pub name: String,
    pub path: String,
    pub description: Option<String>,
    /// Oldest first.
    pub versions: Vec<PolicyVersion>,
    pub default_version: String,
    /// The highest number that a version ever had, so that no number is used twice.
    pub last_version: u32,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    pub updated: Timestamp,
}
row!(Policy, "iam_policy", |r| r.arn.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// `v1`
    pub id: String,
    pub document: String,
    pub created: Timestamp,
}

impl Policy {
    pub fn version(&self, id: &str) -> Option<&PolicyVersion> {
        self.versions.iter().find(|v| v.id == id)
    }

    /// The document of the default version, which is the one that is evaluated.
    pub fn document(&self) -> &str {
        self.version(&self.default_version).map_or("", |v| v.document.as_str())
    }
}
