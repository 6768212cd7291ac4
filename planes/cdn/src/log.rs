//! Records of answered requests, until the caller takes them.

use crate::{Visit, blob::Body, serve::Word};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

/// Records that wait; further ones are dropped. Bounds memory to some 16 MiB.
const WAITING: usize = 16_384;

#[derive(Default)]
pub(crate) struct Log(Mutex<VecDeque<Visit>>);

impl Log {
    pub(crate) fn record(&self, visit: Visit) {
        let mut waiting = self.lock();
        if waiting.len() < WAITING {
            waiting.push_back(visit);
        }
    }

    pub(crate) fn take(&self, most: usize) -> Vec<Visit> {
        let mut waiting = self.lock();
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Visit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    /// The result as logs have it: an error is one of the answer, whatever produced it.
    pub(crate) fn logged(self, status: u16) -> &'static str {
        if status >= 400 { Word::Error.text() } else { self.text() }
    }
}

/// The same body; `done` gets its size once it has been sent, or once the viewer has left.
pub(crate) fn counted(body: Body, done: impl FnOnce(u64) + Send + 'static) -> Body {
    Counted { body, bytes: 0, done: Some(Box::new(done)) }.boxed_unsync()
}

struct Counted {
    body: Body,
    bytes: u64,
    done: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(self.bytes);
        }
    }
}

/// The bytes of a head in HTTP/1's form.
pub(crate) fn head_bytes(first_line: usize, headers: &http::HeaderMap) -> u64 {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    (first_line + lines.sum::<usize>() + "\r\n\r\n".len()) as u64
}

/// Records a request of a logged distribution once its answer has been sent.
pub(crate) fn note(
    log: Arc<Log>,
    clock: escale_base::Clock,
    mut visit: Visit,
    response: http::Response<Body>,
) -> http::Response<Body> {
    let started = visit.at;
    response.map(|body| {
        counted(body, move |bytes| {
            visit.sent_bytes += bytes;
            visit.took_ms = u64::try_from(clock.now().since_ms(started)).unwrap_or(0);
            log.record(visit);
        })
    })
}
