//! The same contract on the real plane and the fake, and packets through the real one.
//!
//! Needs root. Each test has its own directory and thereby its own namespaces; the host's network is not touched.

#![allow(clippy::unwrap_used)] // a test's failure is a panic, in its helpers as well

mod egress;
mod filters;
mod flows;
mod outside;
mod packets;
mod peerings;
mod rig;

use escale_base::error::Fault;
use escale_network::*;
use expect_test::{Expect, expect};
use filters::who_answers_follows_filters;
use flows::counts_need_a_network_and_an_interface;
use peerings::{peerings_are_not_transitive, who_answers_follows_peerings};
use rig::{ANSWERED, DROPPED, Rig, SERVICE, route, shop};
use std::net::SocketAddrV4;

/// Runs a contract on both planes.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => { $( mod $name {
        #[tokio::test]
        async fn fake() {
            super::$name(&escale_network::FakeNetwork::default()).await;
        }
        #[tokio::test]
        async fn real() {
            let rig = super::rig::Rig::new().await;
            super::$name(&*rig.network).await;
        }
    } )+ };
}

on_both!(
    apply_matches_spec_and_repeat_changes_nothing,
    changes_only_what_differs,
    a_changed_address_is_a_new_interface,
    public_addresses_belong_to_one,
    removal_and_wipe_leave_nothing,
    sockets_open_where_something_stands,
    who_answers_follows_routes_and_groups,
    who_answers_follows_filters,
    counts_need_a_network_and_an_interface,
    who_answers_follows_peerings,
    peerings_are_not_transitive,
);

async fn apply_matches_spec_and_repeat_changes_nothing(network: &dyn Network) {
    assert_eq!(network.observe("shop").await.unwrap(), None);
    assert_eq!(network.translations("shop", "nat").await.unwrap(), None);
    let spec = shop();
    let applied = network.apply(spec.clone()).await.unwrap();
    assert_eq!(applied.added, spec.interfaces.iter().map(|i| i.name.clone()).collect());
    assert_eq!(network.apply(spec.clone()).await.unwrap(), Applied::default());

    let seen = network.observe("shop").await.unwrap().unwrap();
    let translated = network.translations("shop", "nat").await.unwrap().unwrap();
    assert_eq!((translated.attempts, translated.in_from_source), (0, Traffic::default()));
    assert!(seen.internet);
    assert!(seen.interfaces.values().all(|i| i.up), "{seen:?}");
    let addresses = seen.interfaces.iter().map(|(n, i)| (n.clone(), i.address));
    let desired = spec.interfaces.iter().map(|i| (i.name.clone(), i.address));
    assert_eq!(addresses.collect::<Vec<_>>(), {
        let mut desired: Vec<_> = desired.collect();
        desired.sort();
        desired
    });
}

async fn changes_only_what_differs(network: &dyn Network) {
    let mut spec = shop();
    let late = spec.interfaces.pop().unwrap();
    network.apply(spec.clone()).await.unwrap();
    spec.interfaces.push(late.clone());
    let applied = network.apply(spec.clone()).await.unwrap();
    assert_eq!(applied.added, [late.name.clone()].into());
    assert!(applied.removed.is_empty() && applied.firewall);
    spec.groups[0].ingress.clear();
    let applied = network.apply(spec.clone()).await.unwrap();
    assert!(applied.added.is_empty() && applied.removed.is_empty() && applied.firewall);
    spec.interfaces.retain(|i| i.name != late.name);
    assert_eq!(network.apply(spec).await.unwrap().removed, [late.name].into());
}

async fn a_changed_address_is_a_new_interface(network: &dyn Network) {
    let mut spec = shop();
    network.apply(spec.clone()).await.unwrap();
    let app = spec.interfaces.iter_mut().find(|i| i.name == "app2").unwrap();
    app.address = "10.0.10.99".parse().unwrap();
    let applied = network.apply(spec).await.unwrap();
    assert_eq!((applied.added, applied.removed), (["app2".to_owned()].into(), ["app2".to_owned()].into()));
    let seen = network.observe("shop").await.unwrap().unwrap();
    assert_eq!(seen.interfaces["app2"].address.to_string(), "10.0.10.99");
}

