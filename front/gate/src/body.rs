//! Request bodies: collected within limits of memory and time, or verified while they stream.

use bytes::{Bytes, BytesMut};
use escale_base::{AwsError, ErrorKind, limits::request as limits};
use escale_service::Body;
use escale_wire::{Target, sigv4::BodyReader};
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep, timeout, timeout_at},
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Bytes that the bodies of all requests together may occupy. Unsigned, small and large bodies have separate shares, so that
/// none of the three can block the other two.
pub(crate) struct Budget {
    anonymous: Arc<Semaphore>,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        let of = |bytes| Arc::new(Semaphore::new(bytes));
        Budget {
            anonymous: of(limits::ANONYMOUS_BODIES_BYTES),
            small: of(limits::SMALL_BODIES_BYTES),
            large: of(limits::LARGE_BODIES_BYTES),
        }
    }

    /// The share from which a body takes its bytes, and the largest size of such a body.
    pub(crate) fn share(&self, signed: bool, declared: Option<u64>) -> Share<'_> {
        if !signed {
            return Share { bytes: &self.anonymous, most: limits::ANONYMOUS_BODY_BYTES };
        }
        if declared.is_some_and(|bytes| bytes <= limits::SMALL_BODY_BYTES as u64) {
            return Share { bytes: &self.small, most: limits::SMALL_BODY_BYTES };
        }
        // A body of undeclared length may become large, so it does not use the share of small ones.
        Share { bytes: &self.large, most: escale_base::limits::OPERATION_BODY_BYTES }
    }
}

pub(crate) struct Share<'a> {
    bytes: &'a Arc<Semaphore>,
    pub(crate) most: usize,
}

/// A whole body, and its part of the budget until it is dropped.
pub(crate) struct Collected {
    pub(crate) bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

/// Why a body was not collected.
#[derive(Debug)]
pub(crate) enum Refused {
    TooLarge(usize),
    NoBudget,
    TooSlow,
    Broken(Error),
}

impl Refused {
    pub(crate) fn into_error(self, target: &Target) -> AwsError {
        match self {
            Refused::NoBudget => escale_wire::too_busy(target),
            Refused::TooSlow => escale_wire::too_slow(target),
            Refused::TooLarge(most) => too_large(most),
            Refused::Broken(error) => AwsError::new(
                ErrorKind::Invalid,
                "IncompleteBody",
                400,
                format!("The request's body could not be read: {error}"),
            ),
        }
    }
}

fn too_large(most: usize) -> AwsError {
    AwsError::new(
        ErrorKind::Invalid,
        "RequestEntityTooLarge",
        413,
        format!("The request's body is larger than {most} bytes"),
    )
}

/// A body of which nothing was read yet. If the request is refused and the body dropped, its bytes are read and discarded,
/// within bounds: a client that sends everything before it reads would otherwise see a reset instead of the answer.
pub(crate) struct Arriving {
    body: Option<Body>,
    /// The client waits for `100 Continue` before it sends the body; hyper sends that at the first read.
    on_demand: bool,
}

impl Arriving {
    pub(crate) fn new(body: Body, headers: &HeaderMap) -> Arriving {
        Arriving { body: Some(body), on_demand: headers.contains_key(header::EXPECT) }
    }

    /// The body for an operation that streams it. It ends with an error when the client pauses for too long.
    pub(crate) fn stream(mut self) -> Body {
        match self.body.take() {
            Some(body) if !body.is_end_stream() => Paced::new(body).boxed_unsync(),
            Some(body) => body,
            None => full(Bytes::new()),
        }
    }

