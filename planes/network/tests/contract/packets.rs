//! Packets through the real plane: allowed packets arrive, from the right address; all others vanish.

use crate::rig::*;
use escale_network::*;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const WEB: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
pub(crate) const APP1: Ipv4Addr = Ipv4Addr::new(10, 0, 10, 11);
pub(crate) const APP2: Ipv4Addr = Ipv4Addr::new(10, 0, 10, 12);
pub(crate) const DB: Ipv4Addr = Ipv4Addr::new(10, 0, 11, 21);
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 9, 9);

/// The shop's network with servers in it, a service and a host on the Internet.
pub(crate) async fn open() -> Rig {
    let rig = Rig::new().await;
    rig.network.apply(shop()).await.unwrap();
    let hosts = vec![InternetHost { name: "visitor".into(), address: HOST }];
    rig.network.apply_internet(InternetSpec { service_addresses: [SERVICE].into(), hosts }).await.unwrap();
    serve(&rig.at("web"), 80).await;
    serve(&rig.at("web"), 8080).await;
    serve(&rig.at("app1"), 8080).await;
    serve(&rig.at("app2"), 8080).await;
    serve(&rig.at("db"), 5432).await;
    serve_on(&rig.internet(), (SERVICE, 443).into()).await;
    rig
}

pub(crate) fn host(rig: &Rig) -> Namespace {
    rig.network.namespace(&Place::Host("visitor".into())).unwrap()
}

#[tokio::test]
async fn groups_decide_by_port_and_by_membership() {
    let rig = open().await;
    assert_eq!(reaches(&rig.at("web"), (APP1, 8080)).await, WEB);
    assert_eq!(reaches(&rig.at("app1"), (DB, 5432)).await, APP1);
    assert_eq!(reaches(&rig.at("app2"), (WEB, 80)).await, APP2);
    for (from, to) in [
        ("web", (APP2, 8080)),
        ("web", (DB, 5432)),
        ("app2", (DB, 5432)),
        ("app2", (APP1, 8080)),
        ("app1", (WEB, 8080)),
    ] {
        dropped(&rig.at(from), to).await;
    }
    // Joining the group is sufficient, and leaving it revokes access.
    let mut spec = shop();
    spec.interfaces.iter_mut().find(|i| i.name == "app2").unwrap().groups.insert("web".into());
    rig.network.apply(spec).await.unwrap();
    reaches(&rig.at("app2"), (APP1, 8080)).await;
    rig.network.apply(shop()).await.unwrap();
    dropped(&rig.at("app2"), (APP1, 8080)).await;
}

#[tokio::test]
async fn egress_rules_and_prefixes_count() {
    let rig = open().await;
    let mut spec = shop();
    let app = spec.groups.iter_mut().find(|g| g.name == "app").unwrap();
    let prefixes = ["10.0.11.0/24", "10.0.11.0/25"].map(|p| p.parse().unwrap()).to_vec();
    app.egress = vec![Rule { protocol: Protocol::Tcp(Ports::ALL), peer: Peer::Prefixes(prefixes) }];
    rig.network.apply(spec).await.unwrap();
    reaches(&rig.at("app1"), (DB, 5432)).await;
    dropped(&rig.at("app1"), (WEB, 80)).await;
}

#[tokio::test]
async fn a_revoked_rule_stops_new_connections_and_cuts_live_ones() {
    let rig = open().await;
    let (mut live, _) = connect(&rig.at("web"), (APP1, 8080)).await;
    let (mut other, _) = connect(&rig.at("app1"), (DB, 5432)).await;
    let mut spec = shop();
    spec.groups.iter_mut().find(|g| g.name == "app").unwrap().ingress.clear();
    let applied = rig.network.apply(spec.clone()).await.unwrap();
    assert_eq!(applied.flows_cut, 1);
    dropped(&rig.at("web"), (APP1, 8080)).await;
    is_cut(&mut live).await;
    assert!(echoes(&mut other).await, "an allowed flow must continue");

    rig.network.apply(shop()).await.unwrap();
    let (mut live, _) = connect(&rig.at("web"), (APP1, 8080)).await;
    spec.revoked_flows = RevokedFlows::Keep;
    assert_eq!(rig.network.apply(spec).await.unwrap().flows_cut, 0);
    dropped(&rig.at("web"), (APP1, 8080)).await;
    assert!(echoes(&mut live).await, "the spec keeps live flows");
}

