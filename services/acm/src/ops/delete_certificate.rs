//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_DeleteCertificate.html>

use crate::{Error, in_use, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn};

pub(crate) struct DeleteCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
}

impl Operation for DeleteCertificate {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        let users = Vec::from_iter(in_use::by(cx.tx, &cx.config.account, &row.arn));
        if !users.is_empty() {
            return Err(Error::InUse { arn: row.arn.to_string(), users: users.join(", ") });
        }
        // The reconciler deletes what was issued.
        cx.tx.delete::<Certificate>(&row.arn);
        Ok(())
    }
}
