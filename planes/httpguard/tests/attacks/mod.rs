//! Request smuggling attacks: one table, run against every plane that serves HTTP (their `tests/contract.rs`).

/// A name, the request, the status of the only answer. None of it may reach a server behind the guard.
pub(crate) const REFUSED: &[(&str, &str, u16)] = &[
    (
        "length, then chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled",
        400,
    ),
    (
        "chunked, then length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /smuggled",
        400,
    ),
    ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /", 400),
    (
        "two equal lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        400,
    ),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab", 400),
    ("a length with a sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", 400),
    ("a length in hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nab", 400),
    ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", 400),
    (
        "a length beyond 64 bits",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        400,
    ),
    (
        "chunked twice",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "another coding before chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "a coding that looks like chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "a space before the colon",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("a folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n", 400),
    ("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400),
    ("one bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    (
        "a bare line feed that hides a header",
        "POST / HTTP/1.1\r\nHost: a\r\nX: b\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    ("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("a target without a slash", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("a trace", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("HTTP/2 without its preface", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
];

/// Malformed chunked bodies: the status is 400, the client's fault, and no second request is read.
pub(crate) const BROKEN_BODIES: &[(&str, &str)] = &[
    ("a chunk longer than its size", "3\r\nabcX\r\n0\r\n\r\n"),
    ("a bare line feed after the size", "3\nabc\r\n0\r\n\r\n"),
    ("a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("a size beyond 64 bits", "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n"),
    ("no size", "\r\nabc\r\n0\r\n\r\n"),
    ("a bare line feed after the data", "3\r\nabc\n0\r\n\r\n"),
];

/// A request with such a body, followed by a second request.
pub(crate) fn with_body(host: &str, body: &str) -> String {
    format!(
        "POST /upload HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n{body}\
         GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
}

/// A request that holds back its body, followed by the next request, which must not be taken for that body.
pub(crate) fn withheld(host: &str, path: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
}

/// How many answers a connection returned.
pub(crate) fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}
