//! Log groups.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A log group's name, unique in the account.
    LogGroupName;
}

escale_base::choice! {
    /// The class determines the price of a log group on AWS. It is only recorded.
    pub enum LogGroupClass { Standard = "STANDARD", InfrequentAccess = "INFREQUENT_ACCESS" }
}

/// The wish for a log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    pub name: LogGroupName,
    /// `None` keeps events forever.
    pub retention_days: Option<i32>,
    pub class: LogGroupClass,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(LogGroup, "logs_group", |r| r.name.to_string());
