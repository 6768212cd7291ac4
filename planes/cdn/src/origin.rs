//! Requests to origins, over connections that are reused.

use crate::{
    Connector,
    blob::Body,
    spec::{Origin, OriginTls},
};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, header::HOST, uri::Authority};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

/// Idle connections kept per origin.
const IDLE_MAX: usize = 32;
/// Closed earlier than common servers do (60 to 75 s).
const IDLE_AGE: Duration = Duration::from_secs(30);

pub(crate) struct Origins {
    connector: Arc<dyn Connector>,
    idle: Arc<Mutex<Idle>>,
}

type Idle = HashMap<Target, Vec<(SendRequest<Body>, Instant)>>;

/// What requests on one connection have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Target {
    host: String,
    port: u16,
    /// With TLS: the name that the origin's certificate is valid for.
    name: Option<String>,
}

impl Target {
    fn of(origin: &Origin, tls: Option<&OriginTls>, request: &Request<Body>) -> Target {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let authority = host.and_then(|host| host.parse::<Authority>().ok());
        let name = || authority.map_or_else(|| origin.host.clone(), |authority| authority.host().to_owned());
        Target {
            host: origin.host.clone(),
            port: tls.map_or(origin.port, |tls| tls.port),
            name: tls.map(|_| name()),
        }
    }
}

/// Why no answer was received, as the status for the viewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    /// 502: the origin was not reached, or its answer was not HTTP.
    Bad,
    /// 504: the origin did not answer in time.
    Slow,
}

impl Origins {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Origins {
        Origins { connector, idle: Arc::default() }
    }

    /// Returns the answer's head; its body follows at the reader's pace. `tls` is the origin's, if the request uses it.
    pub(crate) async fn send(
        &self,
        origin: &Origin,
        tls: Option<&OriginTls>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = request;
        let target = Target::of(origin, tls, &request);
        if let Some(mut sender) = self.take(&target) {
            // The origin may have closed the idle connection at this moment; idempotent requests are tried once more.
            let again = is_replayable(&request).then(|| head_of(&request));
            match within(origin, sender.try_send_request(request)).await? {
                Ok(answer) => return Ok(self.answered(target, sender, answer)),
                Err(mut error) => match error.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Bad),
                },
            }
        }
        let mut sender = self.connect(origin, tls, &target).await?;
        match within(origin, sender.try_send_request(request)).await? {
            Ok(answer) => Ok(self.answered(target, sender, answer)),
            Err(error) => {
                tracing::debug!(origin = %origin.id, error = %error.error(), "the origin did not answer");
                Err(Failure::Bad)
            }
        }
    }

    async fn connect(
        &self,
        origin: &Origin,
        tls: Option<&OriginTls>,
        target: &Target,
    ) -> Result<SendRequest<Body>, Failure> {
        let limit = Duration::from_millis(origin.connect_timeout_ms);
        let stream = match timeout(limit, self.connector.connect(&target.host, target.port)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(origin = %origin.id, %error, "cannot connect to the origin");
                return Err(Failure::Bad);
            }
            Err(_) => return Err(Failure::Slow),
        };
        // Without it small requests wait for delayed acknowledgements. An error means that the socket is closed already.
        let _ = stream.set_nodelay(true);
        let (Some(tls), Some(name)) = (tls, &target.name) else { return start(stream).await };
        let connector = escale_tls::Connector::new(&tls.roots_pem, &tls.versions);
        let secured = match connector {
            Ok(connector) => connector.connect(name, stream).await,
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        match secured {
            Ok(stream) => start(stream).await,
            Err(error) => {
                tracing::debug!(origin = %origin.id, name, %error, "no TLS with the origin");
                Err(Failure::Bad)
            }
        }
    }

    /// Returns the connection for reuse once the answer has been read.
    fn answered(
        &self,
        target: Target,
        sender: SendRequest<Body>,
        answer: Response<Incoming>,
    ) -> Response<Incoming> {
        let idle = self.idle.clone();
        tokio::spawn(async move {
            let mut sender = sender;
            if sender.ready().await.is_ok() {
                let mut idle = lock(&idle);
                let waiting = idle.entry(target).or_default();
                waiting.retain(|(s, since)| s.is_ready() && since.elapsed() < IDLE_AGE);
                if waiting.len() < IDLE_MAX {
                    waiting.push((sender, Instant::now()));
                }
            }
        });
        answer
    }

    fn take(&self, target: &Target) -> Option<SendRequest<Body>> {
        let mut idle = lock(&self.idle);
        let waiting = idle.get_mut(target)?;
        while let Some((sender, since)) = waiting.pop() {
            if sender.is_ready() && since.elapsed() < IDLE_AGE {
                return Some(sender);
            }
        }
        None
    }
}

/// Starts HTTP on a new connection.
async fn start(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, Failure> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Bad)?;
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
