//! Determines the host of a request, once for everything that depends on it: the distribution, the resource that a
//! signature must cover, the Host header of the request to the origin.

use http::{HeaderMap, Uri, header};

/// The host that the viewer named, with the port if there was one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority(String);

impl Authority {
    /// From the absolute form of the request line or HTTP/2's `:authority`, and from the Host header; if both
    /// exist they must agree. RFC 9112 (3.2.2) gives precedence to the request line, but then another program that reads
    /// the Host header would see another distribution. A request without a host (HTTP/1.0) has none.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, https: bool) -> Option<Authority> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let named = match (hosts.next(), hosts.next()) {
            (first, None) => first.map(|h| h.to_str()).transpose().ok()?,
            (_, Some(_)) => return None,
        };
        let line = uri.authority().map(|a| a.as_str());
        let text = match (line, named) {
            (Some(line), Some(named)) if !same(line, named, https) => return None,
            (line, named) => line.or(named).unwrap_or(""),
        };
        (!text.contains(['@', '/', '?', '#', '\\', ' ', '%'])).then(|| Authority(text.to_owned()))
    }

    /// With the port, if the viewer sent one: it is part of the signed URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case, without the port.
    pub(crate) fn host(&self) -> String {
        split(&self.0).0.to_ascii_lowercase()
    }
}

impl Authority {
    /// The authority of the same resource over HTTPS. `ports` are the ports of HTTP and HTTPS that viewers on the host use.
    pub(crate) fn https(&self, ports: Option<(u16, u16)>) -> String {
        let named = split(&self.0).1.and_then(|port| port.parse::<u16>().ok());
        match ports {
            Some((http, https)) if named == Some(http) => format!("{}:{https}", self.host()),
            _ => self.host(),
        }
    }
}

fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    }
}

/// A scheme's default port makes no difference (RFC 9110, 4.2.3).
fn same(a: &str, b: &str, https: bool) -> bool {
    let ((a, a_port), (b, b_port)) = (split(a), split(b));
    let port = |port: Option<&str>| {
        port.filter(|p| !p.is_empty()).unwrap_or(if https { "443" } else { "80" }).to_owned()
    };
    a.eq_ignore_ascii_case(b) && port(a_port) == port(b_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_one_authority_or_none() {
        let of = |target: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            Authority::of(&target.parse().unwrap(), &headers, target.starts_with("https"))
                .map(|a| format!("{} {}", a.as_str(), a.host()))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("/x", &["Cdn.test:8080"]), some("Cdn.test:8080 cdn.test"));
        assert_eq!(of("/x", &[]), some(" "));
        assert_eq!(of("http://cdn.test/x", &["cdn.test"]), some("cdn.test cdn.test"));
        assert_eq!(of("http://cdn.test:80/x", &["CDN.test"]), some("cdn.test:80 cdn.test"));
        assert_eq!(of("https://cdn.test:443/x", &["cdn.test"]), some("cdn.test:443 cdn.test"));
        assert_eq!(of("https://cdn.test:80/x", &["cdn.test"]), None);
        assert_eq!(of("http://cdn.test/x", &[]), some("cdn.test cdn.test"));
        assert_eq!(of("http://cdn.test/x", &["other.test"]), None);
        assert_eq!(of("http://cdn.test/x", &["cdn.test:81"]), None);
        assert_eq!(of("http://me@cdn.test/x", &["me@cdn.test"]), None);
        assert_eq!(of("/x", &["cdn.test", "cdn.test"]), None);
        assert_eq!(of("/x", &["cdn.test/media"]), None);
        assert_eq!(of("/x", &["[::1]:80"]), some("[::1]:80 [::1]"));
    }
}
