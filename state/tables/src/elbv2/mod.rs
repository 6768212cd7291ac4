//! The rows of elbv2.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