async fn public_addresses_belong_to_one(network: &dyn Network) {
    network.apply(shop()).await.unwrap();
    let mut other = shop();
    other.name = "other".into();
    let error = network.apply(other).await.unwrap_err();
    assert_eq!(error.fault, Fault::Asked, "{error}");
    let host = InternetHost { name: "thief".into(), address: rig::WEB_PUBLIC };
    let error = network
        .apply_internet(InternetSpec { hosts: vec![host], ..InternetSpec::default() })
        .await
        .unwrap_err();
    assert_eq!(error.fault, Fault::Asked, "{error}");
}

async fn removal_and_wipe_leave_nothing(network: &dyn Network) {
    network.apply(shop()).await.unwrap();
    network.remove("shop").await.unwrap();
    network.remove("shop").await.unwrap();
    assert_eq!(network.observe("shop").await.unwrap(), None);
    assert!(network.vpcs().await.unwrap().is_empty());
    network.apply(shop()).await.unwrap();
    network.wipe().await.unwrap();
    assert!(network.vpcs().await.unwrap().is_empty());
    network.wipe().await.unwrap();
}

async fn sockets_open_where_something_stands(network: &dyn Network) {
    network.apply(shop()).await.unwrap();
    let router = network.namespace(&Place::Router("shop".into())).unwrap();
    let resolver = "10.0.0.2:53".parse().unwrap();
    let (udp, tcp) = (router.udp_bind(resolver).await.unwrap(), router.tcp_listen(resolver).await.unwrap());
    network.namespace(&Place::interface("shop", "app1")).unwrap();
    for absent in
        [Place::Router("other".into()), Place::interface("shop", "other"), Place::Host("other".into())]
    {
        assert_eq!(network.namespace(&absent).unwrap_err().fault, Fault::Asked, "{absent}");
    }
    drop((udp, tcp));
}

/// No listener exists in this network: an answer of any kind shows that packets travel in both directions.
async fn who_answers_follows_routes_and_groups(network: &dyn Network) {
    let internet = InternetSpec { service_addresses: [SERVICE].into(), ..InternetSpec::default() };
    network.apply_internet(internet).await.unwrap();
    let mut spec = shop();
    let to = |text: &str| text.parse::<SocketAddrV4>().unwrap();
    let service = SocketAddrV4::new(SERVICE, 443);
    network.apply(spec.clone()).await.unwrap();
    let answers = async |from, to, expected: bool| {
        let within = if expected { ANSWERED } else { DROPPED };
        let answer = network.answers("shop", from, to, within).await.unwrap();
        assert_eq!(answer, expected, "{from} to {to}");
    };
    // Through NAT; with a public address of its own; without one.
    answers("app1", service, true).await;
    answers("web", service, true).await;
    answers("bare", service, false).await;
    answers("app1", to("198.18.2.99:443"), false).await;
    // Inside the network, the groups of both ends decide.
    answers("web", to("10.0.10.11:8080"), true).await;
    answers("web", to("10.0.10.11:8081"), false).await;
    answers("app2", to("10.0.10.11:8080"), false).await;
    answers("app1", to("10.0.10.99:8080"), false).await;

    let app = spec.groups.iter_mut().find(|g| g.name == "app").unwrap();
    app.egress[0].protocol = Protocol::Tcp(Ports::one(80));
    network.apply(spec.clone()).await.unwrap();
    answers("app1", service, false).await;
    answers("app1", SocketAddrV4::new(SERVICE, 80), true).await;
    answers("app2", service, true).await;

    spec.route_tables[1].routes.clear();
    network.apply(spec.clone()).await.unwrap();
    answers("app2", service, false).await;
    spec.route_tables[1].routes = vec![route("198.18.2.0/24", Target::ServiceEndpoint)];
    network.apply(spec.clone()).await.unwrap();
    answers("app2", service, true).await;
    spec.route_tables[1].routes.push(route("198.18.2.1/32", Target::Blackhole));
    network.apply(spec).await.unwrap();
    answers("app2", service, false).await;

    for (vpc, interface) in [("shop", "missing"), ("other", "app1")] {
        let error = network.answers(vpc, interface, service, DROPPED).await.unwrap_err();
        assert_eq!(error.fault, Fault::Asked, "{error}");
    }
}

