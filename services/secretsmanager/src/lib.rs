//! Secrets Manager: secrets, their versions, and the staging labels of versions.
//!
//! A secret is one row with all its versions. Operations (`ops/`) only write rows. `reconcile.rs` deletes a secret at the end of
//! its recovery window. Rotation needs Lambda, replication needs another region, and resource policies of secrets are not
//! evaluated yet, so their operations are refused. Start at `ops/create_secret.rs`.

mod cfn;
mod choices;
mod error;
mod ops;
mod password;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
#[cfg(test)]
mod testing;

use escale_base::wire::Value;
use escale_engine::Engine;
use escale_service::{Also, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;

pub use error::Error;

/// The Secrets Manager service, as the wiring registers it.
pub struct SecretsManager;

impl Service for SecretsManager {
    fn id(&self) -> &'static str {
        "secretsmanager"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "TagResource" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("secretsmanager:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// Starts the reconciler that ends recovery windows.
pub fn start(engine: &mut Engine, store: Store) {
    engine.add(reconcile::Purge { store });
}
