//! Log streams. The log plane stores their events.

use super::LogGroupName;
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A log stream's name, unique in its group.
    LogStreamName;
    /// The stream's name in the log plane. It makes a stream that is created again under the same name start empty.
    LogStreamId;
}

/// The wish for a log stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    pub group: LogGroupName,
    pub name: LogStreamName,
    pub id: LogStreamId,
    pub created: Timestamp,
}
// The separator is a colon, because names can contain a slash but no colon.
row!(LogStream, "logs_stream", |r| LogStream::key_of(&r.group, &r.name));

impl LogStream {
    pub fn key_of(group: &LogGroupName, name: &LogStreamName) -> String {
        format!("{group}:{name}")
    }
}
