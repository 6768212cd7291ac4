//! A request to the origin, and the handling of its answer.

use super::{BAD_REQUEST, Exchange, NO_CONNECTION, Word};
use crate::{
    blob::{Blob, Body, full},
    compress::{Accepted, Encoder},
    flight::Leader,
    freshness, key,
    origin::{self, Failure},
    pages,
    spec::{Behaviour, Origin, OriginGroup},
    store::Entry,
};
use escale_base::path::RawPath;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    request::Parts,
};
use hyper::body::Incoming;
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Headers of one connection, not of the answer (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) struct Fetch<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) behaviour: &'a Behaviour,
    pub(super) upstream: Upstream<'a>,
    /// Sent to the origin unchanged.
    pub(super) path: RawPath<'a>,
    pub(super) query: Option<&'a str>,
    pub(super) viewer: &'a Parts,
    pub(super) accepted: Accepted,
}

/// The origins of a behaviour.
#[derive(Clone, Copy)]
pub(super) struct Upstream<'a> {
    pub(super) first: &'a Origin,
    /// The origin to fail over to, and when.
    pub(super) second: Option<(&'a Origin, &'a OriginGroup)>,
}

pub(super) enum Fetched {
    Kept(Arc<Entry>, Word),
    /// Not stored; only for this viewer.
    Passed(Box<Response<Body>>),
}

