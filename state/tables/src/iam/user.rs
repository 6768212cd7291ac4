//! Users.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    /// `AIDA…`
    pub id: String,
    pub path: String,
    pub inline: BTreeMap<String, String>,
    pub attached: Vec<String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(User, "iam_user", |r| r.name.clone());
