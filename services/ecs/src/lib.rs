//! ECS on Fargate: task definitions, tasks, and services that keep a number of tasks running.
//!
//! Operations (`ops/`) write wishes. `place.rs` chooses a task's zone and calls EC2 to create its interface in the same
//! transaction. One reconciler runs each task on the containers plane (`reconcile/task.rs`). Another keeps each service
//! at its desired count (`reconcile/service.rs`); the pure `scheduler.rs` decides for it. Observers record the state of
//! containers, ship logs, and follow target health. `endpoint.rs` serves credentials and metadata to tasks.
//!
//! Statuses are derived in `status.rs`, never stored. Start at `ops/run_task.rs`.

mod calls;
mod cfn;
mod choices;
mod definition;
mod deploy;
mod deployment_shapes;
mod endpoint;
mod error;
mod failure_report;
mod history;
mod image;
mod infrastructure;
mod ops;
mod place;
mod protection;
mod reconcile;
mod recorded;
mod registries;
mod rules;
mod scheduler;
mod secrets;
mod shapes;
mod status;
mod strategy;
mod tagged;
mod target_check;

use escale_base::wire::Value;
use escale_containers::Containers;
use escale_engine::Engine;
use escale_network::Network;
use escale_registry::Registry;
use escale_service::{Also, Cloud, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use escale_upstream::Upstream;
use std::{path::PathBuf, sync::Arc};

pub use error::Error;

/// The ECS service, as the wiring registers it.
pub struct Ecs;

/// The planes that run tasks.
#[derive(Clone)]
pub struct Planes {
    pub containers: Arc<dyn Containers>,
    pub registry: Arc<dyn Registry>,
    /// Other registries, on the Internet.
    pub upstream: Arc<dyn Upstream>,
    pub network: Arc<dyn Network>,
    /// The file of certificates that tasks trust, which is mounted into every container.
    pub ca_bundle: PathBuf,
}

/// Starts the reconcilers and observers.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let (store, cloud) = (|| store.clone(), || Arc::clone(cloud));
    let containers = || Arc::clone(&planes.containers);
    let puller = reconcile::Puller::new(Arc::clone(&planes.registry), Arc::clone(&planes.upstream));
    engine.add(reconcile::Tasks { store: store(), cloud: cloud(), planes: planes.clone(), puller });
    engine.add(reconcile::Services { store: store(), cloud: cloud() });
    engine.run(reconcile::observe(store(), cloud(), containers()));
    engine.run(reconcile::ship_logs(store(), cloud(), containers()));
    engine.run(reconcile::watch_targets(store(), cloud()));
    engine.run(endpoint::serve(store(), cloud(), planes.clone()));
}

impl Service for Ecs {
    fn id(&self) -> &'static str {
        "ecs"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "TagResource" && gives_tags(input, "/tags");
        // RunTask tags the new tasks, not the task definition.
        let task = |arn: &String| format!("{}:task/*", arn.split(":task-definition/").next().unwrap_or(arn));
        let resources = match operation {
            "RunTask" => resources.iter().map(task).collect(),
            _ => resources.to_vec(),
        };
        tagged.then(|| Also::tagging("ecs:TagResource", &resources).with("ecs:createaction", operation))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
