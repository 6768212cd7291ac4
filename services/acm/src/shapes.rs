//! Response shapes that several operations share.

use crate::{
    choices::{
        CertificateStatus, CertificateType, DomainStatus, ExtendedKeyUsageName, KeyUsageName, RecordType,
        RenewalEligibility, RenewalStatus, Switch, ValidationMethod,
    },
    in_use, status, validation,
};
use escale_base::{Timestamp, Wire};
use escale_service::Cx;
use escale_tables::acm::{Certificate, CertificateArn, CertificateSeen, KeyAlgorithm, Origin, usable};
use escale_tls::x509;

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct Options {
    pub(crate) certificate_transparency_logging_preference: Option<Switch>,
    pub(crate) export: Option<Switch>,
}

#[derive(Debug, Wire)]
pub(crate) struct Detail {
    pub(crate) certificate_arn: CertificateArn,
    pub(crate) domain_name: String,
    pub(crate) subject_alternative_names: Vec<String>,
    pub(crate) domain_validation_options: Option<Vec<DomainValidation>>,
    pub(crate) serial: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) imported_at: Option<Timestamp>,
    pub(crate) status: CertificateStatus,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) key_algorithm: KeyAlgorithm,
    pub(crate) signature_algorithm: Option<String>,
    pub(crate) in_use_by: Vec<String>,
    #[wire("Type")]
    pub(crate) kind: CertificateType,
    pub(crate) renewal_summary: Option<RenewalSummary>,
    pub(crate) key_usages: Vec<KeyUsage>,
    pub(crate) extended_key_usages: Vec<ExtendedKeyUsage>,
    pub(crate) renewal_eligibility: RenewalEligibility,
    pub(crate) options: Options,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct DomainValidation {
    pub(crate) domain_name: String,
    pub(crate) validation_domain: String,
    pub(crate) validation_status: DomainStatus,
    pub(crate) resource_record: ResourceRecord,
    pub(crate) validation_method: ValidationMethod,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct ResourceRecord {
    pub(crate) name: String,
    #[wire("Type")]
    pub(crate) kind: RecordType,
    pub(crate) value: String,
}

#[derive(Debug, Wire)]
pub(crate) struct RenewalSummary {
    pub(crate) renewal_status: RenewalStatus,
    pub(crate) domain_validation_options: Vec<DomainValidation>,
    pub(crate) updated_at: Timestamp,
}

#[derive(Debug, Wire)]
pub(crate) struct KeyUsage {
    pub(crate) name: KeyUsageName,
}

#[derive(Debug, Wire)]
pub(crate) struct ExtendedKeyUsage {
    pub(crate) name: ExtendedKeyUsageName,
    #[wire("OID")]
    pub(crate) oid: &'static str,
}

pub(crate) fn detail(cx: &Cx<'_>, row: &Certificate) -> Detail {
    let material = usable(cx.tx, &row.arn);
    // An issued or imported certificate was read before, so it can be read now.
    let facts = material.as_ref().and_then(|m| x509::read(&m.certificate_pem).ok());
    let seen = cx.tx.get::<CertificateSeen>(&row.arn);
    let (imported, logging) = match &row.origin {
        Origin::Imported { at, .. } => (Some(*at), None),
        Origin::Requested { transparency_logging, .. } => (None, Some(*transparency_logging)),
    };
    let is_requested = imported.is_none();
    let domains = is_requested.then(|| validations(cx, row));
    let renewed = seen.as_ref().and_then(|seen| seen.renewed);
    let users = in_use::by(cx.tx, &cx.config.account, &row.arn);
    Detail {
        certificate_arn: row.arn.clone(),
        domain_name: row.domain.clone(),
        subject_alternative_names: row.names.clone(),
        serial: facts.as_ref().map(|f| f.serial.clone()),
        subject: facts.as_ref().map(|f| f.subject.clone()),
        issuer: facts.as_ref().map(|f| f.issuer.clone()),
        created_at: is_requested.then_some(row.created),
        issued_at: seen.as_ref().map(|seen| seen.issued),
        imported_at: imported,
        status: status::of(cx.tx, row, cx.now),
        not_before: material.as_ref().map(|m| m.not_before),
        not_after: material.as_ref().map(|m| m.not_after),
        key_algorithm: row.key,
        signature_algorithm: facts.map(|f| f.signature),
        renewal_eligibility: eligibility(is_requested && material.is_some() && !users.is_empty()),
        in_use_by: users.into_iter().collect(),
        kind: kind(row),
        renewal_summary: renewed.zip(domains.clone()).map(|(updated_at, domain_validation_options)| {
            RenewalSummary { renewal_status: RenewalStatus::Success, domain_validation_options, updated_at }
        }),
        domain_validation_options: domains,
        key_usages: key_usages(row).into_iter().map(|name| KeyUsage { name }).collect(),
        extended_key_usages: extended_key_usages(row)
            .into_iter()
            .map(|name| ExtendedKeyUsage { name, oid: "1.3.6.1.5.5.7.3.1" })
            .collect(),
        options: Options {
            certificate_transparency_logging_preference: logging.map(switch),
            export: is_requested.then_some(Switch::Disabled),
        },
    }
}

pub(crate) fn validations(cx: &Cx<'_>, row: &Certificate) -> Vec<DomainValidation> {
    let (account, status) = (&cx.config.account, status::of_domains(cx.tx, row, cx.now));
    let one = |name: &String| {
        let proof = validation::proof(account, name);
        DomainValidation {
            domain_name: name.clone(),
            validation_domain: name.clone(),
            validation_status: status,
            resource_record: ResourceRecord { name: proof.name, kind: RecordType::Cname, value: proof.value },
            validation_method: ValidationMethod::Dns,
        }
    };
    row.names.iter().map(one).collect()
}

pub(crate) fn kind(row: &Certificate) -> CertificateType {
    match row.origin {
        Origin::Requested { .. } => CertificateType::AmazonIssued,
        Origin::Imported { .. } => CertificateType::Imported,
    }
}

/// The usages that the authority puts into certificates. Those of an imported one are not read.
pub(crate) fn key_usages(row: &Certificate) -> Vec<KeyUsageName> {
    match row.origin {
        Origin::Requested { .. } => vec![KeyUsageName::DigitalSignature, KeyUsageName::KeyEncipherment],
        Origin::Imported { .. } => Vec::new(),
    }
}

pub(crate) fn extended_key_usages(row: &Certificate) -> Vec<ExtendedKeyUsageName> {
    match row.origin {
        Origin::Requested { .. } => vec![ExtendedKeyUsageName::TlsWebServerAuthentication],
        Origin::Imported { .. } => Vec::new(),
    }
}

pub(crate) fn eligibility(eligible: bool) -> RenewalEligibility {
    if eligible { RenewalEligibility::Eligible } else { RenewalEligibility::Ineligible }
}

pub(crate) fn switch(on: bool) -> Switch {
    if on { Switch::Enabled } else { Switch::Disabled }
}
