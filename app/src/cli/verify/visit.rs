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

pub(super) async fn all(visits: &[Visit], trust: &Trust) -> Answers {
    let mut answers = Answers::new();
    // One after the other: a first request fills the cache for the second.
    for visit in visits {
        let mut answer = one(visit, trust).await;
        for _ in 1..TRIES {
            if !visit.is_for_cache || answer.as_ref().is_ok_and(is_from_cache) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            answer = one(visit, trust).await;
        }
        answers.insert(visit.name.clone(), answer.map_err(|error| format!("{error:#}")));
    }
    answers
}

/// An entry younger than a second has no age.
fn is_from_cache(answer: &Answer) -> bool {
    answer.header("x-cache").is_some_and(|x| !x.starts_with("Miss")) && answer.header("age").is_some()
}

async fn one(visit: &Visit, trust: &Trust) -> Result<Answer> {
    match tokio::time::timeout(WITHIN, send(visit, trust)).await {
        Ok(done) => done,
        Err(_) => bail!("nothing within {WITHIN:?}"),
    }
}

async fn send(visit: &Visit, trust: &Trust) -> Result<Answer> {
    let (scheme, rest) =
        visit.url.split_once("://").with_context(|| format!("{} is not a URL", visit.url))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (name, port) = name_and_port(authority, scheme == "https")?;
    let stream = TcpStream::connect(address(name, port).await?).await?;
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
        "https" => exchange(trust.connect(stream, &[name]).await?, request).await,
        "http" => exchange(stream, request).await,
        other => bail!("the scheme {other} is neither http nor https"),
    }
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