#[tokio::test]
async fn the_internet_sees_public_addresses_only() {
    let rig = open().await;
    assert_eq!(reaches(&rig.at("app1"), (SERVICE, 443)).await, NAT_PUBLIC);
    assert_eq!(reaches(&rig.at("db"), (SERVICE, 443)).await, NAT_PUBLIC);
    assert_eq!(reaches(&rig.at("web"), (SERVICE, 443)).await, WEB_PUBLIC);
    dropped(&rig.at("bare"), (SERVICE, 443)).await;
    // Out to its own public address and back in, as from outside.
    assert_eq!(reaches(&rig.at("app1"), (WEB_PUBLIC, 80)).await, NAT_PUBLIC);
}

#[tokio::test]
async fn from_the_internet_only_what_is_public_and_allowed() {
    let rig = open().await;
    let host = host(&rig);
    assert_eq!(reaches(&host, (WEB_PUBLIC, 80)).await, HOST);
    assert_eq!(reaches(&host, (SERVICE, 443)).await, HOST);
    dropped(&host, (WEB_PUBLIC, 8080)).await;
    dropped(&host, (NAT_PUBLIC, 80)).await;
    dropped(&host, (NAT_PUBLIC, 8080)).await;

    // Even with a route to private addresses directly at the network's entry point.
    let script = "ip route add 10.0.0.0/16 via 169.254.255.1 dev i0 onlink";
    rig.internet().hop(|| std::process::Command::new("sh").args(["-c", script]).status()).unwrap();
    dropped(&host, (APP1, 8080)).await;
    dropped(&host, (WEB, 80)).await;
    dropped(&rig.internet(), (WEB, 80)).await;
}

#[tokio::test]
async fn a_withdrawn_public_address_is_gone_at_once() {
    let rig = open().await;
    let (mut live, _) = connect(&host(&rig), (WEB_PUBLIC, 80)).await;
    let mut spec = shop();
    spec.interfaces[0].public_address = None;
    rig.network.apply(spec).await.unwrap();
    is_cut(&mut live).await;
    dropped(&rig.at("web"), (SERVICE, 443)).await;
    let answer = tokio::time::timeout(
        std::time::Duration::from_secs(1),
        host(&rig).tcp_connect((WEB_PUBLIC, 80).into()),
    )
    .await;
    assert!(!matches!(answer, Ok(Ok(_))), "{answer:?}");
}

#[tokio::test]
async fn taking_a_default_route_cuts_that_subnet_alone() {
    let rig = open().await;
    let (mut live, _) = connect(&rig.at("app1"), (SERVICE, 443)).await;
    let mut spec = shop();
    spec.route_tables[1].routes.clear();
    rig.network.apply(spec).await.unwrap();
    dropped(&rig.at("app1"), (SERVICE, 443)).await;
    is_cut(&mut live).await;
    reaches(&rig.at("db"), (SERVICE, 443)).await;
    reaches(&rig.at("app1"), (DB, 5432)).await;
    rig.network.apply(shop()).await.unwrap();
    assert!(echoes(&mut live).await, "the flow must survive until the route is back");
}

#[tokio::test]
async fn service_endpoint_works_without_internet_gateway() {
    let rig = open().await;
    let mut spec = shop();
    spec.route_tables[2].routes = vec![route("198.18.2.0/24", Target::ServiceEndpoint)];
    rig.network.apply(spec.clone()).await.unwrap();
    let seen = reaches(&rig.at("db"), (SERVICE, 443)).await;
    assert_eq!(seen.octets()[..2], [100, 64]);
    dropped(&rig.at("db"), (HOST, 443)).await;
    // The endpoint needs no Internet gateway either.
    spec.internet_gateway = false;
    spec.route_tables[0].routes.clear();
    rig.network.apply(spec).await.unwrap();
    assert_eq!(reaches(&rig.at("db"), (SERVICE, 443)).await, seen);
    dropped(&rig.at("web"), (SERVICE, 443)).await;
}

