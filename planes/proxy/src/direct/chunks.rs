//! Decodes a chunked body (RFC 9112, 7.1).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Longest line: a chunk's size with its extensions, or a trailer.
const LINE_BYTES: usize = 4096;
const TRAILERS: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Decoder {
    at: At,
    trailers: HeaderMap,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

pub(super) enum Piece {
    Data(Bytes),
    End(Option<HeaderMap>),
    /// More bytes must be added to those that are left.
    Incomplete,
}

impl Decoder {
    /// Takes the next piece from the front of `bytes`.
    pub(super) fn next(&mut self, bytes: &mut Bytes) -> Result<Piece, &'static str> {
        loop {
            if let At::Data(length) = &mut self.at {
                if bytes.is_empty() {
                    return Ok(Piece::Incomplete);
                }
                let part = usize::try_from(*length).map_or(bytes.len(), |n| n.min(bytes.len()));
                *length -= part as u64;
                if *length == 0 {
                    self.at = At::DataEnd;
                }
                return Ok(Piece::Data(bytes.split_to(part)));
            }
            let Some(line) = line(bytes)? else { return Ok(Piece::Incomplete) };
            match self.at {
                At::Size => {
                    let length = size(&line)?;
                    self.at = if length == 0 { At::Trailers } else { At::Data(length) };
                }
                At::DataEnd if line.is_empty() => self.at = At::Size,
                At::DataEnd | At::Data(_) => return Err("a chunk is longer than its size"),
                At::Trailers if line.is_empty() => {
                    let trailers = std::mem::take(&mut self.trailers);
                    return Ok(Piece::End(Some(trailers).filter(|t| !t.is_empty())));
                }
                At::Trailers => self.trailer(&line)?,
            }
        }
    }

    /// At least as many bytes of the body follow.
    pub(super) fn expected(&self) -> u64 {
        match self.at {
            At::Data(length) => length,
            At::Size | At::DataEnd | At::Trailers => 0,
        }
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let colon = line.iter().position(|&b| b == b':').ok_or("a trailer has no name")?;
        let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| "a trailer has no valid name")?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if self.trailers.len() >= TRAILERS {
            return Err("there are too many trailers");
        }
        self.trailers.append(name, value.map_err(|_| "a trailer has no valid value")?);
        Ok(())
    }
}

/// The next line, without its end.
fn line(bytes: &mut Bytes) -> Result<Option<Bytes>, &'static str> {
    let end = bytes.iter().take(LINE_BYTES).position(|&b| b == b'\n');
    let Some(end) = end else {
        return if bytes.len() >= LINE_BYTES { Err("a line between chunks is too long") } else { Ok(None) };
    };
    let line = bytes.split_to(end + 1);
    line.strip_suffix(b"\r\n").map(|text| Some(line.slice_ref(text))).ok_or("a line does not end with CRLF")
}

fn size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line.split(|&b| b == b';').next().unwrap_or_default().trim_ascii_end();
    let is_number = (1..16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number);
    text.and_then(|t| u64::from_str_radix(t, 16).ok()).ok_or("a chunk has no valid size")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes pieces of this size.
    fn decode(text: &str, step: usize) -> Result<(String, String), &'static str> {
        let (mut decoder, mut body, mut rest) = (Decoder::default(), Vec::new(), Bytes::new());
        for part in text.as_bytes().chunks(step) {
            rest = [&rest, part].concat().into();
            loop {
                match decoder.next(&mut rest)? {
                    Piece::Data(bytes) => body.extend_from_slice(&bytes),
                    Piece::Incomplete => break,
                    Piece::End(trailers) => {
                        let shown = format!("{} after {trailers:?}", rest.len());
                        return Ok((String::from_utf8(body).unwrap(), shown));
                    }
                }
            }
        }
        Err("incomplete")
    }

    #[test]
    fn pieces_of_any_size_give_the_same_body() {
        let text = "5;x=y\r\nhello\r\n00a \r\n, world!!!\r\n0\r\nX-Sum: 1\r\n\r\n";
        for step in 1..text.len() {
            let (body, end) = decode(text, step).unwrap();
            assert_eq!(
                (body.as_str(), end.as_str()),
                ("hello, world!!!", "0 after Some({\"x-sum\": \"1\"})")
            );
        }
        assert_eq!(decode("0\r\n\r\n", 1).unwrap(), (String::new(), "0 after None".to_owned()));
    }

    #[test]
    fn malformed_chunks_are_errors() {
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "5\nhello",
            "5\r\nhelloo\r\n",
            "1234567890abcdef0\r\n",
            "0\r\nx\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0\r\n: x\r\n\r\n",
        ] {
            assert!(decode(text, 3).is_err_and(|why| why != "incomplete"), "{text:?}");
        }
        assert_eq!(decode("5\r\nhel", 3), Err("incomplete"));
        assert!(decode(&"1;".repeat(3000), 100).is_err_and(|why| why.contains("too long")));
    }
}
