//! Log streams. Their messages are files of the log plane.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

/// A log stream as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    pub group: String,
    pub name: String,
    /// Its name in the log plane: a stream that is made again under the same name starts empty.
    pub id: String,
    pub created: Timestamp,
}
// Names of groups and streams may have a slash, neither may have a colon.
row!(LogStream, "logs_stream", |r| format!("{}:{}", r.group, r.name));