#[tokio::test]
async fn two_networks_may_have_the_same_addresses() {
    let rig = open().await;
    let mut twin = shop();
    twin.name = "twin".into();
    twin.interfaces[0].public_address = Some(Ipv4Addr::new(198, 18, 1, 6));
    twin.interfaces[1].public_address = Some(Ipv4Addr::new(198, 18, 1, 10));
    rig.network.apply(twin).await.unwrap();
    let app = rig.network.namespace(&Place::interface("twin", "app1")).unwrap();
    assert_eq!(reaches(&app, (SERVICE, 443)).await, Ipv4Addr::new(198, 18, 1, 10));
    assert_eq!(reaches(&rig.at("app1"), (SERVICE, 443)).await, NAT_PUBLIC);
    // The twin's web server does not listen; the shop's server with the same address must not answer for it.
    let refused =
        rig.network.namespace(&Place::interface("twin", "app2")).unwrap().tcp_connect((WEB, 80).into()).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    // From one network into the other, through the Internet.
    assert_eq!(reaches(&app, (WEB_PUBLIC, 80)).await, Ipv4Addr::new(198, 18, 1, 10));
}

#[tokio::test]
async fn interface_cannot_send_from_foreign_address() {
    let mut rig = open().await;
    let app2 = rig.at("app2");
    app2.hop(|| {
        std::process::Command::new("ip").args(["addr", "add", "10.0.0.10/32", "dev", "eth0"]).status()
    })
    .unwrap();
    let spoof = app2.tcp_connect_from((WEB, 0).into(), (APP1, 8080).into());
    assert!(tokio::time::timeout(std::time::Duration::from_millis(400), spoof).await.is_err());
    // A foreign address inside does not confuse a new instance about the interface either.
    rig.restart().await;
    let applied = rig.network.apply(shop()).await.unwrap();
    assert_eq!(applied, Applied { firewall: true, ..Applied::default() });
    reaches(&app2, (WEB_PUBLIC, 80)).await;
}

#[tokio::test]
async fn router_serves_its_network_and_sees_the_client_address() {
    let rig = open().await;
    let router = rig.network.namespace(&Place::Router("shop".into())).unwrap();
    serve_on(&router, "169.254.170.2:80".parse().unwrap()).await;
    serve_on(&router, "10.0.0.1:80".parse().unwrap()).await;
    assert_eq!(reaches(&rig.at("app2"), ("169.254.170.2".parse().unwrap(), 80)).await, APP2);
    dropped(&rig.at("app2"), ("10.0.0.1".parse().unwrap(), 80)).await;

    let resolver = router.udp_bind("10.0.0.2:53".parse().unwrap()).await.unwrap();
    let client = rig.at("db").udp_bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    client.send_to(b"?", "10.0.0.2:53").await.unwrap();
    let (_, peer) = resolver.recv_from(&mut [0; 8]).await.unwrap();
    assert_eq!(peer.ip(), DB);
    // An unassigned address is not answered for, and packets to it do not leak to the Internet.
    dropped(&rig.at("app1"), (Ipv4Addr::new(10, 0, 99, 99), 80)).await;
    dropped(&rig.at("app1"), (Ipv4Addr::new(10, 0, 10, 77), 80)).await;
}

#[tokio::test]
async fn a_new_instance_takes_over_and_traffic_goes_on() {
    let mut rig = open().await;
    let (mut inside, _) = connect(&rig.at("web"), (APP1, 8080)).await;
    let (mut outside, _) = connect(&rig.at("app1"), (SERVICE, 443)).await;
    let (mut public, _) = connect(&host(&rig), (WEB_PUBLIC, 80)).await;
    rig.restart().await;
    let applied = rig.network.apply(shop()).await.unwrap();
    assert_eq!(
        applied,
        Applied { firewall: true, ..Applied::default() },
        "only the firewall is written anew"
    );
    for stream in [&mut inside, &mut outside, &mut public] {
        assert!(echoes(stream).await);
    }
    assert_eq!(rig.network.apply(shop()).await.unwrap(), Applied::default());
    dropped(&rig.at("web"), (DB, 5432)).await;
    assert_eq!(reaches(&rig.at("app1"), (SERVICE, 443)).await, NAT_PUBLIC);
    // Revoked while no instance was running.
    rig.restart().await;
    let mut spec = shop();
    spec.groups.iter_mut().find(|g| g.name == "app").unwrap().ingress.clear();
    assert_eq!(rig.network.apply(spec).await.unwrap().flows_cut, 1);
    is_cut(&mut inside).await;
}

