//! The first check of a request's head: it must be complete and unambiguous.

use escale_base::{AwsError, ErrorKind};
use http::{HeaderMap, header, request::Parts};

/// Headers that may occur once only. Of two, the signature would cover both while the rest of the code reads the first. The
/// connection's guard has already checked HTTP/1's framing and hosts; this list applies to HTTP/2 as well.
const SINGLE: &[&str] = &[
    "host",
    "authorization",
    "content-length",
    "content-type",
    "content-md5",
    "date",
    "expect",
    "origin",
    "sec-fetch-site",
    "smithy-protocol",
    "transfer-encoding",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
    "x-amz-target",
];

/// Refuses a head that two programs could interpret differently.
pub(crate) fn check(parts: &Parts) -> Result<(), AwsError> {
    let refuse = |message: String| Err(AwsError::new(ErrorKind::Invalid, "InvalidRequest", 400, message));
    if let Some(name) = SINGLE.iter().find(|name| values(&parts.headers, name) > 1) {
        return refuse(format!(
            "The request has the header {name} more than once, and which of its values counts is not defined. Send it once."
        ));
    }
    let named = parts.headers.get(header::HOST).map(|host| host.as_bytes());
    match (named, parts.uri.authority().map(|a| a.as_str().as_bytes())) {
        (None, None) => refuse("The request has no Host header. Send one (RFC 9112, section 3.2).".into()),
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => refuse(
            "The request's target and its Host header name different hosts. Send the same in both.".into(),
        ),
        _ => Ok(()),
    }
}

fn values(headers: &HeaderMap, name: &str) -> usize {
    headers.get_all(name).iter().take(2).count()
}

/// The length of the body, if the head declares it.
pub(crate) fn declared_bytes(parts: &Parts) -> Option<u64> {
    parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).map_or_else(|e| e.message, |()| "fine".into())
    }

    #[test]
    fn refuses_repeated_headers() {
        for name in SINGLE {
            let twice = [("host", "a"), (name, "b"), (name, "b")];
            assert!(found("/", &twice).contains(&format!("the header {name} more than once")), "{name}");
        }
        assert_eq!(found("/", &[("host", "a"), ("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")]), "fine");
    }

    #[test]
    fn requires_exactly_one_host() {
        assert!(found("/", &[]).contains("no Host header"));
        assert!(found("http://a/", &[("host", "b")]).contains("different hosts"));
        assert_eq!(found("http://a:1/", &[("host", "A:1")]), "fine");
        assert_eq!(found("http://a/", &[]), "fine");
    }
}
