//! Requests to origins, over connections that are reused.

use crate::{
    Connector,
    blob::Body,
    spec::{Origin, OriginProtocol},
};
use bytes::Bytes;
use escale_tls::client::Trust;
use futures_util::stream;
use http::{Method, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout},
};

/// Idle connections kept per origin.
const IDLE_MAX: usize = 32;

pub(crate) struct Origins {
    connector: Arc<dyn Connector>,
    trust: Trust,
    idle: Arc<Mutex<Idle>>,
}

type Idle = HashMap<Peer, Vec<(Sender, Instant)>>;

/// The client's side of a connection.
struct Sender {
    request: SendRequest<Body>,
    limit: Option<Limit>,
}

/// The connector's limit for packets that nobody acknowledges (`TCP_USER_TIMEOUT`), which finds a dead origin soon. It would also
/// end an upload that the origin is slow to read, so it holds for requests without a body only.
struct Limit {
    socket: OwnedFd,
    unacknowledged: Duration,
}

impl Sender {
    async fn new<S>(stream: S, limit: Option<Limit>) -> io::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Ok(Sender { request: http(stream).await?, limit })
    }

    async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        if let Some(Limit { socket, unacknowledged }) = &self.limit {
            let within = http_body::Body::is_end_stream(request.body()).then_some(*unacknowledged);
            // An error means that the socket is closed already.
            let _ = SockRef::from(socket).set_tcp_user_timeout(within);
        }
        self.request.try_send_request(request).await
    }
}

impl Limit {
    /// `None`: the connector has set none.
    fn of(stream: &TcpStream) -> Option<Limit> {
        let unacknowledged = SockRef::from(stream).tcp_user_timeout().ok().flatten()?;
        Some(Limit { socket: stream.as_fd().try_clone_to_owned().ok()?, unacknowledged })
    }
}

/// The other end of a connection. Connections with TLS are shared by requests for the same server name only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer {
    host: String,
    port: u16,
    /// The server name of the handshake: the Host of the request. `None` without TLS.
    tls: Option<String>,
}

/// Why no answer was received, as the status for the viewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    /// 502: no connection, or no handshake, with the origin.
    Unreached,
    /// 502: the origin's answer was not HTTP, or ended early.
    Bad,
    /// 504: the origin did not answer in time.
    Slow,
}

impl Origins {
    pub(crate) fn new(connector: Arc<dyn Connector>, trust: Trust) -> Origins {
        Origins { connector, trust, idle: Arc::default() }
    }

