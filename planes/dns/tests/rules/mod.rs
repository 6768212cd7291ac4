//! The contract of every `Dns`.

use escale_dns::*;
use std::{
    net::{TcpListener, UdpSocket},
    sync::Arc,
};

pub(crate) fn zone() -> Zone {
    Zone::new("example.com", &["ns.example.com"], 1).with(Record::simple(
        "www.example.com",
        Kind::A,
        60,
        &["192.0.2.1"],
    ))
}

pub(crate) fn spec(zones: Vec<Zone>) -> Spec {
    Spec { public: zones.into_iter().map(Arc::new).collect(), ..Spec::default() }
}

fn values(dns: &dyn Dns, view: &View, name: &str) -> (Code, Vec<String>) {
    let answer = dns.ask(view, name, Kind::A).unwrap();
    (answer.code, answer.records.into_iter().map(|r| r.value).collect())
}

pub(crate) async fn contract(dns: &dyn Dns) {
    let network = View::Network("blue".into());
    let server = |name: &str, view: &View, port: u16| {
        let address = ([127, 0, 0, 1], port).into();
        ServerSpec { name: name.into(), view: view.clone(), place: None, address }
    };

    // Before any spec is applied: no name is served, and an unknown network has no resolver.
    assert_eq!(values(dns, &View::Public, "www.example.com"), (Code::Refused, vec![]));
    let error = dns.serve(server("blue", &network, 0)).await.unwrap_err();
    assert!(error.to_string().contains("network 'blue'"), "{error}");

    dns.apply(spec(vec![zone()])).await.unwrap();
    assert_eq!(values(dns, &View::Public, "www.example.com"), (Code::NoError, vec!["192.0.2.1".into()]));
    assert_eq!(values(dns, &View::Public, "none.example.com"), (Code::NoSuchName, vec![]));

    // An invalid spec changes nothing, and the error names the record.
    let wrong = zone().with(Record::simple("bad.example.com", Kind::A, 60, &["nope"]));
    let error = dns.apply(spec(vec![wrong])).await.unwrap_err();
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
    dns.apply(both.clone()).await.unwrap();
    assert_eq!(values(dns, &network, "web.shop.internal"), (Code::NoError, vec!["192.0.2.1".into()]));
    assert_eq!(values(dns, &network, "elsewhere.test"), (Code::Forwarded, vec![]));
    let blue = both.networks.get_mut("blue").unwrap().upstream.as_mut().unwrap();
    blue.withheld = vec!["withheld.test".into()];
    blue.allowed = vec!["open.withheld.test".into()];
    dns.apply(both.clone()).await.unwrap();
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
    dns.apply(moved).await.unwrap();
    assert_eq!(values(dns, &network, "web.shop.internal"), (Code::NoError, vec!["192.0.2.7".into()]));

    // A server keeps its sockets when it is served again, and releases its port when it is replaced or stopped.
    let bound = |at: std::net::SocketAddr| UdpSocket::bind(at).is_err() && TcpListener::bind(at).is_err();
    let first = dns.serve(server("blue", &network, 0)).await.unwrap();
    assert!(bound(first));
    for port in [0, first.port()] {
        assert_eq!(dns.serve(server("blue", &network, port)).await.unwrap(), first);
    }
    // Another program may get a free port for a moment, so one of five attempts must succeed; a port that is not released fails
    // all of them.
    let (mut replaced, mut stopped) = (false, false);
    for _ in 0..5 {
        let second = dns.serve(server("blue", &network, 0)).await.unwrap();
        let third = dns.serve(server("blue", &View::Public, 0)).await.unwrap();
        replaced |= bound(third) && (second == third || !bound(second));
        let other = dns.serve(server("other", &View::Public, 0)).await.unwrap();
        dns.stop("blue").await.unwrap();
        dns.stop("blue").await.unwrap();
        assert!(bound(other), "only the named server stops");
        stopped |= !bound(third);
        dns.stop("other").await.unwrap();
    }
    assert!(replaced && stopped);
}
