//! The rows of s3.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
