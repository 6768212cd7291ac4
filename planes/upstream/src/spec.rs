//! The complete interface of this plane.

use crate::{BodyError, Error, Result};
use bytes::Bytes;
use escale_base::Secret;
use futures_util::stream::Stream;
use std::{fmt, pin::Pin, str::FromStr};

pub type Body = Pin<Box<dyn Stream<Item = std::result::Result<Bytes, BodyError>> + Send>>;

/// Largest manifest, as in Docker's registry and the OCI specification.
pub const MANIFEST_BYTES: u64 = 4 << 20;

/// The registry of names without one.
pub const DOCKER_HUB: &str = "docker.io";

/// A repository of a registry: `docker.io/library/nginx`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Checks both parts, since they become parts of a URL. Images of Docker Hub without a namespace are in `library`.
    pub fn new(registry: &str, path: &str) -> Result<Repository> {
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let is_short = registry == DOCKER_HUB && !path.contains('/');
        let path = if is_short { format!("library/{path}") } else { path.to_owned() };
        let host = registry.split_once(':').map_or(registry, |(host, _)| host);
        let port_ok = registry.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        let host_ok = !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            && !host.starts_with(['-', '.']);
        let whole = format!("{registry}/{path}");
        if !host_ok || !port_ok || whole.len() > 255 + 253 || !path.split('/').all(is_path_part) {
            return Err(Error::Name(whole));
        }
        Ok(Repository { registry: registry.to_ascii_lowercase(), path })
    }

    pub fn registry(&self) -> &str {
        &self.registry
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The image's full name: `docker.io/library/nginx:1.27`.
    pub fn image(&self, reference: &Reference) -> String {
        let joint = if matches!(reference, Reference::Digest(_)) { '@' } else { ':' };
        format!("{self}{joint}{reference}")
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// Lower-case words that `.`, `_`, `__` or dashes separate.
///
/// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
fn is_path_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    part.bytes().next().is_some_and(word)
        && part.bytes().last().is_some_and(word)
        && separators
            .filter(|s| !s.is_empty())
            .all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

/// A tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(String),
    /// `sha256:` and 64 hexadecimal digits.
    Digest(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Reference::Tag(text) | Reference::Digest(text)) = self;
        f.write_str(text)
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// A digest if it contains a colon, which a tag cannot.
    fn from_str(text: &str) -> Result<Reference> {
        if text.contains(':') {
            let digest = is_digest(text).then(|| Reference::Digest(text.to_owned()));
            return digest.ok_or_else(|| Error::Name(text.to_owned()));
        }
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_tag = starts && text.len() <= 128 && text.bytes().all(inner);
        is_tag.then(|| Reference::Tag(text.to_owned())).ok_or_else(|| Error::Name(text.to_owned()))
    }
}

pub(crate) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A user and a password or token for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: Secret<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub digest: String,
    pub media_type: String,
    pub bytes: Bytes,
}

/// A blob as a manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub digest: String,
    pub size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_or_refused() {
        for (registry, path, expected) in [
            ("docker.io", "nginx", Some("docker.io/library/nginx")),
            ("index.docker.io", "nginx", Some("docker.io/library/nginx")),
            ("docker.io", "grafana/loki", Some("docker.io/grafana/loki")),
            ("public.ecr.aws", "nginx/nginx", Some("public.ecr.aws/nginx/nginx")),
            ("Quay.io:443", "a", Some("quay.io:443/a")),
            ("ghcr.io", "a/b__c-d.e", Some("ghcr.io/a/b__c-d.e")),
            ("ghcr.io", "A", None),
            ("ghcr.io", "a//b", None),
            ("ghcr.io", "../a", None),
            ("ghcr.io", "a/..", None),
            ("ghcr.io", "a?x", None),
            ("ghcr.io", "", None),
            ("ghcr.io:x", "a", None),
            ("user@ghcr.io", "a", None),
            ("ghcr.io\r\nx", "a", None),
            ("", "a", None),
        ] {
            let name = Repository::new(registry, path).ok().map(|name| name.to_string());
            assert_eq!(name.as_deref(), expected, "{registry} {path}");
        }
        assert!(format!("sha256:{}", "0".repeat(64)).parse::<Reference>().is_ok());
        for bad in ["", "sha256:0", "a b", "../x", "-a", &"a".repeat(129)] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
