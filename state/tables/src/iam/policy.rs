//! Managed policies.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub arn: String,
    pub id: String,
    pub name: String,
    pub path: String,
    pub description: Option<String>,
    /// Versions, oldest first: id (`v1`) and document.
    pub versions: Vec<(String, String)>,
    pub default_version: String,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Policy, "iam_policy", |r| r.arn.clone());

impl Policy {
    /// The document in force.
    pub fn document(&self) -> &str {
        let current = self.versions.iter().find(|(id, _)| *id == self.default_version);
        current.map_or("", |(_, document)| document.as_str())
    }
}
