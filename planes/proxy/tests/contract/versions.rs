//! Targets with TLS, with HTTP/2 and with gRPC.

use super::parts::*;
use bytes::Bytes;
use escale_base::Secret;
use escale_proxy::{Reason, TargetState, spec::*};
use escale_tls::{CertificateSpec, Policy, Terminator, TlsSpec};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::net::{TcpListener, TcpStream};

/// What a target saw, as text; with the trailers of gRPC.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let sent = body.trailers().map(|t| format!("{t:?}")).unwrap_or_default();
    let text = format!(
        "{} {} {:?} te={:?} host={:?} {} {sent}",
        head.method,
        head.uri,
        head.version,
        head.headers.get("te"),
        head.headers.get("host"),
        body.to_bytes().len(),
    );
    let status = if head.uri.path() == "/grpc.health" { "12" } else { "0" };
    let trailers: HeaderMap =
        [("grpc-status".parse().unwrap(), status.parse().unwrap())].into_iter().collect();
    let frames = [Frame::data(Bytes::from(text)), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    Ok(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
}

/// A server of HTTP/2, and the number of its connections.
async fn server(tls: Option<&CertificateSpec>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let terminator = tls.map(|own| {
        let spec = TlsSpec { certificates: vec![own.clone()], policy: Policy::modern(), http2: true };
        Terminator::new(&spec).unwrap()
    });
    let count = Arc::new(AtomicUsize::new(0));
    let opened = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            opened.fetch_add(1, SeqCst);
            let terminator = terminator.clone();
            tokio::spawn(async move {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                match terminator {
                    None => builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await,
                    Some(terminator) => {
                        let Ok(stream) = terminator.accept(stream).await else { return Ok(()) };
                        builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await
                    }
                }
            });
        }
    });
    (addr, count)
}

fn certificate() -> CertificateSpec {
    // For another name: certificates of targets are not verified.
    let made = rcgen::generate_simple_self_signed(["elsewhere.test".to_owned()]).unwrap();
    CertificateSpec { chain_pem: made.cert.pem(), key_pem: Secret::new(made.signing_key.serialize_pem()) }
}

fn over(transport: Transport, addr: SocketAddr, health: (&str, &str)) -> BalancerSpec {
    let mut group = group("g", &[addr]);
    group.transport = transport;
    group.health.protocol = Probe::Http {
        path: health.0.into(),
        matcher: health.1.into(),
        headers: Default::default(),
        transport,
    };
    balancer(vec![group])
}

fn state(running: &Running) -> TargetState {
    use escale_proxy::Proxies;
    running.plane.seen("web").unwrap().borrow().targets[0].state.clone()
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2(to: SocketAddr) -> Http2 {
    let stream = TcpStream::connect(to).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Status, body and the status of gRPC.
async fn send(
    client: &mut Http2,
    request: http::request::Builder,
    body: &'static str,
) -> (u16, String, Option<String>) {
    let answer = client.send_request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap();
    let trailer = body.trailers().and_then(|t| Some(t.get("grpc-status")?.to_str().unwrap().to_owned()));
    (status, String::from_utf8_lossy(&body.to_bytes()).into_owned(), trailer)
}

#[tokio::test]
async fn http2_reaches_targets_with_and_without_tls() {
    let own = certificate();
    for tls in [None, Some(&own)] {
        let (addr, opened) = server(tls).await;
        let transport = Transport { tls: tls.is_some(), version: Version::Http2 };
        let running = Running::start(over(transport, addr, ("/health", "200"))).await;
        assert_eq!(state(&running), TargetState::Healthy);
        let mut client = http2(running.addr).await;
        let before = opened.load(SeqCst);
        let scheme = if tls.is_some() { "https" } else { "http" };
        for _ in 0..3 {
            let request = Request::get("http://a.test/x?q=1").header("te", "trailers");
            let (status, text, trailer) = send(&mut client, request, "").await;
            let port = running.addr.port();
            let uri =
                format!("GET {scheme}://a.test:{port}/x?q=1 HTTP/2.0 te=Some(\"trailers\") host=None 0");
            assert_eq!((status, text.trim(), trailer.as_deref()), (200, uri.as_str(), Some("0")));
        }
        let probes = opened.load(SeqCst) - before;
        assert!(probes < 50, "requests share a connection: {probes} were opened");
        let refused = running.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(refused.starts_with("HTTP/1.1 464 "), "{refused}");
    }
}

#[tokio::test]
async fn grpc_passes_with_its_trailers_and_its_health_is_a_status_of_grpc() {
    let (addr, _) = server(None).await;
    let transport = Transport { tls: false, version: Version::Grpc };
    let running = Running::start(over(transport, addr, ("/grpc.health", "12"))).await;
    assert_eq!(state(&running), TargetState::Healthy);
    let mut client = http2(running.addr).await;
    let call = || Request::post("http://a.test/pkg.Svc/M").header("content-type", "application/grpc");
    let (status, text, trailer) = send(&mut client, call().header("te", "trailers"), "abc").await;
    assert_eq!((status, trailer.as_deref()), (200, Some("0")));
    assert!(text.contains("/pkg.Svc/M HTTP/2.0") && text.contains(" 3 "), "{text}");
    assert_eq!(send(&mut client, Request::get("http://a.test/"), "").await.0, 464, "not POST");

    let failing = Running::start(over(transport, addr, ("/grpc.health", "0-11"))).await;
    assert_eq!(state(&failing), TargetState::Unhealthy(Reason::FailedCode(12)));
    let (one, _server) = Running::to(Behaviour::Echo).await;
    assert_eq!(send(&mut http2(one.addr).await, call(), "").await.0, 464, "targets of HTTP/1.1");
}

#[tokio::test]
async fn http1_reaches_targets_with_tls() {
    let own = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let spec = TlsSpec { certificates: vec![own], policy: Policy::modern(), http2: false };
    let terminator = Terminator::new(&spec).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let terminator = terminator.clone();
            tokio::spawn(async move {
                let Ok(stream) = terminator.accept(stream).await else { return };
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    let transport = Transport { tls: true, version: Version::Http1 };
    let running = Running::start(over(transport, addr, ("/health", "200"))).await;
    assert_eq!(state(&running), TargetState::Healthy);
    let answer = running.ask("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert!(answer.contains("GET /x HTTP/1.1"), "{answer}");
    // A target without TLS is no target of this group.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let running = Running::start(over(transport, addr, ("/health", "200"))).await;
    assert!(running.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 502 "));
}
