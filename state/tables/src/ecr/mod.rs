//! The rows of ecr.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