    /// Reads the whole body, within the share's bytes and the time that a body of its size may take.
    pub(crate) async fn collect(
        &mut self,
        share: &Share<'_>,
        declared: Option<u64>,
    ) -> Result<Collected, Refused> {
        if declared.is_some_and(|bytes| bytes > share.most as u64) {
            return Err(Refused::TooLarge(share.most));
        }
        let Some(body) = self.body.as_mut() else {
            return Err(Refused::Broken("it was read already".into()));
        };
        if body.is_end_stream() {
            return Ok(Collected { bytes: Bytes::new(), _held: None });
        }
        // Two limits of time: a client that sends one byte now and then never pauses for long, but would never finish either.
        let expected = declared.unwrap_or(share.most as u64);
        let end =
            Instant::now() + Duration::from_millis(limits::BODY_MS + expected / limits::BODY_BYTES_PER_MS);
        let mut whole = BytesMut::new();
        let mut held: Option<OwnedSemaphorePermit> = None;
        loop {
            let pause = Instant::now() + Duration::from_millis(limits::BODY_PAUSE_MS);
            let frame = timeout_at(end.min(pause), body.frame()).await.map_err(|_| Refused::TooSlow)?;
            let Some(frame) = frame else { break };
            let Ok(piece) = frame.map_err(Refused::Broken)?.into_data() else { continue };
            if whole.len() + piece.len() > share.most {
                return Err(Refused::TooLarge(share.most));
            }
            // By the bytes received, not by the declared length: a client could declare megabytes and send nothing.
            let permit = reserve(share.bytes, piece.len()).await?;
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Collected { bytes: whole.freeze(), _held: held })
    }
}

/// Waits until other requests release bytes, but not for long: the requests that wait hold bytes as well.
async fn reserve(budget: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
    let wait = Duration::from_millis(limits::BUDGET_WAIT_MS);
    let bytes = u32::try_from(bytes).map_err(|_| Refused::NoBudget)?;
    let permit = timeout(wait, Arc::clone(budget).acquire_many_owned(bytes)).await;
    permit.map_err(|_| Refused::NoBudget)?.map_err(|_| Refused::NoBudget)
}

impl Drop for Arriving {
    fn drop(&mut self) {
        static SLOTS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::DISCARDS)));
        // A client that waits for `100 Continue` has sent no byte yet, so there is nothing to discard.
        let unread = self.body.take().filter(|body| !self.on_demand && !body.is_end_stream());
        let Some(mut body) = unread else { return };
        // A body that announces too many bytes, or one too many at a time, is cut off.
        let announced = body.size_hint().lower();
        let slot = Arc::clone(&SLOTS).try_acquire_owned();
        let (Ok(slot), Ok(runtime)) = (slot, tokio::runtime::Handle::try_current()) else { return };
        if announced > limits::DISCARDED_BYTES as u64 {
            return;
        }
        let discard = async move {
            let mut left = limits::DISCARDED_BYTES;
            while let Some(Ok(frame)) = body.frame().await {
                match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(less) => left = less,
                    None => break,
                }
            }
            drop(slot);
        };
        runtime.spawn(timeout(Duration::from_millis(limits::DISCARD_MS), discard));
    }
}

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that may not pause for too long.
struct Paced {
    inner: Body,
    pause: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Paced {
    fn new(inner: Body) -> Paced {
        Paced { inner, pause: Box::pin(sleep(Duration::ZERO)), waiting: false }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(frame);
        }
        // The timer starts when the reader first waits: time that the reader itself takes is not the client's pause.
        if !self.waiting {
            self.waiting = true;
            let until = Instant::now() + Duration::from_millis(limits::STREAM_PAUSE_MS);
            self.pause.as_mut().reset(until);
        }
        ready!(self.pause.as_mut().poll(cx));
        let message = "The client sent nothing of the body for too long.";
        Poll::Ready(Some(Err(AwsError::new(ErrorKind::Invalid, "RequestTimeout", 400, message).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Removes the framing and checks hashes and signatures as the bytes pass. A fault is an [`AwsError`] in place of the
/// body's end, so the reader can still undo what it did with the bytes before.
pub(crate) fn verified(inner: Body, reader: BodyReader) -> Body {
    Verified { inner, reader: Some(reader), ready: VecDeque::new() }.boxed_unsync()
}

struct Verified {
    inner: Body,
    reader: Option<BodyReader>,
    ready: VecDeque<Bytes>,
}

impl HttpBody for Verified {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.reader.is_none() {
                return Poll::Ready(None);
            }
            let mut out = Vec::new();
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    let Some(reader) = self.reader.as_mut() else { return Poll::Ready(None) };
                    if let Err(error) = reader.feed(piece, &mut out) {
                        self.reader = None;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    self.ready.extend(out);
                }
                Some(Err(error)) => {
                    self.reader = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let Some(reader) = self.reader.take() else { return Poll::Ready(None) };
                    return match reader.finish() {
                        Ok(_) => Poll::Ready(None),
                        Err(error) => Poll::Ready(Some(Err(error.into()))),
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::StreamBody;

    fn pieces(pieces: Vec<&'static [u8]>, then: impl Future<Output = ()> + Send + 'static) -> Arriving {
        let frames = pieces.into_iter().map(|p| Ok::<_, Error>(Frame::data(Bytes::from_static(p))));
        let end = stream::once(then);
        let end = futures_util::StreamExt::map(end, |()| Ok(Frame::data(Bytes::new())));
        let all = futures_util::StreamExt::chain(stream::iter(frames.collect::<Vec<_>>()), end);
        Arriving::new(StreamBody::new(all).boxed_unsync(), &HeaderMap::new())
    }

    #[tokio::test(start_paused = true)]
    async fn collects_a_body_within_its_limits() {
        let budget = Budget::new();
        let mut whole = pieces(vec![b"ab", b"c"], async {});
        let collected = whole.collect(&budget.share(true, None), None).await.unwrap();
        assert_eq!(&collected.bytes[..], b"abc");
        let taken = limits::LARGE_BODIES_BYTES - budget.large.available_permits();
        assert_eq!(taken, 3, "held until it is dropped");
        drop(collected);
        assert_eq!(budget.large.available_permits(), limits::LARGE_BODIES_BYTES);

        let share = budget.share(false, None);
        let mut announced = pieces(vec![], async { panic!("it was read") });
        let refused = announced.collect(&share, Some(limits::ANONYMOUS_BODY_BYTES as u64 + 1)).await;
        assert!(matches!(refused, Err(Refused::TooLarge(_))));
        drop(announced.body.take());

        let mut longer = pieces(vec![&[0; limits::ANONYMOUS_BODY_BYTES], b"x"], async {});
        assert!(matches!(longer.collect(&share, None).await, Err(Refused::TooLarge(_))));

        let mut slow = pieces(vec![b"ab"], std::future::pending());
        assert!(matches!(slow.collect(&share, Some(3)).await, Err(Refused::TooSlow)));
        drop(slow.body.take());
        assert_eq!(budget.anonymous.available_permits(), limits::ANONYMOUS_BODIES_BYTES, "given back");

        let all = reserve(&budget.anonymous, limits::ANONYMOUS_BODIES_BYTES).await.unwrap();
        let mut late = pieces(vec![b"ab"], async {});
        assert!(matches!(late.collect(&share, None).await, Err(Refused::NoBudget)));
        drop(all);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_pause_only_for_a_limited_time() {
        let began = Instant::now();
        let pause = sleep(Duration::from_millis(limits::STREAM_PAUSE_MS - 1));
        assert!(pieces(vec![b"ab"], pause).stream().collect().await.is_ok());
        let ended = pieces(vec![b"ab"], std::future::pending()).stream().collect().await;
        assert!(ended.unwrap_err().to_string().contains("for too long"));
        assert!(began.elapsed() < Duration::from_millis(3 * limits::STREAM_PAUSE_MS));
    }
}
