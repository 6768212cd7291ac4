//! What an authority can issue, as plain data.

use escale_base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

/// The two authorities. Clients that trust one of them do not trust the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Names that browsers and other programs on the host open. Its root is valid for few domains only, because users install
    /// it.
    Browsers,
    /// Names that exist inside the cloud only. No user installs its root.
    Workloads,
}

/// A certificate for servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// DNS names, where the first label may be `*`, and IP addresses. The first one is also the common name.
    pub names: Vec<String>,
    pub key: KeyKind,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    Rsa2048,
    P256,
    P384,
}

/// An issued certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    pub certificate_pem: String,
    /// The certificates up to the root, without the certificate itself.
    pub chain_pem: String,
    /// PKCS #8.
    pub key_pem: Secret<String>,
}
