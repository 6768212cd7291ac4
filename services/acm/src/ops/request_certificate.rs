//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>

use crate::{
    Error,
    choices::{Switch, ValidationMethod},
    rules,
    shapes::Options,
};
use escale_base::{AwsError, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_store::Image;
use escale_tables::acm::{Certificate, CertificateArn, IdempotencyToken, KeyAlgorithm, Origin};
use std::sync::Arc;

pub(crate) struct RequestCertificate;

/// For this long the same token means the same request.
const SAME_TOKEN_MS: i64 = 3600 * 1000;

#[derive(Wire)]
pub(crate) struct Input {
    domain_name: String,
    validation_method: Option<ValidationMethod>,
    subject_alternative_names: Vec<String>,
    idempotency_token: Option<IdempotencyToken>,
    options: Option<Options>,
    key_algorithm: Option<KeyAlgorithm>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) certificate_arn: CertificateArn,
}

impl Operation for RequestCertificate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(_input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "*")]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // EMAIL is AWS's default.
        match input.validation_method.unwrap_or(ValidationMethod::Email) {
            ValidationMethod::Dns => {}
            other => {
                let what = format!("The validation method {other}");
                return Err(AwsError::not_supported(what).hint("Set ValidationMethod to DNS.").into());
            }
        }
        rules::tags(&input.tags)?;
        let domain = rules::domain(&input.domain_name)?;
        let mut names = vec![domain.clone()];
        for name in &input.subject_alternative_names {
            let name = rules::domain(name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let key = supported(input.key_algorithm.unwrap_or(KeyAlgorithm::Rsa2048))?;
        let options = input.options.unwrap_or_default();
        if options.export == Some(Switch::Enabled) {
            return Err(AwsError::not_supported("Options.Export=ENABLED").hint("Use DISABLED.").into());
        }
        let logging = options.certificate_transparency_logging_preference != Some(Switch::Disabled);
        if let Some(same) = input.idempotency_token.as_ref().and_then(|token| repeated(cx, token, &names)) {
            return Ok(Output { certificate_arn: same.arn.clone() });
        }
        let row = Certificate {
            arn: rules::new_arn(cx),
            domain,
            names,
            key,
            origin: Origin::Requested {
                token: input.idempotency_token,
                transparency_logging: logging,
                renewal: None,
            },
            tags: input.tags,
            created: cx.now,
        };
        let certificate_arn = row.arn.clone();
        cx.tx.put(row);
        Ok(Output { certificate_arn })
    }
}

/// The certificate that an earlier request with the same token has created.
fn repeated(cx: &Cx<'_>, asked: &IdempotencyToken, names: &[String]) -> Option<Arc<Certificate>> {
    let prefix = rules::arn(cx, "");
    let image: &Image = cx.tx;
    let same = |row: &Arc<Certificate>| {
        let token = match &row.origin {
            Origin::Requested { token, .. } => token.as_ref(),
            Origin::Imported { .. } => None,
        };
        token == Some(asked) && row.names == names && cx.now.since_ms(row.created) < SAME_TOKEN_MS
    };
    image.prefix::<Certificate>(&prefix).find(same)
}

/// The kinds of keys that AWS has for public certificates.
/// Source: <https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html>
fn supported(key: KeyAlgorithm) -> Result<KeyAlgorithm, Error> {
    match key {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::P256 | KeyAlgorithm::P384 => Ok(key),
        other => Err(AwsError::not_supported(format!("The key algorithm {other}"))
            .hint("Use RSA_2048, EC_prime256v1 or EC_secp384r1.")
            .into()),
    }
}
