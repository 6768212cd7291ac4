//! `zones` configures the names that the DNS plane knows, `servers` the addresses that it answers at. `checkups` runs health checks.

mod checkups;
mod servers;
#[cfg(test)]
mod tests;
mod zones;

use crate::checker::Checks;
use escale_base::Clock;
use escale_dns::Dns;
use escale_engine::Engine;
use escale_service::{Config, Endpoint};
use escale_store::Store;
use escale_tables::route53::RunId;
use std::sync::Arc;

/// The parts that both reconcilers share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    /// AWS's names of the services that this cloud has.
    pub(crate) endpoints: Arc<[Endpoint]>,
    pub(crate) clock: Clock,
    pub(crate) dns: Arc<dyn Dns>,
    /// Identifies this run of the daemon. Rows of another run do not count: the plane may have started meanwhile.
    pub(crate) run: RunId,
}

pub(crate) fn start(engine: &mut Engine, parts: Parts, checks: Arc<dyn Checks>) {
    engine.add(zones::Zones(parts.clone()));
    engine.add(servers::Servers::new(parts.clone()));
    engine.add(checkups::Checkups::new(parts, checks));
}
