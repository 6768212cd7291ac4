//! Listeners with TLS.

use super::parts::*;
use escale_base::Secret;
use escale_proxy::{Proxies, spec::*};
use escale_tls::{CertificateSpec, Policy, Suite, TlsSpec, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate that is its own root.
fn certificate(names: &[&str]) -> CertificateSpec {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    CertificateSpec { chain_pem: made.cert.pem(), key_pem: Secret::new(made.signing_key.serialize_pem()) }
}

fn tls(certificates: &[CertificateSpec]) -> TlsSpec {
    TlsSpec { certificates: certificates.to_vec(), policy: Policy::modern(), http2: true }
}

fn with_tls(groups: Vec<GroupSpec>, tls: TlsSpec) -> BalancerSpec {
    let mut spec = balancer(groups);
    spec.listeners[0].tls = Some(tls);
    spec
}

struct Caller {
    config: ClientConfig,
}

impl Caller {
    fn new(trusted: &[CertificateSpec], alpn: &[&str]) -> Caller {
        Caller::with_versions(trusted, alpn, rustls::ALL_VERSIONS)
    }

    fn with_versions(
        trusted: &[CertificateSpec],
        alpn: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Caller {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(CertificateDer::from_pem_slice(certificate.chain_pem.as_bytes()).unwrap()).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        Caller { config }
    }

    async fn connect(&self, to: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream).await
    }

    async fn ask(&self, to: SocketAddr, name: &str, request: &str) -> String {
        let mut client = Client(self.connect(to, name).await.unwrap());
        client.send(request).await;
        client.answer().await
    }
}

fn get(host: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn chooses_the_certificate_by_server_name() {
    let all =
        [certificate(&["default.test"]), certificate(&["a.test", "*.b.test"]), certificate(&["c.b.test"])];
    let running = Running::start(with_tls(Vec::new(), tls(&all))).await;
    for (name, expected) in [("a.test", 1), ("x.b.test", 1), ("c.b.test", 2), ("default.test", 0)] {
        let caller = Caller::new(&all[expected..=expected], &[]);
        let answer = caller.ask(running.addr, name, &get(name)).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
    }
    // A name that no certificate has, and a client without a name, get the default certificate, which they refuse.
    for name in ["other.test", "127.0.0.1"] {
        let error = Caller::new(&all, &[]).connect(running.addr, name).await.unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{name}: {error}");
    }
}

#[tokio::test]
async fn targets_see_that_the_client_used_https() {
    let server = Server::start(Behaviour::Echo).await;
    let own = [certificate(&["a.test"])];
    let running = Running::start(with_tls(vec![group("g", &[server.addr])], tls(&own))).await;
    let answer = Caller::new(&own, &["http/1.1"]).ask(running.addr, "a.test", &get("a.test")).await;
    assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
    assert!(answer.contains(&format!("x-forwarded-port: {}", running.addr.port())), "{answer}");

    let caller = Caller::new(&own, &["h2", "http/1.1"]);
    let stream = caller.connect(running.addr, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        http::Request::get("https://a.test/2").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("GET /2 HTTP/1.1") && text.contains("x-forwarded-proto: https"), "{text}");
}

#[tokio::test]
async fn redirects_keep_the_scheme_and_http_is_redirected_to_https() {
    let redirect = |protocol: &str| {
        Action::Redirect(Redirect {
            protocol: protocol.into(),
            host: "#{host}".into(),
            port: "443".into(),
            path: "/#{path}".into(),
            query: "#{query}".into(),
            permanent: true,
        })
    };
    let own = [certificate(&["a.test"])];
    let mut spec = with_tls(Vec::new(), tls(&own));
    spec.listeners[0].default = redirect("#{protocol}");
    let running = Running::start(spec).await;
    let answer = Caller::new(&own, &[]).ask(running.addr, "a.test", &get("a.test")).await;
    assert!(answer.contains("location: https://a.test:443/x"), "{answer}");
    let mut plain = balancer(Vec::new());
    plain.listeners[0].default = redirect("HTTPS");
    let running = Running::start(plain).await;
    let answer = running.ask(&get("a.test")).await;
    assert!(answer.contains("location: https://a.test:443/x"), "{answer}");
}

#[tokio::test]
async fn websockets_work_over_tls() {
    let server = Server::start(Behaviour::Upgrade).await;
    let own = [certificate(&["a.test"])];
    let running = Running::start(with_tls(vec![group("g", &[server.addr])], tls(&own))).await;
    let mut client = Client(Caller::new(&own, &["http/1.1"]).connect(running.addr, "a.test").await.unwrap());
    client
        .send("GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let message = "GET / HTTP/1.1\n: not HTTP any more";
    client.send(message).await;
    let mut got = vec![0; message.len()];
    client.0.read_exact(&mut got).await.unwrap();
    assert_eq!(got, message.as_bytes());
}

#[tokio::test]
async fn refuses_the_attacks_of_the_shared_table_over_tls() {
    let server = Server::start(Behaviour::Echo).await;
    let own = [certificate(&["a.test"])];
    let running = Running::start(with_tls(vec![group("g", &[server.addr])], tls(&own))).await;
    let caller = Caller::new(&own, &["http/1.1"]);
    for (name, request, status) in crate::attacks::REFUSED {
        let answer = caller.ask(running.addr, "a.test", request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        assert_eq!(crate::attacks::answers(&answer), 1, "{name}: {answer}");
    }
    assert_eq!(
        server.connections.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "the target must not get any of it"
    );
}

#[tokio::test]
async fn changes_of_certificates_need_no_new_connection_or_port() {
    let (old, new) = ([certificate(&["a.test"])], [certificate(&["a.test"])]);
    let spec = with_tls(Vec::new(), tls(&old));
    let running = Running::start(spec.clone()).await;
    let mut open = Client(Caller::new(&old, &[]).connect(running.addr, "a.test").await.unwrap());
    running.plane.apply(with_tls(Vec::new(), tls(&new))).await.unwrap();
    assert!(Caller::new(&old, &[]).connect(running.addr, "a.test").await.is_err());
    Caller::new(&new, &[]).connect(running.addr, "a.test").await.unwrap();
    open.send(&get("a.test")).await;
    assert!(open.answer().await.starts_with("HTTP/1.1 200 "));
    // The same port without TLS.
    running.plane.apply(balancer(Vec::new())).await.unwrap();
    assert!(running.ask(&get("a.test")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn policies_limit_versions() {
    let own = [certificate(&["a.test"])];
    let newest = Policy { versions: vec![Version::Tls13], suites: vec![Suite::Tls13Aes256Gcm] };
    let older = Policy { versions: vec![Version::Tls12], suites: vec![Suite::Tls12Aes128Gcm] };
    for (policy, versions, accepted) in [
        (&newest, [&rustls::version::TLS13], true),
        (&newest, [&rustls::version::TLS12], false),
        (&older, [&rustls::version::TLS12], true),
        (&older, [&rustls::version::TLS13], false),
    ] {
        let spec = TlsSpec { policy: policy.clone(), ..tls(&own) };
        let running = Running::start(with_tls(Vec::new(), spec)).await;
        let caller = Caller::with_versions(&own, &[], &versions);
        let connected = caller.connect(running.addr, "a.test").await;
        assert_eq!(connected.is_ok(), accepted, "{policy:?} {versions:?}");
    }
}

#[tokio::test]
async fn refuses_tls_that_cannot_work() {
    let (own, other) = (certificate(&["a.test"]), certificate(&["a.test"]));
    let mixed = CertificateSpec { key_pem: other.key_pem, ..own.clone() };
    let none = Policy { versions: vec![Version::Tls13], suites: vec![Suite::Tls12Aes128Gcm] };
    for (spec, why) in [
        (tls(&[]), "needs at least one certificate"),
        (tls(&[own.clone(), mixed]), "the private key is not the certificate's"),
        (tls(&[CertificateSpec { chain_pem: "nothing".into(), ..own.clone() }]), "not a certificate in PEM"),
        (TlsSpec { policy: none, ..tls(std::slice::from_ref(&own)) }, "the TLS policy cannot be used"),
    ] {
        for plane in [
            &Running::start(balancer(Vec::new())).await.plane as &dyn Proxies,
            &escale_proxy::FakeProxies::default(),
        ] {
            let error = plane.apply(with_tls(Vec::new(), spec.clone())).await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

/// The time is virtual: it moves on when nothing else happens.
#[tokio::test]
async fn closes_connections_that_do_not_complete_a_handshake() {
    let own = [certificate(&["a.test"])];
    let running = Running::start_here(with_tls(Vec::new(), tls(&own))).await;
    let mut silent = TcpStream::connect(running.addr).await.unwrap();
    let mut slow = TcpStream::connect(running.addr).await.unwrap();
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    let mut plain = Client::connect(running.addr).await;
    plain.send(&get("a.test")).await;
    assert!(
        !String::from_utf8_lossy(&plain.rest().await).contains("HTTP/1.1"),
        "no HTTP below a TLS listener"
    );
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    for stream in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    let waited = started.elapsed();
    assert!(waited <= escale_tls::HANDSHAKE + Duration::from_secs(1), "{waited:?}");
    tokio::time::resume();
    Caller::new(&own, &[]).connect(running.addr, "a.test").await.unwrap();
}
