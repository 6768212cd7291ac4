//! A node's listeners, their connections, and the path of a request: rule, then forward, redirect or a
//! fixed response; an error page when that fails.

use crate::{
    Sockets,
    body::Body,
    counters::ListenerCounters,
    forward::forward,
    headers::{self, Peer},
    log::{Log, Noted, Trail},
    pages,
    rules::Facts,
    spec::{Fixed, Redirect},
    sticky,
    table::{Port, Step, Table},
};
use arc_swap::ArcSwap;
use escale_base::{Clock, path::RawPath};
use escale_httpguard::{Guard, Limits, Link, Stop, Upgrades};
use escale_lanes::{Acceptor, Lanes};
use escale_tls::Stream;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::{body::Incoming, service::service_fn};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::net::TcpStream;

/// Shared by all connections of a node.
pub(crate) struct NodeContext {
    pub(crate) balancer: String,
    pub(crate) name: String,
    pub(crate) sockets: Arc<dyn Sockets>,
    pub(crate) lanes: Lanes,
    pub(crate) clock: Clock,
    pub(crate) table: ArcSwap<Table>,
    pub(crate) log: Arc<Log>,
}

/// One client connection.
pub(crate) struct Connection {
    pub(crate) node: Arc<NodeContext>,
    /// The listener's port in the spec.
    pub(crate) key: u16,
    /// The port it actually listens on.
    pub(crate) port: u16,
    /// Unique.
    pub(crate) id: u64,
    pub(crate) client: SocketAddr,
    /// Between this client and the balancer.
    pub(crate) scheme: Scheme,
    /// The same for the headers of requests to targets.
    pub(crate) peer: Peer,
    /// The version and cipher suite of its TLS.
    pub(crate) negotiated: Option<(&'static str, String)>,
    pub(crate) link: Arc<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub(crate) fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Accepts connections until `stop`; open connections then finish the requests in progress.
pub(crate) async fn accept(
    node: Arc<NodeContext>,
    key: u16,
    (acceptor, port): (Acceptor, u16),
    counters: Arc<ListenerCounters>,
    stop: Stop,
) {
    let (lanes, name, stopped) = (node.lanes.clone(), node.name.clone(), stop.clone());
    let serve = move |stream, client: SocketAddr| {
        let (node, counters, stop) = (node.clone(), counters.clone(), stopped.clone());
        async move {
            counters.opened.fetch_add(1, Relaxed);
            counters.active.fetch_add(1, Relaxed);
            let _active = Active(counters.clone());
            if let Some((stream, scheme)) = handshake(&node, key, stream, &stop).await {
                let peer = Peer::new(client, scheme.as_str(), port);
                let negotiated = stream.negotiated().map(|(version, suite)| (version, suite.to_owned()));
                let link = Arc::default();
                let id = rand::random();
                let connection = Connection { node, key, port, id, client, scheme, peer, negotiated, link };
                serve(connection, stream, counters, stop).await;
            }
        }
    };
    acceptor.serve(&lanes, &name, stop.accepts_no_more(), serve).await;
}

struct Active(Arc<ListenerCounters>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

/// The stream for HTTP: that of the handshake if the listener has TLS now. `None`: there is no client to answer.
async fn handshake(node: &NodeContext, key: u16, stream: TcpStream, stop: &Stop) -> Option<(Stream, Scheme)> {
    let tls = node.table.load().ports.get(&key).and_then(|port| port.tls.clone());
    let Some(tls) = tls else { return Some((Stream::Plain(stream), Scheme::Http)) };
    let shaken = tokio::select! {
        shaken = tls.accept(stream) => shaken,
        () = stop.is_now() => return None,
    };
    match shaken {
        Ok(stream) => Some((stream, Scheme::Https)),
        Err(error) => {
            tracing::debug!(node = %node.name, port = key, %error, "a TLS handshake failed");
            None
        }
    }
}

async fn serve(connection: Connection, stream: Stream, counters: Arc<ListenerCounters>, stop: Stop) {
    let (idle, keepalive) = {
        let table = connection.node.table.load();
        (table.idle, Duration::from_millis(table.attributes.keepalive_ms))
    };
    let guard = Guard::new(stream, connection.link.clone(), counters, Upgrades::Decided, idle);
    let connection = Arc::new(connection);
    let service = service_fn(move |request| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(handle(&connection, request).await) }
    });
    // No separate limit for heads: the idle timeout covers them.
    let stop = stop.child();
    let serving = escale_httpguard::serve(guard, Limits::default(), service, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        () = tokio::time::sleep(keepalive) => {
            // Requests in progress are completed.
            stop.now();
            serving.await;
        }
    }
}

async fn handle(connection: &Connection, request: Request<Incoming>) -> Response<Body> {
    // Once per request: a change of the rules must not apply to half of a request.
    let table = connection.node.table.load_full();
    let Some(port) = table.ports.get(&connection.key) else {
        // The listener was removed while this connection was open.
        return pages::page(StatusCode::SERVICE_UNAVAILABLE, &table.server);
    };
    port.counters.requests.fetch_add(1, Relaxed);
    let is_http1 = request.version() != Version::HTTP_2;
    let upgrade = headers::wanted_upgrade(request.headers()).filter(|_| is_http1);
    let waits_for_decision = upgrade.is_some();
    let mut trail = Noted::begin(connection, &table, &request);
    let answer = answer(connection, &table, port, (request, upgrade), &mut trail).await;
    let mut response = match answer {
        Ok(response) => response,
        Err(status) => {
            port.counters.own.add(status);
            let mut page = pages::page(status, &table.server);
            if is_http1 && matches!(status.as_u16(), 400..=431) {
                // The rest of the bytes on this connection may be something else than they seem.
                page.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            page
        }
    };
    if is_http1 && connection.link.is_body_withheld() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if waits_for_decision {
        // From here on the guard lets bytes pass unread, or goes on reading them as HTTP.
        connection.link.upgraded(response.status() == StatusCode::SWITCHING_PROTOCOLS);
    }
    if !response.headers().contains_key(header::DATE)
        && let Ok(date) = HeaderValue::try_from(connection.node.clock.now().http_date())
    {
        response.headers_mut().insert(header::DATE, date);
    }
    match trail {
        Some(noted) => noted.follow(response),
        None => response,
    }
}

/// The error is the status of the page to answer with.
async fn answer(
    connection: &Connection,
    table: &Table,
    port: &Port,
    (request, upgrade): (Request<Incoming>, Option<HeaderValue>),
    trail: &mut Trail,
) -> Result<Response<Body>, StatusCode> {
    if let Some(status) = connection.link.refusal(request.uri().path()) {
        return Err(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
    }
    let to = if let Some(to) = port.forwards_all() {
        if let Some(noted) = trail {
            noted.forwards();
        }
        to
    } else {
        let uri = request.uri();
        let host = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or(""),
        };
        let facts = Facts {
            method: request.method(),
            host: headers::split_host(host).0,
            path: RawPath::new(uri.path()),
            matched: RawPath::new(uri.path()).normalized(),
            query: uri.query(),
            headers: request.headers(),
            source: connection.client.ip(),
            protocol: connection.scheme.as_str(),
            port: connection.port,
        };
        let (rule, step) = port.step(&facts);
        if let Some(noted) = trail {
            noted.decided(rule, step);
        }
        match step {
            Step::Redirect(redirect) => return redirect_to(redirect, &facts, table, port),
            Step::Fixed(fixed) => return fixed_answer(fixed, table, port),
            // The listener relays TCP now; this connection is an older one.
            Step::Relay(..) => return Err(StatusCode::SERVICE_UNAVAILABLE),
            Step::Forward(to) => to,
        }
    };
    // Only forwarding extends the header, so redirects and fixed responses need no limit.
    if headers::too_many_forwards(request.headers()) {
        // 463 is the de-facto status for this; no RFC defines it.
        return Err(StatusCode::from_u16(463).unwrap_or(StatusCode::BAD_REQUEST));
    }
    let now = connection.node.clock.now();
    let (lease, session) =
        sticky::choose(&table.jar, to, request.headers(), now).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let mut answer = forward(connection, table, (to, lease), (request, upgrade), trail).await?;
    if let Some(session) = session {
        session.mark(answer.headers_mut(), connection.scheme, now);
    }
    Ok(answer)
}

fn redirect_to(
    redirect: &Redirect,
    facts: &Facts<'_>,
    table: &Table,
    port: &Port,
) -> Result<Response<Body>, StatusCode> {
    let status = if redirect.permanent { StatusCode::MOVED_PERMANENTLY } else { StatusCode::FOUND };
    let location = HeaderValue::try_from(redirect.location(facts)).map_err(|_| StatusCode::BAD_REQUEST)?;
    port.counters.redirects.fetch_add(1, Relaxed);
    port.counters.own.add(status);
    let mut response = pages::page(status, &table.server);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

fn fixed_answer(fixed: &Fixed, table: &Table, port: &Port) -> Result<Response<Body>, StatusCode> {
    // The spec was checked, so the status is valid.
    let status = StatusCode::from_u16(fixed.status).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    port.counters.fixed.fetch_add(1, Relaxed);
    port.counters.own.add(status);
    let content_type = HeaderValue::from_str(&fixed.content_type).ok().filter(|t| !t.is_empty());
    Ok(pages::answer(status, &table.server, content_type, fixed.body.clone()))
}
