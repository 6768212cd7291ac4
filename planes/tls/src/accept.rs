//! A handshake, and the stream behind it.

use crate::Terminator;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor, rustls::server::Acceptor, server::TlsStream};

/// The time a client has for its handshake: three round trips of a bad mobile connection, with lost packets. The number of
/// handshakes is bounded by the listener's number of connections.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

impl Terminator {
    /// Completes the handshake of a new connection within [`HANDSHAKE`].
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        let handshake = TlsAcceptor::from(self.0.clone()).accept(stream);
        let stream = timeout(HANDSHAKE, handshake).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// As [`Terminator::accept`], for a listener whose certificates and policy depend on the server name that the client sends.
/// `choose` gets it in lower case. A client for which it has no terminator is disconnected.
pub async fn accept_by_name<F>(
    stream: TcpStream,
    choose: impl FnOnce(Option<String>) -> F,
) -> io::Result<Stream>
where
    F: Future<Output = Option<Terminator>>,
{
    let handshake = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
        let Some(terminator) = choose(name).await else {
            return Err(io::Error::other("there is no certificate for the server name that the client sent"));
        };
        start.into_stream(terminator.0).await
    };
    let stream = timeout(HANDSHAKE, handshake).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(Stream::Tls(Box::new(stream)))
}

/// A client's connection, with or without TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// The name that the client asked for in its handshake.
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => tls.get_ref().1.server_name(),
        }
    }

    /// The negotiated version and cipher suite, by the names that OpenSSL and AWS's logs use: `TLSv1.3`,
    /// `TLS_AES_128_GCM_SHA256`. `None` without TLS.
    pub fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        use rustls::CipherSuite as Suite;
        let Stream::Tls(tls) = self else { return None };
        Some(match tls.get_ref().1.negotiated_cipher_suite()?.suite() {
            Suite::TLS13_AES_128_GCM_SHA256 => ("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
            Suite::TLS13_AES_256_GCM_SHA384 => ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
            Suite::TLS13_CHACHA20_POLY1305_SHA256 => ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
                ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305")
            }
            Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
            Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
            Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => ("TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
            // `compile.rs` lists every suite that is offered.
            _ => return None,
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
