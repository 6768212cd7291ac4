//! The journal plane: an append-only log of bounded size, read from its end.
//!
//! Appending never waits and never fails, so that recording does not slow the recorded work. The journal never interprets a
//! text. When it is full, the oldest entries are removed.
//!
//! Start at [`Journal`]; [`FileJournal`] is the real one, [`Fake`] the one in memory.

mod fake;
mod file;
pub mod spec;

pub use fake::Fake;
pub use file::FileJournal;
pub use spec::*;

use async_trait::async_trait;
use escale_base::PlaneError;

#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends an entry. A killed process loses at most the queue's content, a power failure the last moments.
    fn append(&self, entry: Entry);

    /// Up to [`Query::limit`] entries that pass the filter, newest first, among all that were appended before the call.
    async fn read(&self, query: Query) -> Result<Vec<Kept>, PlaneError>;
}
