//! Refuses requests that web pages may not make. Any page can make its visitor's browser send requests to loopback; with a
//! name of its own that resolves to loopback (DNS rebinding), it can also read the answers. Such a request has two marks
//! that a page cannot forge: the host, and the browser's headers about the page (`Origin`, `Sec-Fetch-Site`).
//!
//! The API and the registry refuse every host that is not this cloud's, and every page of another origin. Pages may load
//! objects that a public bucket policy or a presigned URL allows, and read what the CORS rules of a bucket allow
//! (`cross_origin.rs`). The port of load balancers and distributions does not use these checks: it refuses
//! only names that the cloud does not serve.
//!
//! Source: <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site>

use crate::request::Ends;
use escale_base::{AwsError, ErrorKind};
use escale_service::Config;
use http::{HeaderMap, Method, header, request::Parts, uri::Authority};
use std::net::IpAddr;

/// The kind of a request, as far as a page's rights depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// GetObject or HeadObject: the bucket's policy decides.
    ObjectRead,
    /// A presigned URL: its signature decides.
    Presigned,
    Other,
}

/// The authority in the request, if it is this cloud's.
pub(crate) fn check_host<'a>(parts: &'a Parts, ends: &Ends, config: &Config) -> Result<&'a str, AwsError> {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| parts.uri.authority().map(|a| a.as_str())).unwrap_or("");
    let ours = named.parse::<Authority>().is_ok_and(|authority| is_ours(&authority, ends, config));
    if ours {
        return Ok(named);
    }
    let message = format!(
        "The request names the host {named:?}, under which this API is not served. Use {} as the endpoint.",
        if ends.local.ip().is_loopback() { config.endpoint.clone() } else { Config::api_name() }
    );
    Err(AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message))
}

fn is_ours(authority: &Authority, ends: &Ends, config: &Config) -> bool {
    let local = ends.local;
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    // A port that is not a number becomes 0, which matches no listener.
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => default_port(ends.arrival.scheme()),
        _ => authority.port_u16().unwrap_or(0),
    };
    let same_port = port == local.port();
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return same_port && (ip == local.ip() || (ip.is_loopback() && local.ip().is_loopback()));
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return same_port;
    }
    let s3 = Config::s3_name();
    if [Config::api_name(), Config::data_api_name(), s3.clone()].contains(&host)
        || host.strip_suffix(&s3).is_some_and(|b| b.ends_with('.'))
    {
        return same_port;
    }
    // AWS's own names, for clients that a proxy or resolver directs here: those name AWS's ports.
    let registry = format!("{}.dkr.ecr.{}.amazonaws.com", config.account, config.region);
    let of_aws = host.ends_with(".amazonaws.com") && escale_wire::is_own_host(&host);
    (of_aws || host == registry) && (same_port || matches!(port, 80 | 443))
}

/// The port that a client leaves out of the host.
fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// Refuses a request that a page of another origin made the browser send. `origin` is the connection's scheme and the result of
/// [`check_host`].
pub(crate) fn check_page(parts: &Parts, origin: (&str, &str), purpose: Purpose) -> Result<(), AwsError> {
    if is_same_origin(&parts.headers, origin) {
        return Ok(());
    }
    let preflight = parts.method == Method::OPTIONS;
    match purpose {
        Purpose::ObjectRead | Purpose::Presigned if !preflight => Ok(()),
        // The refused preflight keeps the browser from sending the request itself.
        _ if preflight => {
            let message = "CORSResponse: CORS is not enabled for this bucket.";
            Err(AwsError::new(ErrorKind::Denied, "AccessForbidden", 403, message))
        }
        _ => {
            let of = text(&parts.headers, "origin").unwrap_or("another site");
            let message = format!(
                "A web page of {of} made this request. Pages of other origins cannot call this API; they can load objects that \
                 a bucket policy or a presigned URL allows."
            );
            Err(AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message))
        }
    }
}

