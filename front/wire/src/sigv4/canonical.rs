//! The canonical request and the string to sign. S3 encodes its path once and does not normalize it. All other services encode
//! the path of the request a second time, after removing `.`, `..` and empty segments.

use super::{ALGORITHM, sha256_hex};
use crate::head::authority;
use escale_base::Timestamp;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use time::macros::format_description;

/// All but RFC 3986's unreserved characters.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// `20261122T093900Z`
pub(super) fn amz_date(at: Timestamp) -> String {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = time::OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    at.format(&form).unwrap_or_default()
}

pub(super) fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = time::PrimitiveDateTime::parse(text, &form).ok()?;
    Some(Timestamp(at.assume_utc().unix_timestamp() * 1000))
}

/// The canonical forms of S3's path. Clients sign the path as they send it; AWS also accepts the signature of a re-encoded
/// path, for clients that do not encode characters such as `(` when they send it.
pub(super) fn s3_paths(path: &str) -> Vec<String> {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let encoded = percent_encode(&decoded, PATH).to_string();
    if encoded == path { vec![encoded] } else { vec![path.to_owned(), encoded] }
}

pub(super) fn normalised_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    let joined = format!("/{}{end}", kept.join("/"));
    percent_encode(joined.as_bytes(), PATH).to_string()
}

/// Everything but the path, which may have several forms.
pub(super) struct Canonical {
    before_path: String,
    after_path: String,
}

impl Canonical {
    /// `Err` names a signed header that the request does not have.
    pub(super) fn new(parts: &Parts, signed_headers: &[String], payload: &str) -> Result<Canonical, String> {
        let mut after = canonical_query(parts.uri.query().unwrap_or(""));
        after.push('\n');
        for name in signed_headers {
            after.push_str(name);
            after.push(':');
            after.push_str(&header_line(parts, name).ok_or_else(|| name.clone())?);
            after.push('\n');
        }
        after.push('\n');
        after.push_str(&signed_headers.join(";"));
        after.push('\n');
        after.push_str(payload);
        Ok(Canonical { before_path: format!("{}\n", parts.method), after_path: after })
    }

    pub(super) fn with_path(&self, path: &str) -> String {
        format!("{}{path}\n{}", self.before_path, self.after_path)
    }
}

pub(super) fn string_to_sign(amz_date: &str, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{amz_date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()))
}

fn canonical_query(query: &str) -> String {
    let again = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, QUERY).to_string()
    };
    // A presigned URL's signature is in the query and cannot cover itself.
    let pairs = query.split('&').filter(|p| !p.is_empty() && !p.starts_with("X-Amz-Signature="));
    let mut pairs: Vec<(String, String)> =
        pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (again(k), again(v))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join("&")
}

/// The values of a header, joined with commas; each is trimmed and has single spaces only.
fn header_line(parts: &Parts, name: &str) -> Option<String> {
    if name == "host" {
        // HTTP/2 has the host in the URI.
        return Some(authority(parts).to_owned());
    }
    let mut values = Vec::new();
    for value in parts.headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        values.push(value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_paths() {
        assert_eq!(normalised_path("/"), "/");
        assert_eq!(normalised_path("/a/./b//c/../d/"), "/a/b/d/");
        assert_eq!(normalised_path("/2013-04-01/a%2Fb"), "/2013-04-01/a%252Fb");
        assert_eq!(s3_paths("/b/a//../x%20y"), ["/b/a//../x%20y"]);
        assert_eq!(s3_paths("/b/(x)"), ["/b/(x)", "/b/%28x%29"]);
    }

    #[test]
    fn sorts_and_encodes_queries() {
        assert_eq!(canonical_query("b=2&a&X-Amz-Signature=0&c=%7e%2f"), "a=&b=2&c=~%2F");
    }

    #[test]
    fn formats_and_parses_dates() {
        let at = parse_amz_date("20261122T093900Z").unwrap();
        assert_eq!(at.iso8601(), "2026-11-22T09:39:00.000Z");
        assert_eq!(amz_date(at), "20261122T093900Z");
        assert_eq!(parse_amz_date("2026-11-22"), None);
    }
}
