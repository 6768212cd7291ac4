//! The only place that names every service and every plane, a line each.

use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret};
use escale_containers::{Containers, Machine, ShimCommand};
use escale_dns::{Dns, DnsPlane};
use escale_ecr::Ecr;
use escale_engine::Engine;
use escale_gate::Gate;
use escale_iam::Iam;
use escale_logs::{Logs, LogsService};
use escale_logstore::LogStore;
use escale_network::{KernelNetwork, Network, Place};
use escale_objects::Objects;
use escale_postgres::{Postgres, PostgresPlane};
use escale_registry::Registry;
use escale_route53::Route53;
use escale_s3::S3;
use escale_service::{Cloud, Mount, Service};
use escale_store::Store;
use std::{path::Path, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// The running cloud; dropping it ends what it serves, not what it runs.
pub(crate) struct Running {
    _engine: Engine,
    _listeners: JoinSet<()>,
}

pub(crate) async fn start(home: &Home, settings: &Settings) -> Result<Running> {
    let store = Store::open(&home.state(), &escale_tables::all()).context("cannot open the state")?;
    let clock = Clock::machine();
    let planes = Planes::open(home, &clock).await?;
    let network = Arc::clone(&planes.network);
    let services = Services::new(&planes.data);
    let cloud = Arc::new(services.cloud(settings, clock.clone()));
    if cfg!(debug_assertions) {
        let faults = escale_gate::check_against_models(&cloud);
        if !faults.is_empty() {
            bail!("services and models disagree:\n  {}", faults.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock);
    let (cdn, sockets) = (home.plane("cdn"), Arc::clone(&network));
    let edge = escale_cloudfront::edge(cdn, sockets, store.clone(), Arc::clone(&cloud))
        .context("cannot open the content delivery network")?;
    escale_cloudfront::start(&mut engine, store.clone(), Arc::clone(&cloud), Arc::new(edge.clone()))
        .context("cannot start CloudFront")?;
    reconcilers(&mut engine, settings, &store, &cloud, &services, planes).await?;
    let registry = escale_ecr::door(store.clone(), Arc::clone(&cloud), services.ecr.repositories());
    let mounts: Vec<Arc<dyn Mount>> = vec![registry];
    let gate = Arc::new(Gate::new(cloud, store, mounts));
    // Last: who can connect finds a cloud that answers.
    let listener = TcpListener::bind(&settings.config.endpoint)
        .await
        .with_context(|| format!("cannot listen on {}", settings.config.endpoint))?;
    let mut listeners = JoinSet::new();
    for address in [settings.config.api_address, settings.config.s3_address] {
        let at = (address, settings.config.port).into();
        let inside = network.namespace(&Place::Internet)?.tcp_listen(at).await?;
        listeners.spawn(escale_gate::serve(Arc::clone(&gate), inside));
    }
    let viewers = (settings.config.edge_address, 80).into();
    let viewers = network.namespace(&Place::Internet)?.tcp_listen(viewers).await?;
    listeners.spawn(async move { edge.serve(viewers, false, CancellationToken::new()).await });
    listeners.spawn(escale_gate::serve(gate, listener));
    Ok(Running { _engine: engine, _listeners: listeners })
}

/// Every plane.
struct Planes {
    network: Arc<dyn Network>,
    containers: Arc<dyn Containers>,
    /// Or why no database can run here: whoever creates one is told.
    postgres: escale_rds::Plane,
    data: DataPlanes,
}

/// The planes that services themselves hold, since their operations answer from them.
struct DataPlanes {
    dns: Arc<dyn Dns>,
    logs: Arc<dyn LogStore>,
    objects: Arc<dyn Objects>,
    registry: Arc<dyn Registry>,
}

impl Planes {
    async fn open(home: &Home, clock: &Clock) -> Result<Planes> {
        let network = KernelNetwork::open(&home.plane("network")).await.context("cannot open the network")?;
        let prepare = escale_postgres::installed(Path::new("/usr/lib/postgresql")).last().copied();
        let databases = escale_postgres::Config { prepare, ..escale_postgres::Config::new(home.databases()) };
        let postgres =
            PostgresPlane::open(databases).map(|(plane, told)| (Arc::new(plane) as Arc<dyn Postgres>, told));
        let objects = escale_objects::Settings {
            root: home.plane("objects"),
            clock: clock.clone(),
            durability: escale_objects::Durability::Power,
            limits: escale_objects::Limits::default(),
        };
        let registry = escale_registry::Settings { root: home.plane("images"), clock: clock.clone() };
        let logs = escale_logstore::FileStore::open(&home.plane("logs")).context("cannot open the logs")?;
        Ok(Planes {
            network: Arc::new(network),
            containers: Arc::new(containers(home, clock)?),
            postgres,
            data: DataPlanes {
                dns: Arc::new(DnsPlane::new()),
                logs: Arc::new(logs),
                objects: Arc::new(escale_objects::Store::open(objects).context("cannot open the objects")?),
                registry: Arc::new(escale_registry::Store::open(registry).context("cannot open the images")?),
            },
        })
    }
}

fn containers(home: &Home, clock: &Clock) -> Result<impl Containers + use<>> {
    let settings = escale_containers::Settings {
        state_dir: home.plane("containers"),
        tag: home.tag(),
        // The registry's own files: an image that was pushed is there.
        blobs: home.plane("images").join("blobs"),
        shim: ShimCommand::this_program(),
        runtime: None,
    };
    Machine::open(settings, clock.clone()).context("cannot open the containers")
}

/// The services that hold a plane; the others are made where they are listed.
struct Services {
    ecr: Arc<Ecr>,
    logs: Arc<Logs>,
    route53: Arc<Route53>,
    s3: Arc<S3>,
}

impl Services {
    fn new(planes: &DataPlanes) -> Services {
        Services {
            ecr: Arc::new(Ecr::new(Arc::clone(&planes.registry))),
            logs: Logs::new(Arc::clone(&planes.logs)),
            route53: Arc::new(Route53::new(Arc::clone(&planes.dns))),
            s3: Arc::new(S3::new(Arc::clone(&planes.objects))),
        }
    }

    /// Every service.
    fn cloud(&self, settings: &Settings, clock: Clock) -> Cloud {
        let iam = Iam {
            root_key: settings.access_key.clone(),
            root_secret: Secret::new(settings.secret_key.clone()),
            account: settings.config.account.clone(),
            region: settings.config.region.clone(),
            clock: clock.clone(),
        };
        let services: Vec<Arc<dyn Service>> = vec![
            Arc::new(escale_cloudformation::CloudFormation),
            Arc::new(escale_cloudfront::CloudFront),
            Arc::new(escale_ec2::Ec2),
            Arc::clone(&self.ecr) as _,
            Arc::new(escale_ecs::Ecs),
            Arc::new(escale_elbv2::Elbv2),
            Arc::new(iam.clone()),
            Arc::new(LogsService(Arc::clone(&self.logs))),
            Arc::new(escale_rds::Rds),
            Arc::clone(&self.route53) as _,
            Arc::clone(&self.s3) as _,
            Arc::new(escale_secretsmanager::SecretsManager),
            Arc::new(escale_ssm::Ssm),
            Arc::new(escale_sts::Sts),
        ];
        Cloud::new(Arc::new(settings.config.clone()), clock, Arc::new(iam), services)
    }
}

/// Every service's way of making its wishes true.
async fn reconcilers(
    engine: &mut Engine,
    settings: &Settings,
    store: &Store,
    cloud: &Arc<Cloud>,
    services: &Services,
    planes: Planes,
) -> Result<()> {
    let (store, cloud) = (|| store.clone(), || Arc::clone(cloud));
    let (network, clock) = (|| Arc::clone(&planes.network), || cloud().clock.clone());
    let config = || Arc::clone(&cloud().config);
    let data = &planes.data;

    let hosts = settings.internet_hosts.clone();
    escale_ec2::start(engine, store(), cloud(), network(), hosts).await.context("cannot start EC2")?;
    let dns = Arc::clone(&data.dns);
    escale_route53::start(engine, store(), config(), clock(), dns, network())
        .await
        .context("cannot start Route 53")?;
    let sockets = Arc::new(escale_elbv2::NodeSockets(network()));
    let proxies = Arc::new(escale_proxy::Balancers::new(sockets, clock()));
    escale_elbv2::start(engine, store(), clock(), proxies).context("cannot start Elastic Load Balancing")?;
    let account = config().account.clone();
    escale_ecr::start(engine, store(), clock(), account, services.ecr.repositories());
    let (containers, registry) = (Arc::clone(&planes.containers), Arc::clone(&data.registry));
    escale_ecs::start(
        engine,
        store(),
        cloud(),
        escale_ecs::Planes { containers, registry, network: network() },
    );
    escale_logs::start(engine, store(), Arc::clone(&data.logs));
    escale_s3::start(engine, store(), clock(), services.s3.buckets());
    escale_secretsmanager::start(engine, store());
    let majors = escale_postgres::installed(Path::new("/usr/lib/postgresql"));
    escale_rds::start(engine, store(), cloud(), clock(), planes.postgres, &majors);
    escale_cloudformation::start(engine, store(), cloud());
    Ok(())
}

/// The services on planes that run nothing: for who only wants to know what they can.
pub(crate) fn services_only() -> Result<Cloud> {
    let clock = Clock::machine();
    let planes = DataPlanes {
        dns: Arc::new(DnsPlane::new()),
        logs: Arc::new(escale_logstore::Fake::default()),
        objects: Arc::new(escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default())),
        registry: Arc::new(escale_registry::Fake::new(clock.clone())),
    };
    Ok(Services::new(&planes).cloud(&Settings::from_environment()?, clock))
}

/// Takes down what stands on the machine outside of the home and would outlive the daemon without use.
pub(crate) async fn take_down(home: &Home) -> Result<()> {
    containers(home, &Clock::machine())?.wipe().await?;
    KernelNetwork::open(&home.plane("network")).await?.wipe().await?;
    Ok(())
}

/// Takes down everything and forgets it.
pub(crate) async fn wipe(home: &Home) -> Result<()> {
    // Where the plane cannot be opened (no user postgres) no database was ever made.
    if let Ok((postgres, _)) = PostgresPlane::open(escale_postgres::Config::new(home.databases())) {
        postgres.wipe().await?;
    }
    take_down(home).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn services_and_models_agree() {
        let cloud = super::services_only().unwrap();
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
