//! A client for a cloud's registry: over plain HTTP on this machine, over TLS elsewhere.

use crate::layout::LayoutError;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use escale_base::{Secret, limits::LOCAL_CONNECT_MS};
use escale_tls::client::Trust;
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The location of an image in a registry.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`; names below `localhost` are this machine (RFC 6761).
    pub address: String,
    /// The Host header, if it differs from `address`: registries distinguish accounts by it.
    pub host: Option<String>,
    pub repository: String,
    /// A tag; for a pull also a digest.
    pub reference: String,
    pub credentials: Option<Credentials>,
    /// What verifies the registry's certificate; `None` for plain HTTP, which only this machine's own registry gets.
    pub tls: Option<Arc<Trust>>,
}

/// HTTP basic authentication.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: String,
    pub password: Secret<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the registry {address} cannot be reached: {error}")]
    Unreachable { address: String, error: io::Error },
    #[error("the registry {address} closed the connection: {error}")]
    Broken { address: String, error: hyper::Error },
    #[error("the registry {address} refuses these credentials for {repository} (401). Get a new token")]
    Unauthorized { address: String, repository: String },
    #[error("the registry {address} answered {status} to {request}: {body}")]
    Refused { address: String, status: u16, request: String, body: String },
    #[error("the registry {address} has no repository {repository}")]
    NoSuchRepository { address: String, repository: String },
    #[error("the repository {repository} has no image {reference}")]
    NoSuchImage { repository: String, reference: String },
    #[error("the registry {address} sent content that does not match the digest {digest}")]
    OtherBytes { address: String, digest: String },
    #[error("{image} cannot be used as a base image: {why}")]
    Unfit { image: String, why: String },
    #[error("`{0}` cannot be part of a registry's URL")]
    Name(String),
    #[error("the registry's response to {0} has no valid Location header")]
    NoLocation(String),
    #[error("{path}: {error}")]
    Blob { path: String, error: io::Error },
    #[error(transparent)]
    Upstream(#[from] escale_upstream::Error),
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

pub(crate) type Body = Either<Full<Bytes>, Pieces>;

/// The limit for connecting to a remote registry; the kernel would try for minutes.
const CONNECT_MS: u64 = 30_000;

/// The limit for the body of an error response.
const ANSWER_BYTES: usize = 64 * 1024;

pub(crate) struct Registry<'a> {
    pub(crate) target: &'a Target,
}

impl Registry<'_> {
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
    ) -> Result<hyper::http::request::Builder, RegistryError> {
        let uri: Uri = path.parse().map_err(|_| RegistryError::Name(path.to_owned()))?;
        let host = self.target.host.as_ref().unwrap_or(&self.target.address);
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, host);
        if let Some(Credentials { user, password }) = &self.target.credentials {
            let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
            request = request.header(header::AUTHORIZATION, format!("Basic {pair}"));
        }
        Ok(request)
    }

    /// Sends a request and reads the response up to a limit; any status but the expected ones is an error.
    pub(crate) async fn expect(
        &self,
        request: hyper::http::request::Builder,
        body: Body,
        expected: &[StatusCode],
    ) -> Result<Response<Bytes>, RegistryError> {
        let (parts, body) = self.open(request, body, expected).await?.into_parts();
        Ok(Response::from_parts(parts, short(body).await))
    }

    /// The same for a response whose body the caller reads. The connection lives as long as the body.
    pub(crate) async fn open(
        &self,
        request: hyper::http::request::Builder,
        body: Body,
        expected: &[StatusCode],
    ) -> Result<Response<Incoming>, RegistryError> {
        let address = || self.target.address.clone();
        let request = request.body(body).map_err(|e| RegistryError::Name(e.to_string()))?;
        let what = format!("{} {}", request.method(), request.uri());
        let stream =
            self.connect().await.map_err(|error| RegistryError::Unreachable { address: address(), error })?;
        let mut sender = match &self.target.tls {
            None => self.sender(stream).await?,
            Some(trust) => {
                let secured = trust.connect(stream, &[self.host_and_port().0]).await;
                self.sender(
                    secured.map_err(|error| RegistryError::Unreachable { address: address(), error })?,
                )
                .await?
            }
        };
        let answer = sender.send_request(request).await.map_err(|e| self.broken(e))?;
        if expected.contains(&answer.status()) {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        if parts.status == StatusCode::UNAUTHORIZED {
            let repository = self.target.repository.clone();
            return Err(RegistryError::Unauthorized { address: address(), repository });
        }
        let body = String::from_utf8_lossy(&short(body).await).trim().to_owned();
        Err(RegistryError::Refused { address: address(), status: parts.status.as_u16(), request: what, body })
    }

    async fn sender<S>(&self, stream: S) -> Result<SendRequest<Body>, RegistryError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.broken(e))?;
        // the connection ends with its only response; the reader of the body gets its errors
        tokio::spawn(connection);
        Ok(sender)
    }

    fn host_and_port(&self) -> (&str, &str) {
        let own = if self.target.tls.is_some() { "443" } else { "80" };
        self.target.address.rsplit_once(':').unwrap_or((&self.target.address, own))
    }

    pub(crate) fn broken(&self, error: hyper::Error) -> RegistryError {
        RegistryError::Broken { address: self.target.address.clone(), error }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let (host, port) = self.host_and_port();
        let port: u16 = port.parse().map_err(|_| io::Error::other(format!("`{port}` is not a port")))?;
        let here = host == "localhost" || host.ends_with(".localhost");
        let host = if here { "127.0.0.1" } else { host };
        let within = std::time::Duration::from_millis(if here { LOCAL_CONNECT_MS } else { CONNECT_MS });
        let connected = tokio::time::timeout(within, TcpStream::connect((host, port))).await;
        connected.unwrap_or_else(|_| {
            let hint = if here { "; a firewall may drop packets on the loopback interface `lo`" } else { "" };
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {within:?}{hint}")))
        })
    }
}

async fn short(body: Incoming) -> Bytes {
    Limited::new(body, ANSWER_BYTES).collect().await.map(|b| b.to_bytes()).unwrap_or_default()
}

pub(crate) fn empty() -> Body {
    Either::Left(Full::default())
}

/// A file as a stream, so that a layer is never held in memory.
pub(crate) struct Pieces {
    file: File,
    buffer: BytesMut,
    left: u64,
}

impl Pieces {
    pub(crate) fn new(file: File, size_bytes: u64) -> Pieces {
        Pieces { file, buffer: BytesMut::new(), left: size_bytes }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        const PIECE: usize = 64 * 1024;
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        this.buffer.resize(PIECE, 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(&mut this.file).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len().min(usize::try_from(this.left).unwrap_or(usize::MAX));
        if count == 0 {
            return Poll::Ready(Some(Err(io::Error::other("the blob became shorter while it was sent"))));
        }
        this.left -= count as u64;
        Poll::Ready(Some(Ok(Frame::data(this.buffer.split_to(count).freeze()))))
    }
}
