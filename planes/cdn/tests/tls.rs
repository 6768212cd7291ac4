//! Viewers with HTTPS.
#![allow(clippy::unwrap_used)] // helpers of tests are not marked as tests

#[path = "../../httpguard/tests/attacks/mod.rs"]
mod attacks;
mod parts;

use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Secret};
use escale_cdn::{Cdn, Connector, Edge, OriginSigner, Settings, spec::*};
use escale_tls::{CertificateSpec, Policy, TlsSpec};
use http::Method;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::{CancellationToken, DropGuard};

struct Direct;

#[async_trait]
impl Connector for Direct {
    async fn connect(&self, host: &str, port: u16) -> std::io::Result<TcpStream> {
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

/// A certificate that is its own root.
fn certificate(name: &str) -> CertificateSpec {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    CertificateSpec { chain_pem: made.cert.pem(), key_pem: Secret::new(made.signing_key.serialize_pem()) }
}

fn distribution(host: &str, own: &CertificateSpec, viewer: ViewerProtocol, origin: u16) -> DistributionSpec {
    DistributionSpec {
        id: host.into(),
        hostnames: vec![host.into()],
        default_root: None,
        behaviours: Vec::new(),
        default: parts::behaviour(viewer),
        origins: vec![parts::origin(origin, false)],
        groups: Vec::new(),
        errors: Vec::new(),
        log: false,
        tls: Some(TlsSpec { certificates: vec![own.clone()], policy: Policy::modern(), http2: true }),
    }
}

struct Running {
    http: SocketAddr,
    https: SocketAddr,
    a: CertificateSpec,
    b: CertificateSpec,
    edge: Edge,
    _dir: tempfile::TempDir,
    _stop: DropGuard,
}

fn settings(directory: std::path::PathBuf, trust: escale_tls::client::Trust) -> Settings {
    let text = |text: &str| text.to_owned();
    let identity = Identity {
        product: text("edge"),
        title: text("Edge"),
        via_host: text("node1"),
        id_header: text("X-Edge-Id"),
        place: None,
        server: text("Edge"),
        user_agent: text("Edge/1"),
    };
    Settings {
        directory,
        memory_bytes: 1 << 20,
        disk_bytes: 1 << 20,
        identity,
        https_port: Some((8080, 8443)),
        trust,
    }
}

/// Two distributions, `a.test` and `b.test`, in front of one origin.
async fn start(viewer: ViewerProtocol) -> Running {
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin_port = origin.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = origin.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while stream.read_buf(&mut head).await.unwrap_or(0) > 0 {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("cache"), escale_tls::client::Trust::default());
    let edge = Edge::open(settings, Arc::new(Direct), Arc::new(Unsigned), Clock::machine()).unwrap();
    let (a, b) = (certificate("a.test"), certificate("b.test"));
    edge.apply(distribution("a.test", &a, viewer, origin_port)).await.unwrap();
    edge.apply(distribution("b.test", &b, viewer, origin_port)).await.unwrap();
    let stop = CancellationToken::new();
    let listen = async |https: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (edge, stop) = (edge.clone(), stop.clone());
        tokio::spawn(async move { edge.serve(listener, https, stop).await });
        addr
    };
    Running {
        http: listen(false).await,
        https: listen(true).await,
        a,
        b,
        edge,
        _dir: dir,
        _stop: stop.drop_guard(),
    }
}

async fn connect(
    to: SocketAddr,
    name: &str,
    trusted: &CertificateSpec,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.chain_pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(to).await?).await
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    // A peer that closes without TLS's farewell gives an error after the answer.
    let _ = stream.read_to_end(&mut got).await;
    String::from_utf8_lossy(&got).into_owned()
}

