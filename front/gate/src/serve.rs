//! Accepts connections and answers their requests.

use crate::{
    Gate,
    body::full,
    request::{self, Ends},
};
use bytes::Bytes;
use escale_base::limits::request as limits;
use escale_httpguard::{Guard, Limits, Link, Stop, Upgrades};
use escale_service::{Arrival, Body, Entrance, Mount, TlsSession};
use escale_tls::{Stream, Terminator};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

/// How long a client may take to send its head. A client that never sends one must not keep the connection.
const HEAD_WITHIN: Duration = Duration::from_millis(limits::HEAD_MS);

/// How long a connection may be silent while the client waits for no answer. Longer than every limit within a request, so
/// that those apply first: their errors name the cause.
const SILENCE: Duration = Duration::from_millis(limits::STREAM_PAUSE_MS + 5_000);

/// Pause after a failed accept. Without it, the loop would spin while the process has no free descriptor.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The TLS of a listener.
#[derive(Clone)]
pub enum Tls {
    /// HTTP only.
    Never,
    /// Clients may speak both on the same port.
    Optional(Terminator),
    /// HTTPS only.
    Always(Arc<dyn Certificates>),
}

/// Chooses the certificate of a connection.
pub trait Certificates: Send + Sync + 'static {
    /// `name` is the server name that the client asks for, in lower case. A client without a certificate is disconnected.
    fn of(&self, name: Option<String>) -> Pin<Box<dyn Future<Output = Option<Terminator>> + Send + '_>>;
}

/// Serves the API on a socket until the future is dropped; its connections end with it. `entrance` is the kind of listener:
/// it decides whether the root principal is accepted.
pub async fn serve(gate: Arc<Gate>, listener: TcpListener, entrance: Entrance, tls: Tls) {
    accept(Behind::Api(gate), listener, entrance, tls).await;
}

/// Serves a mount alone, at an address of its own: every request is for it, whatever host it names.
pub async fn serve_mount(mount: Arc<dyn Mount>, listener: TcpListener) {
    accept(Behind::Mount(mount), listener, Entrance::Cloud, Tls::Never).await;
}

/// What answers the requests of a listener.
#[derive(Clone)]
enum Behind {
    Api(Arc<Gate>),
    Mount(Arc<dyn Mount>),
}

async fn accept(behind: Behind, listener: TcpListener, entrance: Entrance, tls: Tls) {
    let slots = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Taken before the accept, so that further connections wait in the kernel's queue. The semaphore is never closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = listener.accept().await.and_then(|(stream, peer)| {
            let local = stream.local_addr()?;
            Ok((stream, peer, local))
        });
        let (stream, peer, local) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Small answers must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let (behind, tls) = (behind.clone(), tls.clone());
        connections.spawn(async move {
            match handshake(stream, tls).await {
                Ok(stream) => connection(behind, ends(&stream, entrance, peer, local), stream).await,
                Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
            }
            drop(slot);
        });
        // Removes finished tasks, which the set would otherwise keep until the listener ends.
        while connections.try_join_next().is_some() {}
    }
}

/// The first byte of every TLS handshake (RFC 8446, 5.1). No request in HTTP begins with it.
const HANDSHAKE: u8 = 22;

async fn handshake(stream: TcpStream, tls: Tls) -> std::io::Result<Stream> {
    let tls = match tls {
        Tls::Never => return Ok(Stream::Plain(stream)),
        Tls::Always(certificates) => {
            return escale_tls::accept_by_name(stream, |name| certificates.of(name)).await;
        }
        Tls::Optional(terminator) => terminator,
    };
    let mut first = [0];
    // Zero bytes: the client has closed the connection, which the server of HTTP sees as well.
    let peeked = tokio::time::timeout(HEAD_WITHIN, stream.peek(&mut first)).await;
    match peeked.map_err(|_| std::io::ErrorKind::TimedOut)?? {
        1 if first == [HANDSHAKE] => tls.accept(stream).await,
        _ => Ok(Stream::Plain(stream)),
    }
}

fn ends(stream: &Stream, entrance: Entrance, peer: SocketAddr, local: SocketAddr) -> Ends {
    let tls = stream.negotiated().map(|(version, suite)| TlsSession { version, suite });
    Ends { arrival: Arrival { entrance, peer, tls }, local }
}

async fn connection(behind: Behind, ends: Ends, stream: Stream) {
    let link = Arc::new(Link::default());
    let guard = Guard::new(stream, Arc::clone(&link), Arc::new(()), Upgrades::Never, SILENCE);
    let service = service_fn(move |incoming: Request<Incoming>| {
        let (behind, link) = (behind.clone(), Arc::clone(&link));
        // On the heap: a request's future is large, and the connection's future would contain several copies of it.
        let answer = Box::pin(async move { answer(behind, incoming, ends, &link).await });
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let limits = Limits {
        head: Some(HEAD_WITHIN),
        streams: limits::HTTP2_STREAMS,
        window_bytes: Some(limits::HTTP2_WINDOW_BYTES),
    };
    escale_httpguard::serve(guard, limits, service, Stop::default()).await;
}

async fn answer(behind: Behind, incoming: Request<Incoming>, ends: Ends, link: &Arc<Link>) -> Response<Body> {
    if let Some(status) = link.refusal(incoming.uri().path()) {
        let mut response = match behind {
            Behind::Api(_) => request::refuse_head(&incoming.into_parts().0, status),
            Behind::Mount(_) => {
                let mut response = Response::new(full(Bytes::new()));
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                response
            }
        };
        close(&mut response);
        return response;
    }
    // While this exists, the guard does not count silence against the client.
    let _awaiting = link.await_answer();
    let is_http1 = incoming.version() != Version::HTTP_2;
    let request = incoming.map(|body| body.map_err(Into::into).boxed_unsync());
    let mut response = match behind {
        Behind::Api(gate) => request::answer(gate, request, ends).await,
        Behind::Mount(mount) => mount.serve(request, ends.arrival).await,
    };
    if is_http1 && link.is_body_withheld() {
        close(&mut response);
    }
    response
}

/// Ends the connection with this answer.
fn close(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
