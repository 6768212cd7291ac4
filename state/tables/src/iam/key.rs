//! Access keys: a user's own, or temporary ones of a role.

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
    User(String),
    /// Temporary credentials: of a role's session, or of the root account (`role: None`).
    Session {
        role: Option<String>,
        session: String,
        token: Secret<String>,
        expires: Timestamp,
    },
}
