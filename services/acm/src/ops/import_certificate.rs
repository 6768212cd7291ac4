//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html>

use crate::{Error, error::invalid, rules};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use escale_base::{AwsError, Secret, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn, KeyAlgorithm, Material, Origin};
use escale_tls::x509::{self, Facts, Key};

pub(crate) struct ImportCertificate;

/// The members are base64 of PEM.
#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: Option<CertificateArn>,
    certificate: String,
    private_key: Secret<String>,
    certificate_chain: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    certificate_arn: CertificateArn,
}

impl Operation for ImportCertificate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.as_ref().map_or_else(|| rules::arn(cx, "*"), ToString::to_string)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::tags(&input.tags)?;
        let (material, facts) = read(&input)?;
        if facts.not_after <= cx.now || facts.not_before > cx.now {
            return Err(invalid("The certificate is not valid at the current time. Import one that is."));
        }
        let key = algorithm(&facts.key)?;
        let origin = Origin::Imported { material, at: cx.now };
        let domain = facts.names.first().cloned();
        let domain =
            domain.ok_or_else(|| invalid("The certificate has neither a DNS name nor a common name."))?;
        let row = match &input.certificate_arn {
            None => Certificate {
                arn: rules::new_arn(cx),
                domain,
                names: facts.names,
                key,
                origin,
                tags: input.tags,
                created: cx.now,
            },
            Some(arn) => {
                let before = rules::certificate(cx, arn)?;
                check_replaceable(&before, &input.tags, key, &facts)?;
                Certificate { domain, names: facts.names, origin, ..(*before).clone() }
            }
        };
        let certificate_arn = row.arn.clone();
        cx.tx.put(row);
        Ok(Output { certificate_arn })
    }
}

fn read(input: &Input) -> Result<(Material, Facts), Error> {
    let pem = |what: &str, base64: &str| -> Result<String, Error> {
        let bytes = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        bytes.ok_or_else(|| invalid(format!("The {what} is not in PEM format.")))
    };
    let certificate_pem = pem("certificate", &input.certificate)?;
    let key_pem = pem("private key", input.private_key.reveal())?;
    let chain_pem =
        input.certificate_chain.as_deref().map(|chain| pem("certificate chain", chain)).transpose()?;
    let chain_pem = chain_pem.unwrap_or_default();
    let wrong = |why: String| invalid(format!("The certificate cannot be imported: {why}."));
    let facts = x509::read(&certificate_pem).map_err(wrong)?;
    x509::check_key(&certificate_pem, &key_pem).map_err(wrong)?;
    x509::check_chain(&certificate_pem, &chain_pem).map_err(wrong)?;
    let material = Material {
        certificate_pem,
        chain_pem,
        key_pem: Secret::new(key_pem),
        not_before: facts.not_before,
        not_after: facts.not_after,
    };
    Ok((material, facts))
}

/// Whether an import may replace this certificate. Its users must not get one with fewer names or another kind of key.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/import-reimport.html>
fn check_replaceable(
    before: &Certificate,
    tags: &[Tag],
    key: KeyAlgorithm,
    facts: &Facts,
) -> Result<(), Error> {
    if matches!(before.origin, Origin::Requested { .. }) {
        return Err(invalid(format!(
            "{} was requested, not imported. Only an imported certificate can be replaced by an import.",
            before.arn
        )));
    }
    if !tags.is_empty() {
        return Err(invalid(
            "Tags cannot be set by importing a certificate again. Use AddTagsToCertificate.",
        ));
    }
    if before.key != key {
        return Err(invalid(format!("The key must have the same algorithm as before, {}.", before.key)));
    }
    match before.names.iter().find(|name| !facts.names.contains(name)) {
        Some(name) => Err(invalid(format!("The new certificate lacks the name {name} of the old one."))),
        None => Ok(()),
    }
}

fn algorithm(key: &Key) -> Result<KeyAlgorithm, Error> {
    match key {
        Key::Rsa { bits: 2048 } => Ok(KeyAlgorithm::Rsa2048),
        Key::Rsa { bits: 3072 } => Ok(KeyAlgorithm::Rsa3072),
        Key::Rsa { bits: 4096 } => Ok(KeyAlgorithm::Rsa4096),
        Key::P256 => Ok(KeyAlgorithm::P256),
        Key::P384 => Ok(KeyAlgorithm::P384),
        other => Err(AwsError::not_supported(format!("A certificate with a key of the kind {other:?}"))
            .hint("Use RSA with 2,048, 3,072 or 4,096 bits, P-256 or P-384.")
            .into()),
    }
}
