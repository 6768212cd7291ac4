//! The daemon's cloud: the services of `escale-wiring` on the real planes, with their listeners.

use crate::{api_certificate, home::Home, internet, planes, root_key, settings::Settings};
use anyhow::{Context, Result, bail};
use escale_authority::Authorities;
use escale_base::Clock;
use escale_dns::DnsPlane;
use escale_engine::Engine;
use escale_gate::Gate;
use escale_network::{Egress, Network, Place};
use escale_service::{Cloud, Entrance};
use escale_store::Store;
use escale_tls::Terminator;
use escale_wiring::{DataPlanes, Planes, RootKey, Services};
use std::sync::Arc;
use tokio::{net::TcpListener, runtime::Handle, task::JoinSet};
use tokio_util::{context::TokioContext, sync::CancellationToken};

/// The running cloud. Dropping it closes its listeners; containers and databases keep running.
pub(crate) struct Running {
    _engine: Engine,
    _egress: Option<Egress>,
    _tasks: JoinSet<()>,
}

/// Starts the cloud. The planes that serve applications run on the threads of `data`, everything else on the caller's.
pub(crate) async fn start(home: &Home, settings: &Settings, key: RootKey, data: &Handle) -> Result<Running> {
    let store = Store::open(&home.state(), &escale_tables::all())
        .with_context(|| format!("cannot open the state database {}", home.state().display()))?;
    let clock = Clock::machine();
    let planes::Opened { network, containers, postgres, data: data_planes, preparation } =
        planes::open(home, &clock, data).await?;
    let dns = Arc::clone(&data_planes.dns);
    let services = Services::new(data_planes);
    let cloud = Arc::new(services.cloud(settings.config.clone(), key, clock.clone()));
    if cfg!(debug_assertions) {
        let differences = escale_gate::check_against_models(&cloud);
        if !differences.is_empty() {
            bail!("services and API models differ:\n  {}", differences.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock.clone());
    let cache = home.private_folder("cdn")?.join("cache");
    let edge = escale_cloudfront::edge(cache, Arc::clone(&network), store.clone(), Arc::clone(&cloud))
        .context("cannot open the content delivery network")?;
    let sockets = Arc::new(escale_elbv2::NodeSockets(Arc::clone(&network)));
    let folder = home.private_folder("authority")?;
    let authority = Authorities::open(&folder, &home.tag(), clock.clone())
        .context("cannot open the certificate authorities")?;
    let planes = Planes {
        authority: Arc::new(authority.clone()),
        network: Arc::clone(&network),
        containers,
        postgres,
        postgres_majors: planes::postgres_majors(),
        proxies: Arc::new(escale_proxy::Balancers::new(sockets, clock.clone()).on(data.clone())),
        cdn: Arc::new(edge.clone()),
        internet_hosts: settings.internet_hosts.clone(),
        upstream: Arc::new(planes::upstream(settings)),
    };
    escale_wiring::start(&mut engine, &store, &cloud, &services, planes).await?;
    // In the context of the data runtime, because tokio registers sockets and tasks with the runtime that is current.
    let names = escale_route53::Planes { dns, network: Arc::clone(&network) };
    let web = escale_route53::start_web(&mut engine, &store, &cloud, names);
    TokioContext::new(web, data.clone()).await.context("cannot serve public names")?;
    let allowed = settings.allowed_addresses.clone();
    let egress = internet::open(&*network, &settings.config.internet, allowed);
    let egress = TokioContext::new(egress, data.clone()).await?;
    let mounts = services.mounts(&store, &cloud);
    let websites = services.websites(&store, &cloud);
    let gate = Gate::new(cloud, store, mounts).context("cannot start the threads that decode requests")?;
    let gate = Arc::new(gate);
    // The listeners open last, so that a client that can connect finds a cloud that answers.
    let tls = api_certificate::terminator(&authority, settings, &clock).await?;
    let mut tasks = listen(settings, &*network, &gate, tls, edge, data).await?;
    let internet = network.namespace(&Place::Internet)?;
    let listener = internet.tcp_listen((settings.config.website_address, 80).into());
    let listener = TokioContext::new(listener, data.clone()).await.context("cannot serve websites")?;
    tasks.spawn_on(escale_gate::serve_mount(websites, listener), data);
    tasks.spawn(preparation);
    Ok(Running { _engine: engine, _egress: egress, _tasks: tasks })
}

async fn listen(
    settings: &Settings,
    network: &dyn Network,
    gate: &Arc<Gate>,
    tls: Terminator,
    edge: escale_cdn::Edge,
    data: &Handle,
) -> Result<JoinSet<()>> {
    let config = &settings.config;
    let listener = TcpListener::bind(&config.endpoint)
        .await
        .with_context(|| format!("cannot listen on {}", config.endpoint))?;
    let mut listeners = JoinSet::new();
    for address in [config.api_address, config.s3_address] {
        let at = (address, config.port).into();
        let inside = network.namespace(&Place::Internet)?.tcp_listen(at).await?;
        listeners.spawn(escale_gate::serve(Arc::clone(gate), inside, Entrance::Cloud, None));
    }
    let internet = network.namespace(&Place::Internet)?;
    for (port, https) in [(80, false), (443, true)] {
        let viewers = internet.tcp_listen((config.edge_address, port).into());
        let viewers = TokioContext::new(viewers, data.clone()).await?;
        let edge = edge.clone();
        listeners.spawn_on(async move { edge.serve(viewers, https, CancellationToken::new()).await }, data);
    }
    listeners.spawn(escale_gate::serve(Arc::clone(gate), listener, Entrance::HostLoopback, Some(tls)));
    Ok(listeners)
}

/// The services on fake planes, to list what they support.
pub(crate) fn services_only() -> Result<Cloud> {
    let clock = Clock::machine();
    let settings = Settings::from_environment()?;
    let planes = DataPlanes {
        dns: Arc::new(DnsPlane::new()),
        logs: Arc::new(escale_logstore::Fake::default()),
        objects: Arc::new(escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default())),
        registry: Arc::new(escale_registry::Fake::new(clock.clone())),
        calls: Arc::new(escale_journal::Fake::default()),
        denials: Arc::new(escale_journal::Fake::default()),
    };
    Ok(Services::new(planes).cloud(settings.config.clone(), root_key::random(), clock))
}

#[cfg(test)]
mod tests {
    #[test]
    fn services_match_the_api_models() {
        let cloud = super::services_only().unwrap();
        assert_eq!(escale_gate::check_against_models(&cloud), Vec::<String>::new());
    }
}
