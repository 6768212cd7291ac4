//! Access keys of users, and temporary credentials.

use super::{RoleId, RoleName, UserId, UserName};
use crate::row;
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `AKIA…` for a user's key, `ASIA…` for temporary credentials.
    AccessKeyId;
    /// The name that the caller of AssumeRole gives a session.
    RoleSessionName;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    pub id: AccessKeyId,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub active: bool,
    pub created: Timestamp,
}
row!(AccessKey, "iam_access_key", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    /// The key does not expire.
    User(UserName),
    /// Temporary credentials.
    Session { of: SessionOf, token: Secret<String>, expires: Timestamp },
}

/// The principal of temporary credentials. The id distinguishes a deleted user or role from a later one with the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionOf {
    Root,
    User { name: UserName, id: UserId },
    Role { name: RoleName, id: RoleId, session: RoleSessionName },
}