/// True as well for requests that no page made: programs send neither header, and a browser sends `none` for a typed address.
fn is_same_origin(headers: &HeaderMap, (scheme, authority): (&str, &str)) -> bool {
    // All names below `localhost` are one site, also those of other programs, so `same-site` is not enough.
    let site =
        headers.get("sec-fetch-site").is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let page = origin.to_str().ok().and_then(|o| o.strip_prefix(scheme)?.strip_prefix("://"));
        let port = format!(":{}", default_port(scheme));
        let without_port =
            |authority: &str| authority.strip_suffix(&port).unwrap_or(authority).to_ascii_lowercase();
        page.is_some_and(|page| without_port(page) == without_port(authority))
    });
    site && origin
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_service::{Arrival, Entrance, TlsSession};

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn ends(local: &str, is_tls: bool) -> Ends {
        let tls = is_tls.then_some(TlsSession { version: "TLSv1.3", suite: "TLS_AES_128_GCM_SHA256" });
        let (local, peer) = (local.parse().unwrap(), "198.18.9.9:50000".parse().unwrap());
        Ends { arrival: Arrival { entrance: Entrance::Cloud, peer, tls }, local }
    }

    #[test]
    fn accepts_only_hosts_of_this_cloud() {
        let config = Config::default();
        let (host, inside) = (ends("127.0.0.1:4566", false), ends("198.18.0.2:80", false));
        let check = |name: &str, ends: Ends, expected: bool| {
            let found = check_host(&parts("GET", &[("host", name)]), &ends, &config).is_ok();
            assert_eq!(found, expected, "{name} at {ends:?}");
        };
        for ours in [
            "127.0.0.1:4566",
            "127.1.2.3:4566",
            "[::1]:4566",
            "localhost:4566",
            "LOCALHOST:4566",
            "bucket.s3.localhost:4566",
            "my.bucket.localhost:4566",
            "ecs.localhost:4566",
            "api.escale.internal:4566",
            "ec2.eu-west-3.amazonaws.com",
            "s3.amazonaws.com:443",
            "bucket.s3.eu-west-3.amazonaws.com:4566",
            "000000000000.dkr.ecr.eu-west-3.amazonaws.com",
        ] {
            check(ours, host, true);
        }
        for foreign in [
            "",
            "evil.example",
            "evil.example:4566",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:8080",
            "localhost",
            "localhost:8080",
            "notlocalhost:4566",
            "localhost.evil.example:4566",
            "127.0.0.1.nip.io:4566",
            "127.0.0.1:4566@evil.example",
            "user@127.0.0.1:4566",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:4566:4566",
            "0.0.0.0:4566",
            "192.0.2.1:4566",
            "198.18.0.2:4566",
            "[::2]:4566",
            "2130706433:4566",
            "evil.amazonaws.com:4566",
            "ec2-192-0-2-1.compute.amazonaws.com:4566",
            "ec2.amazonaws.com.evil.example:4566",
            "000000000001.dkr.ecr.eu-west-3.amazonaws.com",
            "escale.internal:4566",
            "xs3.escale.internal:4566",
        ] {
            check(foreign, host, false);
        }
        check("api.escale.internal", inside, true);
        check("api.escale.internal.:80", inside, true);
        check("b.s3.escale.internal", inside, true);
        check("198.18.0.2", inside, true);
        check("127.0.0.1", inside, false);
        check("198.18.0.9", inside, false);
        check("api.escale.internal:4566", inside, false);
        let over_tls = ends("198.18.0.3:443", true);
        check("api.escale.internal", over_tls, true);
        check("b.s3.escale.internal:443", over_tls, true);
        check("b.s3.eu-west-3.amazonaws.com", over_tls, true);
        check("api.escale.internal:80", over_tls, false);
        check("evil.example", over_tls, false);
    }

    #[test]
    fn refuses_pages_of_other_origins() {
        let us = "127.0.0.1:4566";
        let check = |method: &str, headers: &[(&str, &str)], purpose: Purpose, expected: &str| {
            let found = check_page(&parts(method, headers), ("http", us), purpose)
                .map_or_else(|e| e.code, |()| "fine".into());
            assert_eq!(found, expected, "{method} {headers:?} {purpose:?}");
        };
        use Purpose::{ObjectRead, Other, Presigned};
        for (headers, expected) in [
            (&[][..], "fine"),
            (&[("origin", "http://127.0.0.1:4566")], "fine"),
            (&[("sec-fetch-site", "same-origin")], "fine"),
            (&[("sec-fetch-site", "none")], "fine"),
            (&[("origin", "https://127.0.0.1:4566")], "AccessDenied"),
            (&[("origin", "http://127.0.0.1:8080")], "AccessDenied"),
            (&[("origin", "http://127.0.0.1")], "AccessDenied"),
            (&[("origin", "http://evil.example")], "AccessDenied"),
            (&[("origin", "null")], "AccessDenied"),
            (&[("origin", "")], "AccessDenied"),
            (&[("sec-fetch-site", "cross-site")], "AccessDenied"),
            (&[("sec-fetch-site", "same-site")], "AccessDenied"),
            (&[("sec-fetch-site", "")], "AccessDenied"),
            (&[("origin", "http://127.0.0.1:4566"), ("sec-fetch-site", "cross-site")], "AccessDenied"),
            (&[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")], "AccessDenied"),
        ] {
            for method in ["GET", "POST", "DELETE"] {
                check(method, headers, Other, expected);
            }
            check("GET", headers, ObjectRead, "fine");
            check("PUT", headers, Presigned, "fine");
        }
        let foreign = [("origin", "http://evil.example")];
        for purpose in [ObjectRead, Presigned, Other] {
            check("OPTIONS", &foreign, purpose, "AccessForbidden");
        }
        for (origin, us, same) in [
            ("http://b.localhost", ("http", "b.localhost:80"), true),
            ("https://b.localhost", ("https", "b.localhost:443"), true),
            ("https://b.localhost:4566", ("https", "b.localhost:4566"), true),
            ("http://b.localhost:4566", ("https", "b.localhost:4566"), false),
            ("https://b.localhost", ("https", "b.localhost:80"), false),
        ] {
            let page = check_page(&parts("GET", &[("origin", origin)]), us, Other);
            assert_eq!(page.is_ok(), same, "{origin} {us:?}");
        }
    }
}
