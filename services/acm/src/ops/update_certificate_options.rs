//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_UpdateCertificateOptions.html>

use crate::{Error, choices::Switch, error::invalid, rules, shapes::Options};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn, Origin};

pub(crate) struct UpdateCertificateOptions;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
    options: Options,
}

impl Operation for UpdateCertificateOptions {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        if matches!(row.origin, Origin::Imported { .. }) {
            return Err(invalid(format!("{} was imported, so it has no options.", row.arn)));
        }
        if input.options.export == Some(Switch::Enabled) {
            return Err(AwsError::not_supported("Options.Export=ENABLED").hint("Use DISABLED.").into());
        }
        let wanted = input.options.certificate_transparency_logging_preference;
        cx.tx.update(&row.arn, |row: &mut Certificate| {
            if let (Origin::Requested { transparency_logging, .. }, Some(wanted)) = (&mut row.origin, wanted)
            {
                *transparency_logging = wanted == Switch::Enabled;
            }
        });
        Ok(())
    }
}
