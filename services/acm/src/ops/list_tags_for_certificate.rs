//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_ListTagsForCertificate.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::acm::CertificateArn;

pub(crate) struct ListTagsForCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tags: Vec<Tag>,
}

impl Operation for ListTagsForCertificate {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        Ok(Output { tags: rules::certificate(cx, &input.certificate_arn)?.tags.clone() })
    }
}
