//! The certificate of the API's endpoint on the host's loopback.

use crate::settings::Settings;
use anyhow::{Context, Result};
use escale_authority::{Authorities, Authority, KeyKind, Leaf, Purpose};
use escale_base::Clock;
use escale_tls::{CertificateSpec, Policy, Terminator, TlsSpec};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// Each start of the daemon issues a new one, and a daemon seldom runs as long.
const VALID_MS: i64 = 398 * DAY_MS;

/// Issues the certificate. Clients trust it after `escale trust`, or with the root certificate in the home.
pub(crate) async fn terminator(
    authority: &Authorities,
    settings: &Settings,
    clock: &Clock,
) -> Result<Terminator> {
    let (host, _) = settings.config.endpoint.rsplit_once(':').unwrap_or((&settings.config.endpoint, ""));
    let mut names: Vec<String> = ["localhost", "*.localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    // A bucket is the first label of the host in virtual-hosted requests.
    names.push("*.s3.localhost".to_owned());
    let host = host.trim_matches(['[', ']']).to_owned();
    if !names.contains(&host) {
        names.push(host);
    }
    let now = clock.now();
    let leaf = Leaf {
        names,
        key: KeyKind::P256,
        not_before: now.plus_ms(-DAY_MS),
        not_after: now.plus_ms(VALID_MS),
    };
    let issued =
        authority.issue(Purpose::Browsers, leaf).await.context("cannot issue the API's certificate")?;
    let certificate = CertificateSpec {
        chain_pem: format!("{}{}", issued.certificate_pem, issued.chain_pem),
        key_pem: issued.key_pem,
    };
    let spec = TlsSpec { certificates: vec![certificate], policy: Policy::modern(), http2: true };
    Ok(Terminator::new(&spec)?)
}
