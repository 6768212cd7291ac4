//! Access keys of users, and temporary credentials.

use crate::row;
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…` for a user's key, `ASIA…` for temporary credentials.
    pub id: String,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub active: bool,
    pub created: Timestamp,
}
row!(AccessKey, "iam_access_key", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    /// A user, by name. The key does not expire.
    User(String),
    /// Temporary credentials.
    Session { of: SessionOf, token: Secret<String>, expires: Timestamp },
}

/// The principal of temporary credentials. The id distinguishes a deleted user or role from a later one with the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionOf {
    Root,
    User { name: String, id: String },
    Role { name: String, id: String, session: String },
}
