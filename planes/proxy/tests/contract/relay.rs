//! TCP through the real plane.

use super::parts::*;
use escale_proxy::{ListenerCount, Proxies, TargetState, spec::*};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A server that says its name and then repeats what it gets.
struct Echo {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start(name: &'static str) -> Echo {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                open.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    to.write_all(name.as_bytes()).await?;
                    tokio::io::copy(&mut from, &mut to).await?;
                    // After the client's end, so that a half-closed connection is used.
                    to.write_all(b" bye").await?;
                    to.shutdown().await
                });
            }
        });
        Echo { addr, task }
    }
}

fn relay(targets: &[SocketAddr]) -> BalancerSpec {
    let mut spec = balancer(vec![GroupSpec {
        health: HealthCheck { protocol: Probe::Tcp, ..group("g", &[]).health },
        ..group("g", targets)
    }]);
    spec.listeners[0].default = action(false, false);
    spec
}

fn action(end_after_drain: bool, end_when_unhealthy: bool) -> Action {
    Action::Relay(Relay { group: "g".into(), end_after_drain, end_when_unhealthy })
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.addr).await.unwrap()
}

async fn read(stream: &mut TcpStream, length: usize) -> String {
    let mut buffer = vec![0; length];
    stream.read_exact(&mut buffer).await.unwrap();
    String::from_utf8(buffer).unwrap()
}

/// Whether the connection was reset, not ended in order.
async fn is_reset(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    ended.unwrap().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

fn listener(running: &Running) -> ListenerCount {
    running.plane.counts("web").unwrap()[0].listeners[0].clone()
}

#[tokio::test]
async fn passes_bytes_and_the_end_of_each_direction() {
    let echo = Echo::start("a").await;
    let running = Running::start(relay(&[echo.addr])).await;
    let mut client = connect(&running).await;
    // The server speaks first, and what the client sends is no HTTP.
    assert_eq!(read(&mut client, 1).await, "a");
    let sent = "\0\u{7f}\r\n\r\nGET / HTTP/9\r\n".repeat(20_000);
    let (mut from, mut to) = client.split();
    let mut answer = Vec::new();
    let write = async {
        to.write_all(sent.as_bytes()).await.unwrap();
        to.shutdown().await.unwrap();
    };
    tokio::join!(write, async { from.read_to_end(&mut answer).await.unwrap() });
    assert_eq!(answer.len(), sent.len() + 4);
    assert!(answer.ends_with(b" bye") && answer.starts_with(sent.as_bytes()));
    let counts = listener(&running);
    assert_eq!((counts.new_connections, counts.requests), (1, 0));
    assert_eq!((counts.received_bytes, counts.sent_bytes), (sent.len() as u64, answer.len() as u64 + 1));
    let target = &running.plane.counts("web").unwrap()[0].targets[0];
    assert_eq!((target.requests, target.connection_errors), (1, 0));
}

#[tokio::test]
async fn connections_are_spread_over_healthy_targets() {
    let (a, b) = (Echo::start("a").await, Echo::start("b").await);
    let running = Running::start(relay(&[a.addr, b.addr])).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(read(&mut connect(&running).await, 1).await);
    }
    names.sort();
    assert_eq!(names, ["a", "a", "b", "b"]);
    b.task.abort();
    let mut seen = running.plane.seen("web").unwrap();
    let down =
        |t: &escale_proxy::TargetSeen| t.addr == b.addr && matches!(t.state, TargetState::Unhealthy(_));
    seen.wait_for(|s| s.targets.iter().any(down)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&mut connect(&running).await, 1).await, "a");
    }
}

#[tokio::test]
async fn resets_connections_that_no_target_takes() {
    let running = Running::start(relay(&[])).await;
    assert!(is_reset(&mut connect(&running).await).await);
    // A port that nothing listens on.
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let running = Running::start(relay(&[closed])).await;
    assert!(is_reset(&mut connect(&running).await).await);
    assert_eq!(running.plane.counts("web").unwrap()[0].targets[0].connection_errors, 1);
}

