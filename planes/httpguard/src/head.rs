//! Examines one request head.

use std::mem::MaybeUninit;

/// Longest request line.
const LINE_BYTES: usize = 16 * 1024;
/// Longest header.
const HEADER_BYTES: usize = 16 * 1024;
/// Largest head.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 200;

/// The bytes that follow a head.
#[derive(Debug, PartialEq)]
pub(crate) enum Framing {
    Sized(u64),
    Chunked,
    /// Nothing, until the server has decided about the upgrade.
    Upgrade,
}

/// A head that may be released.
#[derive(Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) len: usize,
    pub(crate) framing: Framing,
    /// The client may hold back the body until it gets `100 Continue` (RFC 9110, 10.1.1).
    pub(crate) waits_to_continue: bool,
}

/// Whether `buf` can give another result than its first `examined` bytes, which [`examine`] found to be an incomplete head. Without
/// this, a head that arrives byte by byte would be parsed once for each byte: a cost quadratic in its length.
pub(crate) fn has_news(buf: &[u8], examined: usize) -> bool {
    let crossed = |limit: usize| examined <= limit && buf.len() > limit;
    buf[examined..].contains(&b'\n') || crossed(LINE_BYTES) || crossed(HEAD_BYTES)
}

/// `None` while the head is incomplete; then its properties, or the status to refuse it with.
pub(crate) fn examine(buf: &[u8]) -> Result<Option<Head>, u16> {
    let line_end = buf.iter().position(|&b| b == b'\n');
    if line_end.unwrap_or(buf.len()) > LINE_BYTES {
        return Err(414);
    }
    // Not initialized: for most requests that would cost more than the rest of this function.
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(buf, &mut headers) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if buf.len() > HEAD_BYTES => return Err(400),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::Version) => return Err(505),
        Err(_) => return Err(400),
    };
    if len > HEAD_BYTES || has_bare_line_feed(&buf[..len]) {
        return Err(400);
    }
    let v11 = request.version == Some(1);
    check_target(request.method.unwrap_or(""), request.path.unwrap_or(""))?;
    let framing = framing(request.headers, v11)?;
    let expects = request.headers.iter().any(|h| h.name.eq_ignore_ascii_case("expect"));
    let has_body = matches!(framing, Framing::Chunked | Framing::Sized(1..));
    Ok(Some(Head { len, framing, waits_to_continue: expects && has_body }))
}

/// Some servers end a line at a lone LF, others do not, so the next server could read another head.
fn has_bare_line_feed(head: &[u8]) -> bool {
    let head = &head[head.iter().take_while(|&&b| b == b'\r' || b == b'\n').count()..];
    head.iter().enumerate().any(|(i, &b)| b == b'\n' && (i == 0 || head[i - 1] != b'\r'))
}

fn check_target(method: &str, target: &str) -> Result<(), u16> {
    match method {
        "CONNECT" | "TRACE" => Err(405),
        _ if target.starts_with('/') => Ok(()),
        "OPTIONS" if target == "*" => Ok(()),
        _ if target.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("http://")) => Ok(()),
        _ => Err(400),
    }
}

fn framing(headers: &[httparse::Header<'_>], v11: bool) -> Result<Framing, u16> {
    let (mut hosts, mut length, mut chunked) = (0, None, false);
    let (mut connection_upgrade, mut upgrade) = (false, false);
    for header in headers {
        if header.name.len() + header.value.len() > HEADER_BYTES {
            return Err(400);
        }
        let name = header.name;
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case("content-length") {
            if length.is_some() {
                return Err(400);
            }
            length = Some(parse_length(header.value)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !v11 {
                return Err(400);
            }
            if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(501);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            connection_upgrade |=
                header.value.split(|&b| b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        } else if name.eq_ignore_ascii_case("upgrade") {
            upgrade = true;
        }
    }
    match (length, chunked) {
        _ if hosts > 1 || (hosts == 0 && v11) => Err(400),
        (Some(_), true) => Err(400),
        (None, true) => Ok(Framing::Chunked),
        (None, false) if v11 && connection_upgrade && upgrade => Ok(Framing::Upgrade),
        (length, false) => Ok(Framing::Sized(length.unwrap_or(0))),
    }
}

fn parse_length(value: &[u8]) -> Result<u64, u16> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(400);
    }
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).ok_or(400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    fn show(found: Result<Option<Head>, u16>) -> String {
        match found {
            Ok(Some(Head { len, framing, waits_to_continue: false })) => format!("{len} {framing:?}"),
            Ok(Some(Head { len, framing, waits_to_continue: true })) => format!("{len} {framing:?} waits"),
            Ok(None) => "not whole".to_owned(),
            Err(status) => status.to_string(),
        }
    }

    #[test]
    fn accepts_only_unambiguous_heads() {
        let cases = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        ];
        let shown: String =
            cases.iter().map(|case| format!("{} <- {case:?}\n", show(examine(case.as_bytes())))).collect();
        expect![[r#"
            27 Sized(0) <- "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"
            not whole <- "GET / HTTP/1.1\r\nHost: a\r\n"
            400 <- "GET / HTTP/1.1\r\n\r\n"
            18 Sized(0) <- "GET / HTTP/1.0\r\n\r\n"
            505 <- "GET / HTTP/2.0\r\nHost: a\r\n\r\n"
            400 <- "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
            35 Sized(0) <- "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"
            400 <- "GET x HTTP/1.1\r\nHost: a\r\n\r\n"
            31 Sized(0) <- "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
            405 <- "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"
            47 Sized(5) <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"
            56 Chunked <- "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
            501 <- "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"
            501 <- "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
            400 <- "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            400 <- "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"
            400 <- "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n"
            400 <- "GET / HTTP/1.1\nHost: a\n\n"
            400 <- "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"
            80 Upgrade <- "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
            400 <- "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"
            68 Sized(1) waits <- "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
            68 Sized(0) <- "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn refuses_heads_that_are_too_large() {
        let long = "a".repeat(17 * 1024);
        assert_eq!(examine(format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()), Err(414));
        assert_eq!(examine(format!("GET /{long}").as_bytes()), Err(414));
        assert_eq!(examine(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes()), Err(400));
        let many: String = (0..70).map(|i| format!("X{i}: {}\r\n", "a".repeat(1000))).collect();
        assert_eq!(examine(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}").as_bytes()), Err(400));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = examine(&bytes);
            let mut with_line = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
            with_line.extend(bytes);
            let _ = examine(&with_line);
        }
    }
}
