//! Requests of HTTP/2 that would be two requests, or another one, in the HTTP/1.1 that targets get: none may reach a target.

use super::parts::*;
use escale_proxy::spec::*;
use std::{net::SocketAddr, sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
    [&head[..], payload].concat()
}

/// Literal fields without indexing and without Huffman coding (RFC 7541, 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The kind of the frame that answers the request, and the bytes from there on: `HEADERS`, once the body has begun, or the end
/// of the stream or connection.
async fn send(to: SocketAddr, head: &[(&str, &str)], body: Option<&str>) -> (u8, Vec<u8>) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let end = if body.is_some() { 0 } else { END_STREAM };
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    bytes.extend(frame(HEADERS, END_HEADERS | end, 1, &fields(head)));
    bytes.extend(body.iter().flat_map(|body| frame(DATA, END_STREAM, 1, body.as_bytes())));
    stream.write_all(&bytes).await.unwrap();
    let mut got = Vec::new();
    loop {
        while got.len() >= 9 {
            let length = usize::from(got[0]) << 16 | usize::from(got[1]) << 8 | usize::from(got[2]);
            if got.len() < 9 + length {
                break;
            }
            let kind = got[3];
            let is_whole = kind == HEADERS && got[4] & END_STREAM != 0;
            if is_whole || matches!(kind, DATA | RESET | GOAWAY) {
                return (if kind == DATA { HEADERS } else { kind }, got);
            }
            got.drain(..9 + length);
        }
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_buf(&mut got)).await;
        if read.unwrap().unwrap_or(0) == 0 {
            return (GOAWAY, got);
        }
    }
}

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&GET[..], more].concat()
}

fn changed<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    GET.into_iter().map(|(n, v)| if n == name { (n, value) } else { (n, v) }).collect()
}

#[tokio::test]
async fn requests_that_would_change_their_meaning_reach_no_target() {
    for version in [Version::Http1, Version::Http2] {
        let server = Server::start(Behaviour::Echo).await;
        let mut group = group("g", &[server.addr]);
        group.transport.version = version;
        group.health.protocol = Probe::Tcp;
        let running = Running::start(balancer(vec![group])).await;
        let smuggled = "1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let attacks: Vec<(&str, Vec<(&str, &str)>)> = vec![
            ("chunked", with(&[("transfer-encoding", "chunked")])),
            ("a header of the connection", with(&[("connection", "x")])),
            ("line feeds in a value", with(&[("x", smuggled)])),
            ("a NUL in a value", with(&[("x", "a\0b")])),
            ("line feeds in a name", with(&[("x: 1\r\ny", "1")])),
            ("a colon in a name", with(&[("x:y", "1")])),
            ("a space in a name", with(&[("transfer-encoding ", "chunked")])),
            ("an upper-case name", with(&[("Transfer-Encoding", "chunked")])),
            ("an empty name", with(&[("", "1")])),
            ("an unknown pseudo header", with(&[(":x", "1")])),
            ("a pseudo header after a header", [&[("x", "1")][..], &GET].concat()),
            ("two paths", with(&[(":path", "/admin")])),
            ("two methods", with(&[(":method", "POST")])),
            ("no path", GET.into_iter().filter(|(name, _)| *name != ":path").collect()),
            ("an empty path", changed(":path", "")),
            ("line feeds in the path", changed(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled")),
            ("a space in the path", changed(":path", "/ HTTP/1.1")),
            ("a path without a slash", changed(":path", "http://b/")),
            ("line feeds in the method", changed(":method", "GET / HTTP/1.1\r\nx: ")),
            ("a space in the method", changed(":method", "GET /smuggled")),
            ("line feeds in the host", changed(":authority", "a\r\nx: 1")),
            ("a path in the host", changed(":authority", "a/smuggled")),
            ("two lengths", with(&[("content-length", "0"), ("content-length", "5")])),
            ("a list of lengths", with(&[("content-length", "0, 5")])),
            ("a length with a sign", with(&[("content-length", "+0")])),
        ];
        for (name, head) in attacks {
            let (kind, got) = send(running.addr, &head, None).await;
            let status = String::from_utf8_lossy(&got).into_owned();
            let refused = matches!(kind, RESET | GOAWAY) || server.connections.load(SeqCst) == 0;
            assert!(refused, "{version:?}: {name}: {status:?}");
            assert_eq!(server.connections.load(SeqCst), 0, "{version:?}: {name}");
        }
    }
}

/// The host of the request line counts (RFC 9113, 8.3.1), and targets get no other.
#[tokio::test]
async fn targets_get_one_host() {
    let (running, _server) = Running::to(Behaviour::Echo).await;
    let (kind, got) = send(running.addr, &with(&[("host", "b")]), None).await;
    let text = String::from_utf8_lossy(&got).to_ascii_lowercase();
    assert!(kind == HEADERS && text.contains("host: a") && !text.contains("host: b"), "{text}");
}

/// The head has been sent when the length turns out to be wrong: the connection to the target ends, so the next request cannot
/// become a part of this one.
#[tokio::test]
async fn body_of_another_length_ends_the_connection_to_the_target() {
    let (running, server) = Running::to(Behaviour::Echo).await;
    let post =
        |length: &'static str| [&changed(":method", "POST")[..], &[("content-length", length)]].concat();
    for length in ["10", "1"] {
        let (kind, got) = send(running.addr, &post(length), Some("abc")).await;
        let text = String::from_utf8_lossy(&got).into_owned();
        assert!(kind != HEADERS || !text.contains("body: 3"), "{length}: {text}");
    }
    for _ in 0..3 {
        let answer = running.ask("GET /own HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.contains("GET /own HTTP/1.1") && answer.contains("body: 0 bytes"), "{answer}");
    }
    assert!(server.connections.load(SeqCst) >= 1);
}
