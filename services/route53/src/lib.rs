//! Route 53: hosted zones, and every name that the cloud itself answers.
//!
//! Operations (`ops/`) write zones and record sets into the tables of `escale_tables::route53`. One reconciler
//! (`reconcile/zones.rs`) turns them, and the names that other services' tables hold (`system.rs`), into one
//! specification for the DNS plane; another (`reconcile/servers.rs`) opens the sockets that the plane answers on. Nothing
//! here reads a DNS packet.
//!
//! Start at `ops/change_resource_record_sets.rs`, then `compile.rs`.

mod compile;
mod names;
mod reconcile;
mod system;

use escale_base::{Clock, ids};
use escale_dns::Dns;
use escale_engine::Engine;
use escale_network::Network;
use escale_service::Config;
use escale_store::Store;
use std::sync::Arc;

/// Starts what makes names true.
pub fn start(
    engine: &mut Engine,
    store: Store,
    config: Arc<Config>,
    clock: Clock,
    dns: Arc<dyn Dns>,
    network: Arc<dyn Network>,
) {
    let run = ids::random_uuid();
    reconcile::start(engine, reconcile::Parts { store, config, clock, dns, network, run });
}
