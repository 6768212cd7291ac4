//! For `tests/fuzz`: the ends of requests as the guard finds them.

use crate::{
    chunked::Chunks,
    head::{Framing, Head, examine, has_news},
};

/// The requests on a connection that sends these bytes in pieces of this size, until it is refused, ends or asks for an upgrade.
pub fn requests(bytes: &[u8], piece: usize) -> Vec<String> {
    let (mut seen, mut buf, mut pieces) = (Vec::new(), Vec::new(), bytes.chunks(piece.max(1)));
    let mut examined = 0;
    loop {
        let found = if examined > 0 && !has_news(&buf, examined) { Ok(None) } else { examine(&buf) };
        match found {
            Ok(None) => {
                examined = buf.len();
                let Some(more) = pieces.next() else {
                    // A wrong byte in an unfinished line is found when the line ends or grows too long, which does not happen here.
                    if examine(&buf).is_err() {
                        seen.push("refused".to_owned());
                    }
                    return seen;
                };
                buf.extend_from_slice(more);
            }
            Ok(Some(Head { len: length, framing, .. })) => {
                examined = 0;
                seen.push(format!("head of {length} bytes, {framing:?}"));
                buf.drain(..length);
                let whole = match framing {
                    Framing::Sized(size) => sized(size, &mut buf, &mut pieces),
                    Framing::Chunked => chunked(&mut buf, &mut pieces, &mut seen),
                    Framing::Upgrade => false,
                };
                if !whole {
                    return seen;
                }
            }
            // The status depends on which fault is found first.
            Err(_) => {
                seen.push("refused".to_owned());
                return seen;
            }
        }
    }
}

/// Whether the body was complete.
fn sized<'a>(size: u64, buf: &mut Vec<u8>, pieces: &mut impl Iterator<Item = &'a [u8]>) -> bool {
    let mut left = size;
    loop {
        let part = usize::try_from(left).map_or(buf.len(), |n| n.min(buf.len()));
        buf.drain(..part);
        left -= part as u64;
        if left == 0 {
            return true;
        }
        let Some(more) = pieces.next() else { return false };
        buf.extend_from_slice(more);
    }
}

fn chunked<'a>(
    buf: &mut Vec<u8>,
    pieces: &mut impl Iterator<Item = &'a [u8]>,
    seen: &mut Vec<String>,
) -> bool {
    let mut chunks = Chunks::default();
    loop {
        match chunks.advance(buf) {
            Ok((part, end)) => {
                buf.drain(..part);
                if end {
                    seen.push("end of chunks".to_owned());
                    return true;
                }
            }
            Err(_) => {
                seen.push("bad chunk".to_owned());
                return false;
            }
        }
        let Some(more) = pieces.next() else { return false };
        buf.extend_from_slice(more);
    }
}
