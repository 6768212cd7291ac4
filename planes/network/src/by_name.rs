//! One loopback port for many hosts: each connection goes to the host in the `Host` header of its first request.
//!
//! A connection belongs to that host until it ends: browsers and other clients keep one connection per host. HTTP/1 without
//! TLS only (with TLS: `by_server_name.rs`); the bytes are passed on unchanged.

use crate::{Forwarder, Namespace, VISITOR, first_answer::first_answer};
use escale_base::{PlaneError, limits};
use escale_sockets::Keeper;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};

/// Resolves host names.
pub trait Directory: Send + Sync + 'static {
    /// The Internet addresses at which the host of this name (lower case, without port and final dot) accepts connections. Each of
    /// them serves it; none: there is no such host.
    fn find(&self, name: &str) -> Vec<SocketAddr>;

    /// All known names: listed in the answer for an unknown name.
    fn names(&self) -> Vec<String>;
}

/// Accepts connections at `listen`, which must be loopback, and splices each to the requested host, as reached from
/// the Internet. A name that is not in the directory is answered 404, a host that does not answer 502.
pub async fn forward_by_name(
    internet: Namespace,
    listen: SocketAddr,
    directory: Arc<dyn Directory>,
) -> Result<Forwarder, PlaneError> {
    start(Way::Internet(internet), listen, directory).await
}

async fn start(way: Way, listen: SocketAddr, directory: Arc<dyn Directory>) -> Result<Forwarder, PlaneError> {
    let what = "to forward requests by host name";
    let keeper = way.keeper();
    Forwarder::start(&keeper, listen, what, move |client| {
        connection(client, way.clone(), Arc::clone(&directory))
    })
    .await
}

/// The namespace from which hosts are reached.
#[derive(Clone)]
pub(crate) enum Way {
    Internet(Namespace),
    #[cfg(test)]
    Here,
}

impl Way {
    pub(crate) fn keeper(&self) -> Keeper {
        match self {
            Way::Internet(namespace) => namespace.keeper().clone(),
            #[cfg(test)]
            Way::Here => Keeper::default(),
        }
    }

    pub(crate) async fn connect_to_any(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let attempt = first_answer(addresses.iter().copied(), |address| self.connect(address));
        let within = Duration::from_millis(limits::FORWARDED_CONNECT_MS);
        let late = || io::Error::new(io::ErrorKind::TimedOut, "it timed out");
        timeout(within, attempt).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Way::Internet(namespace) => namespace.tcp_connect_from((VISITOR, 0).into(), to).await,
            #[cfg(test)]
            Way::Here => TcpStream::connect(to).await,
        }
    }
}

