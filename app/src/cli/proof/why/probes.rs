//! Probes of a hop: packets from the namespace in which the hop begins. They need root; without it there is no probe, and nothing
//! is guessed instead.

use crate::{cli::tunnel, home::Home};
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use escale_base::Clock;
use escale_network::{Namespace, Namespaces, Place};
use escale_proof::why::{Explained, Probe};
use escale_tls::client::Trust;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Mutex,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinHandle,
    time::timeout,
};

/// Packets travel within this machine, but it may be busy: a lost first packet is sent again after one second.
const WITHIN: Duration = Duration::from_secs(2);

/// The same where the APIs say that packets are dropped, so that silence is expected.
const WITHIN_IF_BLOCKED: Duration = Duration::from_secs(1);

/// A page may take longer than a connection.
const PAGE_WITHIN: Duration = Duration::from_secs(5);

/// What is before the targets waits for them, and they have hops of their own. So it is not waited for as long.
const FRONT_WITHIN: Duration = Duration::from_secs(1);

/// The most of a page that is read: only its status and headers matter.
const PAGE_BYTES: usize = 1 << 20;

/// PostgreSQL's SSLRequest, which a server answers with one byte before any authentication.
/// Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) struct Prober {
    /// `None` without root.
    namespaces: Option<Namespaces>,
    /// Connections that have begun before their hop is reached, so that silence is waited for once and not for each.
    begun: Mutex<BTreeMap<(Place, SocketAddrV4), JoinHandle<Probe>>>,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) ms: i64,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Prober {
    pub(super) fn new(home: &Home) -> Prober {
        let is_root = nix::unistd::geteuid().is_root();
        let namespaces = is_root.then(|| Namespaces::of(&home.plane("network")));
        Prober { namespaces, begun: Mutex::default() }
    }

    pub(super) fn is_able(&self) -> bool {
        self.namespaces.is_some()
    }

    /// `None` if the caller may not enter namespaces, or the place does not exist.
    fn enter(&self, place: &Place) -> Option<Namespace> {
        self.namespaces.as_ref()?.open(place).ok()
    }

    /// Begins a connection that [`Prober::tcp`] will ask for.
    pub(super) fn begin(&self, place: &Place, to: SocketAddrV4) {
        let Some(namespace) = self.enter(place) else { return };
        let connecting = tokio::spawn(async move { connect(&namespace, to, WITHIN).await });
        if let Ok(mut begun) = self.begun.lock() {
            begun.insert((place.clone(), to), connecting);
        }
    }

    /// Opens a connection and closes it.
    pub(super) async fn tcp(&self, place: &Place, to: SocketAddrV4, explained: &Explained) -> Option<Probe> {
        let begun = self.begun.lock().ok()?.remove(&(place.clone(), to));
        if let Some(connecting) = begun {
            return connecting.await.ok();
        }
        let is_blocked = matches!(explained, Explained::Failed(_));
        let within = if is_blocked { WITHIN_IF_BLOCKED } else { WITHIN };
        Some(connect(&self.enter(place)?, to, within).await)
    }

    /// Whether a program listens, asked in its own namespace: no group, filter or route is on that path.
    pub(super) async fn listens(&self, place: &Place, to: SocketAddrV4) -> Option<Probe> {
        let namespace = self.enter(place)?;
        let (begun, connected) =
            (Clock::machine().now(), timeout(WITHIN, namespace.tcp_connect(to.into())).await);
        let ms = Clock::machine().now().since_ms(begun);
        let passed = matches!(connected, Ok(Ok(_)));
        let what = if passed {
            format!("port {} is open", to.port())
        } else {
            format!("nothing listens on port {}", to.port())
        };
        Some(Probe { passed, what, ms })
    }

    /// Whether a PostgreSQL server answers its protocol, in its own namespace. A connection alone proves nothing: the kernel accepts
    /// connections for a process that is stopped.
    pub(super) async fn postgres(&self, place: &Place, to: SocketAddrV4) -> Option<Probe> {
        let namespace = self.enter(place)?;
        let begun = Clock::machine().now();
        let asked = async {
            let mut stream = namespace.tcp_connect(to.into()).await?;
            stream.write_all(&SSL_REQUEST).await?;
            stream.read_u8().await
        };
        let answer = timeout(WITHIN, asked).await;
        let ms = Clock::machine().now().since_ms(begun);
        let passed = matches!(answer, Ok(Ok(b'S' | b'N')));
        let what = match answer {
            Ok(Ok(_)) if passed => "the server answers".to_owned(),
            Ok(Ok(byte)) => format!("{to} answers {byte}, which is not PostgreSQL's protocol"),
            Ok(Err(error)) => format!("no server answers at {to}: {error}"),
            Err(_) => format!("the server at {to} accepts connections and does not answer"),
        };
        Some(Probe { passed, what, ms })
    }

    pub(super) async fn page(
        &self,
        place: &Place,
        to: SocketAddrV4,
        host: &str,
        path: &str,
    ) -> Option<Result<Page>> {
        let namespace = self.enter(place)?;
        let begun = Clock::machine().now();
        let got = async { get(namespace.tcp_connect(to.into()).await?, host, path).await };
        Some(within(got).await.map(|(status, headers)| Page {
            status,
            headers,
            ms: Clock::machine().now().since_ms(begun),
        }))
    }

    /// The page of what is before the targets; `Ok(None)` if it accepts the request and is still waiting for them.
    pub(super) async fn front_page(
        &self,
        place: &Place,
        to: SocketAddrV4,
        host: &str,
        path: &str,
    ) -> Option<Result<Option<Page>>> {
        match timeout(FRONT_WITHIN, self.page(place, to, host, path)).await {
            Ok(page) => page.map(|page| page.map(Some)),
            Err(_) => {
                let probe = self.tcp(place, to, &Explained::Ok(String::new())).await?;
                Some(if probe.passed { Ok(None) } else { Err(anyhow!(probe.what)) })
            }
        }
    }

    /// Asks the resolver of a VPC from an interface in it.
    pub(super) async fn resolve(
        &self,
        place: &Place,
        resolver: Ipv4Addr,
        name: &str,
    ) -> Option<(Probe, Option<Ipv4Addr>)> {
        let namespace = self.enter(place)?;
        let begun = Clock::machine().now();
        let found = tunnel::resolve(&namespace, resolver, name).await;
        Some(answered(name, found, Clock::machine().now().since_ms(begun)))
    }
}

