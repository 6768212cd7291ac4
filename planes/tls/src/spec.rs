//! The TLS of a listener, as plain data.

use escale_base::Secret;
use serde::{Deserialize, Serialize};

/// The TLS of one listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsSpec {
    /// The first one is the default: clients get it that send no server name, or one that no certificate has.
    pub certificates: Vec<CertificateSpec>,
    pub policy: Policy,
    /// Offers HTTP/2 (ALPN `h2`) besides HTTP/1.1.
    pub http2: bool,
}

/// A certificate with its private key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateSpec {
    /// PEM: the certificate, then the intermediate ones.
    pub chain_pem: String,
    /// PEM: PKCS #8, PKCS #1 or SEC 1.
    pub key_pem: Secret<String>,
}

/// What clients may negotiate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub versions: Vec<Version>,
    pub suites: Vec<Suite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    Tls12,
    Tls13,
}

/// Cipher suites. Those of TLS 1.2 have ECDHE key exchange and an ECDSA or RSA signature, by the certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suite {
    Tls13Aes128Gcm,
    Tls13Aes256Gcm,
    Tls13Chacha20,
    Tls12Aes128Gcm,
    Tls12Aes256Gcm,
    Tls12Chacha20,
}

impl Policy {
    /// Both versions and every suite.
    pub fn modern() -> Policy {
        Policy {
            versions: vec![Version::Tls13, Version::Tls12],
            suites: vec![
                Suite::Tls13Aes128Gcm,
                Suite::Tls13Aes256Gcm,
                Suite::Tls13Chacha20,
                Suite::Tls12Aes128Gcm,
                Suite::Tls12Aes256Gcm,
                Suite::Tls12Chacha20,
            ],
        }
    }
}
