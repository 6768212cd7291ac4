//! Finds the end of a chunked body (RFC 9112, 7.1); as strict as the grammar, except for extensions, which are skipped.

/// Longest chunk header with its extensions, and longest trailer line.
const LINE_BYTES: usize = 4096;
/// All trailers together.
const TRAILER_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Chunks {
    at: At,
    size: u64,
    digits: u8,
    line: usize,
    trailers: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum At {
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
}

impl Chunks {
    /// How much of `buf` belongs to this body, and whether it ends there.
    pub(crate) fn advance(&mut self, buf: &[u8]) -> Result<(usize, bool), &'static str> {
        let mut i = 0;
        while let Some(&byte) = buf.get(i) {
            if self.at == At::Data {
                let part = usize::try_from(self.size).map_or(buf.len() - i, |n| n.min(buf.len() - i));
                self.size -= part as u64;
                i += part;
                if self.size == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            i += 1;
            if self.byte(byte)? {
                return Ok((i, true));
            }
        }
        Ok((i, false))
    }

    fn byte(&mut self, byte: u8) -> Result<bool, &'static str> {
        self.at = match (self.at, byte) {
            (At::Size, b) if b.is_ascii_hexdigit() => {
                self.digits += 1;
                if self.digits > 15 {
                    return Err("a chunk's size is too large");
                }
                let digit = char::from(b).to_digit(16).unwrap_or(0);
                self.size = self.size * 16 + u64::from(digit);
                At::Size
            }
            (At::Size, b'\r') if self.digits > 0 => At::SizeLf,
            (At::Size, b';' | b' ' | b'\t') if self.digits > 0 => At::Extension,
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension, b) if b != b'\n' => {
                self.count_line()?;
                At::Extension
            }
            (At::SizeLf, b'\n') => {
                self.digits = 0;
                self.line = 0;
                if self.size == 0 { At::TrailerStart } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::TrailerStart, b'\r') => At::EndLf,
            (At::EndLf, b'\n') => return Ok(true),
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerStart | At::Trailer, b) if b != b'\n' => {
                self.count_line()?;
                self.trailers += 1;
                if self.trailers > TRAILER_BYTES {
                    return Err("the trailers are too long");
                }
                At::Trailer
            }
            (At::TrailerLf, b'\n') => {
                self.line = 0;
                At::TrailerStart
            }
            _ => return Err("a chunk is malformed"),
        };
        Ok(false)
    }

    fn count_line(&mut self) -> Result<(), &'static str> {
        self.line += 1;
        if self.line > LINE_BYTES { Err("a line of a chunked body is too long") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_end_of_a_chunked_body() {
        let whole = |s: &str| Chunks::default().advance(s.as_bytes());
        assert_eq!(whole("0\r\n\r\nGET"), Ok((5, true)));
        assert_eq!(whole("3\r\nabc\r\n0\r\n\r\n"), Ok((13, true)));
        assert_eq!(whole("3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nX"), Ok((23, true)));
        assert_eq!(whole("3\r\nab"), Ok((5, false)));
        for bad in [
            "\r\n",
            "x\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "0x3\r\n",
            "-1\r\n",
            "fffffffffffffffff\r\n",
            "3\r\nabc\n",
        ] {
            assert!(whole(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// However the bytes are split, the end is found at the same place.
        #[test]
        fn cuts_do_not_matter(cut in 0usize..30) {
            let all = b"5\r\nhello\r\n3;e\r\nabc\r\n0\r\nA: b\r\n\r\n";
            let mut chunks = Chunks::default();
            let cut = cut.min(all.len() - 1);
            prop_assert_eq!(chunks.advance(&all[..cut]), Ok((cut, false)));
            prop_assert_eq!(chunks.advance(&all[cut..]), Ok((all.len() - cut, true)));
        }
    }
}
