//! `dig` and raw bytes over loopback sockets.

use crate::{sockets, spec, zone};
use escale_dns::*;
use expect_test::{Expect, expect};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::process::Command;

fn serve(dns: &DnsPlane, view: View) -> Server {
    let (udp, tcp) = sockets();
    dns.serve_on(view, udp, tcp).unwrap()
}

/// dig's output without the parts that differ between runs.
async fn dig(server: SocketAddr, arguments: &str) -> String {
    let output = Command::new("dig")
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string(), "+tries=1", "+time=5", "+nocookie"])
        .args(arguments.split_ascii_whitespace())
        .output()
        .await
        .expect("dig is installed (Debian: bind9-dnsutils)");
    let text = String::from_utf8(output.stdout).unwrap();
    const NOISE: &[&str] = &[
        "; <<>>",
        ";; global options",
        "(1 server",
        "Query time",
        "SERVER:",
        "WHEN:",
        "MSG SIZE",
        "Got answer",
        "WARNING",
    ];
    let keep = |line: &&str| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise));
    let line = |line: &str| {
        let line = line.split(", id: ").next().unwrap_or_default();
        line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    text.lines().filter(keep).map(line).collect::<Vec<_>>().join("\n")
}

async fn check(server: &Server, arguments: &str, expected: Expect) {
    expected.assert_eq(&dig(server.udp, arguments).await);
}

