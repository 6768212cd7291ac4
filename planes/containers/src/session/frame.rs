//! Messages on a session's socket: one byte for the kind, four for the length (big endian), then the payload.

use crate::limits;
use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// From the client: a `SessionSpec`, the first message.
    Begin = 1,
    /// From the client: bytes for standard input.
    Input = 2,
    /// From the client: standard input has ended.
    InputEnd = 3,
    /// From the client: the new `TerminalSize`.
    Resize = 4,
    /// The command runs.
    Started = 16,
    /// The command could not be started: the reason as text. The last message.
    Failed = 17,
    Output = 18,
    Error = 19,
    /// The exit code as JSON. The last message.
    Ended = 20,
}

impl Kind {
    fn of(byte: u8) -> io::Result<Kind> {
        use Kind::*;
        let all = [Begin, Input, InputEnd, Resize, Started, Failed, Output, Error, Ended];
        let found = all.into_iter().find(|kind| *kind as u8 == byte);
        found.ok_or_else(|| io::Error::other(format!("{byte} is not a kind of message")))
    }
}

const HEAD: usize = 5;

/// A message as bytes. The payload must not exceed [`limits::SESSION_MESSAGE_BYTES`].
pub(super) fn encode(kind: Kind, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), kind: Kind, payload: &[u8]) -> io::Result<()> {
    to.write_all(&encode(kind, payload)?).await
}

pub(super) async fn send_json(
    to: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    value: &impl Serialize,
) -> io::Result<()> {
    send(to, kind, &serde_json::to_vec(value)?).await
}

pub(super) fn json<T: DeserializeOwned>(payload: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(payload)?)
}

/// Reads messages. No byte is lost when a `next` is cancelled.
pub(super) struct Reader<R> {
    from: R,
    held: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(from: R) -> Reader<R> {
        Reader { from, held: Vec::new() }
    }

    /// The next message; `None` when the other side has closed the connection.
    pub(super) async fn next(&mut self) -> io::Result<Option<(Kind, Vec<u8>)>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if self.from.read_buf(&mut self.held).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<(Kind, Vec<u8>)>> {
        let Some((head, rest)) = self.held.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [kind, a, b, c, d] = *head;
        let (kind, length) = (Kind::of(kind)?, u32::from_be_bytes([a, b, c, d]) as usize);
        if length > limits::SESSION_MESSAGE_BYTES {
            return Err(io::Error::other(format!("a message of {length} bytes is too long")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let payload = rest[..length].to_vec();
        self.held.drain(..HEAD + length);
        Ok(Some((kind, payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_arrive_whole_and_in_order() {
        let mut bytes = encode(Kind::Input, b"one").unwrap();
        bytes.extend(encode(Kind::InputEnd, b"").unwrap());
        // One byte at a time, as a slow connection may deliver them.
        let (mut writer, reader) = tokio::io::duplex(1);
        tokio::spawn(async move { writer.write_all(&bytes).await });
        let mut reader = Reader::new(reader);
        assert_eq!(reader.next().await.unwrap(), Some((Kind::Input, b"one".to_vec())));
        assert_eq!(reader.next().await.unwrap(), Some((Kind::InputEnd, vec![])));
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn unknown_and_long_messages_are_refused() {
        for (bytes, says) in [(&[99, 0, 0, 0, 0][..], "99 is not a kind"), (&[2, 255, 0, 0, 0], "too long")] {
            let error = Reader::new(bytes).next().await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
