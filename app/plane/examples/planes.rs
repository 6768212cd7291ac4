//! Serves a balancer, a distribution and a zone on loopback, for `cargo xtask bench planes`.
//!
//! The arguments are `name=value`: the ports `http`, `https`, `edge`, `dns`, `target`; the files `chain` and `key`; the
//! `cache` folder; and `lanes`, `no` of which serves on one multi-threaded runtime. It ends with its standard input.
#![allow(clippy::unwrap_used)] // a program for measurements

use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Secret};
use escale_cdn::{
    Cdn, Connector, Edge, OriginSigner, Settings,
    spec::{
        Behaviour, DistributionSpec, Encodings, Identity, Origin, OriginProtocol, Pick, ResponseHeaders,
        Selection, Ttl, ViewerProtocol,
    },
};
use escale_dns::{Dns, DnsPlane, Kind, Record, ServerSpec, Spec, View, Zone};
use escale_lanes::Lanes;
use escale_proxy::{
    Balancers, Proxies, Sockets,
    spec::{
        Action, Algorithm, Attributes, BalancerSpec, Forward, GroupSpec, HealthCheck, ListenerSpec, NodeSpec,
        Probe, TargetSpec, Transport, Weighted,
        tls::{CertificateSpec, Policy, TlsSpec},
    },
};
use escale_sockets::Kept;
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

struct Loopback;

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(at(port))?;
    socket.listen(1024)
}

