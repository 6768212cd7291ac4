//! Roles.

use super::{IamPath, PolicyArn, PolicyName};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    RoleName;
    /// `AROA…`
    RoleId;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub name: RoleName,
    pub id: RoleId,
    pub path: IamPath,
    pub description: Option<String>,
    /// The trust policy: the principals that may assume the role.
    pub trust: String,
    pub max_session_secs: i32,
    /// The documents of inline policies.
    pub inline: BTreeMap<PolicyName, String>,
    /// Managed policies.
    pub attached: Vec<PolicyArn>,
    pub permissions_boundary: Option<PolicyArn>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Role, "iam_role", |r| r.name.to_string());