#[tokio::test]
async fn host_reaches_in_over_loopback() {
    let rig = open().await;
    let listen: SocketAddr = "127.18.1.5:0".parse().unwrap();
    let forwarder = forward(rig.internet(), listen, (WEB_PUBLIC, 80).into()).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(forwarder.local_addr()).await.unwrap();
    let mut seen = [0; 4];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(Ipv4Addr::from(seen), VISITOR);
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "hello", "half-closing passes through");
    let address = forwarder.local_addr();
    forwarder.stop().await;
    tokio::net::TcpStream::connect(address).await.unwrap_err();
    let error =
        forward(rig.internet(), "0.0.0.0:0".parse().unwrap(), (WEB_PUBLIC, 80).into()).await.unwrap_err();
    assert!(error.to_string().contains("not a loopback address"), "{error}");
}

/// As another process uses it: without the plane, from the directory alone.
#[tokio::test]
async fn each_connection_is_forwarded_to_where_the_target_is_then() {
    let rig = open().await;
    let inside = |name: &str| Namespaces::of(rig.dir.path()).open(&Place::interface("shop", name));
    let targets = [(inside("app1").unwrap(), APP1), (inside("app2").unwrap(), APP2)];
    let (place, now) = tokio::sync::watch::channel(0usize);
    let forwarder = forward_each("127.0.0.1:0".parse().unwrap(), move || {
        let target = targets.get(*now.borrow()).cloned();
        async move {
            let (namespace, address) = target.ok_or(std::io::ErrorKind::NotFound)?;
            // No group allows this from elsewhere.
            namespace.tcp_connect((address, 8080).into()).await
        }
    });
    let forwarder = forwarder.await.unwrap();
    let connect = || async {
        let mut stream = tokio::net::TcpStream::connect(forwarder.local_addr()).await.unwrap();
        let mut seen = [0; 4];
        let read = tokio::time::timeout(ANSWERED, stream.read_exact(&mut seen)).await.unwrap();
        (read.is_ok().then_some(Ipv4Addr::from(seen)), stream)
    };
    let (seen, mut first) = connect().await;
    assert_eq!(seen, Some(APP1), "the connection comes from the target's own address");
    place.send(1).unwrap();
    assert_eq!(connect().await.0, Some(APP2));
    place.send(2).unwrap();
    assert_eq!(connect().await.0, None, "a client without a target is disconnected");
    assert!(echoes(&mut first).await, "an open connection stays");
    let error = inside("gone").unwrap_err();
    assert!(error.to_string().contains("interface 'gone' of network 'shop' does not exist"), "{error}");
    forwarder.stop().await;
    assert!(!echoes(&mut first).await);
}

#[tokio::test]
async fn counters_count() {
    let rig = open().await;
    let before = rig.network.observe("shop").await.unwrap().unwrap().interfaces["web"].clone();
    reaches(&rig.at("app2"), (WEB, 80)).await;
    let after = rig.network.observe("shop").await.unwrap().unwrap().interfaces["web"].clone();
    assert!(after.received_packets >= before.received_packets + 3 && after.sent_bytes > before.sent_bytes);
}

