//! The rows of rds.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
