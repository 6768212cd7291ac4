//! RDS: PostgreSQL instances, alone or with a synchronous standby in another zone.
//!
//! Operations (`ops/`) write wishes into the tables of `escale_tables::rds`. Reconcilers (`reconcile/`) hand them to the
//! PostgreSQL plane once the network interfaces of an instance's nodes stand, and take snapshots; the observer
//! (`observe.rs`) writes what is seen of each database, which name leads to which node, and the events.
//! Every status (`status.rs`) is derived from both.
//!
//! Nothing here starts a process or opens a connection. Start at `ops/create_db_instance.rs`, then
//! `reconcile/instance.rs`.

mod cfn;
mod engines;
mod error;
mod events;
mod filters;
mod making;
mod observe;
mod ops;
mod parameters;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod status;
mod tags;
#[cfg(test)]
mod testing;

use escale_base::{Clock, PlaneError, wire::Value};
use escale_engine::Engine;
use escale_postgres::{Event, Postgres};
use escale_service::{Also, Cloud, DeleteWithSnapshot, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;
use tokio::sync::mpsc;

pub use error::Error;

/// The service, for the wiring.
pub struct Rds;

impl Service for Rds {
    fn id(&self) -> &'static str {
        "rds"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation != "AddTagsToResource" && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("rds:AddTagsToResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
    fn delete_with_snapshot(&self, type_name: &str) -> Option<DeleteWithSnapshot> {
        (type_name == cfn::INSTANCE).then_some(cfn::delete_instance_with_snapshot as DeleteWithSnapshot)
    }
}

/// The plane and what it tells; or why there is none on this machine, which every creation then says.
pub type Plane = Result<(Arc<dyn Postgres>, mpsc::Receiver<Event>), PlaneError>;

/// Starts the reconcilers and the observer. `majors` are the versions of PostgreSQL that are installed.
pub fn start(
    engine: &mut Engine,
    store: Store,
    cloud: Arc<Cloud>,
    clock: Clock,
    plane: Plane,
    majors: &[u32],
) {
    let (plane, told) = match plane {
        Ok((plane, told)) => (Ok(plane), Some(told)),
        Err(error) => {
            tracing::warn!(%error, "no database can be created");
            (Err(error.to_string()), None)
        }
    };
    if let Err(error) = engines::note(&store, majors) {
        tracing::error!(%error, "which engines are installed could not be noted");
    }
    let hands = Arc::new(reconcile::Hands::new(store, cloud, clock, plane));
    engine.add(reconcile::Instances(hands.clone()));
    engine.add(reconcile::Snapshots(hands.clone()));
    engine.add(reconcile::Backups(hands.clone()));
    if let Some(told) = told {
        engine.run(observe::run(hands, told));
    }
}
