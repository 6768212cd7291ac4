//! Sends an image to a registry over plain HTTP: what is there already is not sent again.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>

use crate::layout::{Layout, LayoutError, MANIFEST, text};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use escale_base::Secret;
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    fs::File,
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

/// Where to push to.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`; names below `localhost` are this machine (RFC 6761).
    pub address: String,
    /// The Host header, when it is not `address`: registries tell accounts apart by it.
    pub host: Option<String>,
    pub repository: String,
    pub tag: String,
    pub credentials: Option<Credentials>,
}

/// HTTP basic authentication.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: String,
    pub password: Secret<String>,
}

/// What just happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The registry has this blob already.
    Present {
        digest: String,
        size_bytes: u64,
    },
    Sending {
        digest: String,
        size_bytes: u64,
    },
    Sent {
        digest: String,
        size_bytes: u64,
    },
    /// The image is there, under its tag.
    Tagged {
        digest: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("the registry {address} cannot be reached: {error}")]
    Unreachable { address: String, error: io::Error },
    #[error("the registry {address} broke the connection off: {error}")]
    Broken { address: String, error: hyper::Error },
    #[error("the registry {address} refuses these credentials for {repository} (401): ask for a new token")]
    Unauthorized { address: String, repository: String },
    #[error("the registry {address} answered {status} to {request}: {body}")]
    Refused { address: String, status: u16, request: String, body: String },
    #[error("`{0}` cannot stand in a registry's URL")]
    Name(String),
    #[error("the registry's answer to {0} has no usable Location")]
    NoLocation(String),
    #[error("{path}: {error}")]
    Blob { path: String, error: io::Error },
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// Pushes an image; returns its manifest's digest.
pub async fn push(
    layout: &Layout,
    target: &Target,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<String, PushError> {
    let registry = Registry { target };
    for (digest, size_bytes) in layout.blobs() {
        if registry.has_blob(&digest).await? {
            progress(Progress::Present { digest, size_bytes });
            continue;
        }
        progress(Progress::Sending { digest: digest.clone(), size_bytes });
        registry.send_blob(layout, &digest, size_bytes).await?;
        progress(Progress::Sent { digest, size_bytes });
    }
    let kind = match text(&layout.manifest["mediaType"]) {
        kind if kind.is_empty() => MANIFEST.to_owned(),
        kind => kind,
    };
    let path = format!("/v2/{}/manifests/{}", target.repository, target.tag);
    let body = layout.manifest_bytes()?;
    let request = registry
        .request(Method::PUT, &path)?
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_LENGTH, body.len());
    registry.expect(request, Either::Left(Full::from(body)), &[StatusCode::CREATED]).await?;
    progress(Progress::Tagged { digest: layout.digest.clone() });
    Ok(layout.digest.clone())
}

type Body = Either<Full<Bytes>, Pieces>;

/// More of an error's text is not read.
const ANSWER_BYTES: usize = 64 * 1024;

struct Registry<'a> {
    target: &'a Target,
}

impl Registry<'_> {
    async fn has_blob(&self, digest: &str) -> Result<bool, PushError> {
        let path = format!("/v2/{}/blobs/{digest}", self.target.repository);
        let request = self.request(Method::HEAD, &path)?;
        let answer = self.expect(request, empty(), &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        Ok(answer.status() == StatusCode::OK)
    }

    /// One POST to open the upload, one PUT with all of it.
    async fn send_blob(&self, layout: &Layout, digest: &str, size_bytes: u64) -> Result<(), PushError> {
        let path = format!("/v2/{}/blobs/uploads/", self.target.repository);
        let request = self.request(Method::POST, &path)?.header(header::CONTENT_LENGTH, 0);
        let answer = self.expect(request, empty(), &[StatusCode::ACCEPTED]).await?;
        let location = answer.headers().get(header::LOCATION).and_then(|l| l.to_str().ok());
        let location: Uri = location
            .and_then(|l| l.parse().ok())
            .ok_or_else(|| PushError::NoLocation(format!("POST {path}")))?;
        let path = location.path_and_query().map_or(path, ToString::to_string);
        let joint = if path.contains('?') { '&' } else { '?' };
        let request = self
            .request(Method::PUT, &format!("{path}{joint}digest={digest}"))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size_bytes);
        let blob = layout.blob(digest)?;
        let file = File::open(&blob)
            .await
            .map_err(|error| PushError::Blob { path: blob.display().to_string(), error })?;
        let body = Either::Right(Pieces { file, buffer: BytesMut::new(), left: size_bytes });
        self.expect(request, body, &[StatusCode::CREATED]).await.map(|_| ())
    }

    fn request(&self, method: Method, path: &str) -> Result<hyper::http::request::Builder, PushError> {
        let uri: Uri = path.parse().map_err(|_| PushError::Name(path.to_owned()))?;
        let host = self.target.host.as_ref().unwrap_or(&self.target.address);
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, host);
        if let Some(Credentials { user, password }) = &self.target.credentials {
            let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
            request = request.header(header::AUTHORIZATION, format!("Basic {pair}"));
        }
        Ok(request)
    }

    /// Sends a request over a connection of its own; any status but those expected is an error.
    async fn expect(
        &self,
        request: hyper::http::request::Builder,
        body: Body,
        expected: &[StatusCode],
    ) -> Result<Response<Bytes>, PushError> {
        let address = || self.target.address.clone();
        let broken = |error| PushError::Broken { address: address(), error };
        let request = request.body(body).map_err(|e| PushError::Name(e.to_string()))?;
        let what = format!("{} {}", request.method(), request.uri());
        let stream =
            self.connect().await.map_err(|error| PushError::Unreachable { address: address(), error })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // the connection runs until its only request is answered; its errors reach the sender
        let running = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        running.abort();
        if expected.contains(&parts.status) {
            return Ok(Response::from_parts(parts, body));
        }
        if parts.status == StatusCode::UNAUTHORIZED {
            let repository = self.target.repository.clone();
            return Err(PushError::Unauthorized { address: address(), repository });
        }
        let body = String::from_utf8_lossy(&body).trim().to_owned();
        Err(PushError::Refused { address: address(), status: parts.status.as_u16(), request: what, body })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let address = &self.target.address;
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
        let port: u16 = port.parse().map_err(|_| io::Error::other(format!("`{port}` is not a port")))?;
        match host == "localhost" || host.ends_with(".localhost") {
            true => TcpStream::connect(("127.0.0.1", port)).await,
            false => TcpStream::connect((host, port)).await,
        }
    }
}

fn empty() -> Body {
    Either::Left(Full::default())
}

/// A file, piece by piece: a layer is never whole in memory.
struct Pieces {
    file: File,
    buffer: BytesMut,
    left: u64,
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
