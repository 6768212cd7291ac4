//! Reads certificates: their names, validity, issuer and key.

pub use crate::choose::covers;
use crate::compile;
use escale_base::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use x509_cert::{
    Certificate,
    der::{Decode, asn1::ObjectIdentifier, oid::AssociatedOid},
    ext::pkix::{BasicConstraints, NameConstraints, SubjectAltName, name::GeneralName},
};

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Distinguished names as RFC 4514 writes them: `CN=shop.localhost`.
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal digits in pairs: `0a:1b`.
    pub serial: String,
    /// Its DNS names; without any, the common name.
    pub names: Vec<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub key: Key,
    /// `SHA256WITHRSA`, `SHA256WITHECDSA` or the like; else the object identifier.
    pub signature: String,
    pub is_authority: bool,
    /// The DNS names that an authority may issue certificates for; empty without such a constraint.
    pub permitted: Vec<String>,
}

/// The kind of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Rsa { bits: usize },
    P256,
    P384,
    P521,
    Other(String),
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Reads the first certificate. The error is a sentence about it.
pub fn read(pem: &str) -> Result<Facts, String> {
    facts(&parse(pem)?)
}

/// Refuses a private key that is not the certificate's, and one of a kind that no listener can use.
pub fn check_key(certificate_pem: &str, key_pem: &str) -> Result<(), String> {
    compile::key(certificate_pem, key_pem).map(drop)
}

/// Refuses a chain in which a certificate was not issued by the next one. Compares names, as a client does before it checks
/// signatures.
pub fn check_chain(certificate_pem: &str, chain_pem: &str) -> Result<(), String> {
    let mut below = read(certificate_pem)?;
    for der in CertificateDer::pem_slice_iter(chain_pem.as_bytes()) {
        let der = der.map_err(|error| format!("the chain is not PEM: {error}"))?;
        let next = decode(&der).and_then(|certificate| facts(&certificate))?;
        if next.subject != below.issuer {
            return Err(format!(
                "the certificate of '{}' was issued by '{}', but the next one in the chain is that of '{}'",
                below.subject, below.issuer, next.subject
            ));
        }
        below = next;
    }
    Ok(())
}

fn parse(pem: &str) -> Result<Certificate, String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "it is not a certificate in PEM format".to_owned())?;
    decode(&der)
}

fn decode(der: &CertificateDer<'_>) -> Result<Certificate, String> {
    Certificate::from_der(der.as_ref()).map_err(|error| format!("it is not an X.509 certificate: {error}"))
}

fn facts(certificate: &Certificate) -> Result<Facts, String> {
    let tbs = &certificate.tbs_certificate;
    let at = |time: &x509_cert::time::Time| {
        Timestamp(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
    };
    let serial: Vec<String> = tbs.serial_number.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let mut names = Vec::new();
    if let Some(alternative) = extension::<SubjectAltName>(certificate)? {
        names.extend(alternative.0.into_iter().filter_map(dns));
    }
    if names.is_empty() {
        names.extend(common_name(certificate));
    }
    let constraints = extension::<NameConstraints>(certificate)?.and_then(|c| c.permitted_subtrees);
    Ok(Facts {
        subject: tbs.subject.to_string(),
        issuer: tbs.issuer.to_string(),
        serial: serial.join(":"),
        names,
        not_before: at(&tbs.validity.not_before),
        not_after: at(&tbs.validity.not_after),
        key: key(certificate)?,
        signature: signature(&certificate.signature_algorithm.oid),
        is_authority: extension::<BasicConstraints>(certificate)?.is_some_and(|c| c.ca),
        permitted: constraints.into_iter().flatten().filter_map(|subtree| dns(subtree.base)).collect(),
    })
}

fn extension<T: AssociatedOid + for<'a> Decode<'a>>(certificate: &Certificate) -> Result<Option<T>, String> {
    let extensions = certificate.tbs_certificate.extensions.iter().flatten();
    let Some(found) = extensions.into_iter().find(|e| e.extn_id == T::OID) else { return Ok(None) };
    let read = T::from_der(found.extn_value.as_bytes());
    read.map(Some).map_err(|error| format!("its extension {} is not valid: {error}", T::OID))
}

fn dns(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let parts = certificate.tbs_certificate.subject.0.iter().flat_map(|rdn| rdn.0.iter());
    let value = parts.into_iter().find(|part| part.oid == COMMON_NAME)?;
    std::str::from_utf8(value.value.value()).ok().map(str::to_ascii_lowercase)
}

fn key(certificate: &Certificate) -> Result<Key, String> {
    let info = &certificate.tbs_certificate.subject_public_key_info;
    let curve = || info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
    match info.algorithm.oid {
        RSA => {
            // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
            let bytes = info.subject_public_key.as_bytes().unwrap_or_default();
            let read = Vec::<x509_cert::der::asn1::Uint>::from_der(bytes);
            let modulus = read.ok().and_then(|parts| parts.into_iter().next());
            let modulus = modulus.ok_or("its RSA key is not valid")?;
            let first = modulus.as_bytes().first().map_or(0, |b| b.leading_zeros() as usize);
            Ok(Key::Rsa { bits: modulus.as_bytes().len() * 8 - first })
        }
        EC => match curve() {
            Some(P256) => Ok(Key::P256),
            Some(P384) => Ok(Key::P384),
            Some(P521) => Ok(Key::P521),
            other => Ok(Key::Other(other.map_or_else(|| EC.to_string(), |oid| oid.to_string()))),
        },
        other => Ok(Key::Other(other.to_string())),
    }
}

fn signature(oid: &ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.113549.1.1.11" => "SHA256WITHRSA".into(),
        "1.2.840.113549.1.1.12" => "SHA384WITHRSA".into(),
        "1.2.840.113549.1.1.13" => "SHA512WITHRSA".into(),
        "1.2.840.10045.4.3.2" => "SHA256WITHECDSA".into(),
        "1.2.840.10045.4.3.3" => "SHA384WITHECDSA".into(),
        "1.2.840.10045.4.3.4" => "SHA512WITHECDSA".into(),
        other => other.into(),
    }
}
