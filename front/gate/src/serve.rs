//! Accepts connections and answers their requests.

use crate::{
    Gate,
    request::{self, Ends},
    withheld,
};
use escale_base::limits::request as limits;
use escale_service::{Arrival, Body, Entrance};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Sleep, sleep},
};

/// How long a client may take to send its head: one that never does must not hold a connection for ever.
const HEAD_WITHIN: Duration = Duration::from_millis(limits::HEAD_MS);

/// Pause after a failed accept (out of descriptors): at once would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves the API on a socket until the future is dropped; its connections end with it. `entrance` says who can reach the
/// socket: it decides whether the root principal is accepted there.
pub async fn serve(gate: Arc<Gate>, listener: TcpListener, entrance: Entrance) {
    let slots = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Never closed, so there is always a slot in the end.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = listener.accept().await.and_then(|(stream, peer)| {
            let ends = Ends { arrival: Arrival { entrance, peer }, local: stream.local_addr()? };
            Ok((stream, ends))
        });
        let (stream, ends) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Small answers must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let gate = Arc::clone(&gate);
        connections.spawn(async move {
            connection(gate, stream, ends).await;
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

async fn connection(gate: Arc<Gate>, stream: TcpStream, ends: Ends) {
    let service = service_fn(move |incoming: Request<Incoming>| -> Answer {
        let gate = Arc::clone(&gate);
        let (incoming, withheld) = withheld::watch(incoming);
        Box::pin(async move {
            let mut response = request::answer(gate, incoming, ends).await;
            withheld.end(&mut response);
            Ok(response)
        })
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(limits::HEAD_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits::HEAD_BYTES as u32)
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .initial_stream_window_size(limits::HTTP2_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_WINDOW_BYTES);
    let stream = TokioIo::new(FirstBytes::new(stream));
    if let Err(error) = server.serve_connection_with_upgrades(stream, service).await {
        tracing::debug!(peer = %ends.arrival.peer, %error, "a connection ended badly");
    }
}

/// A connection whose first bytes come in time. The server waits for them without a limit, to see which version of HTTP the
/// client speaks, and has its own timer for heads only after that.
struct FirstBytes {
    stream: TcpStream,
    deadline: Option<Pin<Box<Sleep>>>,
    seen: usize,
}

/// As many as decide the version: HTTP/2's preface (RFC 9113, section 3.4). No request is shorter that names its host.
const DECISIVE_BYTES: usize = 24;

impl FirstBytes {
    fn new(stream: TcpStream) -> FirstBytes {
        FirstBytes { stream, deadline: Some(Box::pin(sleep(HEAD_WITHIN))), seen: 0 }
    }
}

impl AsyncRead for FirstBytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() && self.deadline.is_some() {
            self.seen += buf.filled().len() - before;
            if self.seen >= DECISIVE_BYTES {
                self.deadline = None;
            }
        }
        read
    }
}

impl AsyncWrite for FirstBytes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_client_that_sends_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = FirstBytes::new(listener.accept().await.unwrap().0);
        stream.deadline = Some(Box::pin(sleep(Duration::ZERO)));
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
