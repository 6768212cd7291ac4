//! The rows of route53.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
