//! Bodies on their way in: verified while they stream, or collected within a limit.

use bytes::{Bytes, BytesMut};
use escale_base::AwsError;
use escale_service::Body;
use escale_wire::sigv4::BodyReader;
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whole, and at most `limit` bytes.
pub(crate) async fn collect(mut body: Body, limit: usize) -> Result<Bytes, AwsError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            AwsError::new("IncompleteBody", 400, format!("The request's body could not be read: {error}"))
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > limit {
            let message = format!("The request's body is larger than {limit} bytes");
            return Err(AwsError::new("RequestEntityTooLarge", 413, message));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Takes off the framing and checks hashes and signatures as the bytes pass. A fault comes out as an [`AwsError`]
/// in place of the end, so that whoever reads can still undo.
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
