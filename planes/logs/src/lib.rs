//! The log plane: streams of timed messages, appended, read in order of time, searched, and dropped when old.
//!
//! It never interprets a message and never decides how long one is kept: the caller does. A stream exists from its
//! first message until [`LogStore::forget`].
//!
//! Start at [`LogStore`]; [`FileStore`] is the real one, [`Fake`] the one in memory.

mod fake;
mod file;
pub mod spec;

pub use fake::Fake;
pub use file::FileStore;
pub use spec::*;

use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Streams of messages. The caller names streams; a name is never used for another stream.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Appends all messages or none, and returns how many the stream ever received: a caller that counts knows after a crash
    /// whether its last messages arrived.
    async fn append(&self, stream: &str, messages: Vec<Message>, at: Timestamp) -> Result<u64, PlaneError>;

    /// Up to `limit` messages of some streams, sorted by time, then by stream and arrival.
    async fn read(&self, streams: &[String], query: &Query) -> Result<Page, PlaneError>;

    /// Summaries of streams; a stream without messages is left out.
    async fn summaries(&self, streams: &[String]) -> Result<BTreeMap<String, Summary>, PlaneError>;

    /// All streams that have, or ever had, messages.
    async fn streams(&self) -> Result<BTreeSet<String>, PlaneError>;

    /// Drops the messages of a stream that are older than `before`. Returns how many.
    async fn expire(&self, stream: &str, before: Timestamp) -> Result<u64, PlaneError>;

    /// When some streams together hold more than `most_bytes`: drops their oldest messages until they hold a sixteenth less than
    /// that. In each affected stream, `note` replaces the last dropped message. A message counts as its text and
    /// [`MESSAGE_BYTES`]. Returns how many were dropped.
    async fn trim(&self, streams: &[String], most_bytes: u64, note: &str) -> Result<u64, PlaneError>;

    /// Drops a stream with all its messages. A stream that does not exist is no error.
    async fn forget(&self, stream: &str) -> Result<(), PlaneError>;
}
