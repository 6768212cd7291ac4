//! Brings names about: `zones` tells the DNS plane what to answer, `servers` opens the sockets it answers on.

mod servers;
mod zones;

use escale_base::Clock;
use escale_dns::Dns;
use escale_engine::Engine;
use escale_network::Network;
use escale_service::Config;
use escale_store::Store;
use std::sync::Arc;

/// What both reconcilers have.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) dns: Arc<dyn Dns>,
    pub(crate) network: Arc<dyn Network>,
    /// Marks the rows of this run: the plane begins empty, whatever older rows say.
    pub(crate) run: String,
}

pub(crate) fn start(engine: &mut Engine, parts: Parts) {
    engine.add(zones::Zones(parts.clone()));
    engine.add(servers::Servers::new(parts));
}