#[tokio::test]
async fn draining_target_keeps_its_connections() {
    for ends in [false, true] {
        let (old, new) = (Echo::start("o").await, Echo::start("n").await);
        let mut spec = relay(&[old.addr]);
        spec.listeners[0].default = action(ends, false);
        spec.groups[0].drain_delay_ms = 50;
        let running = Running::start(spec.clone()).await;
        let mut client = connect(&running).await;
        assert_eq!(read(&mut client, 1).await, "o");
        spec.groups[0].targets[0].draining = true;
        spec.groups[0].targets.push(TargetSpec { addr: new.addr, zone: None, draining: false });
        running.plane.apply(spec).await.unwrap();
        assert_eq!(read(&mut connect(&running).await, 1).await, "n");
        let mut seen = running.plane.seen("web").unwrap();
        seen.wait_for(|s| s.targets[0].state == TargetState::Drained).await.unwrap();
        if ends {
            assert!(is_reset(&mut client).await);
        } else {
            client.write_all(b"still").await.unwrap();
            assert_eq!(read(&mut client, 5).await, "still");
        }
    }
}

#[tokio::test]
async fn connections_to_an_unhealthy_target_end_if_wanted() {
    // The check is at another port, so the target itself goes on.
    for ends in [false, true] {
        let (echo, check) = (Echo::start("a").await, Echo::start("check").await);
        let mut spec = relay(&[echo.addr]);
        spec.listeners[0].default = action(false, ends);
        spec.groups[0].health.port = Some(check.addr.port());
        let running = Running::start(spec).await;
        let mut client = connect(&running).await;
        assert_eq!(read(&mut client, 1).await, "a");
        check.task.abort();
        let mut seen = running.plane.seen("web").unwrap();
        seen.wait_for(|s| matches!(s.targets[0].state, TargetState::Unhealthy(_))).await.unwrap();
        if ends {
            assert!(is_reset(&mut client).await);
        }
        // No target is healthy: an attempt is better than a certain refusal.
        assert_eq!(read(&mut connect(&running).await, 1).await, "a");
        if !ends {
            client.write_all(b"still").await.unwrap();
            assert_eq!(read(&mut client, 5).await, "still");
        }
    }
}

#[tokio::test]
async fn silent_connections_end_after_the_idle_timeout() {
    let echo = Echo::start("a").await;
    let mut spec = relay(&[echo.addr]);
    spec.attributes.idle_timeout_ms = 300;
    let running = Running::start(spec).await;
    let mut client = connect(&running).await;
    assert_eq!(read(&mut client, 1).await, "a");
    let begun = std::time::Instant::now();
    assert!(is_reset(&mut client).await);
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    assert_eq!(listener(&running).active_connections, 0);
}

#[tokio::test]
async fn removal_ends_connections_and_protocols_can_change() {
    let echo = Echo::start("a").await;
    let running = Running::start(relay(&[echo.addr])).await;
    let mut client = connect(&running).await;
    assert_eq!(read(&mut client, 1).await, "a");
    let mut spec = relay(&[echo.addr]);
    spec.listeners[0].default = fixed(200, "http");
    running.plane.apply(spec).await.unwrap();
    assert!(is_reset(&mut client).await);
    let seen = running.plane.seen("web").unwrap().borrow().clone();
    let addr = *seen.listeners[0].state.as_ref().unwrap();
    let http = Running { plane: running.plane, addr };
    assert!(http.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.contains("200"));
    http.plane.apply(relay(&[echo.addr])).await.unwrap();
    let addr = *http.plane.seen("web").unwrap().borrow().listeners[0].state.as_ref().unwrap();
    let mut client = TcpStream::connect(addr).await.unwrap();
    assert_eq!(read(&mut client, 1).await, "a");
    http.plane.remove("web").await.unwrap();
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn refuses_rules_of_tcp_listeners() {
    let plane = escale_proxy::FakeProxies::default();
    let rule = |action| Rule { priority: 1, conditions: Vec::new(), action };
    let mut with_rule = relay(&[]);
    with_rule.listeners[0].rules.push(rule(fixed(200, "")));
    let mut relays_by_rule = relay(&[]);
    relays_by_rule.listeners[0].default = fixed(200, "");
    relays_by_rule.listeners[0].rules.push(rule(action(false, false)));
    let mut nowhere = relay(&[]);
    nowhere.groups.clear();
    for (spec, why) in [
        (with_rule, "has no rules"),
        (relays_by_rule, "only the default action"),
        (nowhere, "not in the spec"),
    ] {
        let error = plane.apply(spec).await.unwrap_err();
        assert!(error.what.contains(why), "{error}");
    }
}