#[tokio::test]
async fn a_gateway_resets_a_connection_that_was_idle() {
    let rig = open().await;
    let (mut idle, _) = connect(&rig.at("app1"), (SERVICE, 443)).await;
    // Changed in place: the gateway keeps its connections.
    let applied = rig.network.apply(VpcSpec { gateway_idle_s: 2, ..shop() }).await.unwrap();
    assert!(applied.added.is_empty() && applied.removed.is_empty());
    assert!(echoes(&mut idle).await);
    let nat = rig.network.namespace_path(&Place::interface("shop", "nat"));
    let net = format!("--net={}", nat.display());
    let tracked = async || {
        let list = ["conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED"];
        let ran = tokio::process::Command::new("nsenter").arg(&net).args(list).output().await.unwrap();
        String::from_utf8(ran.stdout).unwrap().contains("dport=443")
    };
    assert!(tracked().await);
    // The packets of another connection do not keep the first one, and it does not end with it.
    let (mut busy, _) = connect(&rig.at("app2"), (SERVICE, 443)).await;
    let from_app1 = async || {
        let list = ["conntrack", "-L", "-p", "tcp", "-s", "10.0.10.11"];
        let ran = tokio::process::Command::new("nsenter").arg(&net).args(list).output().await.unwrap();
        !ran.stdout.is_empty()
    };
    while from_app1().await {
        assert!(echoes(&mut busy).await);
    }
    assert!(echoes(&mut busy).await);
    idle.write_all(b"x").await.unwrap();
    let ended = tokio::time::timeout(ANSWERED, idle.read_exact(&mut [0; 1])).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn translations_are_counted() {
    let rig = open().await;
    let counts = async || rig.network.translations("shop", "nat").await.unwrap().unwrap();
    assert_eq!(
        counts().await,
        Translations { active: Some(0), without_port: Some(0), ..Translations::default() }
    );
    let (mut stream, _) = connect(&rig.at("app1"), (SERVICE, 443)).await;
    stream.write_all(&[7; 5000]).await.unwrap();
    stream.read_exact(&mut [0; 5000]).await.unwrap();
    // Nothing listens there: the attempt is refused, and no connection is established.
    rig.at("app1").tcp_connect((SERVICE, 444).into()).await.unwrap_err();
    // Not translated: the gateway does not see it.
    reaches(&rig.at("app1"), (DB, 5432)).await;
    // From outside nothing passes the gateway, so none of it is counted.
    dropped(&host(&rig), (NAT_PUBLIC, 443)).await;
    let after = counts().await;
    assert_eq!((after.attempts, after.established, after.active), (2, 1, Some(1)));
    for traffic in [after.in_from_source, after.in_from_destination] {
        assert!(traffic.bytes > 5000 && traffic.bytes < 20_000 && traffic.packets >= 4, "{after:?}");
    }
    assert_eq!(after.out_to_destination, after.in_from_source, "nothing is lost");
    assert_eq!(after.out_to_source, after.in_from_destination, "nothing is lost");
    assert_eq!(rig.network.translations("shop", "none").await.unwrap(), None);
}

#[tokio::test]
async fn a_new_interface_follows_its_groups() {
    let rig = open().await;
    let mut spec = shop();
    spec.interfaces.push(interface("late", "app", "10.0.10.13", &["app"]));
    rig.network.apply(spec).await.unwrap();
    serve(&rig.at("late"), 8080).await;
    serve(&rig.at("late"), 8081).await;
    let late = Ipv4Addr::new(10, 0, 10, 13);
    assert_eq!(reaches(&rig.at("web"), (late, 8080)).await, WEB);
    dropped(&rig.at("web"), (late, 8081)).await;
    // It is a member of the group, and has the subnet's routes.
    assert_eq!(reaches(&rig.at("late"), (DB, 5432)).await, late);
    assert_eq!(reaches(&rig.at("late"), (SERVICE, 443)).await, NAT_PUBLIC);
}

/// Prints what one more interface costs; run with `--ignored --nocapture` on a quiet machine.
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_one_more_interface() {
    const COUNT: usize = 1000;
    let rig = Rig::new().await;
    let mut spec = shop();
    rig.network.apply(spec.clone()).await.unwrap();
    let mut times = Vec::new();
    spec.subnets.push(subnet("tasks", "10.0.64.0/20", "app"));
    for n in 0..COUNT {
        let address = format!("10.0.{}.{}", 64 + n / 200, 20 + n % 200);
        spec.interfaces.push(interface(&format!("task-{n}"), "tasks", &address, &["app"]));
        let start = Instant::now();
        rig.network.apply(spec.clone()).await.unwrap();
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let median = |part: &[f64]| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    println!(
        "added one by one: the first 20 {:.1} ms, the last 20 {:.1} ms",
        median(&times[..20]),
        median(&times[COUNT - 20..])
    );
    let start = Instant::now();
    spec.interfaces.retain(|i| i.name != "task-100");
    rig.network.apply(spec.clone()).await.unwrap();
    println!("removed one: {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
    let start = Instant::now();
    drop(rig.network.apply(spec).await.unwrap());
    println!("nothing to do: {:.2} ms", start.elapsed().as_secs_f64() * 1000.0);
}