/// Both planes run the same check first and refuse with the same message.
async fn refuses(change: impl FnOnce(&mut VpcSpec), words: Expect) {
    let mut spec = shop();
    change(&mut spec);
    let error = FakeNetwork::default().apply(spec).await.unwrap_err();
    assert_eq!(error.fault, Fault::Asked);
    words.assert_eq(&error.to_string());
}

#[tokio::test]
async fn refuses_invalid_specs_by_name() {
    refuses(
        |s| s.subnets[1].cidr = "10.0.0.128/25".parse().unwrap(),
        expect!["network 'shop': subnet 'app': 10.0.0.128/25 overlaps 10.0.0.0/24 of subnet 'public'"],
    )
    .await;
    refuses(
        |s| s.interfaces[0].address = "10.0.10.10".parse().unwrap(),
        expect!["network 'shop': interface 'web': 10.0.10.10 is outside subnet 'public' (10.0.0.0/24)"],
    )
    .await;
    refuses(
        |s| s.interfaces[0].address = s.interfaces[1].address,
        expect!["network 'shop': interface 'nat': 10.0.0.200 is already the address of 'web'"],
    )
    .await;
    refuses(
        |s| s.interfaces[0].groups = ["nope".to_owned()].into(),
        expect!["network 'shop': interface 'web' names the group 'nope', which does not exist"],
    )
    .await;
    refuses(
        |s| s.internet_gateway = false,
        expect!["network 'shop': route table 'public': 0.0.0.0/0 goes to the Internet gateway, but the network has none attached"],
    )
    .await;
    refuses(
        |s| s.route_tables[1].routes = vec![route("0.0.0.0/0", Target::Interface("web".into()))],
        expect!["network 'shop': route table 'app': 0.0.0.0/0 goes to interface 'web', which does not forward: turn its source/destination check off"],
    )
    .await;
    refuses(
        |s| s.interfaces[0].public_address = Some("8.8.8.8".parse().unwrap()),
        expect!["network 'shop': interface 'web': 8.8.8.8 is not an available public address; use one of 198.18.0.0/15 except 198.18.0.1"],
    )
    .await;
    refuses(
        |s| s.cidr = "198.18.0.0/16".parse().unwrap(),
        expect!["network 'shop': 198.18.0.0/16 overlaps the Internet's public addresses; choose another range, for example 10.0.0.0/16"],
    )
    .await;
    refuses(
        |s| s.subnets[1].filter = Some("nope".into()),
        expect!["network 'shop': subnet 'app' names the filter 'nope', which does not exist"],
    )
    .await;
    refuses(
        |s| {
            let protocol = Protocol::Tcp(Ports { first: 2, last: 1 });
            let rule = FilterRule { allow: true, protocol, peer: "0.0.0.0/0".parse().unwrap() };
            s.filters = vec![Filter { name: "f".into(), ingress: vec![], egress: vec![rule] }];
        },
        expect!["network 'shop': filter 'f': ports 2-1 are in descending order; give the lower port first"],
    )
    .await;
    refuses(
        |s| s.name = "a/b".into(),
        expect![
            "network 'a/b': 'a/b' cannot name a network: use 1 to 64 of A-Z a-z 0-9 - _ . without a leading dot"
        ],
    )
    .await;
}

#[tokio::test]
async fn refuses_invalid_peerings_by_name() {
    refuses(
        |s| {
            let cidr = "10.0.9.0/24".parse().unwrap();
            s.peerings = vec![Peering { name: "p".into(), network: "other".into(), cidr }];
        },
        expect!["network 'shop': peering 'p': 10.0.9.0/24 must have no host bits and must not overlap the network's 10.0.0.0/16"],
    )
    .await;
    refuses(
        |s| s.route_tables[1].routes = vec![route("10.9.0.0/16", Target::Peering("p".into()))],
        expect!["network 'shop': route table 'app': the route to 10.9.0.0/16 names the peering 'p', which does not exist"],
    )
    .await;
}

#[tokio::test]
async fn wipe_leaves_no_file_and_no_mount() {
    let rig = Rig::new().await;
    rig.network.apply(shop()).await.unwrap();
    assert!(rig.mounts() > 6);
    rig.network.wipe().await.unwrap();
    assert_eq!(rig.mounts(), 0);
    assert_eq!(std::fs::read_dir(rig.dir.path()).unwrap().count(), 0);
}
