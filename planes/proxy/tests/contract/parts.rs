//! Sockets on loopback, a server as a target, a client that sends raw bytes.

use async_trait::async_trait;
use escale_base::Clock;
use escale_lanes::Lanes;
use escale_proxy::{Balancers, Proxies, Sockets, TargetState, spec::*};
use escale_sockets::Kept;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Loopback;

#[async_trait]
impl Sockets for Loopback {
    fn listen(&self, _node: &str, port: u16) -> std::io::Result<Kept<TcpListener>> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_std(listener)?.into())
    }
    async fn connect(&self, _node: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

pub(crate) fn balancer(groups: Vec<GroupSpec>) -> BalancerSpec {
    let default = groups.first().map_or_else(|| fixed(200, "fixed"), |g| forward_to(&g.name));
    BalancerSpec {
        name: "web".into(),
        nodes: vec![NodeSpec { node: "n1".into(), zone: "a".into() }],
        listeners: vec![ListenerSpec { port: 0, rules: Vec::new(), default, tls: None }],
        groups,
        attributes: Attributes { server_name: "test/1".into(), ..Attributes::default() },
    }
}

pub(crate) fn group(name: &str, targets: &[SocketAddr]) -> GroupSpec {
    GroupSpec {
        name: name.into(),
        targets: targets.iter().map(|&addr| TargetSpec { addr, zone: None, draining: false }).collect(),
        algorithm: Algorithm::RoundRobin,
        health: HealthCheck {
            protocol: Probe::Http {
                path: "/health".into(),
                matcher: "200".into(),
                headers: [("User-Agent".to_owned(), "checker/1".to_owned())].into(),
                transport: Transport::default(),
            },
            port: None,
            interval_ms: 20,
            timeout_ms: 1000,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        },
        cross_zone: true,
        drain_delay_ms: 30_000,
        transport: Transport::default(),
        sticky: None,
        slow_start_ms: 0,
    }
}

pub(crate) fn forward_to(group: &str) -> Action {
    Action::Forward(Forward { groups: vec![Weighted { group: group.into(), weight: 1 }], sticky_s: None })
}

pub(crate) fn fixed(status: u16, body: &str) -> Action {
    Action::Fixed(Fixed { status, content_type: "text/plain".into(), body: body.into() })
}

/// A running balancer.
pub(crate) struct Running {
    pub(crate) plane: Balancers,
    pub(crate) addr: SocketAddr,
}

impl Running {
    /// Applies the spec. Connections are served on lanes, as in the data plane's process.
    pub(crate) async fn start_unchecked(spec: BalancerSpec) -> Running {
        Running::apply(spec, Lanes::start(2).unwrap()).await
    }

    /// Applies the spec and waits for the first health checks of its targets.
    pub(crate) async fn start(spec: BalancerSpec) -> Running {
        Running::start_unchecked(spec).await.checked().await
    }

    /// As [`Running::start`], on the runtime of the test alone, so that the test can stop its clock.
    pub(crate) async fn start_here(spec: BalancerSpec) -> Running {
        Running::apply(spec, Lanes::none()).await.checked().await
    }

    async fn apply(spec: BalancerSpec, lanes: Lanes) -> Running {
        let plane = Balancers::new(Arc::new(Loopback), Clock::machine()).on(lanes);
        plane.apply(spec).await.unwrap();
        let seen = plane.seen("web").unwrap().borrow().clone();
        let addr = *seen.listeners[0].state.as_ref().unwrap();
        Running { plane, addr }
    }

    async fn checked(self) -> Running {
        let mut seen = self.plane.seen("web").unwrap();
        let seen = seen.wait_for(|s| s.targets.iter().all(|t| !matches!(t.state, TargetState::Initial(_))));
        drop(seen.await.unwrap());
        self
    }

    pub(crate) async fn to(behaviour: Behaviour) -> (Running, Server) {
        let server = Server::start(behaviour).await;
        (Running::start(balancer(vec![group("g", &[server.addr])])).await, server)
    }

    /// Sends and reads up to the end of one answer, or of the connection.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = Client::connect(self.addr).await;
        client.send(request).await;
        client.answer().await
    }
}

pub(crate) struct Client<S = TcpStream>(pub(crate) S);

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Client {
        Client(TcpStream::connect(addr).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Head and body of one answer, without its Date.
    pub(crate) async fn answer(&mut self) -> String {
        let mut got = Vec::new();
        let head = loop {
            if let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if self.0.read_buf(&mut got).await.unwrap_or(0) == 0 {
                return String::from_utf8_lossy(&got).into_owned();
            }
        };
        let text = String::from_utf8_lossy(&got[..head]).to_ascii_lowercase();
        let length: Option<usize> =
            text.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok());
        let chunked = text.contains("transfer-encoding: chunked");
        let whole = |got: &[u8]| match length {
            Some(length) => got.len() >= head + length,
            None if chunked => got.ends_with(b"0\r\n\r\n"),
            None => text.starts_with("http/1.1 101"),
        };
        while !whole(&got) && self.0.read_buf(&mut got).await.unwrap_or(0) > 0 {}
        let text = String::from_utf8_lossy(&got);
        text.lines().filter(|l| !l.to_ascii_lowercase().starts_with("date: ")).collect::<Vec<_>>().join("\n")
    }

    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        let _ = self.0.read_to_end(&mut got).await;
        got
    }
}

