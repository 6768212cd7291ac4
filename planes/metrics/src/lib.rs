//! The metrics plane: series of numbers over time, in rings of fixed size.
//!
//! A value is added to a slot of each ring of its series: a second, a minute, five minutes, an hour ([`RINGS`]). A slot keeps
//! the sum, the count, the least and the greatest value, and an approximation of their distribution, never the values
//! themselves. The newest slot of a ring replaces the oldest one, so neither time nor traffic makes a series larger. The plane
//! does not know where the values come from or what they mean.
//!
//! Start at [`Metrics`]; [`FileMetrics`] is the real one, [`Fake`] the one in memory.

mod distribution;
mod fake;
mod file;
mod index;
mod ring;
pub mod spec;

pub use distribution::Distribution;
pub use fake::Fake;
pub use file::FileMetrics;
pub use spec::*;

use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};

#[async_trait]
pub trait Metrics: Send + Sync + 'static {
    /// Adds values; `now` is the time of their arrival. They survive the end of the process. A power failure loses those of the
    /// last half minute. An error leaves the data before it added.
    async fn put(&self, data: Vec<Datum>, now: Timestamp) -> Result<(), PlaneError>;

    /// The summaries of a series, oldest first, one for each step that has values. A series that does not exist has none.
    async fn read(&self, series: &Series, window: Window) -> Result<Vec<Point>, PlaneError>;

    /// Every series, sorted, with the time when a value last arrived.
    async fn list(&self) -> Result<Vec<Listed>, PlaneError>;
}
