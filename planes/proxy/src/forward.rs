//! Forwards one request to one target, and its answer back.

use crate::{
    body::{Body, Progress, Source, Upload, UploadState},
    direct::{self, Failed, Wire},
    headers,
    log::Trail,
    pool::{self, ConnectError},
    sender,
    serve::Connection,
    spec,
    table::{Forward, Table},
    target::Lease,
    upgrade,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request::Parts};
use hyper::{
    body::{Body as _, Incoming},
    upgrade::OnUpgrade,
};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// Targets that one request is sent to, if connections to them cannot be opened. More would make a client wait for a group that is
/// down as a whole.
pub(crate) const TARGETS: usize = 3;

/// Sends `request` to the target of `lease`, one of `to`; if there is no connection to it, to another one. The error is the status of the page to answer with.
pub(crate) async fn forward(
    connection: &Connection,
    table: &Table,
    (to, mut lease): (&Forward, Lease),
    (mut request, upgrade): (Request<Incoming>, Option<HeaderValue>),
    trail: &mut Trail,
) -> Result<Response<Body>, StatusCode> {
    // Before the request is taken apart: hyper keeps the pending upgrade in its extensions.
    let client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let transport = lease.transport;
    sender::suits(transport.version, &parts)?;
    let trailers = sender::accepts_trailers(&parts);
    prepare(&mut parts, connection, table, upgrade.as_ref());
    if transport.version != spec::Version::Http1 {
        sender::to_http2(&mut parts, transport.tls, trailers)?;
    }
    let _awaiting = connection.link.await_answer();
    if let Some(noted) = trail {
        noted.prepared(&parts.headers);
    }
    let is_plain = transport == spec::Transport::default() && upgrade.is_none();
    let mut outgoing = if is_plain && direct::fits(&parts, !body.is_end_stream()) {
        Outgoing::Bytes(direct::encode(&parts), parts.method == Method::HEAD)
    } else {
        let (upload, progress) = Upload::new(body);
        if let Some(noted) = trail {
            noted.uploads(&progress);
        }
        Outgoing::Request(Box::new(Request::from_parts(parts, upload)), progress)
    };
    // Without an allocation unless a connection fails.
    let mut tried: Vec<SocketAddr> = Vec::new();
    let (sent, answer) = loop {
        lease.counters.requests.fetch_add(1, Relaxed);
        if let Some(noted) = trail {
            noted.sent(&lease);
        }
        let sent = Instant::now();
        let exchange = Exchange { connection, lease: &lease, idle: table.idle, to };
        let (status, unsent) = match exchange.send(outgoing, sent).await {
            Ok(answer) => break (sent, answer),
            Err(NoAnswer::Failed(status)) => return Err(status),
            Err(NoAnswer::NotSent(status, unsent)) => (status, unsent),
        };
        tried.push(lease.addr);
        let group = to.group_of(&lease).filter(|_| tried.len() < TARGETS);
        let Some(next) = group.and_then(|group| group.other(&tried)) else { return Err(status) };
        (lease, outgoing) = (next, unsent);
    };
    lease.counters.latency.add(sent.elapsed());
    lease.counters.outcomes.add(answer.status());
    if let Some(noted) = trail {
        noted.answered(answer.status());
    }

    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        // The target switches protocols without being requested to; its bytes would be read as HTTP.
        let client = client.ok_or(StatusCode::BAD_GATEWAY)?;
        return Ok(switched(client, answer, lease, trail.take()));
    }
    let (mut head, body) = answer.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(Response::from_parts(head, Body::streamed(body, lease, table.idle)))
}

/// The answer to a client whose connection is a tunnel from now on.
fn switched(
    client: OnUpgrade,
    mut answer: Response<Source>,
    lease: Lease,
    mut trail: Trail,
) -> Response<Body> {
    let target = hyper::upgrade::on(&mut answer);
    // Read before the hop-by-hop headers are removed, of which it is one.
    let protocol = answer.headers().get(header::UPGRADE).cloned();
    let (mut head, _) = answer.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        head.headers.insert(header::UPGRADE, protocol);
    }
    head.version = Version::HTTP_11;
    if let Some(noted) = &mut trail {
        noted.upgraded(&head.headers);
    }
    tokio::spawn(upgrade::tunnel(client, target, lease, trail));
    Response::from_parts(head, Body::full(""))
}

