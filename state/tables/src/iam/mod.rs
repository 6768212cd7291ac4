//! Users, roles, policies and access keys.

mod key;
mod policy;
mod role;
mod user;

pub use key::{AccessKey, Holder, SessionOf};
pub use policy::{Policy, PolicyVersion};
pub use role::Role;
pub use user::User;

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<AccessKey>(), TableDef::of::<Policy>(), TableDef::of::<Role>(), TableDef::of::<User>()];
