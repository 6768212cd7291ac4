//! Secrets Manager: secrets, their versions and the stages that point at versions.
//!
//! A secret is one row with all its versions; operations (`ops/`) only write rows. The one thing that happens later
//! is the end of a recovery window (`reconcile.rs`). Rotation needs Lambda, replication another region, a resource
//! policy nobody evaluates yet: those operations are refused by name. Start at `ops/create_secret.rs`.

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

/// The service, for the wiring.
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

/// Starts what ends recovery windows.
pub fn start(engine: &mut Engine, store: Store) {
    engine.add(reconcile::Purge { store });
}
