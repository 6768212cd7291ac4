//! Access keys: a user's own, or temporary ones.

use crate::row;
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…` for a user's, `ASIA…` for temporary ones.
    pub id: String,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub active: bool,
    pub created: Timestamp,
}
row!(AccessKey, "iam_access_key", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    /// A user, by name: a key for good.
    User(String),
    /// Temporary credentials.
    Session { of: SessionOf, token: Secret<String>, expires: Timestamp },
}

/// For whom temporary credentials stand. The id tells a deleted user or role from a later one of the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionOf {
    Root,
    User { name: String, id: String },
    Role { name: String, id: String, session: String },
}
