//! The filters at the borders of subnets.

use crate::{
    packets::{APP1, APP2, DB, HOST, WEB, host, open},
    rig::*,
};
use escale_network::*;
use std::net::{Ipv4Addr, SocketAddrV4};

const CLIENT_PORTS: Ports = Ports { first: 1024, last: 65535 };

fn allow(protocol: Protocol, peer: &str) -> FilterRule {
    FilterRule { allow: true, protocol, peer: peer.parse().unwrap() }
}

fn deny(protocol: Protocol, peer: &str) -> FilterRule {
    FilterRule { allow: false, ..allow(protocol, peer) }
}

fn everything() -> Vec<FilterRule> {
    vec![allow(Protocol::Any, "0.0.0.0/0")]
}

fn tcp(port: u16) -> Protocol {
    Protocol::Tcp(Ports::one(port))
}

/// The shop with one filter, at the border of one subnet.
fn filtered(subnet: &str, ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> VpcSpec {
    let mut spec = shop();
    spec.filters = vec![Filter { name: "f".into(), ingress, egress }];
    spec.subnets.iter_mut().find(|s| s.name == subnet).unwrap().filter = Some("f".into());
    spec
}

/// A subnet, the rules into and out of it, and who then reaches what.
type Case<'a> = (&'a str, Vec<FilterRule>, Vec<FilterRule>, &'a [(&'a str, (Ipv4Addr, u16), bool)]);

/// On both planes: what the fake computes, the kernel does.
pub(crate) async fn who_answers_follows_filters(network: &dyn Network) {
    let internet = InternetSpec { service_addresses: [SERVICE].into(), ..InternetSpec::default() };
    network.apply_internet(internet).await.unwrap();
    let (web, db, service) = ((WEB, 80), (DB, 5432), (SERVICE, 443));
    let returning = || allow(Protocol::Tcp(CLIENT_PORTS), "0.0.0.0/0");
    let cases: [Case<'_>; 9] = [
        ("app", everything(), everything(), &[("app1", db, true), ("app1", service, true)]),
        // Packets inside a subnet cross no border.
        ("public", vec![], vec![], &[("bare", web, true), ("app2", web, false), ("app1", service, false)]),
        ("data", vec![], everything(), &[("app1", db, false), ("db", service, false)]),
        ("data", everything(), vec![], &[("app1", db, false)]),
        // Stateless: replies need a rule of their own.
        (
            "app",
            everything(),
            vec![allow(tcp(5432), "10.0.11.0/24")],
            &[("app1", db, true), ("app2", web, false)],
        ),
        (
            "app",
            vec![deny(Protocol::Tcp(CLIENT_PORTS), "10.0.11.0/24"), everything()[0]],
            everything(),
            &[("app1", db, false), ("app2", web, true)],
        ),
        ("data", vec![allow(tcp(5432), "10.0.10.0/24")], vec![returning()], &[("app1", db, true)]),
        // The first rule that matches decides.
        (
            "data",
            vec![deny(tcp(5432), "10.0.10.11/32"), everything()[0]],
            everything(),
            &[("app1", db, false)],
        ),
        // At the border of a NAT gateway's subnet, the packets of other subnets are filtered too.
        (
            "public",
            vec![allow(Protocol::Any, "10.0.0.0/16")],
            everything(),
            &[("app1", service, false), ("app2", web, true)],
        ),
    ];
    for (subnet, ingress, egress, expected) in cases {
        let shown = format!("{subnet}: {ingress:?} {egress:?}");
        network.apply(filtered(subnet, ingress, egress)).await.unwrap();
        for (from, to, answer) in expected {
            let within = if *answer { ANSWERED } else { DROPPED };
            let found = network.answers("shop", from, SocketAddrV4::new(to.0, to.1), within).await.unwrap();
            assert_eq!(found, *answer, "{from} to {to:?} with {shown}");
        }
    }
}

