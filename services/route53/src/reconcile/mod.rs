//! `zones` configures the DNS plane, `servers` opens the sockets that it answers on.

mod servers;
#[cfg(test)]
mod tests;
mod zones;

use escale_base::Clock;
use escale_dns::Dns;
use escale_engine::Engine;
use escale_network::Network;
use escale_service::Config;
use escale_store::Store;
use escale_tables::route53::RunId;
use std::sync::Arc;

/// The parts that both reconcilers share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) dns: Arc<dyn Dns>,
    pub(crate) network: Arc<dyn Network>,
    /// Identifies this run of the daemon. Rows of another run do not count: the plane starts empty.
    pub(crate) run: RunId,
}

pub(crate) fn start(engine: &mut Engine, parts: Parts) {
    engine.add(zones::Zones(parts.clone()));
    engine.add(servers::Servers::new(parts));
}
