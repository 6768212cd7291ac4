//! Log groups and streams. Their events are too many to be rows: the log plane stores them.

mod group;
mod stream;

pub use group::{LogGroup, LogGroupClass, LogGroupName};
pub use stream::{LogStream, LogStreamId, LogStreamName};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<LogGroup>(), TableDef::of::<LogStream>()];
