//! `escale plane`: the process with the planes that serve applications, and the daemon's connection to it.

use crate::{
    daemon, edge_cache,
    home::Home,
    memory,
    origins::{Origins, PublicNames, Signer},
    process,
    settings::Settings,
};
use anyhow::{Context, Result};
use escale_base::Clock;
use escale_cdn::Edge;
use escale_dns::DnsPlane;
use escale_elbv2::NodeSockets;
use escale_lanes::Lanes;
use escale_network::{LoopbackWeb, Namespaces, Outside};
use escale_plane::{Daemon, Inheritance, Link, Parts, Snapshot, Start, message::Hello};
use escale_route53::PlaceSockets;
use escale_sockets::Keeper;
use escale_tls::client::Trust;
use std::{io, sync::Arc};

/// The arguments of the supervisor, and those of a worker, which its number follows.
const SUPERVISOR: &[&str] = &["plane"];
const WORKER: &[&str] = &["plane", "--worker"];

/// Runs workers until one is asked to end.
pub(crate) fn supervise() -> Result<()> {
    daemon::start_log()?;
    escale_plane::supervise(WORKER).context("cannot supervise the data plane's worker")
}

/// Serves applications until it is asked to end, with the inheritance from `escale_plane::supervise`.
pub(crate) fn work(home: &Home, starts: u32) -> Result<()> {
    memory::share_arenas();
    daemon::start_log()?;
    let (Inheritance { listener, memory, sockets }, supervisor) = Inheritance::of_this_process()
        .context("the data plane's worker is started by its supervisor only")?;
    let snapshot = Snapshot::in_memory(memory);
    let keeper = Keeper::new(supervisor, sockets)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        builder.enable_all().thread_name("escale-plane").build().context("cannot start the runtime")?;
    runtime.block_on(async {
        tokio::select! {
            () = memory::give_back() => Ok(()),
            served = async { escale_plane::serve(parts(home, keeper)?, listener, snapshot, starts).await.map_err(Into::into) } => served,
        }
    })
}

fn parts(home: &Home, keeper: Keeper) -> Result<Parts> {
    let ports = ports()?;
    let (clock, daemon) = (Clock::machine(), Daemon::default());
    let namespaces = Namespaces::of(&home.plane("network")).kept_by(keeper);
    let dns = DnsPlane::with_sockets(Arc::new(PlaceSockets(namespaces.clone())));
    let outside = Outside::default();
    let origins = Origins {
        namespaces: namespaces.clone(),
        outside: outside.clone(),
        dns: dns.clone(),
        daemon: daemon.clone(),
    };
    let signer = Signer { daemon: daemon.clone(), clock: clock.clone() };
    let trust = Trust::new(escale_authority::root_files(&home.private_folder("authority")?));
    let settings = escale_cloudfront::edge_settings(edge_cache::folder(home)?, ports, trust);
    let edge = Edge::open(settings, Arc::new(origins), Arc::new(signer), clock.clone());
    let lanes = Lanes::per_processor().context("cannot start the threads that serve connections")?;
    let sockets = Arc::new(NodeSockets(namespaces.clone()));
    Ok(Parts {
        proxies: Arc::new(escale_proxy::Balancers::new(sockets, clock).on(lanes.clone())),
        edge: edge.context("cannot open the content delivery network")?.on(lanes),
        web: LoopbackWeb::new(namespaces.clone(), Arc::new(PublicNames(dns.clone()))),
        dns,
        namespaces,
        outside,
        daemon,
        settings: format!("{ports:?}"),
    })
}

/// The host's ports of HTTP and HTTPS, which the edge names in redirects.
fn ports() -> Result<(u16, u16)> {
    let config = Settings::from_environment()?.config;
    Ok((config.web_port, config.https_port))
}

/// Connects the daemon to the process, which is started if it does not run.
pub(crate) async fn connect(home: &Home) -> Result<Link> {
    let (folder, of_log) = (home.private_folder("plane")?, home.clone());
    let log = Box::new(move || of_log.open_plane_log().map_err(io::Error::other));
    let settings = format!("{:?}", ports()?);
    Link::open(Start { folder, log, settings, arguments: SUPERVISOR }).await.with_context(|| {
        format!("cannot start the data plane's process; see its log {}", home.plane_log().display())
    })
}

/// What the process of this home serves; `None` if it does not run.
pub(crate) async fn running(home: &Home) -> Result<Option<Hello>> {
    escale_plane::visit(&home.plane("plane"))
        .await
        .context("cannot ask the data plane's process for its state")
}

/// Ends the process, if it runs, and returns its pid. Its sockets are closed when this returns.
pub(crate) async fn end(home: &Home) -> Result<Option<u32>> {
    let ended =
        escale_plane::end(&home.plane("plane")).await.context("cannot end the data plane's process")?;
    for pid in ended.iter().flat_map(|hello| [Some(hello.pid), hello.supervisor]).flatten() {
        process::wait(pid as i32).context("the data plane has not ended")?;
    }
    Ok(ended.last().map(|hello| hello.pid))
}
