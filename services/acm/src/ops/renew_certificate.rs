//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_RenewCertificate.html>

use crate::{Error, error::invalid, in_use, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn, Origin, usable};

pub(crate) struct RenewCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
}

impl Operation for RenewCertificate {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    /// The reconciler issues the new certificate.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        let arn = row.arn.to_string();
        if matches!(row.origin, Origin::Imported { .. }) {
            return Err(invalid(format!(
                "{arn} was imported, so it cannot be renewed. Import a new certificate under its ARN."
            )));
        }
        if usable(cx.tx, &arn).is_none() {
            return Err(Error::InProgress(arn));
        }
        if in_use::by(cx.tx, &cx.config.account, &arn).is_empty() {
            return Err(invalid(format!("{arn} is not in use, so it is not eligible for renewal.")));
        }
        let now = cx.now;
        cx.tx.update(&arn, |row: &mut Certificate| {
            if let Origin::Requested { renewal, .. } = &mut row.origin {
                *renewal = Some(now);
            }
        });
        Ok(())
    }
}
