//! The only place that names every service and every plane, a line each.

use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret};
use escale_dns::{Dns, DnsPlane};
use escale_ecr::Ecr;
use escale_engine::Engine;
use escale_gate::Gate;
use escale_iam::Iam;
use escale_network::{KernelNetwork, Network, Place};
use escale_objects::Objects;
use escale_registry::Registry;
use escale_s3::S3;
use escale_service::{Cloud, Mount, Service};
use escale_store::Store;
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};

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
    let planes = Planes::open(home, &clock).await?;
    let s3 = S3::new(Arc::clone(&planes.objects));
    let ecr = Ecr::new(Arc::clone(&planes.registry));
    let (buckets, repositories) = (s3.buckets(), ecr.repositories());
    let cloud = Arc::new(cloud(settings, clock.clone(), s3, ecr));
    if cfg!(debug_assertions) {
        let faults = escale_gate::check_against_models(&cloud);
        if !faults.is_empty() {
            bail!("services and models disagree:\n  {}", faults.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock.clone());
    reconcilers(&mut engine, settings, &store, &cloud, &planes).await?;
    escale_s3::start(&mut engine, store.clone(), clock.clone(), buckets);
    let account = settings.config.account.clone();
    escale_ecr::start(&mut engine, store.clone(), clock, account, Arc::clone(&repositories));
    let mounts: Vec<Arc<dyn Mount>> = vec![escale_ecr::door(store.clone(), Arc::clone(&cloud), repositories)];
    let gate = Arc::new(Gate::new(cloud, store, mounts));
    let mut listeners = JoinSet::new();
    for address in [settings.config.api_address, settings.config.s3_address] {
        let at = (address, settings.config.port).into();
        let inside = planes.network.namespace(&Place::Internet)?.tcp_listen(at).await?;
        listeners.spawn(escale_gate::serve(Arc::clone(&gate), inside));
    }
    listeners.spawn(escale_gate::serve(gate, listener));
    Ok(Running { _engine: engine, _listeners: listeners })
}

/// Every plane.
struct Planes {
    network: Arc<dyn Network>,
    dns: Arc<dyn Dns>,
    objects: Arc<dyn Objects>,
    registry: Arc<dyn Registry>,
}

impl Planes {
    async fn open(home: &Home, clock: &Clock) -> Result<Planes> {
        let network = KernelNetwork::open(&home.plane("network")).await.context("cannot open the network")?;
        Ok(Planes {
            network: Arc::new(network),
            dns: Arc::new(DnsPlane::new()),
            objects: objects(home, clock)?,
            registry: registry(home, clock)?,
        })
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
    // escale_route53::start(engine, store(), config(), clock, Arc::clone(&planes.dns), network());
    Ok(())
}

fn objects(home: &Home, clock: &Clock) -> Result<Arc<dyn Objects>> {
    let settings = escale_objects::Settings {
        root: home.plane("objects"),
        clock: clock.clone(),
        durability: escale_objects::Durability::Power,
        limits: escale_objects::Limits::default(),
    };
    Ok(Arc::new(escale_objects::Store::open(settings).context("cannot open the objects")?))
}

fn registry(home: &Home, clock: &Clock) -> Result<Arc<dyn Registry>> {
    let settings = escale_registry::Settings { root: home.plane("images"), clock: clock.clone() };
    Ok(Arc::new(escale_registry::Store::open(settings).context("cannot open the registry")?))
}

/// Every service.
fn cloud(settings: &Settings, clock: Clock, s3: S3, ecr: Ecr) -> Cloud {
    let iam =
        Iam { root_key: settings.access_key.clone(), root_secret: Secret::new(settings.secret_key.clone()) };
    let services: Vec<Arc<dyn Service>> = vec![
        Arc::new(iam.clone()),
        Arc::new(escale_sts::Sts),
        Arc::new(escale_ec2::Ec2),
        Arc::new(s3),
        Arc::new(ecr),
    ];
    Cloud::new(Arc::new(settings.config.clone()), clock, Arc::new(iam), services)
}

/// The services without anything that runs: for who only wants to know what they can.
pub(crate) fn services_only() -> Result<Cloud> {
    let clock = Clock::machine();
    let objects = escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default());
    let registry = escale_registry::Fake::new(clock.clone());
    let (s3, ecr) = (S3::new(Arc::new(objects)), Ecr::new(Arc::new(registry)));
    Ok(cloud(&Settings::from_environment()?, clock, s3, ecr))
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
        let cloud = services_only().unwrap();
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
