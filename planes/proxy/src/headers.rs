//! Headers in transit: hop-by-hop headers are removed, forwarding headers are added.

use crate::spec::{Attributes, ForwardedFor};
use escale_base::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::SocketAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// RFC 9110, 7.6.1; `Connection` itself is read first, for the names in it.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Most requests name none; an empty list needs no memory.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    // A client must not be able to remove the headers that framing and addressing depend on.
    for name in named.iter().filter(|n| **n != header::HOST && **n != header::CONTENT_LENGTH) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The protocol of the upgrade that this request asks for.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asks = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let has_body =
        headers.contains_key(header::TRANSFER_ENCODING) || headers.contains_key(header::CONTENT_LENGTH);
    headers.get(header::UPGRADE).filter(|_| asks && !has_body).cloned()
}

pub(crate) fn drop_invalid(headers: &mut HeaderMap) {
    let invalid: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .cloned()
        .collect();
    for name in invalid {
        headers.remove(name);
    }
}

/// The values that a connection adds to each of its requests.
pub(crate) struct Peer {
    client: HeaderValue,
    client_with_port: HeaderValue,
    scheme: HeaderValue,
    port: HeaderValue,
}

impl Peer {
    pub(crate) fn new(client: SocketAddr, scheme: &'static str, port: u16) -> Peer {
        // An address has only characters that a header may have.
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"));
        Peer {
            client: value(client.ip().to_string()),
            client_with_port: value(client.to_string()),
            scheme: HeaderValue::from_static(scheme),
            port: port.into(),
        }
    }
}

/// X-Forwarded-For, -Proto and -Port.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, attributes: &Attributes, peer: &Peer) {
    let client = if attributes.forwarded_port { &peer.client_with_port } else { &peer.client };
    match attributes.forwarded_for {
        ForwardedFor::Append if !headers.contains_key(FORWARDED_FOR) => {
            headers.insert(FORWARDED_FOR, client.clone());
        }
        ForwardedFor::Append => {
            let mut list = Vec::new();
            let before = headers.get_all(FORWARDED_FOR).iter().filter(|v| v.to_str().is_ok());
            // Last, so that the target can trust this entry, whatever the client sent before it.
            for (i, value) in before.chain([client]).enumerate() {
                list.extend_from_slice(if i > 0 { b", " } else { b"" });
                list.extend_from_slice(value.as_bytes());
            }
            if let Ok(list) = HeaderValue::try_from(list) {
                headers.insert(FORWARDED_FOR, list);
            }
        }
        ForwardedFor::Preserve => {}
        ForwardedFor::Remove => {
            headers.remove(FORWARDED_FOR);
        }
    }
    headers.insert(FORWARDED_PROTO, peer.scheme.clone());
    headers.insert(FORWARDED_PORT, peer.port.clone());
}

