//! The mirrors of an installation: registries that serve the images of others. Machines without Internet access have one.

use crate::DOCKER_HUB;
use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

/// Docker Hub's own host.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// The mirrors by registry, as `ESCALE_IMAGE_MIRROR` configures them: `docker.io=localhost:5000,ghcr.io=mirror.example/ghcr`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors(BTreeMap<String, Endpoint>);

/// The address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) origin: Origin,
    /// A part of the path before the repository: empty, or `/ghcr`.
    pub(crate) prefix: String,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// Reads `host`, `host:port`, `[address]` or `[address]:port`.
    pub(crate) fn new(is_tls: bool, authority: &str) -> Option<Origin> {
        let authority: hyper::http::uri::Authority = authority.parse().ok()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let text = authority.as_str();
        let default = if is_tls { 443 } else { 80 };
        let port = match text.strip_prefix(authority.host())?.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => default,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Some(Origin { is_tls, host, port })
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Names below `localhost` are this machine (RFC 6761).
    pub(crate) fn is_loopback(&self) -> bool {
        let named = self.host == "localhost" || self.host.ends_with(".localhost");
        named || self.address().is_some_and(|address| address.is_loopback())
    }

    /// `host`, or `host:port` if the port is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", if self.is_tls { "https" } else { "http" }, self.authority())
    }
}

impl Mirrors {
    /// The endpoint that serves the images of a registry. `None` if the registry's name is not that of a host.
    pub(crate) fn endpoint(&self, registry: &str) -> Option<Endpoint> {
        if let Some(mirror) = self.0.get(registry) {
            return Some(mirror.clone());
        }
        let host = if registry == DOCKER_HUB { DOCKER_HUB_HOST } else { registry };
        Some(Endpoint { origin: Origin::new(true, host)?, prefix: String::new() })
    }

    /// Whether the installation names this host and port, so that a private address is intended.
    pub(crate) fn names(&self, origin: &Origin) -> bool {
        self.0.values().any(|e| e.origin.host == origin.host && e.origin.port == origin.port)
    }

    /// The registries and their mirrors, for reports.
    pub fn list(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(registry, e)| (registry.as_str(), e.origin.url(&e.prefix)))
    }
}

impl FromStr for Mirrors {
    type Err = String;

    /// `registry=mirror,registry=mirror`. A mirror on a loopback address is used over HTTP unless it begins with `https://`;
    /// every other one over HTTPS.
    fn from_str(text: &str) -> Result<Mirrors, String> {
        let mut mirrors = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (registry, mirror) = entry.split_once('=').ok_or_else(|| {
                format!("{entry}: expected registry=mirror, for example docker.io=localhost:5000")
            })?;
            let (scheme, rest) = match mirror.split_once("://") {
                Some((scheme, rest)) => (Some(scheme), rest),
                None => (None, mirror),
            };
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let bad = || format!("{entry}: `{mirror}` is not a host, with an optional port and path");
            let origin = |is_tls| Origin::new(is_tls, authority).ok_or_else(bad);
            let is_tls = match scheme {
                Some("https") => true,
                Some("http") => false,
                Some(other) => {
                    return Err(format!("{entry}: the scheme {other} is not supported. Use https"));
                }
                None => !origin(true)?.is_loopback(),
            };
            let origin = origin(is_tls)?;
            if !is_tls && !origin.is_loopback() {
                return Err(format!(
                    "{entry}: images cross the network unprotected over http, which is supported for this machine's own \
                     addresses only. Use https"
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let path = path.trim_matches('/');
            if registry.is_empty() || !path.chars().all(plain) || path.split('/').any(|p| p == "..") {
                return Err(bad());
            }
            let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
            mirrors.insert(registry.to_ascii_lowercase(), Endpoint { origin, prefix });
        }
        Ok(Mirrors(mirrors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_mirrors_or_refuses_them() {
        for (text, expected) in [
            ("", Ok("")),
            ("docker.io=localhost:5000", Ok("docker.io http://localhost:5000")),
            ("docker.io=https://localhost:5000", Ok("docker.io https://localhost:5000")),
            ("ghcr.io=mirror.example/ghcr/", Ok("ghcr.io https://mirror.example/ghcr")),
            ("a.b=[::1]:5000, c.d=10.0.0.1:443", Ok("a.b http://[::1]:5000 c.d https://10.0.0.1")),
            ("docker.io", Err("expected registry=mirror")),
            ("docker.io=http://mirror.example", Err("Use https")),
            ("docker.io=ftp://mirror.example", Err("the scheme ftp")),
            ("docker.io=", Err("is not a host")),
            ("docker.io=user@host", Err("is not a host")),
            ("docker.io=host:99999", Err("is not a host")),
            ("docker.io=host/../x", Err("is not a host")),
            ("docker.io=host/a?b", Err("is not a host")),
        ] {
            let parsed = text.parse::<Mirrors>();
            let list = parsed
                .map(|m| m.list().map(|(from, to)| format!("{from} {to}")).collect::<Vec<_>>().join(" "));
            match expected {
                Ok(expected) => assert_eq!(list.as_deref(), Ok(expected), "{text}"),
                Err(part) => assert!(list.clone().is_err_and(|e| e.contains(part)), "{text}: {list:?}"),
            }
        }
    }

    #[test]
    fn docker_hub_has_a_host_of_its_own() {
        let endpoint = |registry: &str| Mirrors::default().endpoint(registry).unwrap().origin.url("/");
        assert_eq!(endpoint("docker.io"), "https://registry-1.docker.io/");
        assert_eq!(endpoint("ghcr.io:8443"), "https://ghcr.io:8443/");
    }
}
