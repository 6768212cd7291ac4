//! Bodies in transit: streamed frame by frame, so that a slow reader slows its writer.

use crate::{
    direct::Arriving,
    log::Noted,
    sender::Sender,
    target::{Lease, Target},
};
use bytes::Bytes;
use escale_httpguard::IdleTimer;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub(crate) struct Body {
    kind: Kind,
    /// Of a logged request; its end makes the record.
    noted: Option<Box<Noted>>,
}

enum Kind {
    Full(Full<Bytes>),
    Streamed(Box<Streamed>),
}

impl Body {
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
        Body { kind: Kind::Full(Full::new(bytes.into())), noted: None }
    }

    pub(crate) fn streamed(source: Source, lease: Lease, idle: Duration) -> Body {
        let timer = IdleTimer::new(idle);
        let streamed = Streamed { source: Some(source), lease, cut: None, timer };
        Body { kind: Kind::Streamed(Box::new(streamed)), noted: None }
    }

    pub(crate) fn noted(self, noted: Box<Noted>) -> Body {
        Body { noted: Some(noted), ..self }
    }
}

/// Where the body of an answer comes from, and the connection.
pub(crate) enum Source {
    Client { body: Incoming, sender: Sender, ended: bool },
    Wire(Arriving),
}

impl Source {
    pub(crate) fn of_client(body: Incoming, sender: Sender) -> Source {
        let ended = body.is_end_stream();
        Source::Client { body, sender, ended }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Source::Wire(arriving) => arriving.poll_frame(cx),
            Source::Client { body, ended, .. } => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                *ended = frame.is_none() || body.is_end_stream();
                Poll::Ready(frame.map(|f| f.map_err(Into::into)))
            }
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Source::Wire(arriving) => arriving.is_end(),
            Source::Client { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Source::Wire(arriving) => arriving.size_hint(),
            Source::Client { body, .. } => body.size_hint(),
        }
    }

    /// Keeps the connection, if the whole answer was read.
    fn end(self, target: &Arc<Target>) {
        match self {
            Source::Wire(arriving) => drop(arriving.into_wire().map(|wire| target.keep_wire(wire))),
            Source::Client { ended: false, .. } => {}
            // It was kept when the request began.
            Source::Client { sender, .. } if sender.shared().is_some() => {}
            Source::Client { sender, .. } if sender.is_ready() => target.keep_client(sender),
            Source::Client { mut sender, .. } => {
                // Its task has not noticed the end yet. Waits with the target only, not with the lease: the end of the request
                // must not wait for this.
                let target = Arc::clone(target);
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move {
                        if sender.ready().await.is_ok() {
                            target.keep_client(sender);
                        }
                    });
                }
            }
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        let frame = match &mut body.kind {
            Kind::Full(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Kind::Streamed(streamed) => streamed.poll(cx),
        };
        if let (Some(noted), Poll::Ready(Some(Ok(frame)))) = (&mut body.noted, &frame) {
            noted.sent_bytes(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Streamed(streamed) => streamed.source.as_ref().is_none_or(Source::is_end),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(full) => full.size_hint(),
            Kind::Streamed(streamed) => {
                streamed.source.as_ref().map_or(SizeHint::with_exact(0), Source::size_hint)
            }
        }
    }
}

struct Streamed {
    /// `None` after the drop.
    source: Option<Source>,
    /// The request counts as in progress until its answer has been sent completely.
    lease: Lease,
    /// Made at the first wait: most answers arrive in one piece.
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    timer: IdleTimer,
}

impl Streamed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = source.poll(cx) {
            self.timer.moved();
            return Poll::Ready(frame);
        }
        // After the frames: bytes that have already arrived are still sent.
        let cut = self.cut.get_or_insert_with(|| Box::pin(self.lease.cut.clone().cancelled_owned()));
        if cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the target's drain delay is over".into())));
        }
        ready!(self.timer.poll(cx));
        Poll::Ready(Some(Err("the target sent nothing within the idle timeout".into())))
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.end(&self.lease);
        }
    }
}

/// The body of a request in transit to a target.
pub(crate) struct Upload {
    inner: Option<Incoming>,
    /// Instead of it: the whole body.
    own: Option<Bytes>,
    progress: Arc<Progress>,
}

/// The state of an upload, as other tasks see it.
pub(crate) struct Progress {
    at: Mutex<(Instant, UploadState)>,
    bytes: AtomicU64,
}

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
    fn new(state: UploadState) -> Arc<Progress> {
        Arc::new(Progress { at: Mutex::new((Instant::now(), state)), bytes: AtomicU64::new(0) })
    }

    pub(crate) fn read(&self) -> (Instant, UploadState) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: UploadState, moved: bool) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if moved {
            at.0 = Instant::now();
        }
        at.1 = state;
    }

    /// How many bytes have passed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

impl Upload {
    pub(crate) fn new(inner: Incoming) -> (Upload, Arc<Progress>) {
        let state = if inner.is_end_stream() { UploadState::Ended } else { UploadState::Flowing };
        let progress = Progress::new(state);
        (Upload { inner: Some(inner), own: None, progress: progress.clone() }, progress)
    }

    /// No body; for health checks and retries.
    pub(crate) fn empty() -> Upload {
        Upload::of(Bytes::new())
    }

    /// A body of the balancer itself; for health checks.
    pub(crate) fn of(bytes: Bytes) -> Upload {
        let progress = Progress::new(UploadState::Ended);
        Upload { inner: None, own: Some(bytes).filter(|b| !b.is_empty()), progress }
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
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(this.own.take().map(|bytes| Ok(Frame::data(bytes))));
        };
        let polled = Pin::new(&mut *inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.progress.bytes.fetch_add(frame.data_ref().map_or(0, Bytes::len) as u64, Relaxed);
        }
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
        self.own.is_none() && self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let own = self.own.as_ref().map_or(0, Bytes::len) as u64;
        self.inner.as_ref().map_or(SizeHint::with_exact(own), HttpBody::size_hint)
    }
}