async fn connection(mut client: TcpStream, way: Way, directory: Arc<dyn Directory>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut head = Vec::with_capacity(4096);
    let Ok(read) =
        timeout(Duration::from_millis(limits::FORWARDED_HEAD_MS), read_head(&mut client, &mut head)).await
    else {
        return refuse(client, false, 408, "Request Timeout", "<p>No request arrived in time.</p>").await;
    };
    let (host, is_head) = match read? {
        Head::Host { name, is_head } => (name, is_head),
        Head::Bad(why) => return refuse(client, false, 400, "Bad Request", &format!("<p>{why}</p>")).await,
        Head::Closed => return Ok(()),
    };
    let addresses = directory.find(&host);
    if addresses.is_empty() {
        // A web page whose own name leads here (DNS rebinding) can read this answer, so it must not list the other names.
        let names = is_own_name(&host).then(|| directory.names());
        let page = unknown(&host, names.as_deref(), client.local_addr()?.port());
        return refuse(client, is_head, 404, "Not Found", &page).await;
    }
    match way.connect_to_any(&addresses).await {
        Ok(mut server) => {
            server.set_nodelay(true)?;
            // The bytes read so far may contain more than the head; all of them belong to the host.
            server.write_all(&head).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        Err(why) => {
            let at = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            let page = format!("<p>{} does not answer at {at}: {why}.</p>", escaped(&host));
            refuse(client, is_head, 502, "Bad Gateway", &page).await
        }
    }
}

enum Head {
    Host { name: String, is_head: bool },
    Bad(&'static str),
    Closed,
}

/// Reads until the head of the first request is complete. All bytes read so far are in `head`, to be passed on.
async fn read_head(client: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<Head> {
    loop {
        if client.read_buf(head).await? == 0 {
            return Ok(Head::Closed);
        }
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(head) {
            Ok(httparse::Status::Complete(_)) => return Ok(host(&request)),
            Ok(httparse::Status::Partial) if head.len() < limits::FORWARDED_HEAD_BYTES => {}
            Ok(httparse::Status::Partial) => return Ok(Head::Bad("The head of the request is too long.")),
            Err(_) => {
                return Ok(Head::Bad("This port accepts only HTTP/1.1 without TLS. Use an http:// URL."));
            }
        }
    }
}

fn host(request: &httparse::Request<'_, '_>) -> Head {
    let mut hosts = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host"));
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Head::Bad("A request needs one Host header (RFC 9112 section 3.2).");
    };
    let Ok(host) = std::str::from_utf8(host.value) else {
        return Head::Bad("The Host header is not text.");
    };
    let host = host.trim();
    // Only digits are a port: an IPv6 address without one contains colons as well.
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_end_matches('.').to_ascii_lowercase();
    Head::Host { name, is_head: request.method == Some("HEAD") }
}

/// Whether the name resolves to this machine without any name server.
fn is_own_name(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

fn unknown(host: &str, names: Option<&[String]>, port: u16) -> String {
    let link = |name: &String| {
        let name = escaped(name);
        format!("<li><a href=\"http://{name}:{port}/\">{name}</a></li>")
    };
    let known = match names {
        None => String::new(),
        Some([]) => "<p>There are no public names yet.</p>".to_owned(),
        Some(names) => format!("<p>Known are:</p><ul>{}</ul>", names.iter().map(link).collect::<String>()),
    };
    format!("<p>There is no public name {}.</p>{known}", escaped(host))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(crate) async fn refuse(
    mut client: TcpStream,
    is_head: bool,
    status: u16,
    reason: &str,
    page: &str,
) -> io::Result<()> {
    let body = format!("<!doctype html><title>{status} {reason}</title><h1>{status} {reason}</h1>{page}\n");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    if !is_head {
        client.write_all(body.as_bytes()).await?;
    }
    client.shutdown().await?;
    // The kernel would otherwise reset the connection, and lose the answer, when the client sends more data.
    let mut rest = tokio::io::sink();
    let mut bounded = client.take(limits::FORWARDED_HEAD_BYTES as u64);
    let drained = tokio::io::copy(&mut bounded, &mut rest);
    let _ = timeout(Duration::from_millis(limits::FORWARDED_CONNECT_MS), drained).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    struct Fixed(Vec<(&'static str, SocketAddr)>);

    impl Directory for Fixed {
        fn find(&self, name: &str) -> Vec<SocketAddr> {
            self.0.iter().filter(|(known, _)| *known == name).map(|(_, at)| *at).collect()
        }
        fn names(&self) -> Vec<String> {
            self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
        }
    }

    /// A host that echoes its input, prefixed with its name.
    async fn echo(name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    stream.read_to_end(&mut got).await.unwrap();
                    stream.write_all(name.as_bytes()).await.unwrap();
                    stream.write_all(&got).await.unwrap();
                });
            }
        });
        at
    }

    async fn ask(at: SocketAddr, parts: &[&str]) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn routes_by_host_header() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let unused = closed.local_addr().unwrap();
        drop(closed);
        let directory =
            Fixed(vec![("a.test", echo("A:").await), ("b.test", echo("B:").await), ("gone.test", unused)]);
        let forwarder = start(Way::Here, "127.0.0.1:0".parse().unwrap(), Arc::new(directory)).await.unwrap();
        let at = forwarder.local_addr();

        let request = "GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\nrest";
        assert_eq!(ask(at, &[request]).await, format!("A:{request}"));
        let (first, second) = ("POST /x HTTP/1.1\r\nho", "st: B.TEST.\r\ncontent-length: 2\r\n\r\nhi");
        assert_eq!(ask(at, &[first, second]).await, format!("B:{first}{second}"));

        for (host, listed) in [
            ("x.localhost:1", true),
            ("127.0.0.1", true),
            ("[::1]:1", true),
            ("<x>", false),
            ("x.evil.example", false),
        ] {
            let missing = ask(at, &[&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")]).await;
            assert!(missing.starts_with("HTTP/1.1 404 ") && !missing.contains("<x>"), "{host}");
            assert_eq!(missing.contains("a.test"), listed, "{host}");
        }
        assert!(!ask(at, &["HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"]).await.contains("<h1>"));
        assert!(ask(at, &["GET / HTTP/1.1\r\nHost: gone.test\r\n\r\n"]).await.starts_with("HTTP/1.1 502 "));
        assert!(ask(at, &["GET / HTTP/1.1\r\n\r\n"]).await.starts_with("HTTP/1.1 400 "));
        assert!(ask(at, &["\u{16}\u{3}\u{1}\r\n\r\n"]).await.starts_with("HTTP/1.1 400 "));
        let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(limits::FORWARDED_HEAD_BYTES));
        assert!(ask(at, &[&long]).await.starts_with("HTTP/1.1 400 "));
        forwarder.stop().await;
    }

    #[tokio::test]
    async fn listens_on_loopback_only() {
        let error =
            start(Way::Here, "0.0.0.0:0".parse().unwrap(), Arc::new(Fixed(vec![]))).await.unwrap_err();
        assert!(error.to_string().contains("not a loopback address"), "{error}");
    }
}
