//! Makes public names reachable for browsers on the host: keeps the host's forwarders equal to the names in the tables.

use escale_base::PlaneError;
use escale_engine::Engine;
use escale_network::{HostWeb, HostWebSpec};
use escale_service::{Cloud, Config};
use escale_store::{Image, Row, Store};
use escale_tables::{elbv2::LoadBalancerName, s3::Bucket};
use std::{sync::Arc, time::Duration};

/// The pause after a failure, which is mostly a plane that starts again.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the forwarders for clients on the host. Fails if the web port is in use. HTTPS is served if its port is free, and
/// both on their standard ports, too, where these are free.
pub async fn start(
    engine: &mut Engine,
    store: &Store,
    cloud: &Arc<Cloud>,
    web: Arc<dyn HostWeb>,
) -> Result<(), PlaneError> {
    // Subscribed before the first read, so that no change is missed.
    let mut changes = store.subscribe(&[LoadBalancerName::TABLE, Bucket::TABLE]);
    let (store, config) = (store.clone(), Arc::clone(&cloud.config));
    let mut applied = spec(&store.read(), &config);
    web.apply(applied.clone()).await?;
    engine.run(async move {
        loop {
            changes.changed().await;
            let wanted = spec(&store.read(), &config);
            if wanted == applied {
                continue;
            }
            while let Err(error) = web.apply(wanted.clone()).await {
                tracing::warn!(%error, "cannot change the host's forwarders; trying again in a second");
                tokio::time::sleep(PAUSE).await;
            }
            applied = wanted;
        }
    });
    Ok(())
}

/// The ports, a loopback address for each public address of a load balancer, of the edge or of websites, and the names of
/// websites, which DNS has as one wildcard for each domain.
fn spec(image: &Image, config: &Config) -> HostWebSpec {
    let balancers: Vec<_> = image.scan::<LoadBalancerName>().filter(|row| row.public).collect();
    let addresses = balancers.iter().flat_map(|row| row.addresses.iter().copied());
    let websites = image.scan::<Bucket>().filter(|row| row.website.is_some());
    let usual = Config::default();
    HostWebSpec {
        port: config.web_port,
        https_port: config.https_port,
        // Another installation with ports of its own leaves the standard ports to the one with the default ports.
        standard_ports: (config.web_port, config.https_port) == (usual.web_port, usual.https_port),
        block: config.loopback_block(),
        addresses: addresses.chain([config.edge_address, config.website_address]).collect(),
        names: websites.map(|row| config.website_name(&row.name)).collect(),
        unlisted: config.website_domains().into(),
    }
}
