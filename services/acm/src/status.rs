//! The status of a certificate, computed from its rows.

use crate::{
    choices::{CertificateStatus, DomainStatus},
    validation,
};
use escale_base::Timestamp;
use escale_store::Image;
use escale_tables::acm::{Certificate, CertificateSeen, Origin, usable};

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

/// The validation of one of its names.
pub(crate) fn of_domain(
    image: &Image,
    account: &str,
    row: &Certificate,
    name: &str,
    now: Timestamp,
) -> DomainStatus {
    let proven = || validation::is_proven(image, &validation::proof(account, name));
    match row.origin {
        Origin::Requested { .. } if image.has::<CertificateSeen>(&row.arn) => DomainStatus::Success,
        _ if is_late(row, now) => DomainStatus::Failed,
        _ if proven() => DomainStatus::Success,
        _ => DomainStatus::PendingValidation,
    }
}
