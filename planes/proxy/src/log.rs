//! Records of answered requests, until the caller takes them.

use crate::{
    body::{Body, Progress},
    serve::{Connection, Scheme},
    spec::Version,
    table::{Step, Table},
    target::Target,
};
use escale_base::{Clock, Timestamp};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

/// Bytes of the records that wait; further ones are dropped. Clients choose the length of a record.
const WAITING_BYTES: usize = 16 << 20;

/// An answered request of a balancer that is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    pub balancer: String,
    /// The node's name in the spec.
    pub node: String,
    pub protocol: Protocol,
    pub arrived: Timestamp,
    /// When the answer's last byte was passed on, or the client left.
    pub ended: Timestamp,
    pub client: SocketAddr,
    /// The same for all requests of a connection.
    pub connection: u64,
    /// Version and cipher suite of the connection's TLS.
    pub tls: Option<(String, String)>,
    pub method: String,
    /// Scheme, host, port, path and query.
    pub url: String,
    pub version: String,
    pub user_agent: Option<String>,
    /// The value of the trace header that the target got.
    pub trace: Option<String>,
    /// The priority of the rule that decided; 0 is the listener's default. `None`: no rule was asked.
    pub rule: Option<u32>,
    pub action: Option<Act>,
    /// Of a redirect.
    pub location: Option<String>,
    pub target: Option<(String, SocketAddr)>,
    pub target_status: Option<u16>,
    pub status: u16,
    /// From the request's arrival until it was sent on, then until the head of the answer, then until that was passed on.
    pub took_us: Option<[u64; 3]>,
    /// Heads have the size of HTTP/1.1.
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Http,
    Https,
    Http2,
    Grpc,
    WebSocket,
    SecureWebSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    Forward,
    Redirect,
    Fixed,
}

#[derive(Default)]
pub(crate) struct Log(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    visits: VecDeque<Visit>,
    bytes: usize,
}

impl Visit {
    /// About what the record occupies.
    fn bytes(&self) -> usize {
        let texts = [&self.user_agent, &self.trace, &self.location];
        let texts: usize = texts.iter().filter_map(|text| Some(text.as_ref()?.len())).sum();
        size_of::<Visit>()
            + self.balancer.len()
            + self.node.len()
            + self.method.len()
            + self.url.len()
            + texts
    }
}

impl Log {
    fn record(&self, visit: Visit) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = visit.bytes();
        if waiting.bytes + bytes <= WAITING_BYTES {
            waiting.bytes += bytes;
            waiting.visits.push_back(visit);
        }
    }

    pub(crate) fn take(&self, most: usize) -> Vec<Visit> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.visits.len().min(most);
        let taken: Vec<Visit> = waiting.visits.drain(..count).collect();
        waiting.bytes -= taken.iter().map(Visit::bytes).sum::<usize>();
        taken
    }
}

/// What is known of a request while it is served. Dropped with the last byte of its answer, which makes the record.
pub(crate) struct Noted {
    visit: Visit,
    began: Instant,
    sent: Option<Instant>,
    answered: Option<Instant>,
    upload: Option<Arc<Progress>>,
    trace_header: Option<HeaderName>,
    log: Arc<Log>,
    clock: Clock,
}

/// `None` for a balancer that is not logged.
pub(crate) type Trail = Option<Box<Noted>>;