fn plane() -> DnsPlane {
    let dns = DnsPlane::new();
    let many: Vec<String> = (0..120).map(|i| format!("192.0.2.{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let public = zone()
        .with(Record::simple("shop.example.com", Kind::CNAME, 60, &["WWW.example.com"]))
        .with(Record::simple("many.example.com", Kind::A, 60, &many))
        .with(Record::simple("text.example.com", Kind::TXT, 60, &["\"a b\" \"c\""]))
        .with(Record::simple("example.com", Kind::CAA, 60, &["0 issue \"ca.example.net\""]))
        .with(Record::simple("_web._tcp.example.com", Kind::SRV, 60, &["1 2 443 www.example.com"]))
        .with(Record::simple("sub.example.com", Kind::NS, 60, &["ns.sub.example.com"]))
        .with(Record::simple("ns.sub.example.com", Kind::A, 60, &["192.0.2.53"]));
    dns.load(spec(vec![public])).unwrap();
    dns
}

#[tokio::test]
async fn public_view() {
    let dns = plane();
    let server = serve(&dns, View::Public);
    check(
        &server,
        "www.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN A
        ;; ANSWER SECTION:
        www.example.com. 60 IN A 192.0.2.1"#]],
    )
    .await;
    check(
        &server,
        "+tcp +noedns wWw.eXample.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0
        ;; QUESTION SECTION:
        ;wWw.eXample.com. IN A
        ;; ANSWER SECTION:
        wWw.eXample.com. 60 IN A 192.0.2.1"#]],
    )
    .await;
    check(
        &server,
        "shop.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;shop.example.com. IN A
        ;; ANSWER SECTION:
        shop.example.com. 60 IN CNAME WWW.example.com.
        WWW.example.com. 60 IN A 192.0.2.1"#]],
    )
    .await;
    check(
        &server,
        "none.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;none.example.com. IN A
        ;; AUTHORITY SECTION:
        example.com. 60 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 60"#]],
    )
    .await;
    check(
        &server,
        "www.example.com AAAA",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN AAAA
        ;; AUTHORITY SECTION:
        example.com. 60 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 60"#]],
    )
    .await;
    check(
        &server,
        "x.sub.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;x.sub.example.com. IN A
        ;; AUTHORITY SECTION:
        sub.example.com. 60 IN NS ns.sub.example.com.
        ;; ADDITIONAL SECTION:
        ns.sub.example.com. 60 IN A 192.0.2.53"#]],
    )
    .await;
    for (question, answer) in [
        ("text.example.com TXT", "\"a b\" \"c\""),
        ("example.com CAA", "0 issue \"ca.example.net\""),
        ("_web._tcp.example.com SRV", "1 2 443 www.example.com."),
    ] {
        assert_eq!(dig(server.udp, &format!("+short {question}")).await, answer);
    }
    assert_eq!(server.counts().limited, 0);
}

#[tokio::test]
async fn public_view_refuses_or_truncates() {
    let dns = plane();
    let server = serve(&dns, View::Public);
    check(
        &server,
        "elsewhere.test",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: REFUSED
        ;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;elsewhere.test. IN A"#]],
    )
    .await;
    check(&server, "example.com AXFR", expect!["; Transfer failed."]).await;
    check(
        &server,
        "version.bind CH TXT",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: REFUSED
        ;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;version.bind. CH TXT"#]],
    )
    .await;
    check(
        &server,
        "+notcp www.example.com ANY",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN ANY
        ;; ANSWER SECTION:
        www.example.com. 3600 IN HINFO "RFC8482" """#]],
    )
    .await;
    check(
        &server,
        "+opcode=notify www.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: NOTIFY, status: NOTIMP
        ;; flags: qr rd; QUERY: 0, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0"#]],
    )
    .await;
    check(
        &server,
        "+edns=1 +noednsnegotiation www.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: BADVERS
        ;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN A"#]],
    )
    .await;
    assert_eq!(server.counts().limited, 0);
}

#[tokio::test]
async fn large_answers_go_over_tcp() {
    let dns = plane();
    let server = serve(&dns, View::Public);
    check(
        &server,
        "+ignore many.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;many.example.com. IN A"#]],
    )
    .await;
    check(
        &server,
        "+ignore +noedns many.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0
        ;; QUESTION SECTION:
        ;many.example.com. IN A"#]],
    )
    .await;
    let all = dig(server.udp, "+short many.example.com").await;
    assert_eq!(all.lines().filter(|l| l.starts_with("192.0.2.")).count(), 120);
}

#[tokio::test]
async fn network_resolver_forwards_other_names_upstream() {
    let far = plane();
    let upstream = serve(&far, View::Public);
    let dns = DnsPlane::new();
    let own = Zone::new("shop.internal", &[], 1)
        .with(Record::simple("web.shop.internal", Kind::A, 5, &["10.0.0.9"]))
        .with(Record::simple("out.shop.internal", Kind::CNAME, 5, &["www.example.com"]));
    let mut spec = Spec::default();
    let resolver = Resolver {
        zones: vec![Arc::new(own)],
        upstream: Some(upstream.udp.into()),
        queries_per_second: None,
    };
    spec.networks.insert("blue".into(), resolver);
    dns.load(spec.clone()).unwrap();
    let server = serve(&dns, View::Network("blue".into()));
    check(
        &server,
        "web.shop.internal",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;web.shop.internal. IN A
        ;; ANSWER SECTION:
        web.shop.internal. 5 IN A 10.0.0.9"#]],
    )
    .await;
    check(
        &server,
        "out.shop.internal",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NOERROR
        ;; flags: qr rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;out.shop.internal. IN A
        ;; ANSWER SECTION:
        out.shop.internal. 5 IN CNAME www.example.com.
        www.example.com. 60 IN A 192.0.2.1"#]],
    )
    .await;
    check(
        &server,
        "none.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN
        ;; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;none.example.com. IN A
        ;; AUTHORITY SECTION:
        example.com. 60 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 60"#]],
    )
    .await;
    check(
        &server,
        "+norecurse www.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: REFUSED
        ;; flags: qr ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN A"#]],
    )
    .await;
    let all = dig(server.udp, "+short many.example.com").await;
    assert_eq!(all.lines().filter(|l| l.starts_with("192.0.2.")).count(), 120);
    let counts = server.counts();
    assert_eq!((counts.forwarded, counts.upstream_failed), (4, 0));

    // An upstream that never answers: the client gets an error in time.
    let (deaf, _tcp) = sockets();
    spec.networks.get_mut("blue").unwrap().upstream = Some(deaf.local_addr().unwrap().into());
    dns.load(spec).unwrap();
    check(
        &server,
        "www.example.com",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: SERVFAIL
        ;; flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;www.example.com. IN A"#]],
    )
    .await;

    // The network is removed: the server that still runs refuses.
    dns.load(Spec::default()).unwrap();
    check(
        &server,
        "web.shop.internal",
        expect![[r#"
        ;; ->>HEADER<<- opcode: QUERY, status: REFUSED
        ;; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1
        ;; OPT PSEUDOSECTION:
        ; EDNS: version: 0, flags:; udp: 1232
        ;; QUESTION SECTION:
        ;web.shop.internal. IN A"#]],
    )
    .await;
}

/// Sends bytes; returns the answer, or `None` when the next valid question is answered first.
async fn raw(server: &Server, bytes: &[u8]) -> Option<Vec<u8>> {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.udp).await.unwrap();
    let good =
        b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01";
    socket.send(bytes).await.unwrap();
    socket.send(good).await.unwrap();
    let mut buffer = [0; 2048];
    let size = socket.recv(&mut buffer).await.unwrap();
    (buffer[..2] != good[..2]).then(|| buffer[..size].to_vec())
}

#[tokio::test]
async fn malformed_packets_are_answered_or_ignored() {
    let dns = plane();
    let server = serve(&dns, View::Public);
    assert_eq!(raw(&server, b"\x00\x01\x01").await, None);
    // Answers are never answered.
    assert_eq!(raw(&server, b"\x00\x01\x81\x00\x00\x00\x00\x00\x00\x00\x00\x00").await, None);
    let form_error = b"\x00\x01\x81\x01\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    // No question, a name without an end, a pointer to itself.
    for body in [
        &b"\x00\x00\x00\x00\x00\x00\x00\x00"[..],
        b"\x00\x01\x00\x00\x00\x00\x00\x00\x05ab",
        b"\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",
    ] {
        assert_eq!(raw(&server, &[b"\x00\x01\x01\x00", body].concat()).await, Some(form_error.clone()));
    }
    assert_eq!(server.counts().malformed, 5);
}

#[tokio::test]
async fn clients_above_the_rate_are_limited() {
    let dns = DnsPlane::new();
    dns.load(Spec { public_queries_per_second: Some(3), ..spec(vec![zone()]) }).unwrap();
    let server = serve(&dns, View::Public);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let question =
        b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01";
    for _ in 0..50 {
        socket.send_to(question, server.udp).await.unwrap();
    }
    // The burst is three; further ones are counted, and TCP (whose clients cannot forge their address) still answers.
    for _ in 0..3 {
        socket.recv(&mut [0; 512]).await.unwrap();
    }
    assert_eq!(dig(server.udp, "+tcp +short www.example.com").await, "192.0.2.1");
    let Counts { questions, limited, .. } = server.counts();
    assert!(questions + limited <= 51 && limited >= 40, "{questions} {limited}");
}
