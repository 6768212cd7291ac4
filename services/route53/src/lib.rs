//! Route 53: hosted zones, health checks, and the names of the cloud's own resources.
//!
//! Operations (`ops/`) write zones and record sets into the tables of `escale_tables::route53`. One reconciler
//! (`reconcile/zones.rs`) turns them and the names in other services' tables (`system.rs`) into one specification for the
//! DNS plane; another (`reconcile/servers.rs`) says where the plane answers, on sockets of `sockets.rs`. Nothing here parses a DNS packet.
//! `reconcile/checkups.rs` runs health checks, and `answers.rs` leaves unhealthy record sets out.
//! `web.rs` makes public names reachable for browsers on the host.
//!
//! Start at `ops/change_resource_record_sets.rs`, then `compile.rs`.

mod answers;
mod cfn;
mod checker;
mod choices;
mod compile;
mod error;
mod health;
mod names;
mod ops;
mod reconcile;
mod record;
mod recorded;
mod rules;
mod shapes;
mod sockets;
mod status;
mod streams;
mod system;
mod tagging;
mod web;

use escale_base::ids;
use escale_dns::Dns;
use escale_engine::Engine;
use escale_network::Network;
use escale_service::{Cloud, Entry, Recorded, ResourceType, Service};
use escale_store::Store;
use escale_tables::route53::RunId;
use std::sync::Arc;

pub use compile::is_withheld;
pub use error::Error;
pub use sockets::PlaceSockets;
pub use web::start as start_web;

/// The service, for the wiring.
pub struct Route53(Arc<Plane>);

/// The DNS plane, for operations that query it.
pub(crate) struct Plane(Arc<dyn Dns>);

impl Route53 {
    pub fn new(dns: Arc<dyn Dns>) -> Route53 {
        Route53(Arc::new(Plane(dns)))
    }
}

impl Service for Route53 {
    fn id(&self) -> &'static str {
        "route53"
    }
    fn global(&self) -> bool {
        true
    }
    fn operations(&self) -> Vec<Entry> {
        let mut all = ops::all();
        all.extend(streams::all(&self.0));
        all
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// The plane that answers queries. It may serve what an earlier daemon applied.
#[derive(Clone)]
pub struct Planes {
    pub dns: Arc<dyn Dns>,
    /// Health checks connect from its Internet.
    pub network: Arc<dyn Network>,
}

/// Starts the reconcilers of zones, DNS servers and health checks.
pub fn start(engine: &mut Engine, store: &Store, cloud: &Arc<Cloud>, planes: Planes) {
    let checker = checker::Checker {
        network: planes.network,
        dns: Arc::clone(&planes.dns),
        internet: cloud.config.internet.clone(),
    };
    reconcile::start(
        engine,
        reconcile::Parts {
            store: store.clone(),
            config: Arc::clone(&cloud.config),
            endpoints: cloud.aws_endpoints().collect(),
            clock: cloud.clock.clone(),
            dns: planes.dns,
            run: RunId(ids::random_uuid()),
        },
        Arc::new(checker),
    );
}
