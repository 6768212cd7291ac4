//! The rows of elbv2.

mod name;

pub use name::LoadBalancerName;

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<LoadBalancerName>()];
