//! Parameter groups. The default ones are not stored: they change nothing.

use crate::row;
use escale_base::Tag;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterGroup {
    pub name: String,
    /// `postgres15`
    pub family: String,
    pub description: String,
    /// What differs from the engine's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Counts changes: instances compare it with what they run with.
    pub revision: u64,
    pub tags: Vec<Tag>,
}
row!(ParameterGroup, "rds_parameter_group", |r| r.name.clone());
