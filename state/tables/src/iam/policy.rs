//! Managed policies.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The ARN of a managed policy, AWS's own ones included.
    PolicyArn;
    /// `ANPA…`
    PolicyId;
    /// The name of a managed or an inline policy.
    PolicyName;
    /// `v1`
    PolicyVersionId;
    /// The path of a user, role or policy: `/`, or segments between slashes.
    IamPath;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub arn: PolicyArn,
    pub id: PolicyId,
    pub name: PolicyName,
    pub path: IamPath,
    pub description: Option<String>,
    /// Oldest first.
    pub versions: Vec<PolicyVersion>,
    pub default_version: PolicyVersionId,
    /// The highest number that a version ever had, so that no number is used twice.
    pub last_version: u32,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    pub updated: Timestamp,
}
row!(Policy, "iam_policy", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub id: PolicyVersionId,
    pub document: String,
    pub created: Timestamp,
}

impl Policy {
    pub fn version(&self, id: &PolicyVersionId) -> Option<&PolicyVersion> {
        self.versions.iter().find(|v| v.id == *id)
    }

    /// The document of the default version, which is the one that is evaluated.
    pub fn document(&self) -> &str {
        self.version(&self.default_version).map_or("", |v| v.document.as_str())
    }
}
