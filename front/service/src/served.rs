//! Answered requests, for services that keep access logs of them.

use crate::{Arrival, Body, Principal};
use bytes::Bytes;
use escale_base::{Clock, Timestamp};
use http::request::Parts;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A request that the gate, or a mount, has answered. Its body may still be on the way to the client.
pub struct Served<'a> {
    pub request: &'a Parts,
    /// The path with the bucket or the like in it, whatever host the client named.
    pub path: &'a str,
    pub request_id: &'a str,
    pub arrival: Arrival,
    /// `None` if the sender was not verified.
    pub principal: Option<&'a Principal>,
    pub status: u16,
    pub error_code: Option<&'a str>,
    /// The headers of the answer.
    pub headers: &'a http::HeaderMap,
    pub started: Timestamp,
    /// The time of the answer's head.
    pub answered: Timestamp,
}

/// Called once the last byte of the answer is sent, or the client has left: with the bytes of the body that were sent,
/// and the time.
pub type OnSent = Box<dyn FnOnce(u64, Timestamp) + Send>;

/// The same body; `done` is called when it has been sent, or when the connection drops it.
pub fn counted(body: Body, done: OnSent, clock: Clock) -> Body {
    Counted { body, bytes: 0, done: Some(done), clock }.boxed_unsync()
}

struct Counted {
    body: Body,
    bytes: u64,
    done: Option<OnSent>,
    clock: Clock,
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
            done(self.bytes, self.clock.now());
        }
    }
}
