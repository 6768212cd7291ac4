//! Users, roles, policies and access keys.

mod key;
mod policy;
mod role;
mod user;

pub use key::{AccessKey, AccessKeyId, Holder, RoleSessionName, SessionOf};
pub use policy::{IamPath, Policy, PolicyArn, PolicyId, PolicyName, PolicyVersion, PolicyVersionId};
pub use role::{Role, RoleId, RoleName};
pub use user::{User, UserId, UserName};

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<AccessKey>(), TableDef::of::<Policy>(), TableDef::of::<Role>(), TableDef::of::<User>()];