fn get(host: &str) -> String {
    format!("GET /x?y=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn each_distribution_has_its_own_certificate() {
    let r = start(ViewerProtocol::Any).await;
    for (name, trusted) in [("a.test", &r.a), ("b.test", &r.b)] {
        let answer = ask(connect(r.https, name, trusted, &[]).await.unwrap(), &get(name)).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hi"), "{answer}");
    }
    for name in ["other.test", "127.0.0.1"] {
        assert!(connect(r.https, name, &r.a, &[]).await.is_err(), "no distribution has {name}");
    }
    let mut without = distribution("a.test", &r.a, ViewerProtocol::Any, 9);
    without.tls = None;
    r.edge.apply(without).await.unwrap();
    assert!(connect(r.https, "a.test", &r.a, &[]).await.is_err());
}

#[tokio::test]
async fn http2_is_negotiated() {
    let r = start(ViewerProtocol::HttpsOnly).await;
    let stream = connect(r.https, "a.test", &r.a, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (method, cache) in [(Method::GET, "Miss from edge"), (Method::HEAD, "Hit from edge")] {
        let request = http::Request::builder().method(method).uri("https://a.test/2");
        let answer = sender
            .send_request(request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-cache"], cache);
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
    }
}

#[tokio::test]
async fn viewer_protocol_decides_on_http() {
    let r = start(ViewerProtocol::RedirectToHttps).await;
    for (host, location) in [
        ("a.test", "https://a.test/x?y=1"),
        ("a.test:80", "https://a.test/x?y=1"),
        ("a.test:8080", "https://a.test:8443/x?y=1"),
    ] {
        let answer = ask(TcpStream::connect(r.http).await.unwrap(), &get(host)).await;
        assert!(
            answer.starts_with("HTTP/1.1 301 ") && answer.contains(&format!("location: {location}\r\n")),
            "{answer}"
        );
    }
    let answer = ask(connect(r.https, "a.test", &r.a, &[]).await.unwrap(), &get("a.test")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let r = start(ViewerProtocol::HttpsOnly).await;
    let answer = ask(TcpStream::connect(r.http).await.unwrap(), &get("a.test")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn refuses_the_attacks_of_the_shared_table_over_tls() {
    let r = start(ViewerProtocol::Any).await;
    for (name, request, status) in attacks::REFUSED {
        let answer = ask(connect(r.https, "a.test", &r.a, &[]).await.unwrap(), request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        assert_eq!(attacks::answers(&answer), 1, "{name}: {answer}");
    }
    for (name, body) in attacks::BROKEN_BODIES {
        let stream = connect(r.https, "a.test", &r.a, &[]).await.unwrap();
        let answer = ask(stream, &attacks::with_body("a.test", body)).await;
        assert_eq!(attacks::answers(&answer), 1, "{name}: {answer}");
    }
    let stream = connect(r.https, "a.test", &r.a, &[]).await.unwrap();
    let answer = ask(stream, &attacks::withheld("a.test", "/")).await;
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn http_below_tls_is_not_answered() {
    let r = start(ViewerProtocol::Any).await;
    let answer = ask(TcpStream::connect(r.https).await.unwrap(), &get("a.test")).await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
}

/// An origin with TLS whose certificate is its own root; answers with the server name of the handshake.
async fn origin_with_tls(own: &CertificateSpec) -> u16 {
    let spec = TlsSpec { certificates: vec![own.clone()], policy: Policy::modern(), http2: true };
    let terminator = escale_tls::Terminator::new(&spec).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let terminator = terminator.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = terminator.accept(stream).await else { return };
                let name = stream.server_name().unwrap_or("none").to_owned();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

#[tokio::test]
async fn certificates_of_origins_are_verified() {
    let own = certificate("localhost");
    let port = origin_with_tls(&own).await;
    let dir = tempfile::tempdir().unwrap();
    let (root, other) = (dir.path().join("root.pem"), certificate("localhost"));
    let r = start(ViewerProtocol::Any).await;
    let edge = r.edge_trusting(&dir, &root);
    let apply = async |host: &str, change: fn(&mut Origin)| {
        let mut spec = distribution(host, &r.a, ViewerProtocol::Any, port);
        let origin = &mut spec.origins[0];
        (origin.host, origin.protocol) = ("localhost".into(), OriginProtocol::Https);
        change(origin);
        spec.default.ttl = Ttl { min_s: 0, default_s: 0, max_s: 0 };
        edge.0.apply(spec).await.unwrap();
    };
    apply("a.test", |_| {}).await;
    apply("b.test", |origin| origin.host = "127.0.0.1".into()).await;
    let get = async |host: &str| {
        let mut stream = TcpStream::connect(edge.1).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        format!("{} {}", &text[9..12], text.rsplit("\r\n").next().unwrap())
    };
    assert_eq!(&get("a.test").await[..3], "502", "no root is trusted");
    std::fs::write(&root, &other.chain_pem).unwrap();
    assert_eq!(&get("a.test").await[..3], "502", "another root is trusted");
    // A file that changes within one tick of the file system's clock would look the same.
    std::fs::remove_file(&root).unwrap();
    std::fs::write(dir.path().join("new.pem"), &own.chain_pem).unwrap();
    assert_eq!(&get("a.test").await[..3], "502");
    std::fs::rename(dir.path().join("new.pem"), &root).unwrap();
    assert_eq!(get("a.test").await, "200 localhost");
    assert_eq!(&get("b.test").await[..3], "502", "the certificate is for another name");
}

impl Running {
    /// An edge like this one that accepts certificates below this root, and its address.
    fn edge_trusting(&self, dir: &tempfile::TempDir, root: &std::path::Path) -> (Edge, SocketAddr) {
        let trust = escale_tls::client::Trust::new(vec![root.to_owned()]);
        let settings = settings(dir.path().join("cache"), trust);
        let edge = Edge::open(settings, Arc::new(Direct), Arc::new(Unsigned), Clock::machine()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let (serving, stop) = (edge.clone(), CancellationToken::new());
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { serving.serve(listener, false, stop).await });
        (edge, addr)
    }
}
