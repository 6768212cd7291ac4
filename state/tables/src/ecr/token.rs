//! The tokens with which image clients log in.

use crate::{
    iam::{RoleId, RoleName, RoleSessionName, UserName},
    row,
};
use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The first part of a token, which identifies it. The second part is its secret.
    TokenId;
}

/// The principal that requested the token. The token has its permissions, which are evaluated at each use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Holder {
    Root,
    User(UserName),
    Role { name: RoleName, session: RoleSessionName, role_id: RoleId },
    Service(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub secret: Secret<String>,
    pub holder: Holder,
    pub expires: Timestamp,
}
row!(Token, "ecr_token", |r| r.id.to_string());
