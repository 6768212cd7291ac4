//! A parameter with its history.

use crate::row;
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// What AWS bills by. A parameter has one of these two; the third one that a client may ask for chooses between them.
    pub enum Tier { Standard = "Standard", Advanced = "Advanced" }
}

escale_base::choice! {
    pub enum ParameterType { String = "String", StringList = "StringList", SecureString = "SecureString" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterType,
    pub key_id: Option<String>,
    pub description: Option<String>,
    pub allowed_pattern: Option<String>,
    pub tier: Tier,
    /// Oldest first, at least one; the last one is the parameter's value.
    pub versions: Vec<ParameterVersion>,
    pub tags: Vec<Tag>,
}
row!(Parameter, "ssm_parameter", |r| r.name.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterVersion {
    pub number: i64,
    pub value: Secret<String>,
    pub modified: Timestamp,
    /// ARN of who wrote it.
    pub by: String,
}
