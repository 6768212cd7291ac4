//! The body of an answer while it arrives.

use super::{Wire, chunks::Decoder, chunks::Piece};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    io,
    task::{Context, Poll, ready},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is still to come.
#[derive(Debug)]
pub(super) enum Left {
    Nothing,
    Bytes(u64),
    Chunks(Decoder),
    /// Up to the end of the connection.
    UntilEnd,
}

pub(crate) struct Arriving {
    wire: Wire,
    left: Left,
    keeps: bool,
    error: Option<BoxError>,
}

impl Arriving {
    pub(super) fn new(wire: Wire, left: Left, keeps: bool) -> Arriving {
        Arriving { wire, left, keeps, error: None }
    }

    /// Everything was read.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// The connection, if it can be used again.
    pub(crate) fn into_wire(self) -> Option<Wire> {
        let is_reusable = self.is_end() && self.keeps;
        Some(self.wire).filter(|_| is_reusable)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Nothing => SizeHint::with_exact(0),
            Left::Bytes(length) => SizeHint::with_exact(length),
            Left::Chunks(_) | Left::UntilEnd => SizeHint::default(),
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll(cx) {
            Poll::Ready(Some(Err(error))) => {
                // The connection is at an unknown place of the answer.
                self.keeps = false;
                // One poll later: the server gives up at an error, and must have sent what arrived before.
                self.error = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let expected = match &mut self.left {
                Left::Nothing => return Poll::Ready(None),
                Left::Bytes(length) if !self.wire.rest.is_empty() => {
                    let part = usize::try_from(*length)
                        .map_or(self.wire.rest.len(), |n| n.min(self.wire.rest.len()));
                    *length -= part as u64;
                    if *length == 0 {
                        self.left = Left::Nothing;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(self.wire.rest.split_to(part)))));
                }
                Left::UntilEnd if !self.wire.rest.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.wire.rest)))));
                }
                Left::Chunks(decoder) => match decoder.next(&mut self.wire.rest) {
                    Err(why) => return Poll::Ready(Some(Err(why.into()))),
                    Ok(Piece::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Ok(Piece::End(trailers)) => {
                        self.left = Left::Nothing;
                        return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                    }
                    Ok(Piece::Incomplete) => decoder.expected(),
                },
                Left::Bytes(length) => *length,
                Left::UntilEnd => u64::MAX,
            };
            if ready!(self.wire.fill(cx, expected))? == 0 {
                if matches!(self.left, Left::UntilEnd) {
                    self.left = Left::Nothing;
                    return Poll::Ready(None);
                }
                return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())));
            }
        }
    }
}
