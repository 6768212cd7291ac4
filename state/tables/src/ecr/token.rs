//! Tokens with which image clients log in.

use crate::row;
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

/// Who asked for the token: it may do what they may, asked anew at each use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    Root,
    User(String),
    Role { name: String, session: String, role_id: String },
    Service(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The first part of what the client shows; the second is the secret.
    pub id: String,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub expires: Timestamp,
}
row!(Token, "ecr_token", |r| r.id.clone());
