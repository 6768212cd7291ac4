//! Requests to origins, over connections that are reused.

use crate::{Connector, blob::Body, spec::Origin};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
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
use tokio::time::{Instant, timeout};

/// Idle connections kept per origin.
const IDLE_MAX: usize = 32;
/// Closed earlier than common servers do (60 to 75 s).
const IDLE_AGE: Duration = Duration::from_secs(30);

pub(crate) struct Origins {
    connector: Arc<dyn Connector>,
    idle: Arc<Mutex<Idle>>,
}

type Idle = HashMap<(String, u16), Vec<(SendRequest<Body>, Instant)>>;

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

    /// Returns the answer's head; its body follows at the reader's pace.
    pub(crate) async fn send(
        &self,
        origin: &Origin,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = request;
        if let Some(mut sender) = self.take(origin) {
            // The origin may have closed the idle connection at this moment; idempotent requests are tried once more.
            let again = is_replayable(&request).then(|| head_of(&request));
            match within(origin, sender.try_send_request(request)).await? {
                Ok(answer) => return Ok(self.answered(origin, sender, answer)),
                Err(mut error) => match error.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Bad),
                },
            }
        }
        let mut sender = self.connect(origin).await?;
        match within(origin, sender.try_send_request(request)).await? {
            Ok(answer) => Ok(self.answered(origin, sender, answer)),
            Err(error) => {
                tracing::debug!(origin = %origin.id, error = %error.error(), "the origin did not answer");
                Err(Failure::Bad)
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<SendRequest<Body>, Failure> {
        let limit = Duration::from_millis(origin.connect_timeout_ms);
        let stream = match timeout(limit, self.connector.connect(&origin.host, origin.port)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(origin = %origin.id, %error, "cannot connect to the origin");
                return Err(Failure::Bad);
            }
            Err(_) => return Err(Failure::Slow),
        };
        // Without it small requests wait for delayed acknowledgements. An error means that the socket is closed already.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Bad)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "origin connection ended");
            }
        });
        Ok(sender)
    }

    /// Returns the connection for reuse once the answer has been read.
    fn answered(
        &self,
        origin: &Origin,
        sender: SendRequest<Body>,
        answer: Response<Incoming>,
    ) -> Response<Incoming> {
        let (idle, at) = (self.idle.clone(), (origin.host.clone(), origin.port));
        tokio::spawn(async move {
            let mut sender = sender;
            if sender.ready().await.is_ok() {
                let mut idle = lock(&idle);
                let waiting = idle.entry(at).or_default();
                waiting.retain(|(s, since)| s.is_ready() && since.elapsed() < IDLE_AGE);
                if waiting.len() < IDLE_MAX {
                    waiting.push((sender, Instant::now()));
                }
            }
        });
        answer
    }

    fn take(&self, origin: &Origin) -> Option<SendRequest<Body>> {
        let mut idle = lock(&self.idle);
        let waiting = idle.get_mut(&(origin.host.clone(), origin.port))?;
        while let Some((sender, since)) = waiting.pop() {
            if sender.is_ready() && since.elapsed() < IDLE_AGE {
                return Some(sender);
            }
        }
        None
    }
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
