//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_AddTagsToCertificate.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn};

pub(crate) struct AddTagsToCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
    tags: Vec<Tag>,
}

impl Operation for AddTagsToCertificate {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::tags(&input.tags)?;
        let row = rules::certificate(cx, &input.certificate_arn)?;
        let mut merged = row.tags.clone();
        tags::merge(&mut merged, input.tags);
        rules::tags(&merged)?;
        cx.tx.put(Certificate { tags: merged, ..(*row).clone() });
        Ok(())
    }
}