async fn connect(namespace: &Namespace, to: SocketAddrV4, within: Duration) -> Probe {
    let begun = Clock::machine().now();
    let connected = timeout(within, namespace.tcp_connect(to.into())).await;
    let ms = Clock::machine().now().since_ms(begun);
    match connected {
        Ok(Ok(_)) => Probe { passed: true, what: format!("{to} accepts a connection"), ms },
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // A refusal is an answer: packets travel in both directions.
            Probe { passed: true, what: format!("{to} answers, but refuses the connection"), ms }
        }
        Ok(Err(error)) => Probe { passed: false, what: format!("a connection to {to} fails: {error}"), ms },
        Err(_) => Probe { passed: false, what: format!("packets to {to} get no answer"), ms },
    }
}

fn answered(name: &str, found: Result<Ipv4Addr>, ms: i64) -> (Probe, Option<Ipv4Addr>) {
    match found {
        Ok(address) => (Probe { passed: true, what: format!("{name} is {address}"), ms }, Some(address)),
        Err(error) => {
            (Probe { passed: false, what: format!("{name} does not resolve: {error:#}"), ms }, None)
        }
    }
}

/// Asks the DNS server on this machine's loopback interface, which serves the hosted zones. Needs no root.
pub(super) async fn resolve_here(port: u16, name: &str) -> Probe {
    let begun = Clock::machine().now();
    let asked = async {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        tunnel::ask(&socket, (Ipv4Addr::LOCALHOST, port).into(), name).await
    };
    let found = asked.await;
    answered(name, found, Clock::machine().now().since_ms(begun)).0
}

/// Requests a page as a browser on this machine does.
pub(super) async fn visit(home: &Home, port: u16, is_https: bool, host: &str, path: &str) -> Result<Page> {
    let begun = Clock::machine().now();
    let got = async {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let authority = format!("{host}:{port}");
        if !is_https {
            return get(stream, &authority, path).await;
        }
        let trust = Trust::new(vec![home.root_certificate()]);
        get(trust.connect(stream, &[host]).await?, &authority, path).await
    };
    let got = timeout(FRONT_WITHIN, got).await;
    let (status, headers) = got.context("the answer takes longer than the probe waits")??;
    Ok(Page { status, headers, ms: Clock::machine().now().since_ms(begun) })
}

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(PAGE_WITHIN, work).await {
        Ok(done) => done,
        Err(_) => bail!("there is no answer within {} s", PAGE_WITHIN.as_secs()),
    }
}

async fn get<S>(stream: S, host: &str, path: &str) -> Result<(StatusCode, HeaderMap)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, host).body(Full::<Bytes>::default());
    let request = request.with_context(|| format!("{host}{path} is not a URL that can be requested"))?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    // Read to its end or limit, so that the server sees a client that did not hang up.
    drop(Limited::new(body, PAGE_BYTES).collect().await);
    Ok((parts.status, parts.headers))
}
