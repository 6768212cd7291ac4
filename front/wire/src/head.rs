//! Parts of a request's head that several modules read: host, header text, query, percent-encoding.

use http::{HeaderMap, request::Parts};
use percent_encoding::percent_decode_str;

/// The host that the client named, without the port, in lower case. HTTP/2 has it in the URI.
pub fn host(parts: &Parts) -> String {
    let named = authority(parts).to_ascii_lowercase();
    match named.rsplit_once(':') {
        // The test for digits keeps an IPv6 address without a port whole: `[::1]`.
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host.to_owned(),
        _ => named,
    }
}

/// The host that the client named, in the form that it signed.
pub(crate) fn authority(parts: &Parts) -> &str {
    header(&parts.headers, "host").or_else(|| parts.uri.authority().map(|a| a.as_str())).unwrap_or("")
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The decoded pairs of a URI's query; a plus sign is a plus sign.
pub fn query_pairs(parts: &Parts) -> Vec<(String, String)> {
    pairs(parts.uri.query().unwrap_or(""), percent_decoded)
}

/// The decoded pairs of a form body; a plus sign is a space.
pub(crate) fn form_pairs(body: &str) -> Vec<(String, String)> {
    pairs(body, |t| percent_decoded(&t.replace('+', " ")))
}

fn pairs(text: &str, decode: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|p| !p.is_empty());
    pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// Bytes that are not UTF-8 become U+FFFD. No AWS name allows that character, so the name's own check refuses it.
fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether the Content-Type is that of a form, which the query protocols send.
pub fn is_form(headers: &HeaderMap) -> bool {
    header(headers, "content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"))
}
