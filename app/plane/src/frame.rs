//! Messages on a stream: four bytes of length, then JSON.

use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest message is all records of all zones.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The next message; `None` if the other side has closed the stream between two messages.
pub(crate) async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let length = match from.read_u32().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > MOST_BYTES {
        return Err(io::Error::other(format!(
            "a message of {length} bytes; at most {MOST_BYTES} are accepted"
        )));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

pub(crate) async fn write(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    // One write, so that no small packet precedes each message.
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > MOST_BYTES {
        return Err(io::Error::other(format!("a message of {length} bytes; at most {MOST_BYTES} are sent")));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    to.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_arrive_whole_or_as_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &vec!["a", "b"]).await.unwrap();
        write(&mut bytes, &vec![""; 0]).await.unwrap();
        let mut from = bytes.as_slice();
        assert_eq!(read::<Vec<String>>(&mut from).await.unwrap().unwrap(), ["a", "b"]);
        assert_eq!(read::<Vec<String>>(&mut from).await.unwrap().unwrap(), [""; 0]);
        assert_eq!(read::<Vec<String>>(&mut from).await.unwrap(), None);
        for broken in [&bytes[..7], &[255, 255, 255, 255, 1], &[0, 0, 0, 2, b'{', b'x']] {
            assert!(read::<Vec<String>>(&mut &broken[..]).await.is_err(), "{broken:?}");
        }
    }
}
