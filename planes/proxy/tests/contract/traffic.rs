//! Traffic between a client and a target.

use super::parts::*;
use escale_proxy::{Proxies, spec::*};
use expect_test::expect;
use std::sync::atomic::Ordering::SeqCst;

/// The answer without the parts that differ between runs.
fn plain(text: &str, running: &Running) -> String {
    text.replace(&format!(":{}", running.addr.port()), ":PORT")
        .replace(&format!("-port: {}", running.addr.port()), "-port: PORT")
}

#[tokio::test]
async fn forwards() {
    let server = Server::start(Behaviour::Echo).await;
    let mut spec = balancer(vec![group("g", &[server.addr])]);
    spec.attributes.drop_invalid_headers = true;
    let running = Running::start(spec).await;
    let answer = running
        .ask(
            "POST /a/b?c=d HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
             X_Odd: 1\r\nX-Forwarded-For: 9.9.9.9\r\nTE: trailers\r\n\r\nhello",
        )
        .await;
    expect![[r#"
        HTTP/1.1 200 OK
        x-app: 1
        content-length: 157

        POST /a/b?c=d HTTP/1.1
        host: shop:PORT
        content-length: 5
        x-forwarded-for: 9.9.9.9, 127.0.0.1
        x-forwarded-proto: http
        x-forwarded-port: PORT

        body: 5 bytes"#]]
    .assert_eq(&plain(&answer, &running));
    let chunked = "GET / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = running.ask(chunked).await;
    assert!(answer.ends_with("body: 3 bytes"), "{answer}");

    let counts = running.plane.counts("web").unwrap().remove(0);
    assert_eq!((counts.listeners[0].requests, counts.targets[0].requests), (2, 2));
    assert_eq!((counts.targets[0].outcomes.s2xx, counts.targets[0].latency.count), (2, 2));
}

#[tokio::test]
async fn rules_redirects_and_fixed_answers() {
    let server = Server::start(Behaviour::Echo).await;
    let mut spec = balancer(vec![group("g", &[server.addr])]);
    let rule = |priority, pattern: &str, action| Rule {
        priority,
        conditions: vec![Condition::Path(vec![pattern.into()])],
        action,
    };
    let redirect = Action::Redirect(Redirect {
        protocol: "HTTPS".into(),
        host: "#{host}".into(),
        port: "443".into(),
        path: "/#{path}".into(),
        query: "#{query}".into(),
        permanent: true,
    });
    spec.listeners[0].rules =
        vec![rule(2, "/old/*", redirect), rule(1, "/old/fixed", fixed(418, "no coffee"))];
    let running = Running::start(spec.clone()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: shop:80\r\n\r\n");
    expect![[r#"
        HTTP/1.1 301 Moved Permanently
        server: test/1
        content-type: text/html
        location: https://shop:443/old/x?y=z
        content-length: 134

        <html>
        <head><title>301 Moved Permanently</title></head>
        <body>
        <center><h1>301 Moved Permanently</h1></center>
        </body>
        </html>"#]]
    .assert_eq(&running.ask(&get("/old/x?y=z")).await);
    expect![[r#"
        HTTP/1.1 418 I'm a teapot
        server: test/1
        content-type: text/plain
        content-length: 9

        no coffee"#]]
    .assert_eq(&running.ask(&get("/old/fixed")).await);
    assert!(running.ask(&get("/new")).await.contains("GET /new HTTP/1.1"));

    // A change applies from the next request on, also on an open connection.
    let mut client = Client::connect(running.addr).await;
    client.send(&get("/new")).await;
    assert!(client.answer().await.contains("200 OK"));
    spec.listeners[0].default = fixed(404, "gone");
    running.plane.apply(spec).await.unwrap();
    client.send(&get("/new")).await;
    assert!(client.answer().await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn refuses_ambiguous_requests() {
    let (running, server) = Running::to(Behaviour::Echo).await;
    let both =
        |a: &str, b: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{a}\r\n{b}\r\n\r\n0\r\n\r\nGET /smuggled");
    let (length, chunked) = ("Content-Length: 3", "Transfer-Encoding: chunked");
    let first = running.ask(&both(length, chunked)).await;
    expect![[r#"
        HTTP/1.1 400 Bad Request
        server: test/1
        content-type: text/html
        connection: close
        content-length: 122

        <html>
        <head><title>400 Bad Request</title></head>
        <body>
        <center><h1>400 Bad Request</h1></center>
        </body>
        </html>"#]]
    .assert_eq(&first);
    assert_eq!(running.ask(&both(chunked, length)).await, first);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(20_000)), 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(), 501),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {}1.1.1.1\r\n\r\n", "1.1.1.1,".repeat(30)),
            463,
        ),
    ] {
        let answer = running.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        assert!(answer.contains("server: test/1"), "{answer}");
    }
    assert_eq!(server.connections.load(SeqCst), 0, "the target must not get any of it");
    // A body that breaks its framing in transit.
    let answer = running
        .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn refuses_the_attacks_of_the_shared_table() {
    let (running, server) = Running::to(Behaviour::Echo).await;
    for (name, request, status) in crate::attacks::REFUSED {
        let answer = running.ask(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
        assert_eq!(crate::attacks::answers(&answer), 1, "{name}: {answer}");
        assert!(answer.contains("connection: close"), "{name}: {answer}");
    }
    assert_eq!(server.connections.load(SeqCst), 0, "the target must not get any of it");
    for (name, body) in crate::attacks::BROKEN_BODIES {
        let answer = running.ask(&crate::attacks::with_body("a", body)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
        assert_eq!(crate::attacks::answers(&answer), 1, "{name}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_instead_of_continue_ends_the_connection() {
    let mut spec = balancer(Vec::new());
    spec.listeners[0].default = fixed(200, "no body wanted");
    let running = Running::start(spec).await;
    let answer = running.ask(&crate::attacks::withheld("a", "/")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    // A body that arrived, or that a target asks for, leaves the connection open.
    let (running, _server) = Running::to(Behaviour::Echo).await;
    let mut client = Client::connect(running.addr).await;
    client.send(&crate::attacks::withheld("a", "/")).await;
    client.send("xGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 ").count(), 2, "{all}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let (running, _server) = Running::to(Behaviour::Echo).await;
    let mut client = Client::connect(running.addr).await;
    client
        .send(
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
             GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
    let all = String::from_utf8(client.rest().await).unwrap();
    let order: Vec<_> = ["POST /1", "GET /2", "GET /3"].map(|p| all.find(p)).into();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{all}");
}

#[tokio::test]
async fn http2_without_tls() {
    let (running, _server) = Running::to(Behaviour::Echo).await;
    let stream = tokio::net::TcpStream::connect(running.addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://shop/x?y")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(http_body_util::Full::new(bytes::Bytes::from_static(b"hello")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut lines: Vec<&str> = body.lines().filter(|l| !l.starts_with("x-forwarded-port")).collect();
    lines.sort_unstable();
    expect![[r#"

        POST /x?y HTTP/1.1
        body: 5 bytes
        content-length: 5
        cookie: a=1; b=2
        host: shop:PORT
        x-forwarded-for: 127.0.0.1
        x-forwarded-proto: http"#]]
    .assert_eq(&plain(&lines.join("\n"), &running));
}

#[tokio::test]
async fn upgrades_to_a_tunnel() {
    let (running, _server) = Running::to(Behaviour::Upgrade).await;
    let mut client = Client::connect(running.addr).await;
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains("upgrade: websocket"), "{answer}");
    // No longer HTTP, and not interpreted.
    for message in ["ping\n", "GET / HTTP/9.9\r\n\r\n"] {
        client.send(message).await;
        let mut back = vec![0; message.len()];
        tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut back).await.unwrap();
        assert_eq!(back, message.as_bytes());
    }
}

#[tokio::test]
async fn a_refused_upgrade_leaves_plain_http() {
    let (running, _server) = Running::to(Behaviour::Echo).await;
    let mut client = Client::connect(running.addr).await;
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.answer().await.contains("GET /2"));
    // Later requests are still examined.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n").await;
    assert!(client.answer().await.starts_with("HTTP/1.1 400 "));
}
