//! One connection, served through a guard.

use crate::{Guard, Stop};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{HttpService, Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// Limit of header fields in one request.
const HEADERS: usize = 200;
const HEADER_LIST_BYTES: u32 = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Limits of one client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first wait for a head to its last byte. `None`: only the guard's idle timeout applies.
    pub head: Option<Duration>,
    /// Concurrent requests of an HTTP/2 connection.
    pub streams: u32,
    /// Bytes that an HTTP/2 connection, and each of its streams, may send ahead of the reader. `None`: hyper's own.
    pub window_bytes: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { head: None, streams: 128, window_bytes: None }
    }
}

/// Answers the requests of a connection by `service` until the client, an error or `stop` ends it. The service must call [`crate::Link::refusal`] before anything else.
pub async fn serve<C, S, B>(mut guard: Guard<C>, limits: Limits, service: S, stop: Stop)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B>,
    S: Service<Request<Incoming>, Response = Response<B>>,
    <S as Service<Request<Incoming>>>::Error: Into<BoxError>,
    <S as HttpService<Incoming>>::Error: Into<BoxError>,
    <S as HttpService<Incoming>>::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let opening = guard.is_http2();
    let opened = match limits.head {
        Some(limit) => timeout(limit, opening).await,
        None => Ok(opening.await),
    };
    // The client sent neither a complete preface nor anything else: there is no request to answer.
    let Ok(Ok(is_http2)) = opened else { return };
    let io = TokioIo::new(guard);
    let result = if is_http2 {
        let serving = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_LIST_BYTES)
            .max_concurrent_streams(limits.streams)
            .initial_stream_window_size(limits.window_bytes)
            .initial_connection_window_size(limits.window_bytes)
            .serve_connection(io, service);
        tokio::pin!(serving);
        tokio::select! {
            result = serving.as_mut() => result,
            () = stop.accepts_no_more().cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    } else {
        let stop = &stop;
        let service = service_fn(|request| {
            let answering = service.call(request);
            async move {
                let mut answer = answering.await?;
                if stop.is_draining() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, <S as Service<Request<Incoming>>>::Error>(answer)
            }
        });
        let serving = http1::Builder::new()
            .max_headers(HEADERS)
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .serve_connection(io, service)
            .with_upgrades();
        tokio::pin!(serving);
        tokio::select! {
            result = serving.as_mut() => result,
            () = stop.is_now() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a client's connection ended");
    }
}
