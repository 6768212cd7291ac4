//! The rows of rds.

mod endpoint;

pub use endpoint::RdsEndpoint;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<RdsEndpoint>()];
