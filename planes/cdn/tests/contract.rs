//! The contract of the real plane and the fake, and traffic through the real one over loopback sockets.
#![allow(clippy::unwrap_used)] // helpers of tests are not marked as tests

#[path = "../../httpguard/tests/attacks/mod.rs"]
mod attacks;
mod downloads;
mod groups;
mod rules;

use async_trait::async_trait;
use bytes::Bytes;
use escale_base::{Clock, PlaneError, Timestamp};
use escale_cdn::{Cdn, Connector, Edge, FakeCdn, OriginSigner, Settings, spec::*};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rules::{behaviour, distribution, keeps_the_contract};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, sync::DropGuard};

struct Direct;

#[async_trait]
impl Connector for Direct {
    async fn connect(&self, host: &str, port: u16) -> std::io::Result<TcpStream> {
        TcpStream::connect((host, port)).await
    }
}

struct Stamp;

#[async_trait]
impl OriginSigner for Stamp {
    async fn sign(&self, id: &str, origin: &str, head: &mut http::request::Parts) -> Result<(), PlaneError> {
        head.headers.insert("x-signature", format!("{id}/{origin}").parse().unwrap());
        Ok(())
    }
}

/// Answers according to the first part of the path; records the requests.
#[derive(Clone)]
struct Origin1 {
    asked: Arc<Mutex<Vec<String>>>,
    gate: watch::Receiver<bool>,
    broken: Arc<std::sync::atomic::AtomicBool>,
}

impl Origin1 {
    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut text = format!("{} {}", request.method(), request.uri());
        for name in ["if-none-match", "x-signature", "range", "authorization", "accept-encoding"] {
            if let Some(value) = request.headers().get(name) {
                text += &format!(" {name}={}", value.to_str().unwrap());
            }
        }
        self.asked.lock().unwrap().push(text);
        let path = request.uri().path().to_owned();
        let (head, body) = request.into_parts();
        if head.method == Method::POST && body.collect().await.is_err() {
            return Response::builder().status(500).body(Full::from("the body ended early")).unwrap();
        }
        let path = path.as_str();
        let response = Response::builder();
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return response.status(500).body(Full::from("broken")).unwrap();
        }
        match path {
            "/tagged" if head.headers.contains_key("if-none-match") => {
                response.status(304).header("etag", "\"t\"").body(Full::default())
            }
            "/tagged" => response
                .header("cache-control", "max-age=10")
                .header("etag", "\"t\"")
                .body(Full::from("0123456789")),
            "/renewed" => response
                .header("cache-control", "max-age=10, stale-while-revalidate=30")
                .body(Full::from(head.headers["x-edge-id"].as_bytes().to_vec())),
            "/private" => response.header("cache-control", "private").body(Full::from("mine")),
            "/missing" => response.status(404).body(Full::from("no")),
            "/big.txt" => response
                .header("content-type", "text/plain")
                .header("etag", "\"b\"")
                .body(Full::from("a".repeat(3_000_000))),
            "/slow" => {
                self.gate.clone().wait_for(|open| *open).await.unwrap();
                response.header("cache-control", "max-age=60").body(Full::from("slow"))
            }
            _ => response.body(Full::from(format!("page {path}"))),
        }
        .unwrap()
    }
}

struct Running {
    edge: Edge,
    addr: SocketAddr,
    clock: Clock,
    asked: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<bool>,
    broken: Arc<std::sync::atomic::AtomicBool>,
    _stop: DropGuard,
    _dir: tempfile::TempDir,
}

