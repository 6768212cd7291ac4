//! Log groups and streams that were asked for. The messages are no rows: they are bulk, and lie in the log plane.

mod group;
mod stream;

pub use group::{LogGroup, LogGroupClass};
pub use stream::LogStream;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<LogGroup>(), TableDef::of::<LogStream>()];
