//! Log groups.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

/// A log group as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: String,
    /// `None` keeps messages for ever.
    pub retention_days: Option<i32>,
    /// `STANDARD` or `INFREQUENT_ACCESS`: what it costs, which is nothing here.
    pub class: String,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(LogGroup, "logs_group", |r| r.name.clone());
