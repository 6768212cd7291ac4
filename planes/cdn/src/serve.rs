//! The path of a request: distribution, behaviour, authorization, cache, origin; then the headers that report the result.

use crate::{
    authority::Authority,
    blob::{Body, full},
    compress::Accepted,
    conditional::{self, Range},
    edge::{Compiled, Distribution, Inner},
    flight::{Leader, Role, State},
    key::{Key, Viewer},
    log, origin, pages,
    signed::{self, Asked},
    spec::ViewerProtocol,
    store::Entry,
};
use escale_base::path::RawPath;
use escale_httpguard::Link;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

mod fetch;

use fetch::{Fetch, Fetched, Upstream};

/// How often a leader that gave up is replaced before a request stops waiting and fetches on its own.
const TRIES: usize = 3;

const METHOD_NOT_ALLOWED: &str = "This distribution is not configured to allow the HTTP request method that was used for this \
     request. The distribution supports only cachable requests.";
const BAD_REQUEST: &str = "Bad request.";
const NO_CONNECTION: &str = "We can't connect to the server for this app or website at this time. There might be too much \
     traffic or a configuration error. Try again later, or contact the app or website owner.";

/// How an answer was produced, in the words of X-Cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word {
    Hit,
    Miss,
    RefreshHit,
    Error,
    Redirect,
}

impl Word {
    /// In the order of their declaration.
    pub(crate) const ALL: [Word; 5] = [Word::Hit, Word::Miss, Word::RefreshHit, Word::Error, Word::Redirect];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Word::Hit => "Hit",
            Word::Miss => "Miss",
            Word::RefreshHit => "RefreshHit",
            Word::Error => "Error",
            Word::Redirect => "Redirect",
        }
    }
}

/// One request in progress.
pub(crate) struct Exchange {
    edge: Arc<Inner>,
    distribution: Arc<Distribution>,
    client: SocketAddr,
    https: bool,
    authority: Authority,
    id: String,
    /// The viewer's body ended early or broke its framing: a failure of the request is then the viewer's fault.
    body_broke: Arc<AtomicBool>,
}

