//! The rows of secretsmanager.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
