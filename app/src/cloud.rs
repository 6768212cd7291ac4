//! The daemon's cloud: the services of `escale-wiring` on the real planes, with their listeners.

use crate::{
    api_certificate, home::Home, inner_certificates, inner_certificates::InnerCertificates, internet, plane,
    planes, root_key, settings::Settings,
};
use anyhow::{Context, Result, bail};
use escale_authority::Authorities;
use escale_base::Clock;
use escale_dns::DnsPlane;
use escale_engine::Engine;
use escale_gate::{Gate, Tls};
use escale_network::{Network, Place};
use escale_plane::{
    message::OriginKey,
    remote::{KeyOf, RemoteCdn, RemoteDns, RemoteProxies, RemoteWeb},
};
use escale_service::{Cloud, Config, Entrance};
use escale_store::Store;
use escale_tls::Terminator;
use escale_wiring::{DataPlanes, Planes, RootKey, Services};
use std::{net::Ipv4Addr, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

/// The ports of viewers and of the API inside the cloud; websites have the first one only.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// One entry for the names of all websites, because their address is the same.
const WEBSITES: &str = "websites";

/// The running cloud. Dropping it closes its listeners; containers and databases keep running.
pub(crate) struct Running {
    _engine: Engine,
    _tasks: JoinSet<()>,
}

/// Starts the cloud. The planes that serve applications run in the data plane's process.
pub(crate) async fn start(home: &Home, settings: &Settings, key: RootKey) -> Result<Running> {
    // Meanwhile the process starts, if it does not run.
    let of_plane = home.clone();
    let connecting = AbortOnDropHandle::new(tokio::spawn(async move { plane::connect(&of_plane).await }));
    let store = Store::open(&home.state(), &escale_tables::all())
        .with_context(|| format!("cannot open the state database {}", home.state().display()))?;
    let clock = Clock::machine();
    let planes::Opened { network, containers, postgres, data, preparation } =
        planes::open(home, &clock).await?;
    let link = Arc::new(connecting.await??);
    let services = Services::new(data(Arc::new(RemoteDns::new(Arc::clone(&link)))));
    let cloud = Arc::new(services.cloud(settings.config.clone(), key, clock.clone()));
    let endpoints = cloud.endpoints();
    internet::check(&settings.config.internet, &endpoints)?;
    if cfg!(debug_assertions) {
        let differences = escale_gate::check_against_models(&cloud);
        if !differences.is_empty() {
            bail!("services and API models differ:\n  {}", differences.join("\n  "));
        }
    }
    let mut engine = Engine::new(store.clone(), clock.clone());
    let folder = home.private_folder("authority")?;
    let authority = Authorities::open(&folder, &home.tag(), clock.clone())
        .context("cannot open the certificate authorities")?;
    let planes = Planes {
        authority: Arc::new(authority.clone()),
        network: Arc::clone(&network),
        containers,
        postgres,
        postgres_majors: planes::postgres_majors(),
        proxies: Arc::new(RemoteProxies(Arc::clone(&link))),
        cdn: Arc::new(RemoteCdn { link: Arc::clone(&link), key_of: origin_keys(&store, &cloud) }),
        ca_bundle: inner_certificates::write_bundle(home, &authority)?,
        internet_hosts: settings.internet_hosts.clone(),
        upstream: Arc::new(planes::upstream(settings)),
    };
    escale_wiring::start(&mut engine, &store, &cloud, &services, planes).await?;
    let web = Arc::new(RemoteWeb(Arc::clone(&link)));
    escale_route53::start_web(&mut engine, &store, &cloud, web).await.context("cannot serve public names")?;
    for (port, https) in [(HTTP, false), (HTTPS, true)] {
        let viewers = (settings.config.edge_address, port).into();
        link.serve_viewers(viewers, https).await.context("cannot serve distributions")?;
    }
    internet::open(&link, &settings.config.internet, settings.allowed_addresses.clone()).await?;
    let mounts = services.mounts(&store, &cloud);
    let websites = services.websites(&store, &cloud);
    let gate = Gate::new(cloud, store, mounts).context("cannot start the threads that decode requests")?;
    let gate = Arc::new(gate);
    // The listeners open last, so that a client that can connect finds a cloud that answers.
    let tls = api_certificate::terminator(&authority, settings, &clock).await?;
    let inner = |address| {
        let own = endpoints.iter().filter(|e| e.address == address).cloned().collect();
        Tls::Always(Arc::new(InnerCertificates::new(authority.clone(), clock.clone(), own)))
    };
    let mut tasks = listen(settings, &*network, &gate, tls, inner).await?;
    let of_websites = (settings.config.website_address, HTTP).into();
    let listener = network.namespace(&Place::Internet)?.tcp_listen(of_websites).await;
    tasks.spawn(escale_gate::serve_mount(websites, listener.context("cannot serve websites")?));
    // Now origins of distributions that are buckets can be reached.
    let s3 = (settings.config.s3_address, settings.config.port).into();
    let own = [(Config::s3_name(), s3), (WEBSITES.to_owned(), of_websites)];
    link.daemon_serves(own.into()).await.context("cannot serve buckets to distributions")?;
    tasks.spawn(preparation);
    Ok(Running { _engine: engine, _tasks: tasks })
}

/// The keys that sign distributions' requests to buckets.
fn origin_keys(store: &Store, cloud: &Arc<Cloud>) -> KeyOf {
    let (store, cloud) = (store.clone(), Arc::clone(cloud));
    Arc::new(move |distribution, origin| {
        let (access_key, secret) =
            escale_cloudfront::origin_key(&store.read(), &cloud, distribution, origin)?;
        Some(OriginKey { access_key, secret, region: cloud.config.region.clone() })
    })
}

async fn listen(
    settings: &Settings,
    network: &dyn Network,
    gate: &Arc<Gate>,
    tls: Terminator,
    inner: impl Fn(Ipv4Addr) -> Tls,
) -> Result<JoinSet<()>> {
    let config = &settings.config;
    let listener = TcpListener::bind(&config.endpoint)
        .await
        .with_context(|| format!("cannot listen on {}", config.endpoint))?;
    let mut listeners = JoinSet::new();
    for address in [config.api_address, config.s3_address] {
        // AWS's endpoints answer on both ports, too.
        for (port, tls) in [(config.port, Tls::Never), (HTTPS, inner(address))] {
            let inside = network.namespace(&Place::Internet)?.tcp_listen((address, port).into()).await?;
            listeners.spawn(escale_gate::serve(Arc::clone(gate), inside, Entrance::Cloud, tls));
        }
    }
    let tls = Tls::Optional(tls);
    listeners.spawn(escale_gate::serve(Arc::clone(gate), listener, Entrance::HostLoopback, tls));
    Ok(listeners)
}

/// The services on fake planes, to list what they support.
pub(crate) fn services_only() -> Result<Cloud> {
    let clock = Clock::machine();
    let settings = Settings::from_environment()?;
    let planes = DataPlanes {
        dns: Arc::new(DnsPlane::new()),
        logs: Arc::new(escale_logstore::Fake::default()),
        metrics: Arc::new(escale_metrics::Fake::default()),
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
