//! Log streams. The log plane stores their events.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

/// The wish for a log stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    pub group: String,
    pub name: String,
    /// The stream's name in the log plane. It makes a stream that is created again under the same name start empty.
    pub id: String,
    pub created: Timestamp,
}
// The separator is a colon, because names can contain a slash but no colon.
row!(LogStream, "logs_stream", |r| format!("{}:{}", r.group, r.name));
