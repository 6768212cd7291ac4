//! A plane in a directory of its own, always taken down; an example network; and a server
//! that reports to its callers their address as it sees it.

use escale_network::*;
use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

pub(crate) const WEB_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 5);
pub(crate) const NAT_PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 9);
pub(crate) const SERVICE: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 1);

/// An answer takes microseconds; after this long without one a packet counts as dropped.
pub(crate) const DROPPED: Duration = Duration::from_millis(400);

/// A call that must succeed counts as failed after this long: generous, since the machine may be busy.
pub(crate) const ANSWERED: Duration = Duration::from_secs(10);

pub(crate) struct Rig {
    pub(crate) network: Box<KernelNetwork>,
    pub(crate) dir: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        Rig { network: Box::new(KernelNetwork::open(dir.path()).await.unwrap()), dir }
    }

    /// Replaces the instance by a new one over the same directory.
    pub(crate) async fn restart(&mut self) {
        *self.network = KernelNetwork::open(self.dir.path()).await.unwrap();
    }

    pub(crate) fn mounts(&self) -> usize {
        let all = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        all.lines().filter(|l| l.contains(&*self.dir.path().to_string_lossy())).count()
    }

    pub(crate) fn at(&self, interface: &str) -> Namespace {
        self.network.namespace(&Place::interface("shop", interface)).unwrap()
    }

    pub(crate) fn internet(&self) -> Namespace {
        self.network.namespace(&Place::Internet).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let dir = self.dir.path().to_owned();
        // On a runtime of its own: the test's may be unwinding.
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

/// Answers every connection with the caller's address as seen here, then echoes.
pub(crate) async fn serve(at: &Namespace, port: u16) {
    serve_on(at, (Ipv4Addr::UNSPECIFIED, port).into()).await;
}

pub(crate) async fn serve_on(at: &Namespace, address: SocketAddr) {
    tokio::spawn(answer(at.tcp_listen(address).await.unwrap()));
}

async fn answer(listener: TcpListener) {
    while let Ok((mut stream, peer)) = listener.accept().await {
        tokio::spawn(async move {
            let Ipv4Addr { .. } = match peer.ip() {
                std::net::IpAddr::V4(ip) => {
                    stream.write_all(&ip.octets()).await?;
                    ip
                }
                std::net::IpAddr::V6(_) => return Err(io::Error::other("IPv6")),
            };
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await
        });
    }
}

/// Connects and returns the address by which the other side knows the caller.
pub(crate) async fn connect(from: &Namespace, to: (Ipv4Addr, u16)) -> (TcpStream, Ipv4Addr) {
    let connect = async {
        let mut stream = from.tcp_connect(to.into()).await?;
        let mut seen = [0; 4];
        stream.read_exact(&mut seen).await?;
        io::Result::Ok((stream, Ipv4Addr::from(seen)))
    };
    timeout(ANSWERED, connect).await.unwrap_or_else(|_| panic!("no answer from {to:?}")).unwrap()
}

/// The address by which the other side knows the caller.
pub(crate) async fn reaches(from: &Namespace, to: (Ipv4Addr, u16)) -> Ipv4Addr {
    connect(from, to).await.1
}

/// Panics unless the packets vanish without an answer of any kind.
pub(crate) async fn dropped(from: &Namespace, to: (Ipv4Addr, u16)) {
    match timeout(DROPPED, from.tcp_connect(to.into())).await {
        Err(_) => {}
        Ok(answer) => panic!("{to:?} answered: {answer:?}"),
    }
}

/// Whether a byte travels there and back.
pub(crate) async fn echoes(stream: &mut TcpStream) -> bool {
    let ping = async {
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0; 1]).await
    };
    matches!(timeout(ANSWERED, ping).await, Ok(Ok(_)))
}

/// Panics if a byte travels there and back.
pub(crate) async fn is_cut(stream: &mut TcpStream) {
    let ping = async {
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0; 1]).await
    };
    assert!(!matches!(timeout(DROPPED, ping).await, Ok(Ok(_))), "the connection still works");
}

/// Two tiers behind a NAT gateway, one subnet without a route to the Internet, a public web server.
pub(crate) fn shop() -> VpcSpec {
    let cidr = "10.0.0.0/16".parse().unwrap();
    let tcp = |port, peer| Rule { protocol: Protocol::Tcp(Ports::one(port)), peer };
    let all = || vec![Rule { protocol: Protocol::Any, peer: everybody() }];
    let group = |name: &str, ingress| Group { name: name.into(), ingress, egress: all() };
    VpcSpec {
        name: "shop".into(),
        cidr,
        service_addresses: ["10.0.0.2".parse().unwrap(), "169.254.170.2".parse().unwrap()].into(),
        subnets: vec![
            subnet("public", "10.0.0.0/24", "public"),
            subnet("app", "10.0.10.0/24", "app"),
            subnet("data", "10.0.11.0/24", "data"),
        ],
        route_tables: vec![
            table("public", vec![route("0.0.0.0/0", Target::InternetGateway)]),
            table("app", vec![route("0.0.0.0/0", Target::Interface("nat".into()))]),
            table("data", vec![route("0.0.0.0/0", Target::Interface("nat".into()))]),
        ],
        interfaces: vec![
            Interface {
                public_address: Some(WEB_PUBLIC),
                ..interface("web", "public", "10.0.0.10", &["web"])
            },
            Interface {
                public_address: Some(NAT_PUBLIC),
                kind: Kind::Nat,
                ..interface("nat", "public", "10.0.0.200", &[])
            },
            interface("bare", "public", "10.0.0.11", &["web"]),
            interface("app1", "app", "10.0.10.11", &["app"]),
            interface("app2", "app", "10.0.10.12", &["other"]),
            interface("db", "data", "10.0.11.21", &["db"]),
        ],
        groups: vec![
            group("web", vec![tcp(80, everybody())]),
            group("app", vec![tcp(8080, Peer::Group("web".into()))]),
            group("db", vec![tcp(5432, Peer::Group("app".into()))]),
            group("other", vec![]),
        ],
        filters: vec![],
        peerings: vec![],
        remote_groups: vec![],
        counted: BTreeSet::new(),
        gateway_idle_s: 350,
        internet_gateway: true,
        revoked_flows: RevokedFlows::Cut,
    }
}

pub(crate) fn everybody() -> Peer {
    Peer::Cidr("0.0.0.0/0".parse().unwrap())
}

pub(crate) fn subnet(name: &str, cidr: &str, table: &str) -> Subnet {
    Subnet {
        name: name.into(),
        cidr: cidr.parse().unwrap(),
        zone: "a".into(),
        route_table: table.into(),
        filter: None,
    }
}

pub(crate) fn table(name: &str, routes: Vec<Route>) -> RouteTable {
    RouteTable { name: name.into(), routes }
}

pub(crate) fn route(destination: &str, target: Target) -> Route {
    Route { destination: destination.parse().unwrap(), target }
}

pub(crate) fn interface(name: &str, subnet: &str, address: &str, groups: &[&str]) -> Interface {
    Interface {
        name: name.into(),
        subnet: subnet.into(),
        address: address.parse().unwrap(),
        public_address: None,
        groups: groups.iter().map(|g| (*g).to_owned()).collect::<BTreeSet<_>>(),
        source_dest_check: true,
        kind: Kind::Plain,
    }
}
