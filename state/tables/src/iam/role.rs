//! Roles.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    /// `AROA…`
    pub id: String,
    pub path: String,
    pub description: Option<String>,
    /// The trust policy: the principals that may assume the role.
    pub trust: String,
    pub max_session_secs: i32,
    /// Inline policies: name and document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: Vec<String>,
    pub permissions_boundary: Option<String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Role, "iam_role", |r| r.name.clone());
