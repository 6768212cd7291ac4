//! Sends DNS queries over a real network plane: from a VPC to its resolver, to the Internet's server and to the host's
//! loopback. Needs root and dig.
#![allow(clippy::unwrap_used)] // a test may panic

use escale_base::{Clock, Timestamp};
use escale_dns::DnsPlane;
use escale_engine::Engine;
use escale_harness::AllowAll;
use escale_network::{
    Directory, Interface, InternetSpec, KernelNetwork, Kind, LoopbackWeb, Namespace, Namespaces, Network,
    Place, RevokedFlows, RouteTable, Subnet, VpcSpec,
};
use escale_route53::{PlaceSockets, Planes};
use escale_service::{Cloud, Config};
use escale_store::{Row, Store, StoreError};
use escale_tables::{
    ec2::{Vpc, VpcSeen},
    elbv2::LoadBalancerName,
    route53::{DnsApplied, DnsServer},
};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const VPC: &str = "vpc-packets";
const BALANCER: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 1);

/// This test uses no forwarder by name.
struct NoNames;

impl Directory for NoNames {
    fn find(&self, _: &str) -> Vec<SocketAddr> {
        Vec::new()
    }
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

struct Cleanup(std::path::PathBuf);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let dir = self.0.clone();
        // The test's runtime may be unwinding, so the cleanup has its own.
        let wipe = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { KernelNetwork::open(&dir).await?.wipe().await })
        });
        let wiped = wipe.join();
        if !std::thread::panicking() {
            wiped.unwrap().unwrap();
        }
    }
}

fn spec() -> VpcSpec {
    VpcSpec {
        name: VPC.into(),
        cidr: "10.7.0.0/16".parse().unwrap(),
        service_addresses: [Ipv4Addr::new(10, 7, 0, 2)].into(),
        subnets: vec![Subnet {
            name: "a".into(),
            cidr: "10.7.1.0/24".parse().unwrap(),
            zone: "z".into(),
            route_table: "main".into(),
            filter: None,
        }],
        route_tables: vec![RouteTable { name: "main".into(), routes: vec![] }],
        interfaces: vec![Interface {
            name: "eni".into(),
            subnet: "a".into(),
            address: Ipv4Addr::new(10, 7, 1, 9),
            public_address: None,
            groups: BTreeSet::new(),
            source_dest_check: true,
            kind: Kind::Plain,
        }],
        groups: vec![],
        filters: vec![],
        peerings: vec![],
        remote_groups: vec![],
        counted: BTreeSet::new(),
        gateway_idle_s: 350,
        internet_gateway: false,
        revoked_flows: RevokedFlows::Cut,
    }
}

fn put<R: Row>(store: &Store, row: R) {
    let put: Result<(), StoreError> = store.write(|tx| {
        tx.put(row);
        Ok(())
    });
    put.unwrap();
}

/// Waits until `check` finds a value in the store.
async fn until<T>(store: &Store, what: &str, check: impl Fn(&escale_store::Image) -> Option<T>) -> T {
    let mut changes = store.subscribe(&[DnsServer::TABLE, DnsApplied::TABLE]);
    let found = async {
        loop {
            if let Some(found) = check(&store.read()) {
                return found;
            }
            changes.changed().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}

async fn server(store: &Store, place: &str) -> SocketAddr {
    until(store, place, |image| image.get::<DnsServer>(place).map(|s| s.address)).await
}

fn dig(at: &Namespace, server: SocketAddr, name: &str, options: &[&str]) -> String {
    let run = || {
        let mut dig = Command::new("dig");
        dig.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "+short", "+time=5"]);
        dig.args(options).args([name, "A"]).output()
    };
    let done = at.hop(run).unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn vpc(dns_support: bool) -> Vpc {
    let cidr = spec().cidr;
    Vpc { id: VPC.into(), cidr, dns_support, dns_hostnames: false, tags: vec![], created: Timestamp(0) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_queries_in_vpc_internet_and_host() {
    let dir = tempfile::tempdir().unwrap();
    let _cleanup = Cleanup(dir.path().to_owned());
    let network: Arc<dyn Network> = Arc::new(KernelNetwork::open(dir.path()).await.unwrap());
    let namespaces = Namespaces::of(dir.path());
    let dns = DnsPlane::with_sockets(Arc::new(PlaceSockets(namespaces.clone())));
    let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
    let config = Arc::new(Config { dns_port: 0, web_port: 0, https_port: 0, ..Config::default() });
    let cloud = Arc::new(Cloud::new(Arc::clone(&config), Clock::machine(), Arc::new(AllowAll), vec![]));
    network.apply(spec()).await.unwrap();
    let service_addresses = [config.dns_address, BALANCER].into();
    network.apply_internet(InternetSpec { service_addresses, hosts: vec![] }).await.unwrap();
    let at = Timestamp(0);
    put(&store, vpc(true));
    put(&store, VpcSeen { id: VPC.into(), applied: String::new().into(), router: None, at });

    let mut engine = Engine::new(store.clone(), Clock::machine());
    let web = Arc::new(LoopbackWeb::new(namespaces, Arc::new(NoNames)));
    let planes = Planes { dns: Arc::new(dns), network: Arc::clone(&network) };
    escale_route53::start(&mut engine, &store, &cloud, planes);
    escale_route53::start_web(&mut engine, &store, &cloud, web).await.unwrap();

    let inside = network.namespace(&Place::interface(VPC, "eni")).unwrap();
    let resolver = server(&store, VPC).await;
    assert_eq!(resolver, "10.7.0.2:53".parse().unwrap());
    assert_eq!(dig(&inside, resolver, "api.escale.internal", &[]), "198.18.0.2");
    assert_eq!(dig(&inside, resolver, "s3.escale.internal", &["+tcp"]), "198.18.0.3");

    let name = "web-1.eu-west-3.elb.localhost";
    let before = store.read().get::<DnsApplied>(DnsApplied::KEY).unwrap().fingerprint.clone();
    let row =
        LoadBalancerName { name: name.into(), addresses: vec![BALANCER], public: true, vpc: VPC.into() };
    put(&store, row);
    until(&store, "the new name", |image| {
        image.get::<DnsApplied>(DnsApplied::KEY).filter(|a| a.fingerprint != before)
    })
    .await;
    assert_eq!(dig(&inside, resolver, name, &[]), BALANCER.to_string());
    let internet = network.namespace(&Place::Internet).unwrap();
    let authority = server(&store, DnsServer::INTERNET).await;
    assert_eq!(dig(&internet, authority, name, &[]), BALANCER.to_string());
    let loopback = server(&store, DnsServer::LOOPBACK).await;
    let here = Command::new("dig")
        .args(["@127.0.0.1", "-p", &loopback.port().to_string(), "+short", name])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(here.stdout).unwrap().trim(), BALANCER.to_string());

    // The balancer by its loopback address: 198.18.77.1 is 127.18.77.1.
    let listener = internet.tcp_listen((BALANCER, 80).into()).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"the balancer").await;
        }
    });
    let mut client = TcpStream::connect("127.18.77.1:80").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "the balancer");

    put(&store, vpc(false));
    until(&store, "the resolver to go", |image| (!image.has::<DnsServer>(VPC)).then_some(())).await;
    let answer = dig(&inside, resolver, "api.escale.internal", &["+tries=1", "+time=1"]);
    assert!(!answer.contains("198.18"), "{answer}");
}