/// Replaces the headers that describe the client's TLS.
pub(crate) fn add_tls(
    headers: &mut HeaderMap,
    attributes: &Attributes,
    negotiated: Option<&(&'static str, String)>,
) {
    let Some((version_name, suite_name)) = &attributes.tls_headers else { return };
    headers.remove(version_name);
    headers.remove(suite_name);
    let Some((version, suite)) = negotiated else { return };
    for (name, value) in [(version_name, *version), (suite_name, suite.as_str())] {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

/// Whether X-Forwarded-For has more addresses than any legitimate chain of proxies.
pub(crate) fn too_many_forwards(headers: &HeaderMap) -> bool {
    headers.get_all(FORWARDED_FOR).iter().map(|v| v.as_bytes().split(|&b| b == b',').count()).sum::<usize>()
        > 30
}

/// `Root=1-<8 hex digits of seconds>-<24 random ones>`. An existing root is kept, and the balancer's own id
/// is put before it as `Self`.
pub(crate) fn add_trace(headers: &mut HeaderMap, name: &HeaderName, now: Timestamp) {
    let id = trace_id(now);
    let value = match headers.get(name).and_then(|v| v.to_str().ok()) {
        Some(sent) if sent.contains("Root=") => {
            let kept: Vec<&str> = sent.split(';').filter(|f| !f.trim_start().starts_with("Self=")).collect();
            format!("Self={id};{}", kept.join(";"))
        }
        Some(sent) if !sent.is_empty() => format!("Root={id};{sent}"),
        _ => ["Root=", &id].concat(),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name.clone(), value);
    }
}

/// Without the formatting machinery: this runs for every request.
fn trace_id(now: Timestamp) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (seconds, random) = (now.secs() as u32, rand::random::<u128>());
    let digit = |value: u128, i: usize| char::from(DIGITS[(value >> (4 * i)) as usize & 15]);
    let mut id = String::with_capacity(35);
    id.push_str("1-");
    id.extend((0..8).rev().map(|i| digit(seconds.into(), i)));
    id.push('-');
    id.extend((0..24).rev().map(|i| digit(random, i)));
    id
}

/// Host and, if there is one, port of a Host header.
pub(crate) fn split_host(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    #[test]
    fn hop_by_hop() {
        let mut headers = HeaderMap::new();
        for (k, v) in [
            ("connection", "close, X-Mine, Host, content-length"),
            ("x-mine", "1"),
            ("host", "a"),
            ("content-length", "3"),
            ("te", "trailers"),
            ("keep-alive", "5"),
            ("x-kept", "1"),
        ] {
            headers.insert(k, v.parse().unwrap());
        }
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-kept"]);
    }

    #[test]
    fn sets_forwarded_for_by_its_mode() {
        let mut shown = String::new();
        for mode in [ForwardedFor::Append, ForwardedFor::Preserve, ForwardedFor::Remove] {
            for sent in [&[][..], &[("x-forwarded-for", "1.2.3.4")]] {
                let mut headers = map(sent);
                let attributes = Attributes { forwarded_for: mode, ..Attributes::default() };
                add_forwarded(
                    &mut headers,
                    &attributes,
                    &Peer::new(([10, 0, 0, 1], 4000).into(), "http", 8080),
                );
                shown += &format!("{mode:?} {:?}\n", headers.get("x-forwarded-for"));
            }
        }
        expect![[r#"
            Append Some("10.0.0.1")
            Append Some("1.2.3.4, 10.0.0.1")
            Preserve None
            Preserve Some("1.2.3.4")
            Remove None
            Remove None
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn adds_or_extends_the_trace_header() {
        let name = HeaderName::from_static("x-trace");
        let mut shown = String::new();
        for sent in [None, Some("Root=1-a-b"), Some("Self=1-x-y;Root=1-a-b;k=v"), Some("k=v")] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(&name, sent.parse().unwrap());
            }
            add_trace(&mut headers, &name, Timestamp(1_795_340_340_123));
            let value = headers[&name].to_str().unwrap();
            let at = value.find("1-6b").unwrap() + "1-6b02b934-".len();
            shown += &format!("{sent:?} -> {}\n", value.replace(&value[at..at + 24], "RANDOM"));
        }
        expect![[r#"
            None -> Root=1-6b02b834-RANDOM
            Some("Root=1-a-b") -> Self=1-6b02b834-RANDOM;Root=1-a-b
            Some("Self=1-x-y;Root=1-a-b;k=v") -> Self=1-6b02b834-RANDOM;Root=1-a-b;k=v
            Some("k=v") -> Root=1-6b02b834-RANDOM;k=v
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn splits_host_and_port() {
        assert_eq!(split_host("a.b:80"), ("a.b", Some("80")));
        assert_eq!(split_host("a.b"), ("a.b", None));
        assert_eq!(split_host("[::1]:8080"), ("[::1]", Some("8080")));
        assert_eq!(split_host("[::1]"), ("[::1]", None));
    }
}