impl Fetch<'_> {
    /// Passes the request through: the answer is neither stored nor shared.
    pub(super) async fn alone(&self, body: Body) -> (Response<Body>, Word) {
        // The answer goes to this viewer only, so the viewer's own conditions can be evaluated by the origin.
        let conditions = [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];
        let mut more = HeaderMap::new();
        for name in conditions {
            if let Some(value) = self.viewer.headers.get(&name) {
                more.insert(name, value.clone());
            }
        }
        match self.send(body, more).await {
            Ok((answer, origin)) => (self.pass(answer, origin), Word::Miss),
            Err(_) if self.exchange.body_broke.load(Relaxed) => {
                let status = StatusCode::BAD_REQUEST;
                let page = pages::error(status, BAD_REQUEST, &self.exchange.edge.identity, &self.exchange.id);
                (page, Word::Error)
            }
            Err(failure) => {
                let status = status_of(failure);
                (
                    pages::error(status, NO_CONNECTION, &self.exchange.edge.identity, &self.exchange.id),
                    Word::Error,
                )
            }
        }
    }

    /// Fetches for all requests with the same key. `known` is a stored entry that is no longer fresh.
    pub(super) async fn lead(&self, leader: Leader, known: Option<Arc<Entry>>) -> Fetched {
        let edge = &self.exchange.edge;
        // The request is for the whole object with the cache's own validators, not with those of one viewer.
        let validators = known.as_ref().map(|k| validators(&k.headers)).unwrap_or_default();
        let result = self.send(origin::empty(), validators).await;
        let now = edge.clock.now();
        let failed = result.as_ref().map_or(true, |(answer, _)| answer.status().is_server_error());
        // A stale answer is better than an error (RFC 5861, 4), unless the origin forbids it.
        if let Some(known) = known.as_ref().filter(|k| failed && k.may_stand_in(now)) {
            leader.ready(known);
            return Fetched::Kept(known.clone(), Word::Hit);
        }
        let (answer, origin) = match result {
            Ok(answered) => answered,
            Err(failure) => return self.remember_failure(leader, status_of(failure)),
        };
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (answer.status(), known) {
            return self.refresh(leader, &known, answer.headers()).await;
        }
        let status = answer.status().as_u16();
        let Some(lifetime) =
            freshness::lifetime(status, answer.headers(), self.behaviour.ttl, self.error_ttl(status))
        else {
            leader.alone();
            return Fetched::Passed(Box::new(self.pass(answer, origin)));
        };
        let length: Option<u64> = answer
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        // Too large to store: streamed to this viewer, and every other request fetches its own.
        if length.is_some_and(|l| l > edge.store.largest()) {
            leader.alone();
            return Fetched::Passed(Box::new(self.pass(answer, origin)));
        }
        let (mut head, body) = answer.into_parts();
        strip(&mut head.headers);
        let accepted = if self.behaviour.compress { self.accepted } else { Accepted::default() };
        let encoder = Encoder::for_answer(accepted, status, &mut head.headers);
        // Compression changes the length, so it can be compared only for bodies that are stored as received.
        let expected = length.filter(|_| encoder.is_none());
        let entry = Entry::new(status, head.headers, Blob::new(), now, lifetime);
        // From here on followers read the body while it arrives.
        leader.ready(&entry);
        let limit = Duration::from_millis(origin.read_timeout_ms);
        let (edge, kept) = (edge.clone(), entry.clone());
        // Continues when the viewer leaves: other viewers may be reading, and the complete answer will be stored.
        tokio::spawn(async move {
            match fill(&edge, &kept, body, encoder, limit).await {
                Ok(()) if expected.is_none_or(|e| e == kept.blob.len()) => {
                    kept.blob.finish(true);
                    leader.land(&edge.store, kept);
                    edge.store.settle().await;
                }
                result => {
                    kept.blob.finish(false);
                    tracing::debug!(?result, "an answer ended early and is not stored");
                }
            }
        });
        Fetched::Kept(entry, if status < 400 { Word::Miss } else { Word::Error })
    }

    /// 304: combines the stored body with the new headers (RFC 9111, 4.3.4).
    async fn refresh(&self, leader: Leader, known: &Arc<Entry>, fresh: &HeaderMap) -> Fetched {
        let edge = &self.exchange.edge;
        let mut headers = known.headers.clone();
        let mut update = fresh.clone();
        strip(&mut update);
        headers.remove(header::AGE);
        for name in update.keys() {
            // These describe the stored bytes, which may be compressed; the 304 is about the origin's.
            if ![header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_RANGE, header::ETAG]
                .contains(name)
            {
                headers.remove(name);
                for value in update.get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
        let lifetime = freshness::lifetime(known.status, &headers, self.behaviour.ttl, None);
        let entry =
            Entry::new(known.status, headers, known.blob.clone(), edge.clock.now(), lifetime.unwrap_or(0));
        leader.ready(&entry);
        // The new headers may forbid storing; the waiting requests still get this answer.
        if lifetime.is_some() {
            leader.land(&edge.store, entry.clone());
            edge.store.settle().await;
        }
        Fetched::Kept(entry, Word::RefreshHit)
    }

    /// Stores the failure for a moment, so that an unreachable origin is not tried again at once.
    fn remember_failure(&self, leader: Leader, status: StatusCode) -> Fetched {
        let (edge, code) = (&self.exchange.edge, status.as_u16());
        let ttl = self.error_ttl(code).unwrap_or(freshness::ERROR_TTL_S);
        let page = pages::html(code, NO_CONNECTION, &edge.identity, &self.exchange.id);
        let entry = Entry::new(
            code,
            pages::headers(&edge.identity, "text/html"),
            Blob::filled(page),
            edge.clock.now(),
            ttl,
        );
        leader.ready(&entry);
        if ttl > 0 {
            leader.land(&edge.store, entry.clone());
        }
        Fetched::Kept(entry, Word::Error)
    }

    fn error_ttl(&self, status: u16) -> Option<u64> {
        self.exchange.distribution.spec.errors.iter().find(|e| e.status == status).map(|e| e.ttl_s)
    }

    fn pass(&self, answer: Response<Incoming>, origin: &Origin) -> Response<Body> {
        let (mut head, body) = answer.into_parts();
        strip(&mut head.headers);
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let body = match self.viewer.method {
            // An answer to HEAD keeps its Content-Length, but has no body to wait for.
            Method::HEAD => full(""),
            _ => origin::pass(body, Duration::from_millis(origin.read_timeout_ms)),
        };
        Response::from_parts(head, body)
    }

    /// The answer, with the origin that gave it.
    async fn send(&self, body: Body, more: HeaderMap) -> Result<(Response<Incoming>, &'_ Origin), Failure> {
        let Upstream { first, second } = self.upstream;
        // A request with a body cannot be repeated, and one that changes something must not be.
        let may_repeat = matches!(self.viewer.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let Some((second, group)) = second.filter(|_| may_repeat) else {
            return self.send_to(first, body, more).await.map(|answer| (answer, first));
        };
        let answered = self.send_to(first, body, more.clone()).await;
        let has_failed = match &answered {
            Ok(answer) => group.statuses.contains(&answer.status().as_u16()),
            Err(Failure::Unreached | Failure::Slow) => true,
            Err(Failure::Bad) => group.statuses.contains(&502),
        };
        if !has_failed {
            return answered.map(|answer| (answer, first));
        }
        self.send_to(second, origin::empty(), more).await.map(|answer| (answer, second))
    }

    async fn send_to(
        &self,
        origin: &Origin,
        body: Body,
        more: HeaderMap,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = self.request(origin, body, more)?;
        if origin.signed {
            request = self.signed(origin, request).await?;
        }
        self.exchange.distribution.counters.origin_requests.fetch_add(1, Relaxed);
        self.exchange.edge.origins.send(origin, self.exchange.https, request).await
    }

    fn request(&self, origin: &Origin, body: Body, more: HeaderMap) -> Result<Request<Body>, Failure> {
        let (exchange, behaviour, identity) = (self.exchange, self.behaviour, &self.exchange.edge.identity);
        let has_body = !matches!(self.viewer.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let mut headers =
            key::forwarded_headers(&behaviour.key, &behaviour.forward, &self.viewer.headers, has_body);
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        for (name, value) in &more {
            headers.insert(name, value.clone());
        }
        let origin_host = match origin.way(exchange.https) {
            (false, 80) | (true, 443) => origin.host.clone(),
            (_, port) => format!("{}:{port}", origin.host),
        };
        let before = self.viewer.headers.get(FORWARDED_FOR).and_then(|v| v.to_str().ok());
        let chain = before.map(|b| format!("{b}, ")).unwrap_or_default();
        let mut set = vec![
            (FORWARDED_FOR, format!("{chain}{}", exchange.client.ip())),
            (header::VIA, format!("1.1 {} ({})", identity.via_host, identity.title)),
        ];
        if !headers.contains_key(header::HOST) {
            set.push((header::HOST, origin_host));
        }
        if !headers.contains_key(header::USER_AGENT) {
            set.push((header::USER_AGENT, identity.user_agent.clone()));
        }
        if let Some(accepted) = self.accepted.header() {
            set.push((header::ACCEPT_ENCODING, accepted.to_owned()));
        }
        if let Ok(name) = HeaderName::try_from(&identity.id_header) {
            set.push((name, exchange.id.clone()));
        }
        // Last, so that the origin's configured headers override those of the viewer and of the edge.
        for (name, value) in &origin.headers {
            set.push((HeaderName::try_from(name).map_err(|_| Failure::Bad)?, value.clone()));
        }
        for (name, value) in set {
            headers.insert(name, HeaderValue::try_from(value).map_err(|_| Failure::Bad)?);
        }
        let query = key::pick_query(&[&behaviour.key.query, &behaviour.forward.query], self.query);
        let query = query.map(|q| format!("?{q}")).unwrap_or_default();
        let target = format!("{}{}{query}", origin.path, self.path.as_str());
        let uri = Uri::try_from(target).map_err(|_| Failure::Bad)?;

        let mut request = Request::new(body);
        *request.method_mut() = self.viewer.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn signed(&self, origin: &Origin, request: Request<Body>) -> Result<Request<Body>, Failure> {
        let (mut head, body) = request.into_parts();
        let (signer, distribution) = (&self.exchange.edge.signer, &self.exchange.distribution.id);
        let signed = signer.sign(distribution, &origin.id, &mut head);
        let limit = Duration::from_millis(origin.connect_timeout_ms);
        match tokio::time::timeout(limit, signed).await {
            Ok(Ok(())) => Ok(Request::from_parts(head, body)),
            Ok(Err(error)) => {
                tracing::warn!(origin = %origin.id, %error, "a request to the origin could not be signed");
                Err(Failure::Bad)
            }
            Err(_) => {
                tracing::warn!(origin = %origin.id, "no key to sign a request to the origin within its connect timeout");
                Err(Failure::Slow)
            }
        }
    }
}

/// Copies the origin's body into the entry.
async fn fill(
    edge: &crate::edge::Inner,
    entry: &Entry,
    mut body: Incoming,
    mut encoder: Option<Encoder>,
    limit: Duration,
) -> io::Result<()> {
    let directory = &edge.store.directory;
    while let Some(data) = origin::next(&mut body, limit).await? {
        let data = match &mut encoder {
            Some(encoder) => encoder.push(&data)?,
            None => data,
        };
        if entry.blob.len() + data.len() as u64 > edge.store.largest() {
            return Err(io::Error::other(
                "the answer is larger than the cache accepts, and had no Content-Length",
            ));
        }
        if !data.is_empty() {
            entry.blob.write(data, directory).await?;
        }
    }
    if let Some(encoder) = encoder {
        entry.blob.write(encoder.finish()?, directory).await?;
    }
    Ok(())
}

fn validators(stored: &HeaderMap) -> HeaderMap {
    let pairs = [(header::ETAG, header::IF_NONE_MATCH), (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE)];
    pairs.into_iter().filter_map(|(from, to)| Some((to, stored.get(from)?.clone()))).collect()
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn status_of(failure: Failure) -> StatusCode {
    match failure {
        Failure::Bad | Failure::Unreached => StatusCode::BAD_GATEWAY,
        Failure::Slow => StatusCode::GATEWAY_TIMEOUT,
    }
}
