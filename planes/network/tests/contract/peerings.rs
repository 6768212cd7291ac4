//! Peerings of networks.

use crate::rig::*;
use escale_network::*;
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

const A: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);
const B: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 10);
const C: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 10);

/// A network with two interfaces, `one` and `two`, of groups of the same names, which allow everything.
fn network(name: &str, second: u8) -> VpcSpec {
    let within = |rest: &str| format!("10.{second}.{rest}");
    let all = || vec![Rule { protocol: Protocol::Any, peer: everybody() }];
    let group = |name: &str| Group { name: name.into(), ingress: all(), egress: all() };
    VpcSpec {
        name: name.into(),
        cidr: within("0.0/16").parse().unwrap(),
        service_addresses: [within("0.2").parse().unwrap()].into(),
        subnets: vec![subnet("s", &within("0.0/24"), "t")],
        route_tables: vec![table("t", vec![])],
        interfaces: vec![
            interface("one", "s", &within("0.10"), &["one"]),
            interface("two", "s", &within("0.11"), &["two"]),
        ],
        groups: vec![group("one"), group("two")],
        internet_gateway: false,
        ..shop()
    }
}

/// Adds the peering and a route of all subnets to the other network.
fn join(one: &mut VpcSpec, peering: &str, other: &VpcSpec) {
    let cidr = other.cidr;
    one.peerings.push(Peering { name: peering.into(), network: other.name.clone(), cidr });
    add_route(one, cidr.to_string().as_str(), Target::Peering(peering.into()));
}

fn add_route(spec: &mut VpcSpec, to: &str, target: Target) {
    spec.route_tables[0].routes.push(route(to, target));
}

/// Two peered networks with routes.
fn pair() -> (VpcSpec, VpcSpec) {
    let (mut a, mut b) = (network("a", 1), network("b", 2));
    join(&mut a, "ab", &b);
    join(&mut b, "ab", &a);
    (a, b)
}

async fn apply(network: &dyn Network, specs: &[&VpcSpec]) {
    for spec in specs {
        network.apply((*spec).clone()).await.unwrap();
    }
}

/// On both planes: what the fake computes, the kernel does.
pub(crate) async fn who_answers_follows_peerings(network: &dyn Network) {
    let answers = async |vpc: &str, from: &str, to: Ipv4Addr, expected: bool| {
        let within = if expected { ANSWERED } else { DROPPED };
        let answer = network.answers(vpc, from, SocketAddrV4::new(to, 80), within).await.unwrap();
        assert_eq!(answer, expected, "{from} of {vpc} to {to}");
    };
    let (a, b) = pair();
    apply(network, &[&a]).await;
    answers("a", "one", B, false).await;
    apply(network, &[&b]).await;
    answers("a", "one", B, true).await;
    answers("b", "two", A, true).await;
    answers("a", "one", Ipv4Addr::new(10, 2, 0, 99), false).await;

    // A reply needs a route, too.
    let mut silent = b.clone();
    silent.route_tables[0].routes.clear();
    apply(network, &[&silent]).await;
    answers("a", "one", B, false).await;
    add_route(&mut silent, "10.1.0.0/16", Target::Blackhole);
    apply(network, &[&silent]).await;
    answers("a", "one", B, false).await;
    // A peering of one side is none.
    let mut refused = silent;
    refused.route_tables[0].routes.clear();
    refused.peerings.clear();
    apply(network, &[&refused]).await;
    answers("a", "one", B, false).await;

    // Groups of the other network as sources, and as destinations.
    let mut closed = b.clone();
    let remote = |name: &str, address| RemoteGroup {
        name: name.into(),
        peering: "ab".into(),
        addresses: BTreeSet::from([address]),
    };
    closed.remote_groups = vec![remote("one-of-a", A)];
    closed.groups[0].ingress = vec![Rule { protocol: Protocol::Any, peer: Peer::Group("one-of-a".into()) }];
    let mut choosy = a.clone();
    choosy.remote_groups = vec![remote("one-of-b", B)];
    choosy.groups[0].egress = vec![Rule { protocol: Protocol::Any, peer: Peer::Group("one-of-b".into()) }];
    apply(network, &[&choosy, &closed]).await;
    answers("a", "one", B, true).await;
    answers("a", "one", Ipv4Addr::new(10, 2, 0, 11), false).await;
    answers("a", "two", B, false).await;
    closed.remote_groups[0].addresses.clear();
    apply(network, &[&closed]).await;
    answers("a", "one", B, false).await;

    // The filters of both borders decide as for any other packet.
    let rule = |allow| FilterRule { allow, protocol: Protocol::Any, peer: "0.0.0.0/0".parse().unwrap() };
    for (ingress, egress, expected) in [(true, true, true), (false, true, false), (true, false, false)] {
        let mut filtered = b.clone();
        let (ingress, egress) = (vec![rule(ingress)], vec![rule(egress)]);
        filtered.filters = vec![Filter { name: "f".into(), ingress, egress }];
        filtered.subnets[0].filter = Some("f".into());
        apply(network, &[&a, &filtered]).await;
        answers("a", "one", B, expected).await;
    }
}

