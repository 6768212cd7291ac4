//! A certificate, and what an authority issued for it.

use crate::row;
use escale_base::{Secret, Tag, Timestamp};
use escale_store::Image;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `arn:aws:acm:<region>:<account>:certificate/<uuid>`
    CertificateArn;
    /// The client's mark for one request, which its retries share.
    IdempotencyToken;
}
escale_base::choice! {
    pub enum KeyAlgorithm {
        Rsa1024 = "RSA_1024", Rsa2048 = "RSA_2048", Rsa3072 = "RSA_3072", Rsa4096 = "RSA_4096",
        P256 = "EC_prime256v1", P384 = "EC_secp384r1", P521 = "EC_secp521r1",
    }
}

/// A requested or imported certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    pub arn: CertificateArn,
    /// The first name.
    pub domain: String,
    /// All names, the first one included.
    pub names: Vec<String>,
    pub key: KeyAlgorithm,
    pub origin: Origin,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Certificate, "acm_certificate", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Origin {
    /// Issued once a DNS record proves that the requester controls each name.
    Requested {
        token: Option<IdempotencyToken>,
        transparency_logging: bool,
        /// When the user requested the last renewal.
        renewal: Option<Timestamp>,
    },
    Imported {
        material: Material,
        at: Timestamp,
    },
}

/// A certificate with its key, as PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Material {
    pub certificate_pem: String,
    /// The certificates up to the root; empty without any.
    pub chain_pem: String,
    pub key_pem: Secret<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl Material {
    /// The certificate and its intermediate ones.
    pub fn full_chain(&self) -> String {
        format!("{}\n{}", self.certificate_pem.trim_end(), self.chain_pem)
    }
}

/// What the authority issued last for a requested certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateSeen {
    pub arn: CertificateArn,
    pub material: Material,
    /// The first issue.
    pub issued: Timestamp,
    /// The last renewal.
    pub renewed: Option<Timestamp>,
}
row!(CertificateSeen, "acm_certificate_seen", |r| r.arn.to_string());

/// The certificate with its key, if it is imported or has been issued.
pub fn usable(image: &Image, arn: &str) -> Option<Material> {
    match &image.get::<Certificate>(arn)?.origin {
        Origin::Imported { material, .. } => Some(material.clone()),
        Origin::Requested { .. } => image.get::<CertificateSeen>(arn).map(|seen| seen.material.clone()),
    }
}
