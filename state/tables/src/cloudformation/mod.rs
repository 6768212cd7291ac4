//! The rows of cloudformation.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
