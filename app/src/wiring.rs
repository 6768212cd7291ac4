//! The only place that names every service and every plane, a line each.

use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret};
use escale_dns::{Dns, DnsPlane};
use escale_engine::Engine;
use escale_gate::{Gate, Mount};
use escale_iam::Iam;
use escale_network::{KernelNetwork, Network, Place};
use escale_service::{Cloud, Service};
use escale_store::Store;
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// The running cloud; dropping it ends what it serves, not what it runs.
pub(crate) struct Running {
    _engine: Engine,
    _listeners: JoinSet<()>,
}

pub(crate) async fn start(home: &Home, settings: &Settings) -> Result<Running> {
    let listener = TcpListener::bind(&settings.config.endpoint)
        .await
        .with_context(|| format!("cannot listen on {}", settings.config.endpoint))?;
    let store = Store::open(&home.state(), &escale_tables::all()).context("cannot open the state")?;
    let clock = Clock::machine();
    let planes = Planes::open(home).await?;
    let cloud = Arc::new(cloud(settings, clock.clone()));
    if cfg!(debug_assertions) {
        let faults = escale_gate::check_against_models(&cloud);
        if !faults.is_empty() {
            bail!("services and models disagree:\n  {}", faults.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock);
    reconcilers(&mut engine, settings, &store, &cloud, &planes).await?;
    let edge = escale_cloudfront::edge(
        home.plane("cdn"),
        Arc::clone(&planes.network),
        store.clone(),
        Arc::clone(&cloud),
    )
    .context("cannot open the content delivery network")?;
    escale_cloudfront::start(&mut engine, store.clone(), Arc::clone(&cloud), Arc::new(edge.clone()))
        .context("cannot start CloudFront")?;
    let mounts: Vec<Arc<dyn Mount>> = Vec::new();
    let gate = Arc::new(Gate::new(cloud, store, mounts));
    let mut listeners = JoinSet::new();
    for address in [settings.config.api_address, settings.config.s3_address] {
        let at = (address, settings.config.port).into();
        let inside = planes.network.namespace(&Place::Internet)?.tcp_listen(at).await?;
        listeners.spawn(escale_gate::serve(Arc::clone(&gate), inside));
    }
    listeners.spawn(escale_gate::serve(gate, listener));
    let at = (settings.config.edge_address, 80).into();
    let viewers = planes.network.namespace(&Place::Internet)?.tcp_listen(at).await?;
    listeners.spawn(async move { edge.serve(viewers, false, CancellationToken::new()).await });
    Ok(Running { _engine: engine, _listeners: listeners })
}

/// Every plane.
struct Planes {
    network: Arc<dyn Network>,
    dns: Arc<dyn Dns>,
}

impl Planes {
    async fn open(home: &Home) -> Result<Planes> {
        let network = KernelNetwork::open(&home.plane("network")).await.context("cannot open the network")?;
        Ok(Planes { network: Arc::new(network), dns: Arc::new(DnsPlane::new()) })
    }
}

/// Every service's way of making its wishes true.
async fn reconcilers(
    engine: &mut Engine,
    settings: &Settings,
    store: &Store,
    cloud: &Arc<Cloud>,
    planes: &Planes,
) -> Result<()> {
    let (store, config) = (|| store.clone(), || Arc::clone(&cloud.config));
    let (network, clock) = (|| Arc::clone(&planes.network), cloud.clock.clone());
    let hosts = settings.internet_hosts.clone();
    escale_ec2::start(engine, store(), Arc::clone(cloud), network(), hosts)
        .await
        .context("cannot start EC2")?;
    let proxies = escale_proxy::Balancers::new(Arc::new(escale_elbv2::NodeSockets(network())), clock.clone());
    escale_elbv2::start(engine, store(), clock.clone(), Arc::new(proxies))
        .context("cannot start Elastic Load Balancing")?;
    // escale_route53::start(engine, store(), config(), clock, Arc::clone(&planes.dns), network());
    Ok(())
}

/// Every service.
fn cloud(settings: &Settings, clock: Clock) -> Cloud {
    let iam =
        Iam { root_key: settings.access_key.clone(), root_secret: Secret::new(settings.secret_key.clone()) };
    let services: Vec<Arc<dyn Service>> = vec![
        Arc::new(iam.clone()),
        Arc::new(escale_sts::Sts),
        Arc::new(escale_ec2::Ec2),
        Arc::new(escale_elbv2::Elbv2),
        Arc::new(escale_cloudfront::CloudFront),
    ];
    Cloud::new(Arc::new(settings.config.clone()), clock, Arc::new(iam), services)
}

/// The services without anything that runs: for who only wants to know what they can.
pub(crate) fn services_only() -> Result<Cloud> {
    Ok(cloud(&Settings::from_environment()?, Clock::machine()))
}

/// Takes down what stands on the machine outside of the home and would outlive the daemon without use: the networks.
pub(crate) async fn take_down(home: &Home) -> Result<()> {
    KernelNetwork::open(&home.plane("network")).await?.wipe().await?;
    Ok(())
}

/// Takes down everything and forgets it.
pub(crate) async fn wipe(home: &Home) -> Result<()> {
    take_down(home).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_models_agree() {
        let settings = Settings::from_environment().unwrap();
        let cloud = cloud(&settings, Clock::machine());
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
