//! CloudFormation: creates and deletes stacks from templates.
//!
//! An operation that takes a template (`streams/`) checks the whole template (`accept.rs`) and writes the stack with a row
//! for each resource. The engine (`reconcile/`) creates the resources through the resource types that the other services
//! declare ([`escale_service::ResourceType`]), each in one transaction with its row. [`template`] is pure.
//!
//! It names no other service and none of their resource types. Start at `streams/create_stack.rs`.

mod accept;
mod begin;
mod cfn;
mod changes;
pub mod check;
mod choices;
mod deletion;
mod deployment;
mod difference;
mod drift;
mod error;
mod evaluation;
mod events;
mod fetch;
mod find;
mod imports;
mod nested;
mod ops;
mod predict;
mod properties;
mod reconcile;
mod recorded;
mod role;
mod scope;
mod shapes;
mod status;
mod streams;
pub mod template;
mod update;
mod wait;

pub use error::Error;

use escale_base::wire::Value;
use escale_engine::Engine;
use escale_service::{Also, Cloud, Entry, Mount, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;

/// The service, for the wiring.
pub struct CloudFormation;

impl Service for CloudFormation {
    fn id(&self) -> &'static str {
        "cloudformation"
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&Arc::new(CloudFormation)));
        all
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = gives_tags(input, "/Tags");
        tagged.then(|| {
            Also::tagging("cloudformation:TagResource", resources)
                .with("cloudformation:createaction", operation)
        })
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// The handler at the gate for the signals of wait conditions.
pub fn signals(store: &Store, cloud: &Cloud) -> Arc<dyn Mount> {
    Arc::new(wait::Signals::new(store.clone(), &cloud.config))
}

/// Starts the reconcilers: that of the stacks' resources, and that of the timeouts of wait conditions.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>) {
    engine.add(reconcile::Stacks::new(store.clone(), Arc::clone(cloud)));
    engine.add(wait::Timeouts { store: store.clone() });
}