/// Answers one request of `client`. `https` is the viewer's scheme, `link` leads to the guard of its connection.
pub(crate) async fn handle(
    edge: Arc<Inner>,
    request: Request<Incoming>,
    client: SocketAddr,
    https: bool,
    link: &Link,
) -> Response<Body> {
    let id = format!("{:032x}{:016x}", rand::random::<u128>(), rand::random::<u64>());
    let is_http1 = request.version() != Version::HTTP_2;
    let refuse = |status: StatusCode| {
        let mut response = pages::error(status, BAD_REQUEST, &edge.identity, &id);
        edge.marks.add(&edge.clock, &mut response, Word::Error, &id);
        close(&mut response, is_http1);
        response
    };
    // The guard replaced an ambiguous head by this request: nothing in it can be trusted.
    if let Some(status) = link.refusal(request.uri().path()) {
        return refuse(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
    }
    let path = RawPath::new(request.uri().path());
    // `*` is a path for servers, not for their content; and the behaviour must be unambiguous.
    let is_certain = path.as_str().starts_with('/') && !path.has_two_readings();
    let Some(authority) = Authority::of(request.uri(), request.headers(), https).filter(|_| is_certain)
    else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let Some(distribution) = edge.distribution(&authority.host()) else {
        let mut response = pages::error(StatusCode::FORBIDDEN, BAD_REQUEST, &edge.identity, &id);
        edge.marks.add(&edge.clock, &mut response, Word::Error, &id);
        if link.is_body_withheld() {
            close(&mut response, is_http1);
        }
        return response;
    };
    let counters = distribution.counters.clone();
    let visit = distribution.spec.log.then(|| log::visit(&edge, &distribution, &request, client, https));
    counters.requests.fetch_add(1, Relaxed);
    let is_download = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let body_broke: Arc<AtomicBool> = Arc::default();
    let exchange = Exchange {
        edge: edge.clone(),
        distribution,
        client,
        https,
        authority,
        id: id.clone(),
        body_broke: body_broke.clone(),
    };
    let (mut response, word) = Box::pin(exchange.answer(request)).await;
    match word {
        Word::Hit => counters.hits.fetch_add(1, Relaxed),
        Word::Miss => counters.misses.fetch_add(1, Relaxed),
        Word::RefreshHit => counters.refreshes.fetch_add(1, Relaxed),
        Word::Error | Word::Redirect => 0,
    };
    match response.status().as_u16() {
        400..=499 => counters.s4xx.fetch_add(1, Relaxed),
        500..=599 => counters.s5xx.fetch_add(1, Relaxed),
        _ => 0,
    };
    edge.marks.add(&edge.clock, &mut response, word, &id);
    if body_broke.load(Relaxed) || link.is_body_withheld() {
        close(&mut response, is_http1);
    }
    log::note(&edge, visit, is_download.then_some(counters), response, (word, id))
}

/// Closes the connection after a refused request: the bytes that follow may be something else than they seem.
fn close(response: &mut Response<Body>, is_http1: bool) {
    if is_http1 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

impl Distribution {
    /// The origin of this id, or those of the group.
    fn upstream(&self, id: &str) -> Option<Upstream<'_>> {
        let origin = |id: &str| self.spec.origins.iter().find(|o| o.id == id);
        if let Some(group) = self.spec.groups.iter().find(|g| g.id == id) {
            let second = origin(&group.second).map(|second| (second, group));
            return Some(Upstream { first: origin(&group.first)?, second });
        }
        Some(Upstream { first: origin(id)?, second: None })
    }
}

impl Exchange {
    async fn answer(self, request: Request<Incoming>) -> (Response<Body>, Word) {
        let identity = &self.edge.identity;
        let (mut parts, body) = request.into_parts();
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            // The origin gets the host that was decided on, also where the viewer named it in the request line.
            parts.headers.insert(header::HOST, host);
        }
        // Only the root path gets the default object, not every folder.
        let path = match (parts.uri.path(), &self.distribution.spec.default_root) {
            ("/", Some(root)) => format!("/{root}"),
            (path, _) => path.to_owned(),
        };
        let path = RawPath::new(&path);
        let Some(compiled) = self.distribution.behaviour(&path.collapsed()) else {
            return (pages::error(StatusCode::FORBIDDEN, BAD_REQUEST, identity, &self.id), Word::Error);
        };
        let behaviour = &compiled.behaviour;
        match behaviour.viewer {
            ViewerProtocol::RedirectToHttps if !self.https => {
                let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
                let host = self.authority.https(self.edge.https_port);
                return (pages::to_https(&host, target, identity), Word::Redirect);
            }
            ViewerProtocol::HttpsOnly if !self.https => {
                return (pages::error(StatusCode::FORBIDDEN, BAD_REQUEST, identity, &self.id), Word::Error);
            }
            _ => {}
        }
        if !behaviour.allowed_methods.contains(&parts.method) {
            return (
                pages::error(StatusCode::FORBIDDEN, METHOD_NOT_ALLOWED, identity, &self.id),
                Word::Error,
            );
        }
        let mut query = parts.uri.query().map(str::to_owned);
        if let Some(access) = &compiled.access {
            // The signature covers the path as the viewer sent it, before the default root is added.
            let asked = Asked {
                https: self.https,
                authority: &self.authority,
                path: RawPath::new(parts.uri.path()),
                query: query.as_deref(),
                headers: &parts.headers,
                client: self.client.ip(),
                now: self.edge.clock.now(),
            };
            if let Err(denied) = access.verify(&asked) {
                return (pages::denied(denied, identity), Word::Error);
            }
            // The credentials are removed, so that all viewers share one cached answer and the origin does not see them.
            query = query.as_deref().and_then(signed::strip_query);
            signed::strip_cookies(&mut parts.headers);
        }
        // Records who failed: an error of the viewer's body would otherwise look like one of the origin.
        let broke = self.body_broke.clone();
        let body = body.map_err(move |error| {
            broke.store(true, Relaxed);
            error.into()
        });
        let (response, word) =
            self.content(compiled, path, query.as_deref(), &parts, body.boxed_unsync()).await;
        let page = self.distribution.spec.errors.iter().find(|e| e.status == response.status().as_u16());
        let (mut response, word) = match page.and_then(|e| e.page.as_ref()) {
            Some((page, status)) => (self.page(page, *status, response).await, Word::Error),
            None => (response, word),
        };
        behaviour.response_headers.apply(response.headers_mut(), &parts.method, &parts.headers);
        (response, word)
    }

    /// Replaces an error by another object of the distribution; returns the error itself when that fails too.
    async fn page(&self, path: &str, status: u16, error: Response<Body>) -> Response<Body> {
        let path = RawPath::new(path);
        let Some(compiled) = self.distribution.behaviour(&path.collapsed()) else { return error };
        // A request of its own: the viewer's headers and conditions apply to the object it asked for, not to the page.
        let mut parts = Request::new(()).into_parts().0;
        parts.method = Method::GET;
        let (mut page, _) = self.content(compiled, path, None, &parts, origin::empty()).await;
        match StatusCode::from_u16(status) {
            Ok(status) if page.status() == StatusCode::OK => {
                *page.status_mut() = status;
                page
            }
            _ => error,
        }
    }

    /// From the cache if possible, else from the origin.
    async fn content(
        &self,
        compiled: &Compiled,
        path: RawPath<'_>,
        query: Option<&str>,
        parts: &Parts,
        body: Body,
    ) -> (Response<Body>, Word) {
        let behaviour = &compiled.behaviour;
        let Some(upstream) = self.distribution.upstream(&behaviour.origin) else {
            // `check` guarantees that the origin exists.
            return (
                pages::error(StatusCode::BAD_GATEWAY, NO_CONNECTION, &self.edge.identity, &self.id),
                Word::Error,
            );
        };
        let accepted = Accepted::of(&parts.headers, behaviour.encodings);
        let fetch = Fetch { exchange: self, behaviour, upstream, path, query, viewer: parts, accepted };
        // With a maximum TTL of zero no answer can be stored, so joining a flight would only delay the request.
        let cached = behaviour.cached_methods.contains(&parts.method) && behaviour.ttl.max_s > 0;
        if !cached {
            return fetch.alone(body).await;
        }
        let viewer = Viewer { path, query, headers: &parts.headers, accepted };
        let key = Key::of(&self.distribution.id, parts.method.as_str(), &behaviour.key, &viewer);
        for _ in 0..TRIES {
            let known = self.edge.store.get(&key);
            if let Some(entry) = known.as_ref().filter(|e| e.is_fresh(self.edge.clock.now())) {
                return (self.out_of_cache(entry, parts), Word::Hit);
            }
            let stale = known.as_ref().filter(|e| e.may_be_sent_while_revalidated(self.edge.clock.now()));
            if let Some(entry) = stale {
                if let Role::Leader(leader) = self.edge.flights.join(&key) {
                    self.revalidate(leader, entry.clone(), (path, query), parts);
                }
                return (self.out_of_cache(entry, parts), Word::Hit);
            }
            // An answer to HEAD or to a range is incomplete and cannot be stored.
            if parts.method == Method::HEAD || (known.is_none() && parts.headers.contains_key(header::RANGE))
            {
                return fetch.alone(body).await;
            }
            let mut state = match self.edge.flights.join(&key) {
                Role::Leader(leader) => {
                    return match fetch.lead(leader, known).await {
                        Fetched::Kept(entry, word) => (self.out_of_cache(&entry, parts), word),
                        Fetched::Passed(response) => (*response, Word::Miss),
                    };
                }
                Role::Follower(state) => state,
            };
            let state = state.wait_for(|s| !matches!(s, State::Waiting)).await.map(|s| s.clone());
            match state {
                Ok(State::Ready(entry)) => return (self.out_of_cache(&entry, parts), Word::Hit),
                // The leader's answer must not be shared, so waiting for another leader would not help.
                Ok(State::Alone) => break,
                // The leader gave up: look into the cache again, and perhaps lead.
                Ok(State::Waiting | State::Left) | Err(_) => {}
            }
        }
        fetch.alone(body).await
    }

    /// Fetches a newer answer than `known`, which no viewer waits for.
    fn revalidate(
        &self,
        leader: Leader,
        known: Arc<Entry>,
        (path, query): (RawPath<'_>, Option<&str>),
        parts: &Parts,
    ) {
        let exchange = Exchange {
            edge: self.edge.clone(),
            distribution: self.distribution.clone(),
            client: self.client,
            https: self.https,
            authority: self.authority.clone(),
            id: self.id.clone(),
            body_broke: Arc::default(),
        };
        let (path, query, mut parts) = (path.as_str().to_owned(), query.map(str::to_owned), parts.clone());
        if parts.method == Method::HEAD {
            // Its answer would have no body to store.
            parts.method = Method::GET;
        }
        tokio::spawn(async move {
            let path = RawPath::new(&path);
            let Some(compiled) = exchange.distribution.behaviour(&path.collapsed()) else { return };
            let behaviour = &compiled.behaviour;
            let Some(upstream) = exchange.distribution.upstream(&behaviour.origin) else { return };
            let accepted = Accepted::of(&parts.headers, behaviour.encodings);
            let fetch = Fetch {
                exchange: &exchange,
                behaviour,
                upstream,
                path,
                query: query.as_deref(),
                viewer: &parts,
                accepted,
            };
            fetch.lead(leader, Some(known)).await;
        });
    }

    /// Answers from a stored entry: the whole, a range, or only that it has not changed.
    fn out_of_cache(&self, entry: &Arc<Entry>, parts: &Parts) -> Response<Body> {
        let mut response = Response::new(full(""));
        *response.status_mut() = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::BAD_GATEWAY);
        *response.headers_mut() = entry.headers.clone();
        let headers = response.headers_mut();
        let age = entry.age_s(self.edge.clock.now());
        headers.remove(header::AGE);
        if age > 0 {
            headers.insert(header::AGE, age.into());
        }
        // Conditions apply to a 200 only (RFC 9110, 13.2.1): an error is sent even if its validators match.
        if entry.status == 200 && conditional::is_not_modified(&parts.headers, headers) {
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_ENCODING);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        // While the body is still arriving, its length is known from the origin's header at most.
        let said =
            headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        let len: Option<u64> = if entry.blob.is_whole() { Some(entry.blob.len()) } else { said };
        let range = match len {
            Some(len) if entry.status == 200 => conditional::range(&parts.headers, headers, len),
            _ => Range::Whole,
        };
        match (range, len) {
            (Range::Part(start, end), Some(len)) => {
                headers.insert(header::CONTENT_LENGTH, (end - start).into());
                if let Ok(value) = HeaderValue::try_from(format!("bytes {start}-{}/{len}", end - 1)) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                *response.body_mut() = entry.blob.read(start, Some(end));
            }
            (Range::Unsatisfiable, Some(len)) => {
                headers.insert(header::CONTENT_LENGTH, 0.into());
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{len}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            }
            (_, len) => {
                // These statuses have no body, so they must have no length (RFC 9110, 8.6).
                if let Some(len) = len.filter(|_| !matches!(entry.status, 204 | 304)) {
                    headers.insert(header::CONTENT_LENGTH, len.into());
                }
                if parts.method != Method::HEAD {
                    *response.body_mut() = entry.blob.read(0, None);
                }
            }
        }
        response
    }
}
