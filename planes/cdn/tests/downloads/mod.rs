//! What viewers download is counted.

use crate::{ask, start};

#[tokio::test]
async fn downloads_are_counted_in_bytes() {
    let r = start(|_| {}).await;
    let downloaded = || r.edge.counts("d1").unwrap().downloaded_bytes;
    assert_eq!(downloaded(), 0);
    let answer = r.get("/big.txt", "").await;
    let first = downloaded();
    let body = answer.body().len() as u64;
    assert!(first > body && first < body + 2000, "{first} for {body} and the head");
    r.kept("/big.txt").await;
    let before = downloaded();
    // From the cache as from the origin; and of HEAD the head alone.
    r.get("/big.txt", "").await;
    assert!(downloaded() >= before + body);
    let before = downloaded();
    ask(r.addr, "HEAD /big.txt HTTP/1.1\r\nHost: cdn.test\r\nConnection: close\r\n\r\n").await;
    assert!((1..2000).contains(&(downloaded() - before)));
    let before = downloaded();
    ask(r.addr, "POST / HTTP/1.1\r\nHost: cdn.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert_eq!(downloaded(), before, "an upload is no download");
}
