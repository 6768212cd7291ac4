//! The contract of every `Dns`, on the real plane and on the fake; then real packets to the real one.

#![allow(clippy::unwrap_used)]

mod packets;

use escale_dns::*;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

pub fn zone() -> Zone {
    Zone::new("example.com", &["ns.example.com"], 1).with(Record::simple(
        "www.example.com",
        Kind::A,
        60,
        &["192.0.2.1"],
    ))
}

pub fn spec(zones: Vec<Zone>) -> Spec {
    Spec { public: zones.into_iter().map(Arc::new).collect(), ..Spec::default() }
}

/// A UDP and a TCP socket on one loopback port.
pub fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn values(dns: &dyn Dns, view: &View, name: &str) -> (Code, Vec<String>) {
    let answer = dns.ask(view, name, Kind::A).unwrap();
    (answer.code, answer.records.into_iter().map(|r| r.value).collect())
}

async fn contract(dns: &dyn Dns) {
    let (udp, tcp) = sockets();
    let network = View::Network("blue".into());

    // Before any spec is applied: no name is served, and an unknown network has no resolver.
    assert_eq!(values(dns, &View::Public, "www.example.com"), (Code::Refused, vec![]));
    let error = dns.serve(network.clone(), udp, tcp).err().unwrap();
    assert!(error.to_string().contains("network 'blue'"), "{error}");

    dns.apply(spec(vec![zone()])).unwrap();
    assert_eq!(values(dns, &View::Public, "www.example.com"), (Code::NoError, vec!["192.0.2.1".into()]));
    assert_eq!(values(dns, &View::Public, "none.example.com"), (Code::NoSuchName, vec![]));

    // An invalid spec changes nothing, and the error names the record.
    let wrong = zone().with(Record::simple("bad.example.com", Kind::A, 60, &["nope"]));
    let error = dns.apply(spec(vec![wrong])).unwrap_err();
    assert!(error.to_string().contains("bad.example.com A: value 'nope'"), "{error}");
    assert_eq!(error.fault, escale_base::error::Fault::Asked);
    assert_eq!(values(dns, &View::Public, "www.example.com").0, Code::NoError);

    // A network sees its own zones and, behind them, the public ones; aliases of the former may point to the latter.
    let mut both = spec(vec![zone()]);
    let own = Zone::new("shop.internal", &[], 1).with(Record::alias(
        "web.shop.internal",
        Kind::A,
        "www.example.com",
    ));
    let upstream = Some("192.0.2.99:53".parse::<std::net::SocketAddr>().unwrap().into());
    both.networks
        .insert("blue".into(), Resolver { zones: vec![Arc::new(own)], upstream, queries_per_second: None });
    dns.apply(both.clone()).unwrap();
    assert_eq!(values(dns, &network, "web.shop.internal"), (Code::NoError, vec!["192.0.2.1".into()]));
    assert_eq!(values(dns, &network, "elsewhere.test"), (Code::Forwarded, vec![]));
    let blue = both.networks.get_mut("blue").unwrap().upstream.as_mut().unwrap();
    blue.withheld = vec!["withheld.test".into()];
    blue.allowed = vec!["open.withheld.test".into()];
    dns.apply(both.clone()).unwrap();
    for (name, code) in [
        ("withheld.test", Code::NoSuchName),
        ("A.Withheld.Test", Code::NoSuchName),
        ("notwithheld.test", Code::Forwarded),
        ("open.withheld.test", Code::Forwarded),
        ("a.b.open.withheld.test", Code::Forwarded),
        ("closed.withheld.test", Code::NoSuchName),
    ] {
        assert_eq!(values(dns, &network, name), (code, vec![]), "{name}");
    }
    assert_eq!(values(dns, &View::Public, "web.shop.internal").0, Code::Refused);

    // A change of a public zone affects the aliases in the networks' zones.
    let mut moved = both.clone();
    moved.public = vec![Arc::new(Zone::new("example.com", &[], 2).with(Record::simple(
        "www.example.com",
        Kind::A,
        60,
        &["192.0.2.7"],
    )))];
    dns.apply(moved).unwrap();
    assert_eq!(values(dns, &network, "web.shop.internal"), (Code::NoError, vec!["192.0.2.7".into()]));

    // A stopped server releases its port. Another program may get a free port for a moment, so one of
    // five attempts must succeed; a port that is not released fails all of them.
    let mut left = false;
    for _ in 0..5 {
        let (udp, tcp) = sockets();
        let at = tcp.local_addr().unwrap();
        let server = dns.serve(network.clone(), udp, tcp).unwrap();
        assert_eq!((server.udp, server.tcp), (at, at));
        assert!(UdpSocket::bind(at).is_err());
        server.stop().await;
        left |= UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
    }
    assert!(left);
}

#[tokio::test]
async fn real() {
    contract(&DnsPlane::new()).await;
}

#[tokio::test]
async fn fake() {
    let fake = FakeDns::new();
    contract(&fake).await;
    assert_eq!((fake.applied().len(), fake.served().len()), (4, 5));
    fake.fail_next(escale_base::PlaneError::machine("no more sockets"));
    assert!(fake.apply(Spec::default()).is_err());
    fake.apply(Spec::default()).unwrap();
}