async fn start(change: impl FnOnce(&mut DistributionSpec)) -> Running {
    let (asked, broken) = (Arc::default(), Arc::default());
    let (open, gate) = watch::channel(false);
    let origin = Origin1 { asked: Arc::clone(&asked), gate, broken: Arc::clone(&broken) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
            let origin = origin.clone();
            let service = service_fn(move |request| {
                let origin = origin.clone();
                async move { Ok::<_, Infallible>(origin.answer(request).await) }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::by_hand(Timestamp(1_800_000_000_000));
    let settings = Settings {
        directory: dir.path().join("cache"),
        memory_bytes: 1 << 20,
        disk_bytes: 64 << 20,
        identity: Identity {
            product: "edge".into(),
            title: "Edge".into(),
            via_host: "node1".into(),
            id_header: "X-Edge-Id".into(),
            place: Some(("X-Edge-Place".into(), "HERE1".into())),
            server: "Edge".into(),
            user_agent: "Edge/1".into(),
        },
        https_port: None,
        trust: escale_tls::client::Trust::default(),
    };
    let edge = Edge::open(settings, Arc::new(Direct), Arc::new(Stamp), clock.clone()).unwrap();
    // As in the data plane's process.
    let edge = edge.on(escale_lanes::Lanes::start(2).unwrap());
    let mut spec = distribution(port);
    change(&mut spec);
    edge.apply(spec).await.unwrap();
    let viewers = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = viewers.local_addr().unwrap();
    let (serving, until) = (edge.clone(), stop.clone());
    tokio::spawn(async move { serving.serve(viewers, false, until).await });
    Running { edge, addr, clock, asked, open, broken, _stop: stop.drop_guard(), _dir: dir }
}

impl Running {
    async fn get(&self, path: &str, headers: &str) -> Answer {
        ask(
            self.addr,
            &format!("GET {path} HTTP/1.1\r\nHost: cdn.test\r\n{headers}Connection: close\r\n\r\n"),
        )
        .await
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// An answer is stored a moment after its last byte was read.
    async fn kept(&self, path: &str) {
        let hits = || self.edge.counts("d1").unwrap().hits;
        let before = hits();
        while hits() == before {
            self.get(path, "").await;
        }
        self.asked();
    }
}

struct Answer(String);

impl Answer {
    fn status(&self) -> &str {
        &self.0[9..12]
    }
    fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }
    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
    fn cache(&self) -> &str {
        self.header("x-cache").unwrap_or("")
    }
}

async fn ask(addr: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    Answer(String::from_utf8_lossy(&got).into_owned())
}

#[tokio::test]
async fn both_planes_keep_the_contract() {
    let running = start(|_| {}).await;
    running.edge.remove("d1").await.unwrap();
    for plane in [&running.edge as &dyn Cdn, &FakeCdn::default()] {
        keeps_the_contract(plane).await;
    }
}

#[tokio::test]
async fn miss_hit_refresh_and_stale() {
    let r = start(|_| {}).await;
    let first = r.get("/tagged?x=1", "Authorization: secret\r\n").await;
    assert_eq!((first.status(), first.cache(), first.body()), ("200", "Miss from edge", "0123456789"));
    assert_eq!(first.header("via"), Some("1.1 node1 (Edge)"));
    assert_eq!(r.asked(), ["GET /tagged x-signature=d1/o"], "signed, no query");
    r.kept("/tagged").await;
    r.clock.advance_ms(5_000);
    let hit = r.get("/tagged", "").await;
    assert_eq!((hit.cache(), hit.header("age")), ("Hit from edge", Some("5")));
    assert_eq!(r.get("/tagged", "If-None-Match: \"t\"\r\n").await.status(), "304");
    let part = r.get("/tagged", "Range: bytes=2-4\r\n").await;
    assert_eq!(
        (part.status(), part.body(), part.header("content-range")),
        ("206", "234", Some("bytes 2-4/10"))
    );
    let head = ask(r.addr, "HEAD /tagged HTTP/1.1\r\nHost: cdn.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.cache(), head.header("content-length"), head.body()), ("Hit from edge", Some("10"), ""));
    assert!(r.asked().is_empty());

    r.clock.advance_ms(6_000);
    assert_eq!(r.get("/tagged", "").await.cache(), "RefreshHit from edge");
    assert_eq!(r.asked(), ["GET /tagged if-none-match=\"t\" x-signature=d1/o"]);
    r.clock.advance_ms(11_000);
    r.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let stale = r.get("/tagged", "").await;
    assert_eq!((stale.status(), stale.body()), ("200", "0123456789"));
}

#[tokio::test]
async fn uncacheable_answers_are_not_stored() {
    let r = start(|_| {}).await;
    for _ in 0..3 {
        assert_eq!(r.get("/private", "").await.cache(), "Miss from edge");
    }
    assert_eq!(r.asked().len(), 3);
    let ranged = r.get("/page", "Range: bytes=0-1\r\n").await;
    assert_eq!(ranged.cache(), "Miss from edge");
    assert_eq!(r.asked(), ["GET /page x-signature=d1/o range=bytes=0-1"]);
    let post =
        ask(r.addr, "POST / HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
    assert_eq!((post.status(), post.cache()), ("403", "Error from edge"));
    let other = ask(r.addr, "GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!(other.status(), "403");
}

#[tokio::test]
async fn concurrent_requests_share_one_fetch_and_invalidation_reaches_it() {
    let r = Arc::new(start(|_| {}).await);
    let ask = || {
        let r = r.clone();
        tokio::spawn(async move { r.get("/slow", "").await })
    };
    let many: Vec<_> = (0..20).map(|_| ask()).collect();
    let counts = || r.edge.counts("d1").unwrap();
    while counts().requests < 20 {
        tokio::task::yield_now().await;
    }
    while r.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    r.edge.invalidate("d1", &["/sl*".into()]).await.unwrap();
    r.open.send(true).unwrap();
    for one in many {
        assert_eq!(one.await.unwrap().body(), "slow");
    }
    assert_eq!(r.asked(), ["GET /slow x-signature=d1/o"]);
    // It was invalidated before it arrived, so it was not stored.
    assert_eq!(r.get("/slow", "").await.cache(), "Miss from edge");
    r.kept("/slow").await;
    assert_eq!(r.edge.invalidate("d1", &["/slow".into()]).await.unwrap(), 1);
    assert_eq!(r.get("/slow", "").await.cache(), "Miss from edge");
}

#[tokio::test]
async fn errors_are_cached_briefly_and_replaced_by_pages() {
    let r = start(|spec| {
        spec.errors = vec![ErrorResponse { status: 404, ttl_s: 10, page: Some(("/sorry".into(), 200)) }];
    })
    .await;
    for _ in 0..2 {
        let answer = r.get("/missing", "").await;
        assert_eq!((answer.status(), answer.body()), ("200", "page /sorry"));
    }
    // No server listens on the origin's port any more.
    let dead = start(|spec| spec.origins[0].http_port = 1).await;
    let answer = dead.get("/x", "").await;
    assert_eq!((answer.status(), answer.cache()), ("502", "Error from edge"));
    dead.get("/x", "").await;
    assert_eq!(dead.edge.counts("d1").unwrap().origin_requests, 1, "the failure must be cached");
    dead.clock.advance_ms(11_000);
    dead.get("/x", "").await;
    assert_eq!(dead.edge.counts("d1").unwrap().origin_requests, 2);
}

#[tokio::test]
async fn large_and_compressed() {
    let r = start(|_| {}).await;
    let plain = r.get("/big.txt", "").await;
    assert_eq!((plain.body().len(), plain.header("content-encoding")), (3_000_000, None));
    r.kept("/big.txt").await;
    let part = r.get("/big.txt", "Range: bytes=-5\r\n").await;
    assert_eq!((part.status(), part.body()), ("206", "aaaaa"));
    let packed = r.get("/big.txt", "Accept-Encoding: br, gzip\r\n").await;
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), (Some("gzip"), Some("W/\"b\"")));
    assert!(packed.0.len() < 20_000);
}

#[tokio::test]
async fn compresses_in_the_encodings_of_the_behaviour() {
    let both = Encodings { gzip: true, brotli: true };
    let r = start(|spec| spec.default.encodings = both).await;
    let encoding = async |accept: &str| {
        let answer = r.get("/big.txt", &format!("Accept-Encoding: {accept}\r\n")).await;
        answer.header("content-encoding").map(str::to_owned)
    };
    assert_eq!(encoding("gzip, br").await.as_deref(), Some("br"));
    assert_eq!(encoding("gzip").await.as_deref(), Some("gzip"));
    assert_eq!(encoding("identity").await, None);
    // Without compression the origin is still asked for the encodings.
    let r = start(|spec| (spec.default.encodings, spec.default.compress) = (both, false)).await;
    assert_eq!(r.get("/big.txt", "Accept-Encoding: gzip\r\n").await.header("content-encoding"), None);
    assert!(r.asked()[0].ends_with("accept-encoding=gzip"));
}

#[tokio::test]
async fn stale_answers_are_sent_while_they_are_revalidated() {
    let r = start(|_| {}).await;
    let first = r.get("/renewed", "").await.body().to_owned();
    r.kept("/renewed").await;
    r.clock.advance_ms(20_000);
    let stale = r.get("/renewed", "").await;
    assert_eq!((stale.body(), stale.cache()), (first.as_str(), "Hit from edge"));
    // The new answer arrives in the background.
    while r.get("/renewed", "").await.body() == first {}
    assert_eq!(r.asked().len(), 1, "one request for all viewers");
    r.clock.advance_ms(41_000);
    assert_eq!(r.get("/renewed", "").await.cache(), "Miss from edge", "too old");
}

#[tokio::test]
async fn viewers_protocol_and_signed_access() {
    use rsa::pkcs8::EncodePublicKey;
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let public_key_pem = private.to_public_key().to_public_key_pem(Default::default()).unwrap();
    let r = start(|spec| {
        let redirect = Behaviour { viewer: ViewerProtocol::RedirectToHttps, ..behaviour() };
        let key = TrustedKey { id: "K".into(), public_key_pem };
        let signed = Behaviour { trusted_keys: vec![key], ..behaviour() };
        spec.behaviours = vec![("secure/*".into(), redirect), ("/signed/*".into(), signed)];
    })
    .await;
    let moved = r.get("/secure/a?b", "").await;
    assert_eq!((moved.status(), moved.header("location")), ("301", Some("https://cdn.test/secure/a?b")));
    let denied = r.get("/signed/a", "").await;
    assert_eq!(denied.status(), "403");
    assert_eq!(
        denied.body(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>MissingKey</Code><Message>Missing Key-Pair-Id \
         query parameter or cookie value</Message></Error>"
    );
    assert!(r.asked().is_empty(), "the origin must not get any of it");
    assert_eq!(r.get("/", "").await.body(), "page /index.html");
}

#[tokio::test]
async fn refuses_the_attacks_of_the_shared_table() {
    let r = start(|spec| {
        spec.default.allowed_methods = vec![Method::GET, Method::POST];
        spec.default.ttl = Ttl { min_s: 0, default_s: 0, max_s: 0 };
    })
    .await;
    for (name, request, status) in attacks::REFUSED {
        let answer = ask(r.addr, request).await;
        assert_eq!(answer.status(), status.to_string(), "{name}: {}", answer.0);
        assert_eq!(attacks::answers(&answer.0), 1, "{name}: {}", answer.0);
        assert_eq!(answer.header("connection"), Some("close"), "{name}: {}", answer.0);
        assert_eq!(answer.header("server"), Some("Edge"), "{name}: {}", answer.0);
    }
    assert!(r.asked().is_empty(), "the origin must not get any of it");
    for (name, body) in attacks::BROKEN_BODIES {
        let answer = ask(r.addr, &attacks::with_body("cdn.test", body)).await;
        assert_eq!(answer.status(), "400", "{name}: {}", answer.0);
        assert_eq!(attacks::answers(&answer.0), 1, "{name}: {}", answer.0);
    }
    assert!(!r.asked().iter().any(|a| a.contains("smuggled")));
}

#[tokio::test]
async fn an_answer_instead_of_continue_ends_the_connection() {
    let r = start(|_| {}).await;
    // The method is refused without reading the body, and the host is unknown.
    for host in ["cdn.test", "other.test"] {
        let answer = ask(r.addr, &attacks::withheld(host, "/")).await;
        assert_eq!((answer.status(), answer.header("connection")), ("403", Some("close")), "{}", answer.0);
    }
}

#[tokio::test]
async fn one_authority_decides() {
    let r = start(|_| {}).await;
    let get = |target: &str, host: &str| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        async move { ask(r.addr, &text).await }
    };
    assert_eq!(get("http://cdn.test/a", "cdn.test").await.body(), "page /a");
    assert_eq!(get("http://CDN.test:80/a", "cdn.test").await.body(), "page /a");
    assert_eq!(get("http://cdn.test/a", "other.test").await.status(), "400");
    assert_eq!(get("http://other.test/a", "cdn.test").await.status(), "400");
    assert_eq!(get("http://other.test/a", "other.test").await.status(), "403", "no distribution's host");
    assert_eq!(get("http://me@cdn.test/a", "cdn.test").await.status(), "400");
    // Each request of a persistent connection is evaluated again.
    let two = ask(
        r.addr,
        "GET /a HTTP/1.1\r\nHost: cdn.test\r\n\r\nGET http://other.test/a HTTP/1.1\r\nHost: other.test\r\n\
         Connection: close\r\n\r\n",
    )
    .await;
    assert_eq!(two.status(), "200");
    assert_eq!(attacks::answers(&two.0), 2);
    assert!(two.0.contains("HTTP/1.1 403 "), "{}", two.0);
}

#[tokio::test]
async fn behaviours_match_decoded_paths_and_origins_get_the_raw_path() {
    use rsa::pkcs8::EncodePublicKey;
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let public_key_pem = private.to_public_key().to_public_key_pem(Default::default()).unwrap();
    let r = start(|spec| {
        let key = TrustedKey { id: "K".into(), public_key_pem };
        let signed = Behaviour { trusted_keys: vec![key], ..behaviour() };
        spec.behaviours = vec![("/media/*".into(), signed)];
    })
    .await;
    for path in [
        "/media/x",
        "/%6dedia/x",
        "/medi%61/x",
        "/%6D%65%64%69%61/x",
        "//media/x",
        "/media//x",
        "///media///x",
        "/./media/x",
        "/%2e/media/x",
        "/open/../media/x",
        "/open/%2E%2e/media/x",
        "/media/./x",
        "/media/y/../x",
        "http://cdn.test/%6dedia/x",
    ] {
        assert_eq!(r.get(path, "").await.status(), "403", "{path}");
    }
    assert_eq!(r.get("/open//../media/x", "").await.status(), "400", "/media/x or /open/media/x");
    assert!(r.asked().is_empty(), "the origin must not get any of it");
    // A path that is not another spelling of it (RFC 3986, 2.2) is forwarded unchanged.
    for path in ["/media%2Fx", "/%256dedia/x", "/open/..%2fmedia/x", "/a//b/%7Ec", "/a+b;c/%20"] {
        assert_eq!(r.get(path, "").await.status(), "200", "{path}");
        assert_eq!(r.asked(), [format!("GET {path} x-signature=d1/o")]);
    }
    // The answer of one spelling is not served for another, and an invalidation covers all of them.
    for path in ["/a/b", "/%61/b", "//a/b"] {
        assert_eq!(r.get(path, "").await.body(), format!("page {path}"));
        r.kept(path).await;
    }
    assert_eq!(r.edge.invalidate("d1", &["/a/b".into()]).await.unwrap(), 3);
}
