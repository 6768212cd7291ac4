//! The rows of cloudfront.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