/// Rewrites the client's head for the target.
fn prepare(parts: &mut Parts, connection: &Connection, table: &Table, upgrade: Option<&HeaderValue>) {
    let attributes = &table.attributes;
    let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    headers::remove_hop_by_hop(&mut parts.headers);
    // 100 Continue is between the client and this proxy.
    parts.headers.remove(header::EXPECT);
    if chunked {
        // Makes the HTTP/1 encoder send a body, whatever the method.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(protocol) = upgrade {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol.clone());
    }
    if attributes.drop_invalid_headers {
        headers::drop_invalid(&mut parts.headers);
    }
    let Connection { scheme, port, .. } = connection;
    headers::add_forwarded(&mut parts.headers, attributes, &connection.peer);
    headers::add_tls(&mut parts.headers, attributes, connection.negotiated.as_ref());
    if let Some(name) = &table.trace_header {
        headers::add_trace(&mut parts.headers, name, connection.node.clock.now());
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(parts);
    }
    let default_port = *port == scheme.default_port();
    set_host(parts, *port, attributes.preserve_host || default_port);
    if let Some(path) = parts.uri.path_and_query().filter(|p| p.as_str() != "*") {
        parts.uri = Uri::from(path.clone());
    }
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
}

/// HTTP/2 may send one header per cookie; HTTP/1.1 requires a single one (RFC 9113, 8.2.3).
fn join_cookies(parts: &mut Parts) {
    let crumbs: Vec<&[u8]> =
        parts.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        parts.headers.insert(header::COOKIE, joined);
    }
}

/// Sets the Host header, with the port unless it may be absent. The authority of the request line, if present, is the host (RFC 9112, 3.2.2; RFC 9113, 8.3.1).
fn set_host(parts: &mut Parts, port: u16, without_port: bool) {
    let authority = parts.uri.authority().map(|a| a.as_str());
    let from_header = || parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let Some(host) = authority.or_else(from_header) else { return };
    let lacks_port = !without_port && headers::split_host(host).1.is_none();
    if authority.is_none() && !lacks_port {
        return;
    }
    let host = if lacks_port { HeaderValue::try_from(format!("{host}:{port}")) } else { host.parse() };
    if let Ok(host) = host {
        parts.headers.insert(header::HOST, host);
    }
}

/// A request for either path.
enum Outgoing {
    /// For the path of requests without a body, and whether the method is HEAD.
    Bytes(Vec<u8>, bool),
    Request(Box<Request<Upload>>, Arc<Progress>),
}

/// Why there is no answer, with the status of the page to answer with.
enum NoAnswer {
    Failed(StatusCode),
    /// There is no connection to the target, so another one may get the request, whatever its method is; or the target acknowledged
    /// no packet of a safe request.
    NotSent(StatusCode, Outgoing),
}

impl From<StatusCode> for NoAnswer {
    fn from(status: StatusCode) -> NoAnswer {
        NoAnswer::Failed(status)
    }
}

struct Exchange<'a> {
    connection: &'a Connection,
    lease: &'a Lease,
    to: &'a Forward,
    idle: Duration,
}

