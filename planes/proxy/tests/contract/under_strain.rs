//! Targets that fail, hang or leave; clients that do not read.

use super::parts::*;
use escale_proxy::{Balancers, Proxies, Reason, Sockets, TargetState, spec::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::watch;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An address without a listener.
async fn unused_address() -> std::net::SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn statuses_of_failures() {
    let empty = Running::start(balancer(vec![group("g", &[])])).await;
    assert!(empty.ask(GET).await.starts_with("HTTP/1.1 503 "));

    let refused = Running::start(balancer(vec![group("g", &[unused_address().await])])).await;
    let state = refused.plane.seen("web").unwrap().borrow().targets[0].state.clone();
    assert_eq!(state, TargetState::Unhealthy(Reason::ConnectionRefused));
    // None is healthy: the target is tried nevertheless.
    assert!(refused.ask(GET).await.starts_with("HTTP/1.1 502 "));
    assert_eq!(refused.plane.counts("web").unwrap()[0].targets[0].connection_errors, 1);

    let (closed, _server) = Running::to(Behaviour::Close).await;
    assert!(closed.ask(GET).await.starts_with("HTTP/1.1 502 "));

    let server = Server::start(Behaviour::Silent).await;
    let mut spec = balancer(vec![group("g", &[server.addr])]);
    spec.attributes.idle_timeout_ms = 150;
    let silent = Running::start(spec).await;
    assert!(silent.ask(GET).await.starts_with("HTTP/1.1 504 "));
    // Here the client keeps the target waiting.
    let half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";
    assert!(silent.ask(half).await.starts_with("HTTP/1.1 408 "));
    let own = silent.plane.counts("web").unwrap()[0].listeners[0].own;
    assert_eq!((own.s4xx, own.s5xx), (1, 1));
    // A connection without any request is closed too.
    assert_eq!(Client::connect(silent.addr).await.rest().await, b"");
}

#[tokio::test]
async fn connections_are_used_again() {
    let (running, server) = Running::to(Behaviour::Echo).await;
    let mut client = Client::connect(running.addr).await;
    for _ in 0..20 {
        client.send(GET).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    }
    // A separate task returns the connection to the pool, so a second one is opened occasionally.
    let opened = server.connections.load(SeqCst);
    assert!(opened <= 4, "{opened} connections for 20 requests");
}

#[tokio::test]
async fn stale_connection_fails_no_request() {
    let (running, server) = Running::to(Behaviour::EchoOnce).await;
    let mut client = Client::connect(running.addr).await;
    for _ in 0..50 {
        client.send(GET).await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(server.connections.load(SeqCst), 50);
}

#[tokio::test]
async fn client_that_does_not_read_slows_the_target() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (running, _server) = Running::to(Behaviour::Endless(sent.clone())).await;
    let mut client = Client::connect(running.addr).await;
    client.send(GET).await;
    // Once the buffers in between are full, nothing more is read from the target.
    let mut last = 0;
    let mut still = 0;
    until("the target has stopped sending", || {
        let now = sent.load(SeqCst);
        still = if now > 0 && now == last { still + 1 } else { 0 };
        last = now;
        still > 100
    })
    .await;
    assert!(last < 64 << 20, "{last} bytes are buffered somewhere");
}

#[tokio::test]
async fn draining_lets_requests_finish() {
    let (open, gate) = watch::channel(false);
    let server = Server::start(Behaviour::Held(gate)).await;
    let other = Server::start(Behaviour::Echo).await;
    let mut spec = balancer(vec![group("g", &[server.addr])]);
    let running = Running::start(spec.clone()).await;
    let mut client = Client::connect(running.addr).await;
    client.send(GET).await;
    until("the request is under way", || running.plane.counts("web").unwrap()[0].targets[0].outstanding == 1)
        .await;

    spec.groups[0].targets[0].draining = true;
    spec.groups[0].targets.push(TargetSpec { addr: other.addr, zone: None, draining: false });
    running.plane.apply(spec).await.unwrap();
    let mut seen = running.plane.seen("web").unwrap();
    assert_eq!(seen.borrow().targets[0].state, TargetState::Draining);
    for _ in 0..4 {
        assert!(running.ask(GET).await.contains("GET / HTTP/1.1"), "new requests go to the other one");
    }
    open.send(true).unwrap();
    assert!(client.answer().await.ends_with("abcd"));
    seen.wait_for(|s| s.targets[0].state == TargetState::Drained).await.unwrap();
}

#[tokio::test]
async fn a_drain_ends_with_its_delay() {
    let (_open, gate) = watch::channel(false);
    let server = Server::start(Behaviour::Held(gate)).await;
    let mut spec = balancer(vec![group("g", &[server.addr])]);
    spec.groups[0].drain_delay_ms = 100;
    let running = Running::start(spec.clone()).await;
    let mut client = Client::connect(running.addr).await;
    client.send(GET).await;
    until("the request is under way", || running.plane.counts("web").unwrap()[0].targets[0].outstanding == 1)
        .await;
    spec.groups[0].targets[0].draining = true;
    running.plane.apply(spec).await.unwrap();
    assert!(client.answer().await.ends_with("ab"), "the answer must be cut");
    running
        .plane
        .seen("web")
        .unwrap()
        .wait_for(|s| s.targets[0].state == TargetState::Drained)
        .await
        .unwrap();
}

#[tokio::test]
async fn unhealthy_targets_get_no_requests() {
    let good = Server::start(Behaviour::Echo).await;
    let bad = Server::start(Behaviour::Status(500)).await;
    let running = Running::start(balancer(vec![group("g", &[bad.addr, good.addr])])).await;
    let states: Vec<_> =
        running.plane.seen("web").unwrap().borrow().targets.iter().map(|t| t.state.clone()).collect();
    assert_eq!(states, [TargetState::Unhealthy(Reason::FailedCode(500)), TargetState::Healthy]);
    for _ in 0..6 {
        assert!(running.ask(GET).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(bad.connections.load(SeqCst), 0);
}

/// A network in which a target refuses the first connections, like one that is still starting.
struct StillStarts(AtomicUsize);

#[async_trait::async_trait]
impl Sockets for StillStarts {
    fn listen(
        &self,
        node: &str,
        port: u16,
    ) -> std::io::Result<escale_sockets::Kept<tokio::net::TcpListener>> {
        Loopback.listen(node, port)
    }
    async fn connect(&self, node: &str, to: std::net::SocketAddr) -> std::io::Result<tokio::net::TcpStream> {
        match self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(std::io::ErrorKind::ConnectionRefused.into()),
            Err(_) => Loopback.connect(node, to).await,
        }
    }
}

#[tokio::test]
async fn a_new_target_need_not_wait_for_the_next_interval() {
    let server = Server::start(Behaviour::Echo).await;
    let mut group = group("g", &[server.addr]);
    group.health.interval_ms = 3_600_000;
    let plane = Balancers::new(Arc::new(StillStarts(3.into())), escale_base::Clock::machine());
    plane.apply(balancer(vec![group])).await.unwrap();
    let mut seen = plane.seen("web").unwrap();
    let seen = seen.wait_for(|s| !matches!(s.targets[0].state, TargetState::Initial(_))).await.unwrap();
    assert_eq!(seen.targets[0].state, TargetState::Healthy, "failures of extra checks must not count");
}

#[tokio::test]
async fn a_health_check_that_hangs_is_a_timeout() {
    // The kernel's queue accepts; no process answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut group = group("g", &[silent.local_addr().unwrap()]);
    group.health.timeout_ms = 50;
    let running = Running::start(balancer(vec![group.clone()])).await;
    let state = || running.plane.seen("web").unwrap().borrow().targets[0].state.clone();
    assert_eq!(state(), TargetState::Unhealthy(Reason::Timeout));
    // A plain TCP check finds it healthy.
    group.health.protocol = Probe::Tcp;
    running.plane.apply(balancer(vec![group])).await.unwrap();
    let mut seen = running.plane.seen("web").unwrap();
    seen.wait_for(|s| s.targets[0].state == TargetState::Healthy).await.unwrap();
}

#[tokio::test]
async fn nodes_send_to_their_own_zone_without_cross_zone() {
    let (a, b) = (Server::start(Behaviour::Echo).await, Server::start(Behaviour::Echo).await);
    let mut spec = balancer(vec![group("g", &[a.addr, b.addr])]);
    spec.nodes.push(NodeSpec { node: "n2".into(), zone: "b".into() });
    spec.groups[0].cross_zone = false;
    spec.groups[0].targets[0].zone = Some("a".into());
    spec.groups[0].targets[1].zone = Some("b".into());
    let running = Running::start(spec).await;
    let seen = running.plane.seen("web").unwrap().borrow().clone();
    let nodes: Vec<Vec<&str>> =
        seen.targets.iter().map(|t| t.nodes.iter().map(|(n, _)| n.as_str()).collect()).collect();
    assert_eq!(nodes, [["n1"], ["n2"]]);
    for _ in 0..4 {
        running.ask(GET).await;
    }
    assert_eq!((a.connections.load(SeqCst) > 0, b.connections.load(SeqCst)), (true, 0));
}

#[tokio::test]
async fn port_in_use_is_reported_and_retried() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut spec = balancer(vec![]);
    spec.listeners[0].port = port;
    let plane = escale_proxy::Balancers::new(Arc::new(Loopback), escale_base::Clock::machine());
    let error = plane.apply(spec.clone()).await.unwrap_err();
    assert!(error.retry && error.what.contains(&format!("port {port} of node 'n1'")), "{error}");
    drop(taken);
    plane.apply(spec).await.unwrap();
    assert!(plane.seen("web").unwrap().borrow().listeners[0].state.is_ok());

    // After the removal the port is free again.
    plane.remove("web").await.unwrap();
    let free = async {
        while tokio::net::TcpListener::bind(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), free).await.unwrap();
}
