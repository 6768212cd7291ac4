//! A data plane's process in a folder of its own, without namespaces.

use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Secret};
use escale_cdn::{Connector, Edge, OriginSigner, Settings, spec::Identity};
use escale_dns::{DnsPlane, OwnSockets};
use escale_network::{Directory, LoopbackWeb, Namespaces, Outside};
use escale_plane::{
    Daemon, Inheritance, Link, Parts, Snapshot, Start,
    message::{Hello, OriginKey},
    remote::KeyOf,
    visit,
};
use escale_proxy::{Balancers, Sockets, spec::BalancerSpec};
use escale_sockets::{Keeper, Kept, Transport};
use nix::{
    sys::signal::{Signal, kill as signal},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    time::{sleep, timeout},
};

/// More than any process needs, on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks at something without an event.
const AGAIN: Duration = Duration::from_millis(2);

const LOG: &str = "plane.log";

pub(crate) struct Rig(TempDir);

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) async fn link(&self) -> Arc<Link> {
        let log = self.folder().join(LOG);
        let start = Start {
            folder: self.folder().to_owned(),
            log: Box::new(move || File::options().create(true).append(true).open(&log)),
            settings: String::new(),
            arguments: &["supervisor"],
        };
        Arc::new(timeout(LIMIT, Link::open(start)).await.unwrap().unwrap())
    }

    pub(crate) async fn hello(&self) -> Hello {
        visit(self.folder()).await.unwrap().unwrap()
    }

    pub(crate) async fn until_started(&self, starts: u32) {
        until("a worker to start", async || {
            // A worker that dies at this moment gives an error.
            visit(self.folder()).await.is_ok_and(|hello| hello.is_some_and(|hello| hello.starts == starts))
        })
        .await;
    }

    /// Until the worker has noticed that its daemon is gone.
    pub(crate) async fn until_alone(&self) {
        until("the daemon to be gone", async || !self.hello().await.daemon).await;
    }

    pub(crate) fn free_port(&self) -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// A supervisor and its worker whose program is not this one: a copy, made later.
    pub(crate) fn start_other_program(&self) -> Child {
        let program = self.folder().join("other");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let listener = UnixListener::bind(self.folder().join("plane.sock")).unwrap();
        let log = File::create(self.folder().join(LOG)).unwrap();
        let mut command = Command::new(program);
        command.arg("supervisor").stdout(Stdio::null()).stderr(log);
        let supervisor = Inheritance::stream_to(&mut command).unwrap();
        let child = command.spawn().unwrap();
        Inheritance::new(listener).unwrap().send(&supervisor).unwrap();
        child
    }

    /// Applies the spec as a daemon of the same version would.
    pub(crate) async fn preload(&self, spec: &BalancerSpec) {
        let mut stream = UnixStream::connect(self.folder().join("plane.sock")).await.unwrap();
        let call = format!(
            "{{\"id\":1,\"request\":{{\"ApplyBalancer\":{}}}}}",
            serde_json::to_string(spec).unwrap()
        );
        for message in ["\"Daemon\"", call.as_str()] {
            stream.write_u32(message.len() as u32).await.unwrap();
            stream.write_all(message.as_bytes()).await.unwrap();
        }
        loop {
            let mut message = vec![0; stream.read_u32().await.unwrap() as usize];
            stream.read_exact(&mut message).await.unwrap();
            if message.starts_with(b"{\"Answered\"") {
                return;
            }
        }
    }

    /// Sends bytes as a client, and waits until the worker has read or refused them.
    pub(crate) async fn send(&self, bytes: &[u8]) {
        let mut stream = UnixStream::connect(self.folder().join("plane.sock")).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A refused client may be disconnected before it has read everything.
        let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let folder = self.folder().to_owned();
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(escale_plane::end(&folder))
        });
        let ended = ended.join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// The worker's part of this program.
pub(crate) fn work(starts: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (Inheritance { listener, memory, sockets }, supervisor) = Inheritance::of_this_process().unwrap();
    let (keeper, snapshot) = (Keeper::new(supervisor, sockets).unwrap(), Snapshot::in_memory(memory));
    runtime.block_on(async { escale_plane::serve(parts(keeper), listener, snapshot, starts).await }).unwrap();
}

fn parts(keeper: Keeper) -> Parts {
    // The log is in the test's folder.
    let log: PathBuf = fs::read_link("/proc/self/fd/2").unwrap();
    let settings = Settings {
        directory: log.with_file_name(format!("cache-{}", std::process::id())),
        memory_bytes: 1 << 20,
        disk_bytes: 1 << 20,
        identity: Identity {
            product: "edge".into(),
            title: "Edge".into(),
            via_host: "node1".into(),
            id_header: "x-id".into(),
            place: None,
            server: "edge".into(),
            user_agent: "edge".into(),
        },
        https_port: None,
        trust: escale_tls::client::Trust::default(),
    };
    let namespaces = Namespaces::of(Path::new("/nonexistent")).kept_by(keeper.clone());
    let sockets = Arc::new(KeptLoopback(keeper.clone()));
    Parts {
        proxies: Arc::new(Balancers::new(sockets, Clock::machine())),
        edge: Edge::open(settings, Arc::new(NoOrigin), Arc::new(NoOrigin), Clock::machine()).unwrap(),
        dns: DnsPlane::with_sockets(Arc::new(OwnSockets(keeper))),
        web: LoopbackWeb::new(namespaces.clone(), Arc::new(NoOrigin)),
        namespaces,
        outside: Outside::default(),
        daemon: Daemon::default(),
        settings: String::new(),
    }
}

struct KeptLoopback(Keeper);

#[async_trait]
impl Sockets for KeptLoopback {
    fn listen(&self, _node: &str, port: u16) -> io::Result<Kept<TcpListener>> {
        let at = (Ipv4Addr::LOCALHOST, port).into();
        let open = || {
            let listener = std::net::TcpListener::bind(at)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        self.0.open_here(Transport::Tcp, at, open)?.try_map(TcpListener::from_std)
    }
    async fn connect(&self, _node: &str, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

/// No request reaches an origin here.
struct NoOrigin;

#[async_trait]
impl Connector for NoOrigin {
    async fn connect(&self, _: &str, _: u16) -> io::Result<TcpStream> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[async_trait]
impl OriginSigner for NoOrigin {
    async fn sign(&self, _: &str, _: &str, _: &mut http::request::Parts) -> Result<(), PlaneError> {
        Err(PlaneError::plane("there is no key"))
    }
}

impl Directory for NoOrigin {
    fn find(&self, _: &str) -> Vec<SocketAddr> {
        Vec::new()
    }
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(crate) fn keys() -> KeyOf {
    Arc::new(|id, _| {
        let secret = Secret::new("secret".into());
        Some(OriginKey { access_key: id.into(), secret, region: "r".into() })
    })
}

pub(crate) fn kill(pid: u32) {
    signal(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
}

/// Until a request at this address is answered by the target.
pub(crate) async fn until_answered(address: SocketAddr) {
    until("an answer", async || ask(address).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")))
        .await;
}

/// Until the balancer answers that its target does not.
pub(crate) async fn until_refused(address: SocketAddr) {
    until("an error", async || ask(address).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 502 ")))
        .await;
}

pub(crate) async fn is_closed(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err()
}

pub(crate) async fn until_gone(pid: u32) {
    until("a process to end", async || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
    })
    .await;
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let waited = timeout(LIMIT, async {
        while !reached().await {
            sleep(AGAIN).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited {LIMIT:?} for {what}"));
}
