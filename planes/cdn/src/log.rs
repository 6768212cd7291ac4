//! Records of answered requests, until the caller takes them.

use crate::{
    Visit,
    blob::Body,
    edge::{Counters, Distribution, Inner},
    serve::Word,
};
use bytes::Bytes;
use escale_base::Timestamp;
use http::{HeaderName, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

/// Bytes of the records that wait; further ones are dropped. Viewers choose the length of a record.
const WAITING_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(crate) struct Log(Mutex<Waiting>);

#[derive(Default)]
pub(crate) struct Waiting {
    visits: VecDeque<Visit>,
    bytes: usize,
}

impl Visit {
    /// About what the record occupies.
    fn bytes(&self) -> usize {
        let optional =
            [&self.query, &self.referer, &self.user_agent, &self.cookie, &self.forwarded_for, &self.range];
        let optional: usize = optional.iter().filter_map(|text| Some(text.as_ref()?.len())).sum();
        size_of::<Visit>() + self.host.len() + self.path.len() + self.method.len() + optional
    }
}

impl Log {
    pub(crate) fn record(&self, visit: Visit) {
        let mut waiting = self.lock();
        let bytes = visit.bytes();
        if waiting.bytes + bytes <= WAITING_BYTES {
            waiting.bytes += bytes;
            waiting.visits.push_back(visit);
        }
    }

    pub(crate) fn take(&self, most: usize) -> Vec<Visit> {
        let mut waiting = self.lock();
        let count = waiting.visits.len().min(most);
        let taken: Vec<Visit> = waiting.visits.drain(..count).collect();
        waiting.bytes -= taken.iter().map(Visit::bytes).sum::<usize>();
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    /// The result as logs have it: an error is one of the answer, whatever produced it.
    fn logged(self, status: u16) -> &'static str {
        if status >= 400 { Word::Error.text() } else { self.text() }
    }
}

/// A body whose bytes are counted while they are sent.
struct Counted {
    body: Body,
    bytes: u64,
    /// Of the distribution, for a request that downloads.
    downloaded: Option<Arc<Counters>>,
    /// Gets the size of the body once it has been sent, or once the viewer has left.
    done: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.bytes += bytes;
            if let Some(counters) = &self.downloaded {
                counters.downloaded_bytes.fetch_add(bytes, Relaxed);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(self.bytes);
        }
    }
}

/// The bytes of a head in HTTP/1's form.
fn head_bytes(first_line: usize, headers: &http::HeaderMap) -> u64 {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    (first_line + lines.sum::<usize>() + "\r\n\r\n".len()) as u64
}

/// Counts what the viewer downloads, and records the request of a logged distribution once its answer has been sent.
pub(crate) fn note(
    edge: &Inner,
    visit: Option<Visit>,
    downloaded: Option<Arc<Counters>>,
    response: Response<Body>,
    (word, id): (Word, String),
) -> Response<Body> {
    if visit.is_none() && downloaded.is_none() {
        return response;
    }
    let head = head_of_answer(&response);
    if let Some(counters) = &downloaded {
        counters.downloaded_bytes.fetch_add(head, Relaxed);
    }
    let done = visit.map(|visit| {
        let (log, clock) = (edge.log.clone(), edge.clock.clone());
        let mut visit = answered(visit, &response, head, word, (id, clock.now()));
        let started = visit.at;
        Box::new(move |bytes: u64| {
            visit.sent_bytes += bytes;
            visit.took_ms = u64::try_from(clock.now().since_ms(started)).unwrap_or(0);
            log.record(visit);
        }) as Box<dyn FnOnce(u64) + Send>
    });
    response.map(|body| Counted { body, bytes: 0, downloaded, done }.boxed_unsync())
}

/// The bytes of an answer's head in HTTP/1's form.
fn head_of_answer(response: &Response<Body>) -> u64 {
    let reason = response.status().canonical_reason().map_or(0, str::len);
    head_bytes("HTTP/1.1 200 \r\n".len() + reason, response.headers())
}

/// The record of a request that has arrived.
pub(crate) fn visit(
    edge: &Inner,
    distribution: &Distribution,
    request: &Request<Incoming>,
    client: SocketAddr,
    https: bool,
) -> Visit {
    let text = |name: HeaderName| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let (uri, method) = (request.uri(), request.method().as_str());
    let first_line =
        method.len() + uri.path_and_query().map_or(1, |p| p.as_str().len()) + "  HTTP/1.1\r\n".len();
    let length = text(header::CONTENT_LENGTH).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    Visit {
        distribution: distribution.id.to_string(),
        at: edge.clock.now(),
        client,
        method: method.to_owned(),
        host: text(header::HOST).or_else(|| uri.authority().map(|a| a.to_string())).unwrap_or_default(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        version: format!("{:?}", request.version()),
        https,
        referer: text(header::REFERER),
        user_agent: text(header::USER_AGENT),
        cookie: text(header::COOKIE),
        forwarded_for: text(HeaderName::from_static("x-forwarded-for")),
        range: text(header::RANGE),
        received_bytes: head_bytes(first_line, request.headers()) + length,
        status: 0,
        result: String::new(),
        id: String::new(),
        content_type: None,
        content_length: None,
        sent_bytes: 0,
        first_byte_ms: 0,
        took_ms: 0,
    }
}

/// Adds the head of the answer to the record.
fn answered(
    visit: Visit,
    response: &Response<Body>,
    head_bytes: u64,
    word: Word,
    (id, now): (String, Timestamp),
) -> Visit {
    let status = response.status();
    let text =
        |name: HeaderName| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Visit {
        status: status.as_u16(),
        result: word.logged(status.as_u16()).to_owned(),
        id,
        content_type: text(header::CONTENT_TYPE),
        content_length: text(header::CONTENT_LENGTH),
        sent_bytes: head_bytes,
        first_byte_ms: u64::try_from(now.since_ms(visit.at)).unwrap_or(0),
        ..visit
    }
}
