//! Parameter groups. The default groups are not stored, since they set no parameters.

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
    /// The parameters that differ from the engine's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Counts changes, so that instances can see that they must apply the group again.
    pub revision: u64,
    pub tags: Vec<Tag>,
}
row!(ParameterGroup, "rds_parameter_group", |r| r.name.clone());
