//! CloudWatch Logs: groups and streams are rows, and the log plane stores the events.
//!
//! Operations on groups and streams (`ops/`) write rows. Operations on events (`streams/`) call the plane. One reconciler
//! (`reconcile/sweep.rs`) deletes events that are older than their group's retention, and events of deleted streams. Nothing
//! here interprets a message.
//!
//! Start at `streams/put_log_events.rs`.

mod bound;
mod cfn;
mod choices;
mod error;
mod ops;
mod pattern;
mod reconcile;
mod recorded;
mod rules;
mod streams;

use escale_base::wire::Value;
use escale_engine::Engine;
use escale_logstore::LogStore;
use escale_service::{Also, Entry, EventKind, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::Arc;

pub use error::Error;

/// The log plane and the size limits of groups, which the stream operations share.
pub struct Logs {
    plane: Arc<dyn LogStore>,
    bound: bound::Bound,
}

impl Logs {
    pub fn new(plane: Arc<dyn LogStore>) -> Arc<Logs> {
        Arc::new(Logs { plane, bound: bound::Bound::default() })
    }
}

/// Starts the reconciler that deletes old events.
pub fn start(engine: &mut Engine, store: Store, plane: Arc<dyn LogStore>) {
    engine.add(reconcile::Sweep::new(store, plane));
}

/// The Logs service, as the wiring registers it. Its stream operations share one [`Logs`].
pub struct LogsService(pub Arc<Logs>);

impl Service for LogsService {
    fn id(&self) -> &'static str {
        "logs"
    }
    fn event_kind(&self, operation: &str) -> EventKind {
        match operation {
            "PutLogEvents" | "GetLogEvents" | "FilterLogEvents" => EventKind::Data,
            _ => EventKind::Management,
        }
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&self.0));
        all
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation.starts_with("Create") && gives_tags(input, "/tags");
        tagged.then(|| Also::tagging("logs:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
