//! Log groups.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// What a log group costs, which is nothing here.
    pub enum LogGroupClass { Standard = "STANDARD", InfrequentAccess = "INFREQUENT_ACCESS" }
}

/// A log group as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: String,
    /// `None` keeps messages for ever.
    pub retention_days: Option<i32>,
    pub class: LogGroupClass,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(LogGroup, "logs_group", |r| r.name.clone());
