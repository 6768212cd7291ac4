//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_GetCertificate.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::acm::{CertificateArn, usable};

pub(crate) struct GetCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    certificate: String,
    certificate_chain: Option<String>,
}

impl Operation for GetCertificate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        let material = usable(cx.tx, &row.arn).ok_or_else(|| Error::InProgress(row.arn.to_string()))?;
        Ok(Output {
            certificate: material.certificate_pem,
            certificate_chain: Some(material.chain_pem).filter(|chain| !chain.is_empty()),
        })
    }
}
