//! A listener's TLS, checked and ready for handshakes.

use crate::{
    choose::Certificates,
    spec::{CertificateSpec, Policy, Suite, TlsSpec, Version},
    x509,
};
use escale_base::PlaneError;
use rustls::{
    ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::sync::Arc;

/// Answers the handshakes of one listener. Cheap to clone.
#[derive(Clone)]
pub struct Terminator(pub(crate) Arc<ServerConfig>);

impl std::fmt::Debug for Terminator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Terminator")
    }
}

impl Terminator {
    /// Whether both are clones of one.
    pub fn is_same(&self, other: &Terminator) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The error names the first invalid part of `spec`.
    pub fn new(spec: &TlsSpec) -> Result<Terminator, PlaneError> {
        let provider = Arc::new(provider(&spec.policy));
        let versions: Vec<&SupportedProtocolVersion> =
            spec.policy.versions.iter().copied().map(version).collect();
        let certificates = spec.certificates.iter().map(certified).collect::<Result<Vec<_>, _>>()?;
        let certificates = Certificates::new(certificates)
            .ok_or_else(|| PlaneError::asked("a listener with TLS needs at least one certificate"))?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| PlaneError::asked(format!("the TLS policy cannot be used: {error}")))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(certificates));
        let protocols: &[&[u8]] = if spec.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // Early data can be replayed by anyone who recorded it, and no server in front of an application can know whether that
        // is harmless.
        config.max_early_data_size = 0;
        Ok(Terminator(Arc::new(config)))
    }
}

fn provider(policy: &Policy) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites = policy.suites.iter().flat_map(|suite| suites(*suite)).collect();
    provider
}

fn version(version: Version) -> &'static SupportedProtocolVersion {
    match version {
        Version::Tls12 => &rustls::version::TLS12,
        Version::Tls13 => &rustls::version::TLS13,
    }
}

fn suites(suite: Suite) -> Vec<SupportedCipherSuite> {
    use ring::cipher_suite as all;
    match suite {
        Suite::Tls13Aes128Gcm => vec![all::TLS13_AES_128_GCM_SHA256],
        Suite::Tls13Aes256Gcm => vec![all::TLS13_AES_256_GCM_SHA384],
        Suite::Tls13Chacha20 => vec![all::TLS13_CHACHA20_POLY1305_SHA256],
        Suite::Tls12Aes128Gcm => {
            vec![all::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, all::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
        }
        Suite::Tls12Aes256Gcm => {
            vec![all::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, all::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
        }
        Suite::Tls12Chacha20 => vec![
            all::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            all::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
    }
}

/// The certificate with the names that it is valid for.
pub(crate) struct Named {
    pub(crate) names: Vec<String>,
    pub(crate) key: Arc<CertifiedKey>,
}

fn certified(spec: &CertificateSpec) -> Result<Named, PlaneError> {
    let facts = x509::read(&spec.chain_pem).map_err(PlaneError::asked)?;
    let key = key(&spec.chain_pem, spec.key_pem.reveal())
        .map_err(|error| PlaneError::asked(format!("the certificate of {}: {error}", facts.subject)))?;
    Ok(Named { names: facts.names, key: Arc::new(key) })
}

/// Reads a certificate and its key; refuses a key that belongs to another certificate.
pub(crate) fn key(chain_pem: &str, key_pem: &str) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("it is not PEM: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .map_err(|_| "its private key is not an unencrypted PEM private key".to_owned())?;
    let key = ring::sign::any_supported_type(&key).map_err(
        |_| "the kind of its private key is not supported; use RSA of 2,048 bits or more, P-256 or P-384",
    )?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err("the private key is not the certificate's".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
