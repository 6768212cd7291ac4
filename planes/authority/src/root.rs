//! Root certificates. A root is its key and its subject: it can be signed again for other domains, and certificates that it
//! issued before stay valid under every version.

use crate::Purpose;
use escale_base::{PlaneError, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};
use time::OffsetDateTime;

/// As long as the installation may live. A user who installed the root should not have to do it again.
const VALID_MS: i64 = 10 * 365 * DAY_MS;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The subject says to a user who reads a browser's list of authorities which installation it belongs to.
fn subject(purpose: Purpose, tag: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let what = match purpose {
        Purpose::Browsers => "local authority",
        Purpose::Workloads => "inner authority",
    };
    name.push(DnType::OrganizationName, "Escale");
    name.push(DnType::CommonName, format!("Escale {what} {tag}"));
    name
}

/// The root's certificate, without its validity.
pub(crate) fn params(purpose: Purpose, tag: &str, permitted: &[String]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(purpose, tag);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whoever steals the key cannot sign mails or programs with it.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if purpose == Purpose::Browsers {
        let domains = permitted.iter().map(|domain| GeneralSubtree::DnsName(domain.clone()));
        // A constraint of one kind does not restrict names of another kind (RFC 5280, 4.2.1.10), so addresses have their own.
        let loopback = [
            GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(std::net::Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: domains.chain(loopback).collect(),
            excluded_subtrees: Vec::new(),
        });
    }
    params
}

/// Signs the root anew.
pub(crate) fn sign(
    purpose: Purpose,
    tag: &str,
    permitted: &[String],
    key: &KeyPair,
    now: Timestamp,
) -> Result<String, PlaneError> {
    let mut params = params(purpose, tag, permitted);
    // A day back, for clients whose clock is behind.
    params.not_before = date(Timestamp(now.0 - DAY_MS))?;
    params.not_after = date(Timestamp(now.0 + VALID_MS))?;
    let signed = params.self_signed(key);
    let signed =
        signed.map_err(|e| PlaneError::plane("cannot sign a root certificate").because(e.to_string()))?;
    Ok(signed.pem())
}

pub(crate) fn date(at: Timestamp) -> Result<OffsetDateTime, PlaneError> {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .map_err(|_| PlaneError::asked(format!("{} is not a time that a certificate can have", at.0)))
}
