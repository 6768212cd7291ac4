//! A connection to a target that can send requests: of HTTP/1.1, or of HTTP/2, which requests share.

use crate::{
    body::Upload,
    spec::{Transport, Version},
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header, request::Parts};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Largest head of an answer.
const ANSWER_HEAD_BYTES: usize = 64 * 1024;

pub(crate) enum Sender {
    One(http1::SendRequest<Upload>),
    Two(http2::SendRequest<Upload>),
}

impl Sender {
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Sender::One(one) => one.is_ready(),
            Sender::Two(two) => two.is_ready(),
        }
    }

    pub(crate) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Sender::One(one) => one.ready().await,
            Sender::Two(two) => two.ready().await,
        }
    }

    pub(crate) async fn try_send_request(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        match self {
            Sender::One(one) => one.try_send_request(request).await,
            Sender::Two(two) => two.try_send_request(request).await,
        }
    }

    /// Another sender on the same connection, if requests can share it.
    pub(crate) fn shared(&self) -> Option<Sender> {
        match self {
            Sender::One(_) => None,
            Sender::Two(two) => Some(Sender::Two(two.clone())),
        }
    }
}

/// A connection over an open socket. Its driver task ends when the sender is dropped or the target closes.
pub(crate) async fn handshake(stream: TcpStream, to: SocketAddr, transport: Transport) -> io::Result<Sender> {
    let is_http2 = transport.version != Version::Http1;
    if !transport.tls {
        return over(stream, to, is_http2).await;
    }
    let protocol: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
    let stream = escale_tls::client::connect_unverified(stream, &to.ip().to_string(), &[protocol]).await?;
    if is_http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the target does not speak HTTP/2"));
    }
    over(stream, to, is_http2).await
}

async fn over<S>(stream: S, to: SocketAddr, is_http2: bool) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    if is_http2 {
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
        tokio::spawn(async move { note_end(to, connection.await) });
        return Ok(Sender::Two(sender));
    }
    let mut builder = http1::Builder::new();
    let builder = builder.max_buf_size(ANSWER_HEAD_BYTES);
    let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
    tokio::spawn(async move { note_end(to, connection.with_upgrades().await) });
    Ok(Sender::One(sender))
}

fn note_end(target: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%target, %error, "upstream connection ended");
    }
}

const GRPC: &[u8] = b"application/grpc";
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Whether a request of this form can go to targets of the version. If not, the status to answer with.
pub(crate) fn suits(version: Version, parts: &Parts) -> Result<(), StatusCode> {
    let is_http2 = parts.version == http::Version::HTTP_2;
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = is_http2 && content_type.is_some_and(|kind| kind.starts_with(GRPC));
    let suits = match version {
        Version::Http1 => !is_grpc,
        Version::Http2 => is_http2,
        Version::Grpc => is_http2 && parts.method == http::Method::POST,
    };
    // The de-facto status for a version that does not suit the targets; no RFC defines it.
    if suits { Ok(()) } else { Err(StatusCode::from_u16(464).unwrap_or(StatusCode::BAD_REQUEST)) }
}

/// Whether the client accepts trailers. Read before the hop-by-hop headers are removed, of which it is one.
pub(crate) fn accepts_trailers(parts: &Parts) -> bool {
    parts.headers.get(header::TE).is_some_and(|te| te == TRAILERS)
}

/// Gives a head that is ready for HTTP/1.1 the form of HTTP/2: the host is a part of the URI, and nothing frames the body.
pub(crate) fn to_http2(parts: &mut Parts, tls: bool, trailers: bool) -> Result<(), StatusCode> {
    let host = parts.headers.remove(header::HOST);
    let host = host.as_ref().and_then(|h| h.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let scheme = if tls { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path).build();
    parts.uri = uri.map_err(|_| StatusCode::BAD_REQUEST)?;
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, HeaderName::from_static("keep-alive")] {
        parts.headers.remove(name);
    }
    if trailers {
        parts.headers.insert(header::TE, TRAILERS);
    }
    parts.version = http::Version::HTTP_2;
    Ok(())
}
