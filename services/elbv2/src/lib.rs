//! Elastic Load Balancing: application load balancers with HTTP listeners.
//!
//! Operations (`ops/`) write wishes into the tables of `escale_tables::elbv2`. A load balancer has a network interface in
//! each of its zones, made through EC2 as any client would. One reconciler (`reconcile/balancer.rs`) turns the rows
//! of a load balancer into one specification for the proxy plane; an observer writes back how its targets are.
//!
//! It terminates no TLS, and no request passes through this crate. Start at `ops/create_load_balancer.rs`.

mod actions;
mod attributes;
mod cfn;
mod conditions;
mod error;
mod ops;
mod reconcile;
mod recorded;
mod rules;
mod shapes;
mod sockets;
mod status;
#[cfg(test)]
mod testing;

use escale_engine::Engine;
use escale_proxy::Proxies;
use escale_service::{Entry, Recorded, ResourceType, Service};
use escale_store::{Store, StoreError};
use std::sync::Arc;

pub use error::{Error, TooMany};
pub use sockets::NodeSockets;

/// The name by which it calls other services.
pub(crate) const PRINCIPAL: &str = "elasticloadbalancing.amazonaws.com";

/// The service, for the wiring.
pub struct Elbv2;

impl Service for Elbv2 {
    fn id(&self) -> &'static str {
        "elbv2"
    }
    fn action_prefix(&self) -> &'static str {
        "elasticloadbalancing"
    }
    fn operations(&self) -> Vec<Entry> {
        ops::all()
    }
    fn recorded(&self) -> &'static [Recorded] {
        recorded::RECORDED
    }
    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}

/// Brings load balancers about. `proxies` is a plane that serves nothing yet, with sockets of [`NodeSockets`].
pub fn start(
    engine: &mut Engine,
    store: Store,
    clock: escale_base::Clock,
    proxies: Arc<dyn Proxies>,
) -> Result<(), StoreError> {
    reconcile::forget(&store)?;
    engine.add(reconcile::Balancers::new(store, clock, proxies));
    Ok(())
}