impl Noted {
    pub(crate) fn begin(connection: &Connection, table: &Table, request: &Request<Incoming>) -> Trail {
        if !table.attributes.log {
            return None;
        }
        let (uri, headers) = (request.uri(), request.headers());
        let text =
            |name: HeaderName| Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned());
        let host = uri.authority().map(|a| a.to_string()).or_else(|| text(header::HOST)).unwrap_or_default();
        let (host, port) = crate::headers::split_host(&host);
        let port = port.map_or_else(|| connection.port.to_string(), str::to_owned);
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let scheme = connection.scheme;
        let method = request.method().as_str();
        let first_line = method.len() + path.len() + "  HTTP/1.1\r\n".len();
        let node = &connection.node;
        let visit = Visit {
            balancer: node.balancer.clone(),
            node: node.name.clone(),
            protocol: match (scheme, request.version()) {
                (Scheme::Http, _) => Protocol::Http,
                (Scheme::Https, http::Version::HTTP_2) => Protocol::Http2,
                (Scheme::Https, _) => Protocol::Https,
            },
            arrived: node.clock.now(),
            ended: node.clock.now(),
            client: connection.client,
            connection: connection.id,
            tls: connection.negotiated.clone().map(|(version, suite)| (version.to_owned(), suite)),
            method: method.to_owned(),
            url: format!("{}://{host}:{port}{path}", scheme.as_str()),
            version: format!("{:?}", request.version()),
            user_agent: text(header::USER_AGENT),
            trace: None,
            rule: None,
            action: None,
            location: None,
            target: None,
            target_status: None,
            status: 0,
            took_us: None,
            received_bytes: head_bytes(first_line, headers),
            sent_bytes: 0,
        };
        Some(Box::new(Noted {
            visit,
            began: Instant::now(),
            sent: None,
            answered: None,
            upload: None,
            trace_header: table.trace_header.clone(),
            log: node.log.clone(),
            clock: node.clock.clone(),
        }))
    }

    pub(crate) fn decided(&mut self, rule: u32, step: &Step) {
        self.visit.rule = Some(rule);
        self.visit.action = Some(match step {
            Step::Forward(_) | Step::Relay(..) => Act::Forward,
            Step::Redirect(_) => Act::Redirect,
            Step::Fixed(_) => Act::Fixed,
        });
    }

    /// The listener only forwards.
    pub(crate) fn forwards(&mut self) {
        (self.visit.rule, self.visit.action) = (Some(0), Some(Act::Forward));
    }

    /// These headers go to the target.
    pub(crate) fn prepared(&mut self, headers: &HeaderMap) {
        let trace = self.trace_header.as_ref().and_then(|name| headers.get(name));
        self.visit.trace = trace.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    }

    /// The request goes to this target; another one follows if it cannot be reached.
    pub(crate) fn sent(&mut self, target: &Target) {
        self.sent = Some(Instant::now());
        self.visit.target = Some((target.group.clone(), target.addr));
        if target.transport.version == Version::Grpc && self.visit.protocol == Protocol::Http2 {
            self.visit.protocol = Protocol::Grpc;
        }
    }

    pub(crate) fn uploads(&mut self, progress: &Arc<Progress>) {
        self.upload = Some(progress.clone());
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.answered = Some(Instant::now());
        self.visit.target_status = Some(status.as_u16());
    }

    /// The connection is a tunnel from now on.
    pub(crate) fn upgraded(&mut self, head: &HeaderMap) {
        self.visit.protocol = match self.visit.protocol {
            Protocol::Http => Protocol::WebSocket,
            _ => Protocol::SecureWebSocket,
        };
        self.passed_on(StatusCode::SWITCHING_PROTOCOLS, head);
    }

    pub(crate) fn tunnelled(&mut self, received: u64, sent: u64) {
        self.visit.received_bytes += received;
        self.visit.sent_bytes += sent;
    }

    pub(crate) fn sent_bytes(&mut self, bytes: usize) {
        self.visit.sent_bytes += bytes as u64;
    }

    fn passed_on(&mut self, status: StatusCode, headers: &HeaderMap) {
        let reason = status.canonical_reason().unwrap_or("");
        self.visit.status = status.as_u16();
        self.visit.sent_bytes += head_bytes("HTTP/1.1 200 \r\n".len() + reason.len(), headers);
        let location = headers.get(header::LOCATION).filter(|_| self.visit.action == Some(Act::Redirect));
        self.visit.location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let us = |from: Instant, to: Instant| u64::try_from((to - from).as_micros()).unwrap_or(u64::MAX);
        if let (Some(sent), Some(answered)) = (self.sent, self.answered) {
            self.visit.took_us =
                Some([us(self.began, sent), us(sent, answered), us(answered, Instant::now())]);
        }
    }

    /// Goes with the answer's body until its end.
    pub(crate) fn follow(mut self: Box<Noted>, response: Response<Body>) -> Response<Body> {
        self.passed_on(response.status(), response.headers());
        response.map(|body| body.noted(self))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.visit.ended = self.clock.now();
        self.visit.received_bytes += self.upload.as_ref().map_or(0, |upload| upload.bytes());
        self.log.record(self.visit.clone());
    }
}

/// The bytes of a head in HTTP/1.1's form.
fn head_bytes(first_line: usize, headers: &HeaderMap) -> u64 {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    (first_line + lines.sum::<usize>() + "\r\n".len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(url: usize) -> Visit {
        Visit {
            balancer: "b".into(),
            node: "n".into(),
            protocol: Protocol::Http,
            arrived: Timestamp(0),
            ended: Timestamp(0),
            client: ([192, 0, 2, 1], 4000).into(),
            connection: 1,
            tls: None,
            method: "GET".into(),
            url: "x".repeat(url),
            version: "HTTP/1.1".into(),
            user_agent: None,
            trace: None,
            rule: None,
            action: None,
            location: None,
            target: None,
            target_status: None,
            status: 200,
            took_us: None,
            received_bytes: 0,
            sent_bytes: 0,
        }
    }

    #[test]
    fn long_requests_do_not_fill_the_memory() {
        let log = Log::default();
        for _ in 0..1000 {
            log.record(visit(64 << 10));
        }
        let most = WAITING_BYTES / (64 << 10);
        let taken = log.take(usize::MAX);
        assert!(taken.len() <= most && taken.len() > most / 2, "{}", taken.len());
        log.record(visit(1));
        assert_eq!(log.take(1).len(), 1, "there is room again");
    }
}
