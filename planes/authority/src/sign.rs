//! Signs certificates for servers.

use crate::{Issued, Leaf, root};
use escale_base::{PlaneError, Secret};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SigningKey,
};
use std::net::IpAddr;

/// The certificate for `key`.
pub(crate) fn leaf(
    issuer: &Issuer<'_, impl SigningKey>,
    leaf: &Leaf,
    key: &KeyPair,
    chain_pem: String,
) -> Result<Issued, PlaneError> {
    let signed = params(leaf)?.signed_by(key, issuer);
    let certificate = signed.map_err(|error| {
        let names = leaf.names.join(", ");
        PlaneError::asked(format!("cannot issue a certificate for {names}")).because(error.to_string())
    })?;
    Ok(Issued { certificate_pem: certificate.pem(), chain_pem, key_pem: Secret::new(key.serialize_pem()) })
}

fn params(leaf: &Leaf) -> Result<CertificateParams, PlaneError> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    // A common name has at most 64 characters (RFC 5280, A.1). Clients only read the alternative names.
    if let Some(first) = leaf.names.first().filter(|name| name.len() <= 64) {
        subject.push(DnType::CommonName, first.as_str());
    }
    params.distinguished_name = subject;
    params.subject_alt_names = leaf.names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
    if params.subject_alt_names.is_empty() {
        return Err(PlaneError::asked("a certificate needs at least one name"));
    }
    params.not_before = root::date(leaf.not_before)?;
    params.not_after = root::date(leaf.not_after)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn alternative(name: &str) -> Result<SanType, PlaneError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let valid = name.try_into().map_err(|_| PlaneError::asked(format!("'{name}' is not a DNS name")))?;
    Ok(SanType::DnsName(valid))
}
