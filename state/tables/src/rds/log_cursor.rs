//! How far the logs of servers are exported.

use crate::row;
use serde::{Deserialize, Serialize};

/// The place in a server's log up to which CloudWatch Logs has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RdsLogCursor {
    pub resource_id: String,
    pub node: String,
    pub file: String,
    pub offset: u64,
}
row!(RdsLogCursor, "rds_log_cursor", |r| format!("{}/{}", r.resource_id, r.node));
