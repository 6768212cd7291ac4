//! Certificates.

mod certificate;

pub use certificate::{
    Certificate, CertificateArn, CertificateSeen, IdempotencyToken, KeyAlgorithm, Material, Origin, usable,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[TableDef::of::<Certificate>(), TableDef::of::<CertificateSeen>()];