/// A network between two others forwards for neither, and its ways out of the cloud are its own.
pub(crate) async fn peerings_are_not_transitive(network: &dyn Network) {
    let internet = InternetSpec { service_addresses: [SERVICE].into(), ..InternetSpec::default() };
    network.apply_internet(internet).await.unwrap();
    let (mut a, mut b) = pair();
    let mut c = self::network("c", 3);
    join(&mut b, "bc", &c);
    join(&mut c, "bc", &b);
    // Every router is configured as if the others forwarded.
    add_route(&mut a, "10.3.0.0/16", Target::Peering("ab".into()));
    add_route(&mut c, "10.1.0.0/16", Target::Peering("bc".into()));
    add_route(&mut a, "0.0.0.0/0", Target::Peering("ab".into()));
    let nat = interface("nat", "s", "10.2.0.200", &[]);
    b.interfaces.push(Interface { kind: Kind::Nat, public_address: Some(NAT_PUBLIC), ..nat });
    b.internet_gateway = true;
    b.subnets.push(subnet("private", "10.2.1.0/24", "private"));
    b.interfaces.push(interface("three", "private", "10.2.1.10", &["one"]));
    b.route_tables.push(table("private", vec![route("0.0.0.0/0", Target::Interface("nat".into()))]));
    add_route(&mut b, "0.0.0.0/0", Target::InternetGateway);
    apply(network, &[&a, &b, &c]).await;
    for (vpc, to, port, expected) in [
        ("a", B, 80, true),
        ("c", B, 80, true),
        ("b", A, 80, true),
        ("b", C, 80, true),
        ("a", C, 80, false),
        ("c", A, 80, false),
        ("a", SERVICE, 443, false),
        // The resolver of the other network.
        ("a", Ipv4Addr::new(10, 2, 0, 2), 53, false),
    ] {
        let within = if expected { ANSWERED } else { DROPPED };
        let answer = network.answers(vpc, "one", SocketAddrV4::new(to, port), within).await.unwrap();
        assert_eq!(answer, expected, "{vpc} to {to}");
    }
    // Its own interfaces use the gateway.
    let service = SocketAddrV4::new(SERVICE, 443);
    assert!(network.answers("b", "three", service, ANSWERED).await.unwrap());
}

fn at(rig: &Rig, vpc: &str, interface: &str) -> Namespace {
    rig.network.namespace(&Place::interface(vpc, interface)).unwrap()
}

#[tokio::test]
async fn packets_keep_their_addresses_and_a_deleted_peering_cuts_them() {
    let mut rig = Rig::new().await;
    let (a, b) = pair();
    apply(&*rig.network, &[&a, &b]).await;
    serve(&at(&rig, "b", "one"), 80).await;
    let (mut live, seen) = connect(&at(&rig, "a", "one"), (B, 80)).await;
    assert_eq!(seen, A);
    // A new process adopts the peering: no packet is lost.
    rig.restart().await;
    assert!(echoes(&mut live).await);
    apply(&*rig.network, &[&b, &a]).await;
    assert!(echoes(&mut live).await);

    let mounts = rig.mounts();
    let mut alone = a.clone();
    alone.peerings.clear();
    alone.route_tables[0].routes[0].target = Target::Blackhole;
    assert_eq!(rig.network.apply(alone.clone()).await.unwrap().flows_cut, 1);
    is_cut(&mut live).await;
    // The connection was forgotten: a new peering does not continue it.
    apply(&*rig.network, &[&a]).await;
    is_cut(&mut live).await;
    assert_eq!(reaches(&at(&rig, "a", "one"), (B, 80)).await, A);

    apply(&*rig.network, &[&alone]).await;
    rig.network.remove("b").await.unwrap();
    assert_eq!(rig.mounts(), mounts - 4, "two interfaces, a router, and what was between the networks");
    // A removed network may come back.
    apply(&*rig.network, &[&b, &a]).await;
    serve(&at(&rig, "b", "one"), 80).await;
    assert_eq!(reaches(&at(&rig, "a", "one"), (B, 80)).await, A);
}

/// Routes decide which of two peers with the same addresses a subnet reaches, and a group is one of them.
#[tokio::test]
async fn two_peers_may_have_the_same_addresses() {
    let rig = Rig::new().await;
    let (mut a, b) = pair();
    let mut twin = VpcSpec { name: "twin".into(), ..network("twin", 2) };
    a.peerings.push(Peering { name: "twin".into(), network: "twin".into(), cidr: twin.cidr });
    a.subnets.push(subnet("to-twin", "10.1.1.0/24", "to-twin"));
    a.interfaces.push(interface("three", "to-twin", "10.1.1.10", &["one"]));
    a.route_tables.push(table("to-twin", vec![route("10.2.0.0/16", Target::Peering("twin".into()))]));
    join(&mut twin, "twin", &a);
    let of_b = RemoteGroup { name: "one-of-b".into(), peering: "ab".into(), addresses: [B].into() };
    a.remote_groups = vec![of_b];
    a.groups[0].ingress = vec![Rule { protocol: Protocol::Any, peer: Peer::Group("one-of-b".into()) }];
    apply(&*rig.network, &[&a, &b, &twin]).await;
    serve(&at(&rig, "b", "one"), 80).await;
    serve(&at(&rig, "twin", "one"), 81).await;
    serve(&at(&rig, "a", "one"), 80).await;
    serve(&at(&rig, "a", "three"), 80).await;
    reaches(&at(&rig, "a", "one"), (B, 80)).await;
    reaches(&at(&rig, "a", "three"), (B, 81)).await;
    reaches(&at(&rig, "b", "one"), (A, 80)).await;
    // The same address, of another network.
    dropped(&at(&rig, "twin", "one"), (Ipv4Addr::new(10, 1, 1, 10), 80)).await;
}