impl Exchange<'_> {
    async fn send(&self, outgoing: Outgoing, sent: Instant) -> Result<Response<Source>, NoAnswer> {
        match outgoing {
            Outgoing::Bytes(request, is_head) => self.directly(request, is_head, sent).await,
            // Boxed, so that the future of a request without a body stays small.
            Outgoing::Request(request, progress) => Box::pin(self.by_client(*request, progress)).await,
        }
    }

    /// By the path for requests without a body.
    async fn directly(
        &self,
        request: Vec<u8>,
        is_head: bool,
        sent: Instant,
    ) -> Result<Response<Source>, NoAnswer> {
        let last = || (sent, UploadState::Ended);
        if let Some(wire) = self.lease.wire() {
            match self.wait(wire.exchange(&request, is_head), last).await? {
                Ok(answer) => return Ok(answer.map(Source::Wire)),
                // The target closed the idle connection at this moment. Both methods are safe, so they may be repeated.
                Err(Failed::Closed) => {}
                Err(failed) => return Err(self.no_answer(&failed, request, is_head)),
            }
        }
        let node = &self.connection.node;
        let opening = pool::open(&*node.sockets, &node.name, self.lease.addr, self.connect_within());
        let stream = match self.connected(opening).await {
            Ok(stream) => stream,
            Err(status) => return Err(NoAnswer::NotSent(status, Outgoing::Bytes(request, is_head))),
        };
        match self.wait(Wire::new(stream).exchange(&request, is_head), last).await? {
            Ok(answer) => Ok(answer.map(Source::Wire)),
            Err(failed) => Err(self.no_answer(&failed, request, is_head)),
        }
    }

    /// A request does not wait long for a connection if another target can answer it.
    fn connect_within(&self) -> Duration {
        let has_other = self.to.group_of(self.lease).is_some_and(|group| group.has_other(self.lease.addr));
        if has_other { pool::CONNECT_TIMEOUT_OF_SEVERAL } else { pool::CONNECT_TIMEOUT }
    }

    /// A request that no packet acknowledges may go to another target: both methods are safe.
    fn no_answer(&self, failed: &Failed, request: Vec<u8>, is_head: bool) -> NoAnswer {
        tracing::debug!(target = %self.lease.addr, error = %failed, "the target did not answer");
        match failed {
            Failed::Unacknowledged => {
                self.lease.counters.connection_errors.fetch_add(1, Relaxed);
                self.lease.doubt();
                NoAnswer::NotSent(StatusCode::GATEWAY_TIMEOUT, Outgoing::Bytes(request, is_head))
            }
            Failed::Closed | Failed::Broken(_) => NoAnswer::Failed(StatusCode::BAD_GATEWAY),
        }
    }

    /// Uses an idle connection if there is one. The target may have closed it at the same moment: then the request is
    /// sent again on a new one, if nothing was sent before or if it is idempotent.
    async fn by_client(
        &self,
        mut request: Request<Upload>,
        progress: Arc<Progress>,
    ) -> Result<Response<Source>, NoAnswer> {
        let bodiless = progress.read().1 == UploadState::Ended;
        let answered =
            |answer: Response<Incoming>, sender| answer.map(|body| Source::of_client(body, sender));
        if let Some(mut sender) = self.lease.client() {
            // Copied in advance: hyper returns an unsent request, but not one that it has begun to send.
            let replay = (bodiless && is_idempotent(request.method())).then(|| head_of(&request));
            match self.wait(sender.try_send_request(request), || progress.read()).await? {
                Ok(answer) => return Ok(answered(answer, sender)),
                Err(mut failed) => match (failed.take_message(), replay) {
                    // Never sent, so any method may be repeated.
                    (Some(unsent), _) => request = unsent,
                    (None, Some(again)) if is_closed(failed.error()) => request = again,
                    _ => return Err(failure(&progress).into()),
                },
            }
        }
        let node = &self.connection.node;
        let (addr, transport) = (self.lease.addr, self.lease.transport);
        let connecting = pool::connect(&*node.sockets, &node.name, addr, transport, self.connect_within());
        let mut sender = match self.connected(connecting).await {
            Ok(sender) => sender,
            Err(status) => {
                return Err(NoAnswer::NotSent(status, Outgoing::Request(Box::new(request), progress)));
            }
        };
        if let Some(shared) = sender.shared() {
            self.lease.keep_client(shared);
        }
        match self.wait(sender.try_send_request(request), || progress.read()).await? {
            Ok(answer) => Ok(answered(answer, sender)),
            Err(failed) => {
                tracing::debug!(target = %self.lease.addr, error = %failed.error(), "the target did not answer");
                Err(failure(&progress).into())
            }
        }
    }

    async fn connected<T>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, StatusCode> {
        let result = tokio::select! {
            result = connecting => result,
            () = self.lease.cut.cancelled() => return Err(StatusCode::BAD_GATEWAY),
        };
        result.map_err(|e| {
            self.lease.counters.connection_errors.fetch_add(1, Relaxed);
            match e {
                ConnectError::Timeout => {
                    self.lease.doubt();
                    StatusCode::GATEWAY_TIMEOUT
                }
                ConnectError::Refused(error) => {
                    tracing::debug!(target = %self.lease.addr, %error, "cannot connect to the target");
                    StatusCode::BAD_GATEWAY
                }
            }
        })
    }

    /// The target's answer, unless there is no traffic for the idle timeout. `last` is when the upload moved, and its state.
    async fn wait<T>(
        &self,
        answer: impl Future<Output = T>,
        last: impl Fn() -> (Instant, UploadState),
    ) -> Result<T, StatusCode> {
        tokio::pin!(answer);
        loop {
            // The upload counts as traffic, so the deadline moves with it.
            let due = last().0 + self.idle;
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = self.lease.cut.cancelled() => return Err(StatusCode::BAD_GATEWAY),
                () = tokio::time::sleep_until(due) => {
                    let (last, state) = last();
                    if last + self.idle > Instant::now() {
                        continue;
                    }
                    return Err(match state {
                        // The timeout is the fault of the side that did not send.
                        UploadState::WaitsForClient => StatusCode::REQUEST_TIMEOUT,
                        _ => StatusCode::GATEWAY_TIMEOUT,
                    });
                }
            }
        }
    }
}

fn failure(progress: &Progress) -> StatusCode {
    match progress.read().1 {
        UploadState::Failed => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn is_idempotent(method: &Method) -> bool {
    // RFC 9110, 9.2.2; PUT has a body and is not replayed anyway.
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE | Method::PUT)
}

/// Whether the connection ended before any of the answer arrived.
fn is_closed(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || error.is_closed()
        || error.is_canceled()
        || std::error::Error::source(error).and_then(|s| s.downcast_ref::<std::io::Error>()).is_some_and(
            |e| matches!(e.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe),
        )
}

fn head_of(request: &Request<Upload>) -> Request<Upload> {
    let mut again = Request::new(Upload::empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    *again.version_mut() = request.version();
    again
}
