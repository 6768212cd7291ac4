//! Secrets and their versions.

mod secret;

pub use secret::{
    Deletion, OwningService, SecretName, SecretVersionId, StagingLabel, StoredSecret, Version, VersionValue,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<StoredSecret>()];
