//! Reads a request's body: removes its framing and checks hash, length, signatures and checksums while it passes. Only a
//! chunk's header is buffered, so a body may have any size.

use super::chunked::{Chunks, Signing};
use super::{Claim, Key, UNSIGNED};
use crate::checksum::{Algorithm, Hasher};
use crate::head::header;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use escale_base::{AwsError, ErrorKind};
use http::{HeaderMap, request::Parts};
use md5::{Digest, Md5};
use sha2::Sha256;

/// What the head declares about the body.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Nothing more to check: the signature was verified with the body, or there is no signature.
    Settled,
    /// Its SHA-256.
    Hash([u8; 32]),
    /// `UNSIGNED-PAYLOAD`: only checksums protect the body.
    Unsigned,
    /// `aws-chunked` framing, with or without a signature for each chunk.
    Chunked { signing: Option<Signing>, trailer: bool },
}

/// The properties of a complete body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyEnd {
    /// Bytes without framing.
    pub size_bytes: u64,
    /// The checksums that the client sent, in headers or trailer; all match.
    pub checksums: Vec<(Algorithm, String)>,
}

/// Reads a body piece by piece. It returns bytes before the whole body is verified: on an error from [`BodyReader::feed`] or
/// [`BodyReader::finish`], the caller must discard them.
pub struct BodyReader {
    chunks: Option<Chunks>,
    declared_hash: Option<([u8; 32], Sha256)>,
    content_md5: Option<(Vec<u8>, Md5)>,
    hashers: Vec<(Hasher, Option<String>)>,
    /// `x-amz-decoded-content-length`
    declared_size: Option<u64>,
    size_bytes: u64,
}

/// Interprets the declared payload hash, which may also be a keyword.
pub(super) fn payload(
    parts: &Parts,
    claim: &Claim,
    declared: &str,
    key: Key,
    body_seen: bool,
) -> Result<Payload, AwsError> {
    let signing = || Signing::new(key, claim.amz_date.clone(), claim.scope(), claim.signature.clone());
    Ok(match declared {
        UNSIGNED => Payload::Unsigned,
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Payload::Chunked { signing: Some(signing()), trailer: false },
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
            Payload::Chunked { signing: Some(signing()), trailer: true }
        }
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Payload::Chunked { signing: None, trailer: true },
        hash => {
            let mut bytes = [0; 32];
            if hex::decode_to_slice(hash, &mut bytes).is_err() {
                let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                               STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a \
                               valid sha256 value.";
                let error = AwsError::new(ErrorKind::Invalid, "InvalidArgument", 400, message);
                return Err(error.with("ArgumentName", "x-amz-content-sha256").with("ArgumentValue", hash));
            }
            // A hash that was computed from the body itself needs no second check; one that the client declared does.
            let declared_in_head = parts.headers.contains_key("x-amz-content-sha256");
            if body_seen && !declared_in_head { Payload::Settled } else { Payload::Hash(bytes) }
        }
    })
}

impl Payload {
    /// The payload of an unsigned request.
    pub fn anonymous(headers: &HeaderMap) -> Payload {
        let framed = header(headers, "content-encoding").is_some_and(|e| e.contains("aws-chunked"));
        if framed { Payload::Chunked { signing: None, trailer: true } } else { Payload::Settled }
    }
}

