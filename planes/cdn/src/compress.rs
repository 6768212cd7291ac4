//! Compression of answers before they are cached: gzip and brotli.

use crate::spec::Encodings;
use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use std::io::{self, Write};

/// Shorter bodies gain less than the overhead; longer ones take too long while a viewer waits.
const LENGTHS: std::ops::RangeInclusive<u64> = 1_000..=10_000_000;
const TYPES: [&str; 14] = [
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/rss+xml",
    "application/wasm",
    "application/x-javascript",
    "application/xhtml+xml",
    "application/xml",
    "application/vnd.api+json",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "image/x-icon",
];

/// A good ratio at the speed of a web server (0 to 11).
const BROTLI_QUALITY: u32 = 5;
/// The window, as a power of two: larger than most answers.
const BROTLI_WINDOW: u32 = 20;
const BUFFER_BYTES: usize = 4096;

/// The encodings that a viewer accepts, among those of the behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Accepted {
    gzip: bool,
    brotli: bool,
}

impl Accepted {
    pub(crate) fn of(headers: &HeaderMap, offered: Encodings) -> Accepted {
        Accepted {
            gzip: offered.gzip && accepts(headers, "gzip"),
            brotli: offered.brotli && accepts(headers, "br"),
        }
    }

    /// Accept-Encoding, in one form for all viewers that accept the same.
    pub(crate) fn header(self) -> Option<&'static str> {
        match (self.brotli, self.gzip) {
            (true, true) => Some("br,gzip"),
            (true, false) => Some("br"),
            (false, true) => Some("gzip"),
            (false, false) => None,
        }
    }
}

pub(crate) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder, if compressing an answer with these headers is worthwhile; also adapts the headers.
    pub(crate) fn for_answer(accepted: Accepted, status: u16, headers: &mut HeaderMap) -> Option<Encoder> {
        let name = if accepted.brotli { "br" } else { "gzip" };
        if !(accepted.brotli || accepted.gzip) || status != 200 || !is_worthwhile(headers) {
            return None;
        }
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        // A strong ETag would claim that the compressed bytes equal the original ones.
        let weak = headers.get(header::ETAG).and_then(|v| v.to_str().ok()).filter(|t| !t.starts_with("W/"));
        if let Some(weak) = weak.and_then(|t| HeaderValue::try_from(format!("W/{t}")).ok()) {
            headers.insert(header::ETAG, weak);
        }
        Some(if accepted.brotli {
            let writer = CompressorWriter::new(Vec::new(), BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW);
            Encoder::Brotli(Box::new(writer))
        } else {
            Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::new(6)))
        })
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        let out = match self {
            Encoder::Gzip(gzip) => {
                gzip.write_all(bytes)?;
                gzip.get_mut()
            }
            Encoder::Brotli(brotli) => {
                brotli.write_all(bytes)?;
                brotli.get_mut()
            }
        };
        Ok(std::mem::take(out).into())
    }

    pub(crate) fn finish(self) -> io::Result<Bytes> {
        match self {
            Encoder::Gzip(gzip) => gzip.finish().map(Bytes::from),
            Encoder::Brotli(brotli) => Ok(brotli.into_inner().into()),
        }
    }
}

fn is_worthwhile(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let kind = text(header::CONTENT_TYPE).and_then(|v| v.split(';').next());
    let kind = kind.map(|kind| kind.trim().to_ascii_lowercase());
    let length = text(header::CONTENT_LENGTH).and_then(|v| v.parse::<u64>().ok());
    kind.is_some_and(|kind| kind.starts_with("text/") || TYPES.contains(&kind.as_str()))
        && length.is_some_and(|length| LENGTHS.contains(&length))
        && !text(header::CACHE_CONTROL).is_some_and(|v| v.contains("no-transform"))
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Whether Accept-Encoding accepts this encoding.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    let codings = lines.flat_map(|l| l.split(',')).filter_map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>() == Ok(0.0));
        let name = name.trim();
        (name.eq_ignore_ascii_case(encoding) || name == "*").then_some((name != "*", !refused))
    });
    // A coding that is named takes precedence over `*` (RFC 9110, 12.5.3).
    codings.max_by_key(|(named, _)| *named).is_some_and(|(_, accepted)| accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn accepted(value: &str) -> Option<&'static str> {
        let headers = [(header::ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect();
        Accepted::of(&headers, Encodings { gzip: true, brotli: true }).header()
    }

    #[test]
    fn recognizes_the_encodings_that_clients_accept() {
        for (value, expected) in [
            ("gzip, br", Some("br,gzip")),
            ("br;q=1, gzip;q=0.5", Some("br,gzip")),
            ("*", Some("br,gzip")),
            ("*, br;q=0", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("br", Some("br")),
            ("gzip;q=0, deflate", None),
            ("", None),
        ] {
            assert_eq!(accepted(value), expected, "{value}");
        }
        let headers = [(header::ACCEPT_ENCODING, "gzip, br".parse().unwrap())].into_iter().collect();
        assert_eq!(Accepted::of(&headers, Encodings::default()).header(), None);
    }

    #[test]
    fn compresses_in_pieces() {
        let text = "All work and no play makes Jack a dull boy. ".repeat(2000);
        for (accepted, name) in
            [(Accepted { gzip: true, brotli: false }, "gzip"), (Accepted { gzip: true, brotli: true }, "br")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            headers.insert(header::CONTENT_LENGTH, (text.len() as u64).into());
            let mut encoder = Encoder::for_answer(accepted, 200, &mut headers).unwrap();
            assert_eq!(headers[header::CONTENT_ENCODING], name);
            let mut bytes = Vec::new();
            for piece in text.as_bytes().chunks(1000) {
                bytes.extend_from_slice(&encoder.push(piece).unwrap());
            }
            bytes.extend_from_slice(&encoder.finish().unwrap());
            assert!(bytes.len() < text.len() / 10, "{name}: {}", bytes.len());
            let mut plain = String::new();
            match name {
                "br" => brotli::Decompressor::new(&bytes[..], 4096).read_to_string(&mut plain),
                _ => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut plain),
            }
            .unwrap();
            assert!(plain == text, "{name}");
        }
    }
}
