//! Sends the requests of a side as a visitor of the site would: by name, without following redirects.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use escale_proof::verify::{Answer, Answers, Visit};
use escale_tls::client::Trust;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::task::AbortOnDropHandle;

/// A visitor waits no longer.
const WITHIN: Duration = Duration::from_secs(20);

/// An object that is larger ends the reading, not the check.
const BODY_BYTES: usize = 1 << 20;

/// How often a request is repeated until the cache answers: an edge location of AWS has several caches.
const TRIES: usize = 6;

const PAUSE: Duration = Duration::from_millis(400);

/// How much of a body is looked at.
const BEGINNING: usize = 4096;

/// Another host to which connections are opened. Names in requests and certificates stay those of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detour {
    pub(super) host: String,
    http_port: u16,
    https_port: u16,
}

/// Parses `HOST` or `HOST:HTTP-PORT:HTTPS-PORT`.
pub(super) fn detour(text: &str) -> Result<Detour, String> {
    let wrong = || format!("'{text}': write HOST or HOST:HTTP-PORT:HTTPS-PORT");
    let parts: Vec<&str> = text.split(':').collect();
    let port = |text: &str| text.parse().map_err(|_| wrong());
    match parts.as_slice() {
        [host] if !host.is_empty() => Ok(Detour { host: (*host).to_owned(), http_port: 80, https_port: 443 }),
        [host, http, https] if !host.is_empty() => {
            Ok(Detour { host: (*host).to_owned(), http_port: port(http)?, https_port: port(https)? })
        }
        _ => Err(wrong()),
    }
}

/// How requests get to a site.
pub(super) struct Way<'a> {
    /// Its URL.
    pub(super) site: &'a str,
    pub(super) detour: Option<&'a Detour>,
    pub(super) trust: &'a Trust,
}

impl Way<'_> {
    pub(super) async fn all(&self, visits: &[Visit]) -> Answers {
        let mut answers = Answers::new();
        // One after the other: a first request fills the cache for the second.
        for visit in visits {
            let mut answer = self.one(visit).await;
            for _ in 1..TRIES {
                if !visit.is_for_cache || answer.as_ref().is_ok_and(is_from_cache) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
                answer = self.one(visit).await;
            }
            answers.insert(visit.name.clone(), answer.map_err(|error| format!("{error:#}")));
        }
        answers
    }

    async fn one(&self, visit: &Visit) -> Result<Answer> {
        match tokio::time::timeout(WITHIN, self.send(visit)).await {
            Ok(done) => done,
            Err(_) => bail!("nothing within {WITHIN:?}"),
        }
    }

    async fn send(&self, visit: &Visit) -> Result<Answer> {
        let (scheme, rest) =
            visit.url.split_once("://").with_context(|| format!("{} is not a URL", visit.url))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (name, port) = name_and_port(authority, scheme == "https")?;
        let is_tls = scheme == "https";
        let to = match self.detour.filter(|_| name == host(self.site)) {
            Some(to) => address(&to.host, if is_tls { to.https_port } else { to.http_port }).await?,
            None => address(name, port).await?,
        };
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let method = if visit.form.is_some() { Method::POST } else { Method::GET };
        let request = Request::builder()
            .method(method)
            .uri(if path.is_empty() { "/" } else { path })
            .header(header::HOST, visit.host.as_deref().unwrap_or(authority))
            .header(header::USER_AGENT, "escale-verify");
        let request = match visit.form {
            Some(_) => request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
            None => request,
        };
        let request = request.body(Full::new(Bytes::from(visit.form.unwrap_or_default())))?;
        match scheme {
            "https" => exchange(self.trust.connect(stream, &[name]).await?, request).await,
            "http" => exchange(stream, request).await,
            other => bail!("the scheme {other} is neither http nor https"),
        }
    }
}

/// An entry younger than a second has no age.
fn is_from_cache(answer: &Answer) -> bool {
    answer.header("x-cache").is_some_and(|x| !x.starts_with("Miss")) && answer.header("age").is_some()
}

/// The name in a URL.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', ':']).next().unwrap_or_default()
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
    let headers = headers.collect();
    let body = Limited::new(body, BODY_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]).into_owned();
    Ok(Answer { status: parts.status.as_u16(), headers, body })
}

/// The host and the port of `example.com:8080`.
pub(super) fn name_and_port(authority: &str, is_tls: bool) -> Result<(&str, u16)> {
    match authority.rsplit_once(':') {
        Some((name, port)) => {
            Ok((name, port.parse().with_context(|| format!("{authority}: '{port}' is not a port number"))?))
        }
        None => Ok((authority, if is_tls { 443 } else { 80 })),
    }
}

/// RFC 6761: localhost and every name below it is this machine. Not every system resolver knows that.
pub(super) async fn address(name: &str, port: u16) -> Result<SocketAddr> {
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(([127, 0, 0, 1], port).into());
    }
    let mut found =
        tokio::net::lookup_host((name, port)).await.with_context(|| format!("{name} does not resolve"))?;
    found.next().with_context(|| format!("{name} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_detours() {
        let of = |host: &str, http_port, https_port| Detour { host: host.to_owned(), http_port, https_port };
        assert_eq!(detour("d1.cloudfront.net"), Ok(of("d1.cloudfront.net", 80, 443)));
        assert_eq!(detour("127.0.0.1:8080:8443"), Ok(of("127.0.0.1", 8080, 8443)));
        for bad in ["", ":80:443", "host:80", "host:x:443", "host:1:2:3"] {
            assert!(detour(bad).is_err(), "{bad}");
        }
        assert_eq!(host("https://shop.example.com:8443/a?b"), "shop.example.com");
    }
}
