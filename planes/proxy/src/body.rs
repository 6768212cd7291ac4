//! Bodies in transit: streamed frame by frame, so that a slow reader slows its writer.

use crate::target::Lease;
use bytes::Bytes;
use escale_httpguard::IdleTimer;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub(crate) struct Body(Kind);

enum Kind {
    Full(Full<Bytes>),
    Streamed(Box<Streamed>),
}

impl Body {
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
        Body(Kind::Full(Full::new(bytes.into())))
    }

    pub(crate) fn streamed(inner: Incoming, lease: Lease, idle: Duration) -> Body {
        let cut = Box::pin(lease.cut.clone().cancelled_owned());
        Body(Kind::Streamed(Box::new(Streamed { inner, _lease: lease, cut, timer: IdleTimer::new(idle) })))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().0 {
            Kind::Full(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Kind::Streamed(streamed) => streamed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Streamed(streamed) => streamed.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(full) => full.size_hint(),
            Kind::Streamed(streamed) => streamed.inner.size_hint(),
        }
    }
}

struct Streamed {
    inner: Incoming,
    /// The request counts as in progress until its answer has been sent completely.
    _lease: Lease,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    timer: IdleTimer,
}

impl Streamed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.timer.moved();
            return Poll::Ready(frame.map(|f| f.map_err(Into::into)));
        }
        // After the frames: bytes that have already arrived are still sent.
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the target's drain delay is over".into())));
        }
        ready!(self.timer.poll(cx));
        Poll::Ready(Some(Err("the target sent nothing within the idle timeout".into())))
    }
}

/// The body of a request in transit to a target.
pub(crate) struct Upload {
    inner: Option<Incoming>,
    progress: Arc<Progress>,
}

/// The state of an upload, as other tasks see it.
pub(crate) struct Progress(Mutex<(Instant, UploadState)>);

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum UploadState {
    /// The target reads as fast as the client sends.
    Flowing,
    /// The client has not sent the next bytes yet.
    WaitsForClient,
    Ended,
    /// The client ended early or broke the framing.
    Failed,
}

impl Progress {
    pub(crate) fn read(&self) -> (Instant, UploadState) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: UploadState, moved: bool) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moved {
            at.0 = Instant::now();
        }
        at.1 = state;
    }
}

impl Upload {
    pub(crate) fn new(inner: Incoming) -> (Upload, Arc<Progress>) {
        let state = if inner.is_end_stream() { UploadState::Ended } else { UploadState::Flowing };
        let progress = Arc::new(Progress(Mutex::new((Instant::now(), state))));
        (Upload { inner: Some(inner), progress: progress.clone() }, progress)
    }

    /// No body; for health checks and retries.
    pub(crate) fn empty() -> Upload {
        let progress = Arc::new(Progress(Mutex::new((Instant::now(), UploadState::Ended))));
        Upload { inner: None, progress }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *inner).poll_frame(cx);
        let (state, moved) = match &polled {
            // Only a poll shows this: as long as the target does not read, the silence is not the client's.
            Poll::Pending => (UploadState::WaitsForClient, false),
            Poll::Ready(None) => (UploadState::Ended, true),
            Poll::Ready(Some(Err(_))) => (UploadState::Failed, true),
            Poll::Ready(Some(Ok(_))) if inner.is_end_stream() => (UploadState::Ended, true),
            Poll::Ready(Some(Ok(_))) => (UploadState::Flowing, true),
        };
        this.progress.set(state, moved);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
