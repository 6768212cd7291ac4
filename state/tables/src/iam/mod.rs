//! The rows of iam.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
