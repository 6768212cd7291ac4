//! A target whose packets are lost, as in a zone without power: no reset, no refusal, no acknowledgement.

use super::parts::*;
use escale_proxy::{Proxies, TargetState};
use socket2::{SockFilter, SockRef};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A filter of packets that takes none: BPF's `ret #0`.
const NONE: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

/// Answers every request, until its packets are lost.
struct Answers {
    addr: SocketAddr,
    listener: Arc<TcpListener>,
    open: Arc<Mutex<Vec<Arc<TcpStream>>>>,
}

impl Answers {
    async fn start() -> Answers {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let open = Arc::new(Mutex::new(Vec::new()));
        let (accepting, opened) = (listener.clone(), open.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = accepting.accept().await {
                let stream = Arc::new(stream);
                opened.lock().unwrap().push(stream.clone());
                tokio::spawn(answer(stream));
            }
        });
        Answers { addr: listener.local_addr().unwrap(), listener, open }
    }

    fn lose_packets(&self) {
        SockRef::from(&self.listener).attach_filter(&NONE).unwrap();
        self.open.lock().unwrap().iter().for_each(|s| SockRef::from(s).attach_filter(&NONE).unwrap());
    }

    fn return_to_life(&self) {
        SockRef::from(&self.listener).detach_filter().unwrap();
        self.open.lock().unwrap().clear();
    }
}

async fn answer(stream: Arc<TcpStream>) {
    let mut buffer = [0; 4096];
    loop {
        stream.readable().await.unwrap();
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            // A body arrives in a packet of its own.
            Ok(read) if buffer[..read].starts_with(b"POST") && !buffer[..read].ends_with(b"hi") => {}
            Ok(_) => _ = stream.try_write(ANSWER).unwrap(),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn a_target_without_acknowledgements_fails_no_safe_request() {
    let (lost, good) = (Answers::start().await, Answers::start().await);
    let mut group = group("g", &[lost.addr, good.addr]);
    // No regular check helps.
    group.health.interval_ms = 3_600_000;
    group.health.timeout_ms = 100;
    let running = Running::start(balancer(vec![group])).await;
    let requests = || {
        running.plane.counts("web").unwrap()[0].targets.iter().find(|t| t.addr == lost.addr).unwrap().requests
    };
    let mut client = Client::connect(running.addr).await;
    for _ in 0..8 {
        client.send(GET).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    }
    let before = requests();
    assert!(before > 0, "both targets serve, over connections that are kept");

    lost.lose_packets();
    for _ in 0..12 {
        client.send(GET).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    }
    let after = requests();
    assert!(after - before <= 2, "after the first loss the others get its requests: {}", after - before);
    let state = || running.plane.seen("web").unwrap().borrow().targets[0].state.clone();
    assert_eq!(state(), TargetState::Healthy, "only regular checks change its state");

    lost.return_to_life();
    // Checked every second meanwhile.
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while requests() == after {
            client.send(GET).await;
            assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it gets requests again");
}

/// What was begun on the connection may have been received, so a request with a body is not repeated.
#[tokio::test]
async fn a_request_with_a_body_is_not_sent_twice() {
    let (lost, good) = (Answers::start().await, Answers::start().await);
    let mut group = group("g", &[lost.addr, good.addr]);
    group.health.interval_ms = 3_600_000;
    let mut spec = balancer(vec![group]);
    spec.attributes.idle_timeout_ms = 1500;
    let running = Running::start_here(spec).await;
    let mut client = Client::connect(running.addr).await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    for _ in 0..8 {
        client.send(post).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    }
    lost.lose_packets();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        stream.write_all(post.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        statuses.push(String::from_utf8(answer[9..].to_vec()).unwrap());
    }
    statuses.sort();
    assert_eq!(statuses, ["200", "504"]);
}
