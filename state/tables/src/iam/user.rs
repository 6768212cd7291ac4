//! Users.

use super::{IamPath, PolicyArn, PolicyName};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    UserName;
    /// `AIDA…`
    UserId;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub name: UserName,
    pub id: UserId,
    pub path: IamPath,
    /// The documents of inline policies.
    pub inline: BTreeMap<PolicyName, String>,
    /// Managed policies.
    pub attached: Vec<PolicyArn>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(User, "iam_user", |r| r.name.to_string());