impl BodyReader {
    pub fn new(payload: &Payload, headers: &HeaderMap) -> Result<BodyReader, AwsError> {
        let mut hashers = Vec::new();
        for algorithm in crate::checksum::ALGORITHMS {
            if let Some(value) = header(headers, algorithm.header()) {
                hashers.push((Hasher::new(algorithm), Some(value.to_owned())));
            }
        }
        let chunks = match payload {
            Payload::Chunked { signing, trailer } => {
                let announced = header(headers, "x-amz-trailer").unwrap_or("");
                for name in announced.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                    let algorithm = Algorithm::from_header(name).ok_or_else(|| {
                        let message = format!(
                            "The value specified in the x-amz-trailer header is not supported: {name}"
                        );
                        AwsError::new(ErrorKind::Invalid, "InvalidRequest", 400, message)
                    })?;
                    hashers.push((Hasher::new(algorithm), None));
                }
                Some(Chunks::new(signing.clone(), *trailer))
            }
            _ => None,
        };
        let declared_size = match (&chunks, header(headers, "x-amz-decoded-content-length")) {
            (Some(_), Some(text)) => Some(text.parse().map_err(|_| {
                AwsError::new(
                    ErrorKind::Invalid,
                    "InvalidArgument",
                    400,
                    "x-amz-decoded-content-length must be a number",
                )
            })?),
            (Some(_), None) => {
                let message = "You must provide the x-amz-decoded-content-length HTTP header.";
                return Err(AwsError::new(ErrorKind::Invalid, "MissingContentLength", 411, message));
            }
            (None, _) => None,
        };
        Ok(BodyReader {
            chunks,
            declared_hash: match payload {
                Payload::Hash(hash) => Some((*hash, Sha256::default())),
                _ => None,
            },
            content_md5: content_md5(headers)?,
            hashers,
            declared_size,
            size_bytes: 0,
        })
    }

    /// Reads the next piece and appends its part of the body to `out`.
    pub fn feed(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<(), AwsError> {
        let before = out.len();
        match &mut self.chunks {
            Some(chunks) => chunks.feed(piece, out)?,
            None if piece.is_empty() => {}
            None => out.push(piece),
        }
        for bytes in &out[before..] {
            self.size_bytes += bytes.len() as u64;
            if let Some((_, sha)) = &mut self.declared_hash {
                sha.update(bytes);
            }
            if let Some((_, md5)) = &mut self.content_md5 {
                md5.update(bytes);
            }
            for (hasher, _) in &mut self.hashers {
                hasher.update(bytes);
            }
        }
        // Checked now, not at the end: a client could send much more than it declared.
        match self.declared_size {
            Some(declared) if self.size_bytes > declared => Err(incomplete()),
            _ => Ok(()),
        }
    }

    /// Ends the body and checks its length, hashes and trailer.
    pub fn finish(self) -> Result<BodyEnd, AwsError> {
        let trailers = self.chunks.map(Chunks::finish).transpose()?.unwrap_or_default();
        if self.declared_size.is_some_and(|declared| declared != self.size_bytes) {
            return Err(incomplete());
        }
        if let Some((declared, sha)) = self.declared_hash {
            let computed: [u8; 32] = sha.finalize().into();
            if computed != declared {
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                let error = AwsError::new(ErrorKind::Invalid, "XAmzContentSHA256Mismatch", 400, message);
                let error = error.with("ClientComputedContentSHA256", hex::encode(declared));
                return Err(error.with("S3ComputedContentSHA256", hex::encode(computed)));
            }
        }
        if let Some((declared, md5)) = self.content_md5
            && md5.finalize().as_slice() != declared
        {
            return Err(AwsError::new(
                ErrorKind::Invalid,
                "BadDigest",
                400,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let mut checksums = Vec::new();
        for (hasher, declared) in self.hashers {
            let algorithm = hasher.algorithm();
            let in_trailer =
                || trailers.iter().find(|(k, _)| k == algorithm.header()).map(|(_, v)| v.clone());
            let Some(declared) = declared.or_else(in_trailer) else {
                let message = format!("The trailer lacks the announced {}", algorithm.header());
                return Err(AwsError::new(ErrorKind::Invalid, "MalformedTrailerError", 400, message));
            };
            let computed = hasher.finish();
            if computed != declared {
                let message =
                    format!("The {} you specified did not match the calculated checksum.", algorithm.name());
                return Err(AwsError::new(ErrorKind::Invalid, "BadDigest", 400, message));
            }
            checksums.push((algorithm, computed));
        }
        Ok(BodyEnd { size_bytes: self.size_bytes, checksums })
    }

    /// Reads a body that is already in memory.
    pub fn read_all(
        payload: &Payload,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(Bytes, BodyEnd), AwsError> {
        let mut reader = BodyReader::new(payload, headers)?;
        let mut pieces = Vec::new();
        reader.feed(body, &mut pieces)?;
        let end = reader.finish()?;
        // A body without framing is one piece and needs no copy.
        let body = match pieces.len() {
            1 => pieces.remove(0),
            _ => Bytes::from(pieces.concat()),
        };
        Ok((body, end))
    }
}

fn incomplete() -> AwsError {
    let message =
        "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header";
    AwsError::new(ErrorKind::Invalid, "IncompleteBody", 400, message)
}

fn content_md5(headers: &HeaderMap) -> Result<Option<(Vec<u8>, Md5)>, AwsError> {
    let Some(text) = header(headers, "content-md5") else { return Ok(None) };
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 16 => Ok(Some((bytes, Md5::default()))),
        _ => Err(AwsError::new(
            ErrorKind::Invalid,
            "InvalidDigest",
            400,
            "The Content-MD5 you specified was invalid.",
        )),
    }
}
