//! The rows of logs.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
