//! Installed database engines.

use crate::row;
use serde::{Deserialize, Serialize};

/// A major version of PostgreSQL that was found installed when the daemon started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineSeen {
    pub major: u32,
}
row!(EngineSeen, "rds_engine_seen", |r| format!("{:03}", r.major));