#[async_trait]
impl Sockets for Loopback {
    fn listen(&self, _node: &str, port: u16) -> io::Result<Kept<TcpListener>> {
        Ok(listen(port)?.into())
    }
    async fn connect(&self, _node: &str, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

#[async_trait]
impl Connector for Loopback {
    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((host, port)).await
    }
}

struct Unsigned;

#[async_trait]
impl OriginSigner for Unsigned {
    async fn sign(&self, _: &str, _: &str, _: &mut http::request::Parts) -> Result<(), PlaneError> {
        Ok(())
    }
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn main() {
    let arguments: HashMap<String, String> = std::env::args()
        .skip(1)
        .map(|a| a.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let lanes = match arguments.get("lanes").map(String::as_str) {
        Some("no") => Lanes::none(),
        _ => Lanes::per_processor().unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(serve(&arguments, lanes));
}

async fn serve(arguments: &HashMap<String, String>, lanes: Lanes) {
    let port = |name: &str| arguments.get(name).map(|p| p.parse::<u16>().unwrap());
    let tls = arguments.get("chain").map(|chain| TlsSpec {
        certificates: vec![CertificateSpec {
            chain_pem: std::fs::read_to_string(chain).unwrap(),
            key_pem: Secret::new(std::fs::read_to_string(&arguments["key"]).unwrap()),
        }],
        policy: Policy::modern(),
        http2: true,
    });
    let target = port("target").unwrap();
    let balancers = Balancers::new(Arc::new(Loopback), Clock::machine()).on(lanes.clone());
    if port("http").is_some() {
        balancers
            .apply(balancer(port("http").into_iter(), port("https"), tls.clone(), target))
            .await
            .unwrap();
    }
    if let Some(edge_port) = port("edge") {
        let edge = edge(arguments["cache"].as_str().into()).on(lanes.clone());
        edge.apply(distribution(target)).await.unwrap();
        let listener = listen(edge_port).unwrap();
        tokio::spawn(async move { edge.serve(listener, false, CancellationToken::new()).await });
    }
    let dns = DnsPlane::new();
    if let Some(port) = port("dns") {
        let mut zone = Zone::new("bench.test", &["ns.bench.test"], 1);
        for i in 0..1000 {
            zone = zone.with(Record::simple(&format!("h{i}.bench.test"), Kind::A, 60, &["192.0.2.1"]));
        }
        dns.load(Spec { public: vec![Arc::new(zone)], ..Spec::default() }).unwrap();
        let server = ServerSpec { name: "bench".into(), view: View::Public, place: None, address: at(port) };
        dns.serve(server).await.unwrap();
    }
    println!("ready");
    tokio::task::spawn_blocking(|| io::stdin().read(&mut [0])).await.unwrap().unwrap();
    // Its sockets are closed with the process.
    std::process::exit(0);
}

fn balancer(
    http: impl Iterator<Item = u16>,
    https: Option<u16>,
    tls: Option<TlsSpec>,
    target: u16,
) -> BalancerSpec {
    let forward = || {
        let groups = vec![Weighted { group: "g".into(), weight: 1 }];
        Action::Forward(Forward { groups, sticky_s: None })
    };
    let listener = |(port, tls)| ListenerSpec { port, rules: Vec::new(), default: forward(), tls };
    BalancerSpec {
        name: "bench".into(),
        nodes: vec![NodeSpec { node: "n".into(), zone: "a".into() }],
        listeners: http.map(|p| (p, None)).chain(https.map(|p| (p, tls))).map(listener).collect(),
        groups: vec![GroupSpec {
            name: "g".into(),
            targets: vec![TargetSpec { addr: at(target), zone: None, draining: false }],
            algorithm: Algorithm::RoundRobin,
            health: HealthCheck {
                protocol: Probe::Tcp,
                port: None,
                interval_ms: 1000,
                timeout_ms: 500,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
            },
            cross_zone: true,
            drain_delay_ms: 1000,
            transport: Transport::default(),
            sticky: None,
            slow_start_ms: 0,
        }],
        // As the ALB is configured.
        attributes: Attributes { trace_header: Some("X-Amzn-Trace-Id".into()), ..Attributes::default() },
    }
}

fn edge(directory: std::path::PathBuf) -> Edge {
    let identity = Identity {
        product: "cloudfront".into(),
        title: "CloudFront".into(),
        via_host: "0123456789abcdef.cloudfront.net".into(),
        id_header: "X-Amz-Cf-Id".into(),
        place: Some(("X-Amz-Cf-Pop".into(), "LOCAL1-C1".into())),
        server: "CloudFront".into(),
        user_agent: "Amazon CloudFront".into(),
    };
    let settings = Settings {
        directory,
        memory_bytes: 64 << 20,
        disk_bytes: 256 << 20,
        identity,
        https_port: None,
        trust: escale_tls::client::Trust::default(),
    };
    Edge::open(settings, Arc::new(Loopback), Arc::new(Unsigned), Clock::machine()).unwrap()
}

fn distribution(target: u16) -> DistributionSpec {
    let none = Selection { headers: Pick::None, cookies: Pick::None, query: Pick::None };
    DistributionSpec {
        id: "bench".into(),
        hostnames: vec!["127.0.0.1".into()],
        default_root: None,
        behaviours: Vec::new(),
        default: Behaviour {
            origin: "o".into(),
            viewer: ViewerProtocol::Any,
            allowed_methods: vec![http::Method::GET, http::Method::HEAD],
            cached_methods: vec![http::Method::GET, http::Method::HEAD],
            ttl: Ttl { min_s: 0, default_s: 86400, max_s: 86400 },
            key: none.clone(),
            forward: none,
            encodings: Encodings::default(),
            compress: false,
            trusted_keys: Vec::new(),
            response_headers: ResponseHeaders::default(),
        },
        origins: vec![Origin {
            id: "o".into(),
            host: "127.0.0.1".into(),
            protocol: OriginProtocol::Http,
            http_port: target,
            https_port: target,
            path: String::new(),
            headers: BTreeMap::new(),
            signed: false,
            connect_attempts: 1,
            connect_timeout_ms: 1000,
            read_timeout_ms: 5000,
            keepalive_ms: 5000,
        }],
        groups: Vec::new(),
        errors: Vec::new(),
        log: false,
        tls: None,
    }
}
