//! The direct path and hyper's client keep the same contract: whatever a target answers, the client gets the same.

use super::parts::*;
use escale_proxy::Proxies;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers every request with the same bytes, in pieces of a size; then closes the connection, if it shall.
async fn target(answer: String, piece: usize, close: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    head.push(byte);
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    head.clear();
                    for piece in answer.as_bytes().chunks(piece) {
                        let _ = stream.write_all(piece).await;
                        tokio::task::yield_now().await;
                    }
                    if close {
                        return;
                    }
                }
            });
        }
    });
    (addr, connections)
}

/// The client's view of two requests, one after the other, and how many connections the target got for them.
async fn exchange(method: &str, answer: &str, piece: usize, close: bool) -> (Vec<String>, usize) {
    let (addr, connections) = target(answer.to_owned(), piece, close).await;
    let mut group = group("g", &[addr]);
    // Nothing but the requests reaches the target.
    group.health.interval_ms = 3_600_000;
    group.health.protocol = escale_proxy::spec::Probe::Tcp;
    let running = Running::start_unchecked(balancer(vec![group])).await;
    // The connection of the first health check.
    while connections.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = format!("{method} /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        let mut client = Client::connect(running.addr).await;
        client.send(&request).await;
        let shown = String::from_utf8_lossy(&client.rest().await).into_owned();
        let is_date = |line: &&str| !line.starts_with("date: ");
        let shown = shown.split("\r\n").filter(is_date).collect::<Vec<_>>().join("\r\n");
        answers.push(in_one_chunk(shown));
        // Its task ends with it, so that the next one is served on the same lane, which has a pool of its own.
        drop(client);
        // Until the connection is back in its pool.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.plane.remove("web").await.unwrap();
    (answers, connections.load(SeqCst) - 1)
}

/// Where a chunk ends depends on when its bytes arrived, and means nothing.
fn in_one_chunk(answer: String) -> String {
    let Some((head, mut rest)) = answer.split_once("\r\n\r\n").filter(|(head, _)| head.contains("chunked"))
    else {
        return answer;
    };
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Some((chunk, next)) =
            usize::from_str_radix(size, 16).ok().and_then(|size| after.split_at_checked(size))
        else {
            break;
        };
        body.push_str(chunk);
        rest = next.strip_prefix("\r\n").unwrap_or(next);
    }
    format!("{head}\r\n\r\n{body}|{rest}")
}

#[tokio::test]
async fn both_paths_give_the_same_answer() {
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n{}", "x".repeat(300_000));
    let many: String = (0..110).map(|i| format!("X-{i}: 1\r\n")).collect();
    for (answer, close) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello", false),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", false),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", true),
        ("HTTP/1.1 200 OK\r\n\r\nup to the end", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello", true),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nContent-Length: 1\r\n\r\nx", false),
        ("SSH-2.0-x\r\n", true),
        ("", true),
        (&long, false),
        (&format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 1\r\n\r\nx"), true),
    ] {
        for piece in [1 << 20, 7] {
            if piece == 7 && answer.len() > 10_000 {
                continue;
            }
            // A request without a body and with this method takes the path of requests with a body.
            let by_client = exchange("DELETE", answer, piece, close).await;
            let directly = exchange("GET", answer, piece, close).await;
            let head: String = answer.chars().take(100).collect();
            assert_eq!(directly, by_client, "{head:?} in pieces of {piece}");
        }
    }
}
