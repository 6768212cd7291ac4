//! A parameter with its history.

use crate::{PrincipalArn, row};
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// The tier that AWS bills. A request can also contain `Intelligent-Tiering`, which selects one of these two.
    pub enum Tier { Standard = "Standard", Advanced = "Advanced" }
}

escale_base::choice! {
    pub enum ParameterType { String = "String", StringList = "StringList", SecureString = "SecureString" }
}

escale_base::name! {
    /// A parameter's name, with its slashes: `/shop/db/host`
    ParameterName;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: ParameterName,
    pub kind: ParameterType,
    pub key_id: Option<String>,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub tier: Tier,
    /// At least one, the oldest first. The last one has the current value.
    pub versions: Vec<ParameterVersion>,
    pub tags: Vec<Tag>,
}
row!(Parameter, "ssm_parameter", |r| r.name.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterVersion {
    pub number: i64,
    pub value: Secret<String>,
    pub modified: Timestamp,
    /// The principal that wrote this version.
    pub by: PrincipalArn,
}
