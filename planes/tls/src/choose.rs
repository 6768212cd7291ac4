//! Chooses the certificate of a handshake.

use crate::compile::Named;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;

pub(crate) struct Certificates {
    default: Named,
    others: Vec<Named>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} certificates", self.others.len() + 1)
    }
}

impl Certificates {
    /// The first one is the default.
    pub(crate) fn new(all: Vec<Named>) -> Option<Certificates> {
        let mut all = all.into_iter();
        Some(Certificates { default: all.next()?, others: all.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// An exact name before a wildcard; of several such certificates the first one that `usable` accepts. Without any the
    /// default, with which the handshake then fails or not as the client decides.
    fn choose(&self, name: Option<&str>, usable: impl Fn(&CertifiedKey) -> bool) -> &Arc<CertifiedKey> {
        let matching = |test: fn(&str, &str) -> bool| {
            let name = name?;
            self.all().find(|c| c.names.iter().any(|n| test(n, name)) && usable(&c.key))
        };
        let found = matching(is_exact).or_else(|| matching(is_wildcard_of));
        &found.unwrap_or(&self.default).key
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        Some(self.choose(hello.server_name(), usable).clone())
    }
}

fn is_exact(own: &str, name: &str) -> bool {
    own.eq_ignore_ascii_case(name)
}

/// `*.example.com` is valid for names with one more label (RFC 6125, 6.4.3).
pub(crate) fn is_wildcard_of(own: &str, name: &str) -> bool {
    let parent = name.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
    own.strip_prefix("*.").zip(parent).is_some_and(|(own, parent)| own.eq_ignore_ascii_case(parent))
}

/// Whether a certificate with the name `own` is valid for `name`.
pub fn covers(own: &str, name: &str) -> bool {
    is_exact(own, name) || is_wildcard_of(own, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_one_label() {
        for (own, name, covered) in [
            ("a.test", "A.test", true),
            ("*.a.test", "b.a.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", "c.b.a.test", false),
            ("*.a.test", ".a.test", false),
            ("*", "a", false),
        ] {
            assert_eq!(covers(own, name), covered, "{own} {name}");
        }
    }
}
