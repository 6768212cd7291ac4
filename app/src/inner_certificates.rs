//! The certificates of the API's names inside the cloud, and the bundle with which tasks verify them.

use crate::{home::Home, planes};
use anyhow::{Context, Result};
use escale_authority::{Authorities, Authority, KeyKind, Leaf, Purpose};
use escale_base::{Clock, PlaneError, Timestamp};
use escale_gate::Certificates;
use escale_service::Endpoint;
use escale_tls::{CertificateSpec, Policy, Terminator, TlsSpec};
use std::{collections::HashMap, fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, pin::Pin};
use tokio::sync::Mutex;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// As ACM's. A client with an earlier certificate's connection is not concerned by its end.
const VALID_MS: i64 = 198 * DAY_MS;
const RENEWED_BEFORE_END_MS: i64 = 45 * DAY_MS;

/// The certificates of one address. It issues one for each endpoint when a client asks for it first, and again before it ends. They are kept in memory:
/// the next daemon issues others, since only the authority is trusted.
pub(crate) struct InnerCertificates {
    authority: Authorities,
    clock: Clock,
    /// The first one is for clients that name none of them, as those of AWS's servers are.
    endpoints: Vec<Endpoint>,
    issued: Mutex<HashMap<String, Issued>>,
}

struct Issued {
    terminator: Terminator,
    renew_at: Timestamp,
}

impl InnerCertificates {
    pub(crate) fn new(authority: Authorities, clock: Clock, endpoints: Vec<Endpoint>) -> InnerCertificates {
        InnerCertificates { authority, clock, endpoints, issued: Mutex::default() }
    }

    /// The endpoint that a server name belongs to. A name of two labels below is S3's as well, as for AWS's servers, and the
    /// client finds that the certificate does not cover it.
    fn endpoint(&self, name: Option<&str>) -> Option<&Endpoint> {
        let is_below = |name: &str, endpoint: &Endpoint| {
            endpoint.has_names_below && name.strip_suffix(&endpoint.name).is_some_and(|b| b.ends_with('.'))
        };
        let found = name.and_then(|name| self.endpoints.iter().find(|e| e.name == name || is_below(name, e)));
        found.or(self.endpoints.first())
    }

    async fn terminator(&self, endpoint: &Endpoint) -> Result<Terminator, PlaneError> {
        // Held while one is issued, which takes a millisecond: clients that ask for it meanwhile get the same one.
        let mut issued = self.issued.lock().await;
        let now = self.clock.now();
        if let Some(known) = issued.get(&endpoint.name).filter(|known| now < known.renew_at) {
            return Ok(known.terminator.clone());
        }
        let terminator = self.issue(endpoint, now).await?;
        let renew_at = now.plus_ms(VALID_MS - RENEWED_BEFORE_END_MS);
        issued.insert(endpoint.name.clone(), Issued { terminator: terminator.clone(), renew_at });
        Ok(terminator)
    }

    async fn issue(&self, endpoint: &Endpoint, now: Timestamp) -> Result<Terminator, PlaneError> {
        let below = endpoint.has_names_below.then(|| format!("*.{}", endpoint.name));
        let names = std::iter::once(endpoint.name.clone()).chain(below).collect();
        // A day back, for tasks whose clock is behind.
        let (not_before, not_after) = (now.plus_ms(-DAY_MS), now.plus_ms(VALID_MS));
        let leaf = Leaf { names, key: KeyKind::P256, not_before, not_after };
        let issued = self.authority.issue(Purpose::Workloads, leaf).await?;
        let chain_pem = format!("{}{}", issued.certificate_pem, issued.chain_pem);
        let certificate = CertificateSpec { chain_pem, key_pem: issued.key_pem };
        // AWS's endpoints speak HTTP/1.1.
        Terminator::new(&TlsSpec { certificates: vec![certificate], policy: Policy::modern(), http2: false })
    }
}

impl Certificates for InnerCertificates {
    fn of(&self, name: Option<String>) -> Pin<Box<dyn Future<Output = Option<Terminator>> + Send + '_>> {
        Box::pin(async move {
            let endpoint = self.endpoint(name.as_deref())?;
            let terminator = self.terminator(endpoint).await;
            terminator
                .inspect_err(
                    |error| tracing::warn!(name = endpoint.name, %error, "cannot issue a certificate"),
                )
                .ok()
        })
    }
}

/// Writes the bundle that is mounted into tasks: the root of the names inside the cloud, and those that this machine trusts.
pub(crate) fn write_bundle(home: &Home, authority: &Authorities) -> Result<PathBuf> {
    let own =
        authority.root(Purpose::Workloads).context("cannot read the root of the names inside the cloud")?;
    let of_host = planes::roots().pem().unwrap_or_else(|error| {
        tracing::warn!(%error, "tasks trust no certificates but those of the names inside the cloud");
        String::new()
    });
    let path = home.private_folder("trust")?.join("ca-bundle.pem");
    let text = format!("{}\n{}", own.trim_end(), of_host);
    // Containers that run have the file mounted, and keep this one until their end.
    if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Ok(path);
    }
    let new = path.with_extension("new");
    let written = std::fs::write(&new, text)
        // Programs in containers run as any user. Other users of the host cannot enter the folder.
        .and_then(|()| std::fs::set_permissions(&new, Permissions::from_mode(0o644)))
        .and_then(|()| std::fs::rename(&new, &path));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn issues_one_certificate_for_each_endpoint_and_renews_it() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::by_hand(Timestamp(1_800_000_000_000));
        let authority = Authorities::open(folder.path(), "t", clock.clone()).unwrap();
        let endpoint = |name: &str, has_names_below| Endpoint {
            name: name.into(),
            has_names_below,
            address: Ipv4Addr::UNSPECIFIED,
        };
        let endpoints =
            vec![endpoint("api.test", false), endpoint("s3.test", true), endpoint("s3.x.test", true)];
        let certificates = InnerCertificates::new(authority, clock.clone(), endpoints);
        for (name, expected) in [
            (Some("s3.test"), "s3.test"),
            (Some("bucket.s3.test"), "s3.test"),
            (Some("my.bucket.s3.x.test"), "s3.x.test"),
            (Some("xs3.test"), "api.test"),
            (Some("x.api.test"), "api.test"),
            (None, "api.test"),
        ] {
            assert_eq!(certificates.endpoint(name).unwrap().name, expected, "{name:?}");
        }
        let of = |name: &str| certificates.of(Some(name.to_owned()));
        let is_same = |a: &Terminator, b: &Terminator| a.is_same(b);
        let first = of("a.s3.test").await.unwrap();
        assert!(is_same(&first, &of("b.s3.test").await.unwrap()));
        assert!(!is_same(&first, &of("api.test").await.unwrap()));
        clock.advance_ms(VALID_MS - RENEWED_BEFORE_END_MS + 1);
        assert!(!is_same(&first, &of("s3.test").await.unwrap()));
    }
}
