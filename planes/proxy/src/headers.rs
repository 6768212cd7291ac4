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

/// X-Forwarded-For, -Proto and -Port.
pub(crate) fn add_forwarded(
    headers: &mut HeaderMap,
    attributes: &Attributes,
    client: SocketAddr,
    (scheme, port): (&'static str, u16),
) {
    match attributes.forwarded_for {
        ForwardedFor::Append => {
            let mut list = String::new();
            for before in headers.get_all(FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()) {
                list.push_str(before);
                list.push_str(", ");
            }
            // Last, so that the target can trust this entry, whatever the client sent before it.
            match (attributes.forwarded_port, client.ip()) {
                (true, _) => list.push_str(&client.to_string()),
                (false, ip) => list.push_str(&ip.to_string()),
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
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(FORWARDED_PORT, port.into());
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
    let random: u128 = rand::random::<u128>() >> 32;
    let id = format!("1-{:08x}-{random:024x}", now.secs());
    let value = match headers.get(name).and_then(|v| v.to_str().ok()) {
        Some(sent) if sent.contains("Root=") => {
            let kept: Vec<&str> = sent.split(';').filter(|f| !f.trim_start().starts_with("Self=")).collect();
            format!("Self={id};{}", kept.join(";"))
        }
        Some(sent) if !sent.is_empty() => format!("Root={id};{sent}"),
        _ => format!("Root={id}"),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name.clone(), value);
    }
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
                add_forwarded(&mut headers, &attributes, ([10, 0, 0, 1], 4000).into(), ("http", 8080));
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
