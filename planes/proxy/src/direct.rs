//! The shortest path of the most frequent exchange: a GET or HEAD without a body, over HTTP/1.1.
//!
//! A request is one write, and a small answer is one read, both by the task of the client's connection. hyper's client has a task
//! of its own for each connection to a target, and passes requests, answers and bodies to and from it by channels; that costs
//! more than everything else that a balancer does for such a request. Requests with a body and upgrades, where both directions
//! are active at once, stay with hyper's client. Both keep the same contract: `tests/contract/paths.rs`.
//!
//! What a client may send was decided before, by `escale-httpguard` and hyper's server. An answer is read as RFC 9112 (6.3) says.

mod arriving;
mod chunks;

pub(crate) use arriving::Arriving;

use crate::pool::Reusable;
use arriving::Left;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use socket2::SockRef;
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

/// The kernel of a target acknowledges within a millisecond, however busy its program is. This covers one lost packet.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(700);
/// Largest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;
/// As many as hyper's client accepts.
const HEADERS: usize = 100;
const READ_BYTES: usize = 16 * 1024;
const BULK_READ_BYTES: usize = 128 * 1024;

/// Whether a request takes this path.
pub(crate) fn fits(parts: &Parts, has_body: bool) -> bool {
    let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
    is_safe && !has_body && !parts.headers.contains_key(header::TRANSFER_ENCODING)
}

/// The bytes of a request.
pub(crate) fn encode(parts: &Parts) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(parts.method.as_str().as_bytes());
    head.push(b' ');
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    head.extend_from_slice(target.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The target closed the connection before it sent anything.
    Closed,
    /// No packet of the request was acknowledged within [`ACKNOWLEDGED_WITHIN`].
    Unacknowledged,
    Broken(io::Error),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Closed => f.write_str("it closed the connection"),
            Failed::Unacknowledged => f.write_str("it acknowledged no packet of the request"),
            Failed::Broken(error) => error.fmt(f),
        }
    }
}

impl Failed {
    fn answer(why: &'static str) -> Failed {
        Failed::Broken(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

/// A connection to a target.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Arrived, and not yet used.
    rest: Bytes,
}

impl Reusable for Wire {
    /// Open, and without bytes that nobody requested.
    fn is_reusable(&self) -> bool {
        let is_pending = || self.stream.poll_read_ready(&mut Context::from_waker(Waker::noop())).is_pending();
        // A socket counts as readable until a read finds nothing: also after a read that got exactly the rest of an answer.
        let is_drained =
            || matches!(self.stream.try_read(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        self.rest.is_empty() && (is_pending() || is_drained())
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        // Safe for requests without a body only: the limit would also end an upload that the target is slow to read. An error means
        // that the socket is closed already.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN));
        Wire { stream, rest: Bytes::new() }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn exchange(
        mut self,
        request: &[u8],
        is_head: bool,
    ) -> Result<Response<Arriving>, Failed> {
        // Whatever the error is, nothing was answered on this connection.
        self.stream.write_all(request).await.map_err(|_| Failed::Closed)?;
        loop {
            if let Some(head) = Head::parse(&self.rest, is_head)? {
                self.rest = self.rest.slice(head.len..);
                if head.response.status().is_informational() {
                    continue;
                }
                let arriving = Arriving::new(self, head.left, head.keeps);
                return Ok(head.response.map(|()| arriving));
            }
            if self.rest.len() > HEAD_BYTES {
                return Err(Failed::answer("the head of the answer is too long"));
            }
            let is_first = self.rest.is_empty();
            match std::future::poll_fn(|cx| self.fill(cx, 0)).await {
                Ok(0) if is_first => return Err(Failed::Closed),
                Ok(0) => return Err(Failed::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(e) if is_first && e.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(Failed::Closed);
                }
                // A target that has answered anything has acknowledged the request.
                Err(e) if is_first && e.kind() == io::ErrorKind::TimedOut => {
                    return Err(Failed::Unacknowledged);
                }
                Err(e) => return Err(Failed::Broken(e)),
            }
        }
    }

    /// Reads more into `rest`; 0 is the end. `expected` bytes are still to come, as far as is known.
    fn fill(&mut self, cx: &mut Context<'_>, expected: u64) -> Poll<io::Result<usize>> {
        if expected > READ_BYTES as u64 && self.rest.is_empty() {
            // Only then, so that a connection that waits holds no buffer.
            ready!(self.stream.poll_read_ready(cx))?;
            let most = usize::try_from(expected).map_or(BULK_READ_BYTES, |n| n.min(BULK_READ_BYTES));
            let mut bulk = BytesMut::with_capacity(most);
            let read = ready!(tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut bulk))?;
            self.rest = bulk.freeze();
            return Poll::Ready(Ok(read));
        }
        // A small answer is copied once, into a buffer of its size.
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        let got = read.filled();
        self.rest = match self.rest.len() {
            0 => Bytes::copy_from_slice(got),
            _ => [&self.rest, got].concat().into(),
        };
        Poll::Ready(Ok(got.len()))
    }
}

/// The head of an answer.
struct Head {
    response: Response<()>,
    len: usize,
    left: Left,
    /// The connection can be used again after the body.
    keeps: bool,
}

impl Head {
    /// `None` while it is incomplete.
    fn parse(bytes: &Bytes, is_head: bool) -> Result<Option<Head>, Failed> {
        let mut fields = [const { MaybeUninit::uninit() }; HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let len = match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failed::answer("the answer is not HTTP/1")),
        };
        let mut headers = HeaderMap::with_capacity(parsed.headers.len() + 2);
        for field in &*parsed.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value));
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Failed::answer("the answer has a header that is not valid"));
            };
            headers.append(name, value);
        }
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| Failed::answer("the answer has no valid status"))?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failed::answer("the target switches protocols without being requested to"));
        }
        let is_v11 = parsed.version == Some(1);
        let left = length(status, &mut headers, is_head, is_v11)?;
        let keeps = !matches!(left, Left::UntilEnd) && stays_open(&headers, is_v11);
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(Some(Head { response, len, left, keeps }))
    }
}

