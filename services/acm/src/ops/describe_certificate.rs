//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::acm::CertificateArn;

pub(crate) struct DescribeCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) certificate: shapes::Detail,
}

impl Operation for DescribeCertificate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        Ok(Output { certificate: shapes::detail(cx, &row) })
    }
}