#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Answers with the request's head and the length of its body.
    Echo,
    /// Answers with this name; sets the cookie `SESSION` at `/login`.
    Named(String),
    /// As `Echo`, then closes without announcing it.
    EchoOnce,
    /// Closes as soon as it has read a request.
    Close,
    /// Never answers.
    Silent,
    /// Answers with the status.
    Status(u16),
    /// Begins an answer; continues when the channel says true.
    Held(watch::Receiver<bool>),
    /// Answers without end, counting the bytes.
    Endless(Arc<AtomicUsize>),
    /// 101, then echoes bytes.
    Upgrade,
}

/// A plain HTTP/1.1 server; `/health` answers 200 under every behaviour but `Status`.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    /// Connections with at least one request, not counting health checks.
    pub(crate) connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behaviour, count) = (behaviour.clone(), count.clone());
                tokio::spawn(async move { serve(stream, behaviour, count).await });
            }
        });
        Server { addr, connections, task }
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, count: Arc<AtomicUsize>) -> Option<()> {
    let mut buf = Vec::new();
    let mut first = true;
    loop {
        let head_end = loop {
            if let Some(end) = buf.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buf).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&buf[..head_end]).into_owned();
        buf.drain(..head_end);
        if head.starts_with("GET /health ") {
            let status = if let Behaviour::Status(status) = behaviour { status } else { 200 };
            stream.write_all(empty(status).as_bytes()).await.ok()?;
            continue;
        }
        if std::mem::take(&mut first) {
            count.fetch_add(1, SeqCst);
        }
        match &behaviour {
            Behaviour::Echo | Behaviour::EchoOnce => {
                let length = read_body(&mut stream, &mut buf, &head).await?;
                let body = format!("{}body: {length} bytes\n", head.replace("\r\n", "\n"));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nX-App: 1\r\nKeep-Alive: 5\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.ok()?;
                if matches!(behaviour, Behaviour::EchoOnce) {
                    return Some(());
                }
            }
            Behaviour::Named(name) => {
                let answer = named(name, &head);
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Behaviour::Close => return Some(()),
            Behaviour::Silent => std::future::pending().await,
            Behaviour::Status(status) => stream.write_all(empty(*status).as_bytes()).await.ok()?,
            Behaviour::Held(gate) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await.ok()?;
                gate.clone().wait_for(|open| *open).await.ok()?;
                stream.write_all(b"cd").await.ok()?;
            }
            Behaviour::Endless(sent) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                loop {
                    sent.fetch_add(stream.write(&[b'x'; 65536]).await.ok()?, SeqCst);
                }
            }
            Behaviour::Upgrade => {
                let switch =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
                stream.write_all(switch.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(&buf).await.ok()?;
                    buf.clear();
                    if stream.read_buf(&mut buf).await.ok()? == 0 {
                        return Some(());
                    }
                }
            }
        }
    }
}

fn empty(status: u16) -> String {
    format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")
}

/// An answer with the target's name, and with a session of its own for a login.
fn named(name: &str, head: &str) -> String {
    let cookie = if head.starts_with("GET /login ") { "Set-Cookie: SESSION=1\r\n" } else { "" };
    format!("HTTP/1.1 200 OK\r\n{cookie}Content-Length: {}\r\n\r\n{name}", name.len())
}

/// Reads a sized or chunked body; returns its length.
async fn read_body(stream: &mut TcpStream, buf: &mut Vec<u8>, head: &str) -> Option<usize> {
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok());
    if let Some(length) = length {
        while buf.len() < length {
            if stream.read_buf(buf).await.ok()? == 0 {
                return None;
            }
        }
        buf.drain(..length);
        return Some(length);
    }
    if !head.contains("transfer-encoding: chunked") {
        return Some(0);
    }
    while !buf.ends_with(b"0\r\n\r\n") {
        if stream.read_buf(buf).await.ok()? == 0 {
            return None;
        }
    }
    let mut total = 0;
    let mut rest = std::mem::take(buf);
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(total);
        }
        total += size;
        rest.drain(..line + 2 + size + 2);
    }
}

/// Waits, within a test's time limit, until `done`; checks again whenever the runtime is idle.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}