/// RFC 9112, 6.3.
fn length(status: StatusCode, headers: &mut HeaderMap, is_head: bool, is_v11: bool) -> Result<Left, Failed> {
    if is_head || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok(Left::Nothing);
    }
    if let Some(coding) = headers.get_all(header::TRANSFER_ENCODING).iter().next_back() {
        if !is_v11 {
            return Err(Failed::answer("HTTP/1.0 has no transfer codings"));
        }
        let last = coding.as_bytes().rsplit(|&b| b == b',').next().unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        // It overrides the length, which must not be passed on.
        headers.remove(header::CONTENT_LENGTH);
        return Ok(if is_chunked { Left::Chunks(chunks::Decoder::default()) } else { Left::UntilEnd });
    }
    let mut length = None;
    for value in
        headers.get_all(header::CONTENT_LENGTH).iter().flat_map(|v| v.as_bytes().split(|&b| b == b','))
    {
        let digits = value.trim_ascii();
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let this = std::str::from_utf8(digits).ok().filter(|_| is_number).and_then(|d| d.parse::<u64>().ok());
        if this.is_none() || length.is_some_and(|before| Some(before) != this) {
            return Err(Failed::answer("the answer has an invalid Content-Length"));
        }
        length = this;
    }
    Ok(match length {
        None => Left::UntilEnd,
        Some(0) => Left::Nothing,
        Some(length) => Left::Bytes(length),
    })
}

fn stays_open(headers: &HeaderMap, is_v11: bool) -> bool {
    let has = |wanted: &[u8]| {
        let tokens =
            headers.get_all(header::CONNECTION).iter().flat_map(|v| v.as_bytes().split(|&b| b == b','));
        tokens.into_iter().any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    if is_v11 { !has(b"close") } else { has(b"keep-alive") && !has(b"close") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn show(answer: &str, is_head: bool) -> String {
        match Head::parse(&Bytes::copy_from_slice(answer.as_bytes()), is_head) {
            Ok(None) => "not whole".to_owned(),
            Ok(Some(head)) => {
                let (status, keeps) = (head.response.status().as_u16(), head.keeps);
                let fields = head.response.headers().len();
                format!("{status} {:?} keeps={keeps} {fields}", head.left)
            }
            Err(Failed::Broken(error)) => error.to_string(),
            Err(failed @ (Failed::Closed | Failed::Unacknowledged)) => failed.to_string(),
        }
    }

    #[test]
    fn answers_have_one_length() {
        let mut shown = String::new();
        for (is_head, answer) in [
            (false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"),
            (false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            (true, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
            (false, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (false, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"),
            (false, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n"),
            (false, "HTTP/1.1 200 OK\r\n\r\n"),
            (false, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            (false, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
            (false, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
            (false, "HTTP/2 200\r\n\r\n"),
            (false, "SSH-2.0-x\r\n"),
        ] {
            shown += &format!("{} <- {answer:?} {is_head}\n", show(answer, is_head));
        }
        expect![[r#"
            not whole <- "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" false
            200 Bytes(5) keeps=true 1 <- "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" false
            200 Nothing keeps=true 1 <- "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" true
            200 Bytes(5) keeps=true 1 <- "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n" false
            the answer has an invalid Content-Length <- "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" false
            the answer has an invalid Content-Length <- "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n" false
            200 Nothing keeps=false 2 <- "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n" false
            200 Chunks(Decoder { at: Size, trailers: {} }) keeps=true 1 <- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" false
            200 Chunks(Decoder { at: Size, trailers: {} }) keeps=true 1 <- "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n" false
            200 UntilEnd keeps=false 1 <- "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" false
            HTTP/1.0 has no transfer codings <- "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" false
            200 Bytes(1) keeps=false 1 <- "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n" false
            200 Bytes(1) keeps=true 2 <- "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n" false
            200 UntilEnd keeps=false 0 <- "HTTP/1.1 200 OK\r\n\r\n" false
            304 Nothing keeps=true 1 <- "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" false
            103 Nothing keeps=true 1 <- "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" false
            the target switches protocols without being requested to <- "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" false
            the answer is not HTTP/1 <- "HTTP/2 200\r\n\r\n" false
            the answer is not HTTP/1 <- "SSH-2.0-x\r\n" false
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn request_is_encoded_as_it_is() {
        let request =
            http::Request::get("/a?b").header("Host", "x").header("X-Two", "1").header("X-Two", "2");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let expected = "GET /a?b HTTP/1.1\r\nhost: x\r\nx-two: 1\r\nx-two: 2\r\n\r\n";
        assert_eq!(String::from_utf8(encode(&parts)).unwrap(), expected);
    }
}
