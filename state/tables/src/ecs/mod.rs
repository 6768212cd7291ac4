//! The rows of ecs.

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[];
