//! CloudWatch: metrics and alarms.
//!
//! The metrics plane stores values. They come from clients (`streams/put_metric_data.rs`) and from the other planes, which
//! `feeds/` reads at intervals: a value is always measured, and where nothing can be measured there is none. `query.rs` reads
//! metrics with their statistics and computes expressions (`math/`), for requests and for alarms alike.
//!
//! Alarms are rows. One reconciler evaluates them (`alarms/evaluator.rs`); the decision is pure (`alarms/evaluate.rs`).
//!
//! Start at `streams/get_metric_data.rs` for metrics, at `alarms/evaluate.rs` for alarms.

mod alarms;
mod cfn;
mod choices;
mod error;
mod feeds;
mod math;
mod metric;
mod ops;
mod query;
mod recorded;
mod search;
mod streams;
mod trimmed;

use escale_base::wire::Value;
use escale_cdn::Cdn;
use escale_containers::Containers;
use escale_engine::Engine;
use escale_metrics::Metrics;
use escale_network::Network;
use escale_objects::Objects;
use escale_postgres::Postgres;
use escale_proxy::Proxies;
use escale_service::{Also, Cloud, Entry, EventKind, Recorded, ResourceType, Service, gives_tags};
use escale_store::Store;
use std::sync::{Arc, Mutex};

pub use error::Error;

/// The metrics plane, which the stream operations share.
pub struct Monitor {
    plane: Arc<dyn Metrics>,
}

impl Monitor {
    pub fn new(plane: Arc<dyn Metrics>) -> Arc<Monitor> {
        Arc::new(Monitor { plane })
    }
}

/// The plane of metrics, and those that have values to report.
pub struct Planes {
    pub metrics: Arc<dyn Metrics>,
    pub containers: Arc<dyn Containers>,
    pub proxies: Arc<dyn Proxies>,
    pub cdn: Arc<dyn Cdn>,
    pub objects: Arc<dyn Objects>,
    pub network: Arc<dyn Network>,
    /// `None` on a machine without PostgreSQL: it has no databases.
    pub postgres: Option<Arc<dyn Postgres>>,
}

/// Starts the evaluation of alarms and the reading of values.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    engine.add(alarms::Alarms {
        store: store.clone(),
        cloud: Arc::clone(cloud),
        plane: Arc::clone(&planes.metrics),
        evaluated: Mutex::default(),
    });
    engine.add(alarms::Composites { store: store.clone(), cloud: Arc::clone(cloud) });
    engine.run(feeds::run(store.clone(), Arc::clone(cloud), planes));
}

/// The service, for the wiring. Its stream operations share one [`Monitor`].
pub struct CloudWatch(pub Arc<Monitor>);

impl Service for CloudWatch {
    fn id(&self) -> &'static str {
        "cloudwatch"
    }
    fn event_kind(&self, operation: &str) -> EventKind {
        match operation {
            "PutMetricData" | "GetMetricData" | "GetMetricStatistics" | "ListMetrics" => EventKind::Data,
            _ => EventKind::Management,
        }
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&self.0));
        all
    }
    fn tagging(&self, operation: &str, input: &Value, resources: &[String]) -> Option<Also> {
        let tagged = operation.starts_with("Put") && gives_tags(input, "/Tags");
        tagged.then(|| Also::tagging("cloudwatch:TagResource", resources))
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
