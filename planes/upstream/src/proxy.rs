//! The HTTP proxy that the environment names, as curl and Go read it.

use crate::{Error, Result, mirrors::Origin};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::Secret;

/// The settings of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Of requests over TLS.
    pub https: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: String,
}

/// A proxy that opens tunnels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<Secret<String>>,
}

impl Proxies {
    pub fn from_environment() -> Proxies {
        let get = |names: &[&str]| names.iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
        Proxies {
            https: get(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            no_proxy: get(&["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.https.as_deref().map_or(Ok(()), |proxy| parse(proxy).map(drop))
    }

    /// The proxy for an origin, if there is one.
    pub(crate) fn of(&self, origin: &Origin) -> Result<Option<Proxy>> {
        let Some(proxy) = self.https.as_deref().filter(|_| origin.is_tls && !origin.is_loopback()) else {
            return Ok(None);
        };
        if self.no_proxy.split(',').map(str::trim).any(|entry| excludes(entry, origin)) {
            return Ok(None);
        }
        parse(proxy).map(Some)
    }
}

/// `example.com` and `.example.com` are the domain with everything below it; `*` is every host.
fn excludes(entry: &str, origin: &Origin) -> bool {
    let entry = entry.to_ascii_lowercase();
    let (entry, port_fits) = match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host.to_owned(), port == origin.port.to_string()),
        _ => (entry, true),
    };
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let below = origin.host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    port_fits && (entry == "*" || (!domain.is_empty() && below))
}

fn parse(text: &str) -> Result<Proxy> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let rest = rest.trim_end_matches('/');
    let (user, authority) = match rest.rsplit_once('@') {
        Some((user, authority)) => (Some(user), authority),
        None => (None, rest),
    };
    // Without the password.
    let bad = |why: &str| Error::Proxy { proxy: format!("{scheme}://{authority}"), why: why.to_owned() };
    if scheme != "http" {
        return Err(bad("only proxies with http:// are supported; they tunnel TLS with CONNECT"));
    }
    let origin = Origin::new(false, authority).ok_or_else(|| bad("it is not a URL like http://host:port"))?;
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let authorization = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        Secret::new(format!("Basic {}", STANDARD.encode(format!("{}:{}", decode(name), decode(password)))))
    });
    Ok(Proxy { host: origin.host, port: origin.port, authorization })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_chooses_the_proxy() {
        let of = |proxy: &str, no_proxy: &str, tls: bool, host: &str| {
            let proxies = Proxies { https: Some(proxy.into()), no_proxy: no_proxy.into() };
            let found = proxies.of(&Origin::new(tls, host).unwrap());
            found.map(|p| p.map(|p| format!("{}:{} {}", p.host, p.port, p.authorization.is_some())))
        };
        let used = |no_proxy, host| of("http://proxy:3128", no_proxy, true, host).unwrap().is_some();
        assert_eq!(of("http://u:p%40@proxy:3128/", "", true, "ghcr.io").unwrap().unwrap(), "proxy:3128 true");
        assert_eq!(of("proxy", "", true, "ghcr.io").unwrap().unwrap(), "proxy:80 false");
        assert!(of("proxy", "", false, "localhost").unwrap().is_none());
        assert!(!used("", "localhost:5000"));
        for (no_proxy, host, expected) in [
            ("ghcr.io", "ghcr.io", false),
            ("other, .io", "ghcr.io", false),
            ("hcr.io", "ghcr.io", true),
            ("*", "ghcr.io", false),
            ("ghcr.io:8443", "ghcr.io", true),
            ("ghcr.io:443", "ghcr.io", false),
        ] {
            assert_eq!(used(no_proxy, host), expected, "{no_proxy} {host}");
        }
        let error = of("socks5://u:secret@proxy", "", true, "ghcr.io").unwrap_err().to_string();
        assert!(error.contains("socks5://proxy") && !error.contains("secret"), "{error}");
    }
}
