//! The tokens with which image clients log in.

use crate::row;
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

/// The principal that requested the token. The token has its permissions, which are evaluated at each use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    Root,
    User(String),
    Role { name: String, session: String, role_id: String },
    Service(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The first part of the client's password. The second part is the secret.
    pub id: String,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub expires: Timestamp,
}
row!(Token, "ecr_token", |r| r.id.clone());
