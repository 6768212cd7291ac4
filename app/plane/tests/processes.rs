//! The planes in a process of their own: their contracts, and what happens when a process dies.
//!
//! This program is also the supervisor and the worker that it tests.
#![allow(clippy::unwrap_used)] // a test may panic

#[path = "../../../planes/cdn/tests/rules/mod.rs"]
mod cdn_rules;
#[path = "../../../planes/dns/tests/rules/mod.rs"]
mod dns_rules;
#[path = "../../../planes/proxy/tests/contract/parts.rs"]
#[allow(dead_code)] // each user needs other parts
mod parts;
#[path = "../../../planes/proxy/tests/contract/rules.rs"]
mod proxy_rules;
mod rig;

use escale_cdn::Cdn;
use escale_dns::{Dns, ServerSpec, View};
use escale_plane::{end, remote::*, visit};
use escale_proxy::{Proxies, Reason, TargetState, spec::BalancerSpec};
use parts::{Behaviour, Server, balancer, group};
use rig::{Rig, kill};
use std::{net::SocketAddr, sync::Arc, time::Instant};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["supervisor"] => escale_plane::supervise(&["worker"]).unwrap(),
        ["worker", starts] => rig::work(starts.parse().unwrap()),
        // `cargo test NAME` selects tests of all programs.
        [] => all(),
        _ => all(),
    }
}

fn all() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        keeps_the_contracts_of_the_planes().await;
        a_killed_worker_comes_back_with_its_specs().await;
        a_new_daemon_adopts_what_is_served().await;
        everything_killed_is_started_and_sent_again().await;
        a_process_of_another_program_is_replaced().await;
        a_visitor_and_garbage_disturb_nothing().await;
    });
}

/// A balancer with one healthy target, at this port.
async fn serve(rig: &Rig, proxies: &RemoteProxies, target: &Server) -> (BalancerSpec, SocketAddr) {
    let mut spec = balancer(vec![group("used", &[target.addr])]);
    spec.listeners[0].port = rig.free_port();
    proxies.apply(spec.clone()).await.unwrap();
    healthy(proxies).await;
    let address = ([127, 0, 0, 1], spec.listeners[0].port).into();
    (spec, address)
}

async fn healthy(proxies: &RemoteProxies) {
    let mut seen = proxies.seen("web").unwrap();
    seen.wait_for(|s| s.targets.iter().all(|t| t.state == TargetState::Healthy)).await.unwrap();
}

async fn keeps_the_contracts_of_the_planes() {
    let rig = Rig::new();
    let link = rig.link().await;
    let target = Server::start(Behaviour::Echo).await;
    proxy_rules::keeps_the_contract(&RemoteProxies(Arc::clone(&link)), target.addr).await;
    cdn_rules::keeps_the_contract(&RemoteCdn { link: Arc::clone(&link), key_of: rig::keys() }).await;
    dns_rules::contract(&RemoteDns::new(link)).await;
}

async fn a_killed_worker_comes_back_with_its_specs() {
    let rig = Rig::new();
    let link = rig.link().await;
    let (target, proxies) = (Server::start(Behaviour::Echo).await, RemoteProxies(Arc::clone(&link)));
    let (_, address) = serve(&rig, &proxies, &target).await;
    let dns = RemoteDns::new(Arc::clone(&link));
    dns.apply(dns_rules::spec(vec![dns_rules::zone()])).await.unwrap();
    let server = ServerSpec {
        name: "here".into(),
        view: View::Public,
        place: None,
        address: ([127, 0, 0, 1], 0).into(),
    };
    let at = dns.serve(server.clone()).await.unwrap();
    let hello = rig.hello().await;
    assert_eq!((hello.starts, hello.balancers, hello.host, hello.daemon), (1, 1, vec![at], true));

    let began = Instant::now();
    kill(hello.pid);
    rig::until_answered(address).await;
    println!("a killed worker answers again after {} ms", began.elapsed().as_millis());
    let next = rig.hello().await;
    assert_eq!(
        (next.starts, next.supervisor, next.host),
        (2, hello.supervisor, vec![at]),
        "the port is kept"
    );
    // The daemon's connection is back, too: the same sockets, and observations.
    assert_eq!(dns.serve(server).await.unwrap(), at);
    healthy(&proxies).await;
    proxies.remove("web").await.unwrap();
    kill(next.pid);
    rig.until_started(3).await;
    assert_eq!(rig.hello().await.balancers, 0, "a removed balancer does not return");
    assert!(rig::is_closed(address).await);
}

