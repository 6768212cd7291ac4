//! The rows of SSM Parameter Store.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
