//! What happened: the list that DescribeEvents shows.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Makes two events of one millisecond differ.
    pub nonce: String,
    /// `db-instance`, `db-snapshot`, …
    pub source_type: String,
    pub source: String,
    pub source_arn: String,
    pub message: String,
    pub categories: Vec<String>,
    pub at: Timestamp,
}
// In the order of time.
row!(Event, "rds_event", |r| format!("{:016}/{}", r.at.0, r.nonce));
