//! Everything that a journal accepts and returns, as plain data.

use escale_base::Timestamp;
use std::sync::Arc;

/// A line to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    /// Without a line feed, at most [`ENTRY_BYTES`] long.
    pub text: String,
}

/// Longest text of an entry: bounds, with [`QUEUED_ENTRIES`], the memory that waits for the disk.
pub const ENTRY_BYTES: usize = 16 * 1024;

/// Entries that wait for the disk. Appending never waits: on a disk that is slower than this many entries, further ones are
/// lost, and the journal logs how many.
pub const QUEUED_ENTRIES: usize = 2048;

/// The size of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A segment is closed when it has reached this size. A read loads one segment at a time.
    pub segment_bytes: u64,
    /// The oldest segment is removed when there are more. The journal's size on disk is at most this many segments.
    pub segments: usize,
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Counts entries in the order of their arrival, beginning with 0; never used twice.
    pub number: u64,
    pub entry: Entry,
}

/// Decides whether an entry is returned.
pub type Filter = Arc<dyn Fn(&Entry) -> bool + Send + Sync>;

/// Which entries a read returns. It goes from the newest to the oldest.
#[derive(Clone)]
pub struct Query {
    /// Only entries with a lower number.
    pub before: Option<u64>,
    /// The read ends at the first entry that is older.
    pub oldest: Option<Timestamp>,
    pub filter: Filter,
    pub limit: usize,
}
