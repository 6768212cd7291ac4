//! gzip compression of answers before they are cached.

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

pub(crate) struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    /// An encoder, if compressing an answer with these headers is worthwhile; also adapts the headers.
    pub(crate) fn for_answer(status: u16, headers: &mut HeaderMap) -> Option<Gzip> {
        let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let kind = text(header::CONTENT_TYPE)?.split(';').next()?.trim().to_ascii_lowercase();
        let length = text(header::CONTENT_LENGTH)?.parse::<u64>().ok()?;
        let wanted = kind.starts_with("text/") || TYPES.contains(&kind.as_str());
        let as_is = text(header::CACHE_CONTROL).is_some_and(|v| v.contains("no-transform"));
        if status != 200
            || !wanted
            || as_is
            || !LENGTHS.contains(&length)
            || headers.contains_key(header::CONTENT_ENCODING)
        {
            return None;
        }
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        // A strong ETag would claim that the compressed bytes equal the original ones.
        let weak = headers.get(header::ETAG).and_then(|v| v.to_str().ok()).filter(|t| !t.starts_with("W/"));
        if let Some(weak) = weak.and_then(|t| HeaderValue::try_from(format!("W/{t}")).ok()) {
            headers.insert(header::ETAG, weak);
        }
        Some(Gzip(GzEncoder::new(Vec::new(), Compression::new(6))))
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        self.0.write_all(bytes)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }

    pub(crate) fn finish(self) -> io::Result<Bytes> {
        self.0.finish().map(Bytes::from)
    }
}

/// Whether Accept-Encoding takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|l| l.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>() == Ok(0.0));
        matches!(name.trim(), "gzip" | "*") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_clients_that_accept_gzip() {
        let takes =
            |v: &str| takes_gzip(&[(header::ACCEPT_ENCODING, v.parse().unwrap())].into_iter().collect());
        assert!(takes("gzip, br") && takes("br;q=1, gzip;q=0.5") && takes("*"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes_gzip(&HeaderMap::new()));
    }
}
