//! The status of a certificate, computed from its rows.

use crate::choices::{CertificateStatus, DomainStatus};
use escale_base::Timestamp;
use escale_store::Image;
use escale_tables::acm::{Certificate, usable};

const HOUR_MS: i64 = 3600 * 1000;
/// The time that a requester has for creating the records.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>
pub(crate) const VALIDATE_WITHIN_MS: i64 = 72 * HOUR_MS;

pub(crate) fn of(image: &Image, row: &Certificate, now: Timestamp) -> CertificateStatus {
    match usable(image, &row.arn) {
        Some(material) if material.not_after <= now => CertificateStatus::Expired,
        Some(_) => CertificateStatus::Issued,
        None if is_late(row, now) => CertificateStatus::ValidationTimedOut,
        None => CertificateStatus::PendingValidation,
    }
}

/// Whether a requested certificate was not validated in time. It is never issued then.
pub(crate) fn is_late(row: &Certificate, now: Timestamp) -> bool {
    now.since_ms(row.created) >= VALIDATE_WITHIN_MS
}

/// The validation of its names. They succeed together with the issue: clients wait for the validation and then use the
/// certificate.
pub(crate) fn of_domains(image: &Image, row: &Certificate, now: Timestamp) -> DomainStatus {
    match usable(image, &row.arn) {
        Some(_) => DomainStatus::Success,
        None if is_late(row, now) => DomainStatus::Failed,
        None => DomainStatus::PendingValidation,
    }
}
