//! AWS Certificate Manager: certificates that are requested with DNS validation, or imported.
//!
//! Operations (`ops/`) write certificates into the tables of `escale_tables::acm`. The reconciler (`reconcile.rs`) looks for
//! the validation record of each name in the account's public hosted zones, has the certificate issued by the installation's
//! authority, and renews it before it expires. Load balancers and distributions read the certificate from its rows.
//!
//! It validates by no other way than DNS and exports no key. It also answers for us-east-1, where CloudFront's certificates
//! are (docs/decisions/040). Start at `ops/request_certificate.rs`, then `validation.rs`.

mod cfn;
mod choices;
mod error;
mod in_use;
mod ops;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod status;
#[cfg(test)]
mod tests;
mod validation;

use escale_authority::Authority;
use escale_base::wire::Value;
use escale_engine::Engine;
use escale_service::{Also, Cloud, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;

pub use error::Error;

/// The service, for the wiring.
pub struct Acm;

impl Service for Acm {
    fn id(&self) -> &'static str {
        "acm"
    }
    fn also_in(&self) -> &'static [&'static str] {
        &["us-east-1"]
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "AddTagsToCertificate" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("acm:AddTagsToCertificate", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// The plane that issues certificates.
pub struct Planes {
    pub authority: Arc<dyn Authority>,
}

/// Starts the reconciler of requested certificates.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    engine.add(reconcile::Certificates {
        store: store.clone(),
        clock: cloud.clock.clone(),
        config: Arc::clone(&cloud.config),
        authority: planes.authority,
    });
}