#[tokio::test]
async fn live_connections_are_filtered_at_once_and_continue_after() {
    let rig = open().await;
    let (mut live, _) = connect(&rig.at("app1"), (DB, 5432)).await;
    let (mut outside, _) = connect(&rig.at("app1"), (SERVICE, 443)).await;
    let (mut public, _) = connect(&host(&rig), (WEB_PUBLIC, 80)).await;
    let mut closed = filtered("data", vec![deny(tcp(5432), "10.0.10.0/24"), everything()[0]], everything());
    closed.revoked_flows = RevokedFlows::Keep;
    rig.network.apply(closed).await.unwrap();
    is_cut(&mut live).await;
    dropped(&rig.at("app1"), (DB, 5432)).await;
    assert!(echoes(&mut outside).await && echoes(&mut public).await, "other subnets are not affected");
    rig.network.apply(shop()).await.unwrap();
    assert!(echoes(&mut live).await, "no connection was ended, so its packets pass again");

    // The replies of a public server leave to the client's ports.
    let no_replies = vec![deny(Protocol::Tcp(CLIENT_PORTS), &format!("{HOST}/32")), everything()[0]];
    rig.network.apply(filtered("public", everything(), no_replies)).await.unwrap();
    is_cut(&mut public).await;
    assert!(echoes(&mut outside).await);
    dropped(&host(&rig), (WEB_PUBLIC, 80)).await;
}

#[tokio::test]
async fn protocols_and_services_of_the_router() {
    let rig = open().await;
    let udp = Protocol::Udp(Ports::one(9));
    rig.network.apply(filtered("data", vec![allow(udp, "0.0.0.0/0")], vec![])).await.unwrap();
    let mut spec = filtered("data", vec![allow(udp, "0.0.0.0/0")], vec![]);
    spec.groups.iter_mut().find(|g| g.name == "db").unwrap().ingress =
        vec![Rule { protocol: Protocol::Any, peer: everybody() }];
    rig.network.apply(spec).await.unwrap();
    let server = rig.at("db").udp_bind((DB, 9).into()).await.unwrap();
    let client = rig.at("app2").udp_bind((APP2, 0).into()).await.unwrap();
    client.send_to(b"in", (DB, 9)).await.unwrap();
    let (_, from) = tokio::time::timeout(ANSWERED, server.recv_from(&mut [0; 8])).await.unwrap().unwrap();
    assert_eq!(from.ip(), APP2);
    // Nothing may leave the subnet, not even the reply.
    server.send_to(b"out", from).await.unwrap();
    assert!(tokio::time::timeout(DROPPED, client.recv_from(&mut [0; 8])).await.is_err());
    dropped(&rig.at("app2"), (DB, 5432)).await;

    // The network's own services are not behind a border.
    let router = rig.network.namespace(&Place::Router("shop".into())).unwrap();
    let resolver = router.udp_bind("10.0.0.2:53".parse().unwrap()).await.unwrap();
    serve_on(&router, "169.254.170.2:80".parse().unwrap()).await;
    server.send_to(b"?", "10.0.0.2:53").await.unwrap();
    let (_, peer) = tokio::time::timeout(ANSWERED, resolver.recv_from(&mut [0; 8])).await.unwrap().unwrap();
    assert_eq!(peer.ip(), DB);
    assert_eq!(reaches(&rig.at("db"), ("169.254.170.2".parse().unwrap(), 80)).await, DB);
}

#[tokio::test]
async fn new_interface_of_a_closed_subnet_is_behind_the_filter() {
    let rig = open().await;
    let mut spec = filtered("app", vec![allow(tcp(8080), "10.0.0.0/24")], everything());
    spec.interfaces.push(interface("late", "app", "10.0.10.13", &["other"]));
    rig.network.apply(spec.clone()).await.unwrap();
    dropped(&rig.at("late"), (WEB, 80)).await;
    assert_eq!(reaches(&rig.at("web"), (APP1, 8080)).await, WEB);
    // A new instance keeps the filter, and an interface that forwards does not get around it.
    let appliance = spec.interfaces.iter_mut().find(|i| i.name == "late").unwrap();
    appliance.source_dest_check = false;
    rig.network.apply(spec).await.unwrap();
    dropped(&rig.at("late"), (WEB, 80)).await;
}
