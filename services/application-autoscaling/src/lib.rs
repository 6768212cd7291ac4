//! Application Auto Scaling: keeps the desired counts of ECS services at what their policies and schedules demand.
//!
//! Operations write scalable targets, policies and scheduled actions. A target tracking policy makes two alarms of CloudWatch
//! (`tracking.rs`). An alarm invokes the policies among its actions with a row, and one reconciler answers: what to do is a pure
//! function (`decide.rs`, with `adjust.rs` for steps and `schedule.rs` for times), enacted by a call of ECS's UpdateService. Nothing
//! here measures or starts anything.
//!
//! Start at `decide.rs`.

mod adjust;
mod cfn;
mod choices;
mod decide;
mod error;
mod ops;
mod reconcile;
mod recorded;
mod rules;
mod schedule;
mod shapes;
#[cfg(test)]
mod testing;
mod tracking;

use escale_base::wire::Value;
use escale_engine::Engine;
use escale_service::{Also, Cloud, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;

pub use error::Error;

/// Starts the scaling of services.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>) {
    engine.add(reconcile::Targets { store: store.clone(), cloud: Arc::clone(cloud) });
}

/// The service, for the wiring.
pub struct ApplicationAutoScaling;

impl Service for ApplicationAutoScaling {
    fn id(&self) -> &'static str {
        "application-autoscaling"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation == "RegisterScalableTarget" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("application-autoscaling:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
