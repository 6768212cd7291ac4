//! RDS: PostgreSQL instances, alone or with a synchronous standby in another zone.
//!
//! Operations (`ops/`) write wishes into the tables of `escale_tables::rds`. Reconcilers (`reconcile/`) execute them on the
//! PostgreSQL plane, once the network interfaces of an instance's nodes are ready, and take snapshots. The observer
//! (`observe.rs`) records the state of each database, the node that its DNS name points to, and the events. Every status
//! (`status.rs`) is derived from wishes and observations.
//!
//! Nothing here starts a process or opens a connection. Start at `ops/create_db_instance.rs`, then
//! `reconcile/instance.rs`.

mod cfn;
mod engines;
mod error;
mod events;
mod export;
mod filters;
mod maintenance;
mod network;
mod observe;
mod ops;
mod parameters;
mod provision;
mod reconcile;
mod recorded;
mod replicas;
mod rules;
mod shapes;
mod status;
mod tags;
#[cfg(test)]
mod testing;
mod windows;

use escale_base::{PlaneError, wire::Value};
use escale_engine::Engine;
use escale_postgres::{Event, Postgres};
use escale_service::{Also, Cloud, DeleteWithSnapshot, Entry, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;
use tokio::sync::mpsc;

pub use error::Error;

/// The RDS service, as the wiring registers it.
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

/// The plane and its events. `Err` is the reason why this machine has no plane: every creation then fails with it.
pub type Plane = Result<(Arc<dyn Postgres>, mpsc::Receiver<Event>), PlaneError>;

/// The plane of databases.
pub struct Planes {
    pub postgres: Plane,
    /// The installed major versions of PostgreSQL.
    pub majors: Vec<u32>,
}

/// Stores which major versions of PostgreSQL are installed; [`start`] does it for a daemon.
pub use engines::store_installed;

/// Starts the reconcilers and the observer.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let (plane, events) = match planes.postgres {
        Ok((plane, events)) => (Ok(plane), Some(events)),
        Err(error) => {
            tracing::warn!(%error, "databases cannot be created on this machine");
            (Err(error.to_string()), None)
        }
    };
    if let Err(error) = engines::store_installed(store, &planes.majors) {
        tracing::error!(%error, "the list of installed engines could not be stored");
    }
    let executor = Arc::new(reconcile::Executor::new(store.clone(), Arc::clone(cloud), plane));
    engine.add(reconcile::Instances(executor.clone()));
    engine.add(reconcile::Snapshots(executor.clone()));
    engine.add(reconcile::Backups(executor.clone()));
    if let Some(events) = events {
        engine.run(observe::run(Arc::clone(&executor), events));
        engine.run(export::run(executor));
    }
}
