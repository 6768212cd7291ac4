//! Parameters of Parameter Store.

mod parameter;

pub use parameter::{Parameter, ParameterName, ParameterType, ParameterVersion, Tier};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<Parameter>()];