async fn a_new_daemon_adopts_what_is_served() {
    let rig = Rig::new();
    let link = rig.link().await;
    // Of its own, because its end also closes the connections of the target.
    let others = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let target = others.spawn(Server::start(Behaviour::Echo)).await.unwrap();
    let (spec, address) = serve(&rig, &RemoteProxies(Arc::clone(&link)), &target).await;
    let edge = RemoteCdn { link: Arc::clone(&link), key_of: rig::keys() };
    edge.apply(cdn_rules::distribution(9)).await.unwrap();
    let before = rig.hello().await;
    drop((link, edge));
    rig.until_alone().await;
    rig::until_answered(address).await;
    // Killed again and again, while no daemon could send the specs.
    for _ in 0..4 {
        kill(rig.hello().await.pid);
        rig::until_answered(address).await;
    }
    // Health checks go on without a daemon.
    others.shutdown_background();
    rig::until_refused(address).await;

    let link = rig.link().await;
    let (proxies, edge) =
        (RemoteProxies(Arc::clone(&link)), RemoteCdn { link: Arc::clone(&link), key_of: rig::keys() });
    assert_eq!((proxies.names(), edge.ids()), (vec!["web".to_owned()], vec!["d1".to_owned()]));
    let mut seen = proxies.seen("web").unwrap();
    // Known before this daemon's first apply: the worker goes on checking without a daemon, and reports to each that connects.
    let dead = TargetState::Unhealthy(Reason::ConnectionRefused);
    seen.wait_for(|seen| seen.targets[0].state == dead).await.unwrap();
    proxies.apply(spec).await.unwrap();
    // A daemon that starts while the old one is still connected replaces it.
    let second = rig.link().await;
    assert_eq!(RemoteProxies(second).names(), ["web"]);
    assert_eq!(rig.hello().await.supervisor, before.supervisor);
}

async fn everything_killed_is_started_and_sent_again() {
    let rig = Rig::new();
    let link = rig.link().await;
    let (target, proxies) = (Server::start(Behaviour::Echo).await, RemoteProxies(Arc::clone(&link)));
    let (_, address) = serve(&rig, &proxies, &target).await;
    let hello = rig.hello().await;
    kill(hello.supervisor.unwrap());
    kill(hello.pid);
    rig::until_answered(address).await;
    assert_ne!(rig.hello().await.supervisor, hello.supervisor);
    healthy(&proxies).await;
}

async fn a_process_of_another_program_is_replaced() {
    let rig = Rig::new();
    let mut old = rig.start_other_program();
    let target = Server::start(Behaviour::Echo).await;
    let port = rig.free_port();
    let mut spec = balancer(vec![group("used", &[target.addr])]);
    spec.listeners[0].port = port;
    rig.preload(&spec).await;
    let address = ([127, 0, 0, 1], port).into();
    rig::until_answered(address).await;

    let link = rig.link().await;
    rig::until_answered(address).await;
    let now = rig.hello().await;
    assert_ne!(now.supervisor, Some(old.id()), "the process runs this program");
    assert_eq!(now.balancers, 1, "the new process serves the old specs before the daemon applies any");
    assert_eq!(RemoteProxies(Arc::clone(&link)).names(), ["web"]);
    drop((link, target));
    // Also the old process, which completes its requests, can be ended.
    let ended: Vec<u32> =
        end(rig.folder()).await.unwrap().into_iter().filter_map(|hello| hello.supervisor).collect();
    assert_eq!(ended, [old.id(), now.supervisor.unwrap()]);
    for pid in ended {
        rig::until_gone(pid).await;
    }
    old.wait().unwrap();
}

async fn a_visitor_and_garbage_disturb_nothing() {
    let rig = Rig::new();
    assert!(visit(rig.folder()).await.unwrap().is_none());
    assert!(end(rig.folder()).await.unwrap().is_empty());
    let link = rig.link().await;
    for bytes in [&b""[..], b"\x00\x00\x00\x05nonsense", b"\xff\xff\xff\xff", b"\x00\x00\x00\x08\"Daemon\""] {
        rig.send(bytes).await;
    }
    // The last one was a daemon, which left at once: this one connects again.
    let proxies = RemoteProxies(Arc::clone(&link));
    assert!(proxies.counts("web").await.unwrap().is_none());
    assert!(visit(rig.folder()).await.unwrap().is_some());
    drop((proxies, link));
    let [hello] = &end(rig.folder()).await.unwrap()[..] else { panic!("one process runs") };
    rig::until_gone(hello.pid).await;
    rig::until_gone(hello.supervisor.unwrap()).await;
    assert!(visit(rig.folder()).await.unwrap().is_none());
}
