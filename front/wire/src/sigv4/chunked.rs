//! The framing `aws-chunked`: `size[;chunk-signature=…]\r\n data \r\n … 0[;…]\r\n trailer \r\n`, as a state machine
//! that accepts pieces of any size.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use super::{EMPTY_SHA256, Key, hmac, sha256_hex};
use bytes::{Buf, Bytes};
use escale_base::{AwsError, ErrorKind, limits};
use hmac::Mac;
use sha2::{Digest, Sha256};

/// The chain of chunk signatures: each covers the one before.
#[derive(Clone)]
pub struct Signing {
    key: Key,
    amz_date: String,
    scope: String,
    previous: String,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Signing {
    /// `previous` is the signature of the head, the seed of the chain.
    pub(super) fn new(key: Key, amz_date: String, scope: String, previous: String) -> Signing {
        Signing { key, amz_date, scope, previous }
    }

    fn check(&mut self, kind: &str, hashes: &str, given: &str) -> Result<(), AwsError> {
        let Signing { amz_date, scope, previous, .. } = &*self;
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{amz_date}\n{scope}\n{previous}\n{hashes}");
        // A signature that is not hex becomes empty, which never matches. `verify_slice` compares in constant time.
        let bytes = hex::decode(given).unwrap_or_default();
        hmac(&self.key, &text).verify_slice(&bytes).map_err(|_| mismatch())?;
        given.clone_into(&mut self.previous);
        Ok(())
    }
}

enum State {
    /// In a chunk's header line.
    Header,
    /// In a chunk's data, with this many bytes left.
    Data(u64),
    /// In the line end after a chunk's data.
    DataEnd,
    /// In the lines after the last chunk.
    Trailer,
    Done,
}

pub(super) struct Chunks {
    state: State,
    /// The received part of an incomplete line.
    line: Vec<u8>,
    signing: Option<Signing>,
    /// The hash of the current chunk, if chunks are signed.
    chunk_hash: Sha256,
    chunk_signature: String,
    trailer_allowed: bool,
    trailers: Vec<(String, String)>,
    trailer_signed: bool,
    trailer_bytes: usize,
}

impl Chunks {
    pub(super) fn new(signing: Option<Signing>, trailer_allowed: bool) -> Chunks {
        Chunks {
            state: State::Header,
            line: Vec::new(),
            signing,
            chunk_hash: Sha256::new(),
            chunk_signature: String::new(),
            trailer_allowed,
            trailers: Vec::new(),
            trailer_signed: false,
            trailer_bytes: 0,
        }
    }

    pub(super) fn feed(&mut self, mut piece: Bytes, out: &mut Vec<Bytes>) -> Result<(), AwsError> {
        while piece.has_remaining() {
            match self.state {
                State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                    let data = piece.split_to(take);
                    if self.signing.is_some() {
                        self.chunk_hash.update(&data);
                    }
                    out.push(data);
                    let left = left - take as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                }
                State::Done => return Err(malformed("bytes follow the end of the last chunk")),
                _ => {
                    let Some(line) = self.take_line(&mut piece)? else { return Ok(()) };
                    self.line_done(&line)?;
                }
            }
        }
        Ok(())
    }

    /// Takes bytes from `piece` up to and including the next line end; `None` if that has not arrived yet.
    fn take_line(&mut self, piece: &mut Bytes) -> Result<Option<String>, AwsError> {
        while piece.has_remaining() {
            let byte = piece.get_u8();
            self.line.push(byte);
            if self.line.ends_with(b"\r\n") {
                let mut line = std::mem::take(&mut self.line);
                line.truncate(line.len() - 2);
                let line = String::from_utf8(line).map_err(|_| malformed("a chunk header is not text"))?;
                return Ok(Some(line));
            }
            if self.line.len() > limits::CHUNK_LINE_BYTES {
                return Err(malformed("a chunk header is too long"));
            }
        }
        Ok(None)
    }

    fn line_done(&mut self, line: &str) -> Result<(), AwsError> {
        match self.state {
            State::Header => self.header_done(line),
            State::DataEnd if line.is_empty() => {
                self.chunk_done()?;
                self.state = State::Header;
                Ok(())
            }
            State::DataEnd => Err(malformed("a chunk is longer than its header says")),
            State::Trailer => self.trailer_line(line),
            State::Data(_) | State::Done => Ok(()),
        }
    }

    fn header_done(&mut self, line: &str) -> Result<(), AwsError> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        // `from_str_radix` alone would accept a sign.
        let digits = !size.is_empty() && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| digits);
        let size = size.ok_or_else(|| malformed(&format!("{line:?} is not a chunk header")))?;
        if self.signing.is_some() {
            let signature = extension.strip_prefix("chunk-signature=").ok_or_else(mismatch)?;
            signature.clone_into(&mut self.chunk_signature);
        }
        if size > 0 {
            self.state = State::Data(size);
            return Ok(());
        }
        // The last chunk has no data and no line end of its own, but a signature like all others.
        self.chunk_done()?;
        self.state = State::Trailer;
        Ok(())
    }

    fn chunk_done(&mut self) -> Result<(), AwsError> {
        let Some(signing) = &mut self.signing else { return Ok(()) };
        let hash = hex::encode(self.chunk_hash.finalize_reset());
        signing.check("PAYLOAD", &format!("{EMPTY_SHA256}\n{hash}"), &self.chunk_signature)
    }

    fn trailer_line(&mut self, line: &str) -> Result<(), AwsError> {
        if line.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        self.trailer_bytes += line.len();
        if self.trailer_bytes > limits::CHUNK_LINE_BYTES {
            return Err(bad_trailer("it is too long"));
        }
        if !self.trailer_allowed {
            return Err(bad_trailer("x-amz-content-sha256 does not announce a trailer"));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad_trailer("a line has no colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if self.trailer_signed {
            return Err(bad_trailer("there are lines after its signature"));
        }
        if name != "x-amz-trailer-signature" {
            self.trailers.push((name, value));
            return Ok(());
        }
        let lines: String = self.trailers.iter().map(|(k, v)| format!("{k}:{v}\n")).collect();
        if let Some(signing) = &mut self.signing {
            signing.check("TRAILER", &sha256_hex(lines.as_bytes()), &value)?;
        }
        self.trailer_signed = true;
        Ok(())
    }

    /// The trailer's lines.
    pub(super) fn finish(self) -> Result<Vec<(String, String)>, AwsError> {
        if !matches!(self.state, State::Done) {
            let message = "The body ends before its last chunk does.";
            return Err(AwsError::new(ErrorKind::Invalid, "IncompleteBody", 400, message));
        }
        // An unsigned trailer could be removed or inserted on the way, so it must be signed if the chunks are.
        if self.signing.is_some() && self.trailer_allowed && !self.trailer_signed {
            return Err(mismatch());
        }
        Ok(self.trailers)
    }
}

fn malformed(what: &str) -> AwsError {
    AwsError::new(
        ErrorKind::Invalid,
        "InvalidChunkSizeError",
        400,
        format!("The body's aws-chunked framing is malformed: {what}"),
    )
}

fn bad_trailer(what: &str) -> AwsError {
    AwsError::new(
        ErrorKind::Invalid,
        "MalformedTrailerError",
        400,
        format!("The request's trailer is malformed: {what}"),
    )
}

fn mismatch() -> AwsError {
    let message = "The chunk or request signature we calculated does not match the signature you provided. Check your \
                   AWS Secret Access Key and signing method.";
    AwsError::new(ErrorKind::Denied, "SignatureDoesNotMatch", 403, message)
}