    /// Returns the answer's head; its body follows at the reader's pace. `https` is the viewer's scheme.
    pub(crate) async fn send(
        &self,
        origin: &Origin,
        https: bool,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = request;
        let peer = peer(origin, https, &request);
        let keep = Duration::from_millis(origin.keepalive_ms);
        if let Some(mut sender) = self.take(&peer, keep) {
            // The origin may have closed the idle connection at this moment; idempotent requests are tried once more.
            let again = is_replayable(&request).then(|| head_of(&request));
            match within(origin, sender.send(request)).await? {
                Ok(answer) => return Ok(self.answered(peer, keep, sender, answer)),
                Err(mut error) => match error.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Bad),
                },
            }
        }
        let mut sender = self.connect(origin, &peer).await?;
        match within(origin, sender.send(request)).await? {
            Ok(answer) => Ok(self.answered(peer, keep, sender, answer)),
            Err(error) => {
                tracing::debug!(origin = %origin.id, error = %error.error(), "the origin did not answer");
                Err(Failure::Bad)
            }
        }
    }

    async fn connect(&self, origin: &Origin, peer: &Peer) -> Result<Sender, Failure> {
        let limit = Duration::from_millis(origin.connect_timeout_ms);
        let mut failure = Failure::Unreached;
        for _ in 0..origin.connect_attempts {
            failure = match timeout(limit, self.handshake(peer)).await {
                Ok(Ok(sender)) => return Ok(sender),
                Ok(Err(error)) => {
                    tracing::debug!(origin = %origin.id, %error, "cannot connect to the origin");
                    Failure::Unreached
                }
                Err(_) => Failure::Slow,
            };
        }
        Err(failure)
    }

    async fn handshake(&self, peer: &Peer) -> io::Result<Sender> {
        let stream = self.connector.connect(&peer.host, peer.port).await?;
        // Without it small requests wait for delayed acknowledgements. An error means that the socket is closed already.
        let _ = stream.set_nodelay(true);
        let limit = Limit::of(&stream);
        match &peer.tls {
            None => Sender::new(stream, limit).await,
            Some(name) => {
                let names = [name.as_str(), peer.host.as_str()];
                Sender::new(self.trust.connect(stream, &names).await?, limit).await
            }
        }
    }

    /// Returns the connection for reuse once the answer has been read.
    fn answered(
        &self,
        peer: Peer,
        keep: Duration,
        sender: Sender,
        answer: Response<Incoming>,
    ) -> Response<Incoming> {
        let idle = self.idle.clone();
        tokio::spawn(async move {
            let mut sender = sender;
            if sender.request.ready().await.is_ok() {
                let mut idle = lock(&idle);
                let waiting = idle.entry(peer).or_default();
                waiting.retain(|(s, since)| s.request.is_ready() && since.elapsed() < keep);
                if waiting.len() < IDLE_MAX {
                    waiting.push((sender, Instant::now()));
                }
            }
        });
        answer
    }

    fn take(&self, peer: &Peer, keep: Duration) -> Option<Sender> {
        let mut idle = lock(&self.idle);
        let waiting = idle.get_mut(peer)?;
        while let Some((sender, since)) = waiting.pop() {
            if sender.request.is_ready() && since.elapsed() < keep {
                return Some(sender);
            }
        }
        None
    }
}

fn peer(origin: &Origin, https: bool, request: &Request<Body>) -> Peer {
    let (is_tls, port) = origin.way(https);
    let host = request.headers().get(header::HOST).and_then(|v| v.to_str().ok());
    // An address with a port in brackets is no server name, so the colon only separates the port.
    let name = || host.and_then(|h| h.split(':').next()).unwrap_or(&origin.host).to_owned();
    Peer { host: origin.host.clone(), port, tls: is_tls.then(name) }
}

impl Origin {
    /// Whether its connections have TLS, and their port, for a viewer with this scheme.
    pub(crate) fn way(&self, https: bool) -> (bool, u16) {
        match self.protocol {
            OriginProtocol::Https => (true, self.https_port),
            OriginProtocol::Viewer if https => (true, self.https_port),
            OriginProtocol::Http | OriginProtocol::Viewer => (false, self.http_port),
        }
    }
}

async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> io::Result<SendRequest<Body>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "origin connection ended");
        }
    });
    Ok(sender)
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn within<T>(origin: &Origin, answer: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(Duration::from_millis(origin.read_timeout_ms), answer).await.map_err(|_| Failure::Slow)
}

fn is_replayable(request: &Request<Body>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && http_body::Body::is_end_stream(request.body())
}

fn head_of(request: &Request<Body>) -> Request<Body> {
    let mut again = Request::new(empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    again
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

/// The next bytes of an answer, within the origin's read timeout.
pub(crate) async fn next(body: &mut Incoming, limit: Duration) -> io::Result<Option<Bytes>> {
    loop {
        let frame = timeout(limit, body.frame()).await.map_err(|_| io::ErrorKind::TimedOut)?;
        match frame {
            None => return Ok(None),
            Some(Err(e)) => return Err(io::Error::other(e)),
            Some(Ok(frame)) => {
                // Trailers are dropped: the viewer has not asked for them.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// An answer that is not stored, passed on at the viewer's pace.
pub(crate) fn pass(body: Incoming, limit: Duration) -> Body {
    let frames = stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match next(&mut body, limit).await {
            Ok(None) => None,
            Ok(Some(data)) => Some((Ok(Frame::data(data)), Some(body))),
            Err(e) => Some((Err(e.into()), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}
