//! The rows of cloudfront.

mod name;

pub use name::DistributionName;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<DistributionName>()];
