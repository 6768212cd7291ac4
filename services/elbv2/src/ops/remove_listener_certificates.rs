//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveListenerCertificates.html>

use crate::{
    Error,
    certificates::{self, CertificateShape},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct RemoveListenerCertificates;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
    certificates: Vec<CertificateShape>,
}

impl Operation for RemoveListenerCertificates {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    /// A certificate that the listener does not have is no error.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut tls = (*rules::tls(cx, &input.listener_arn)?).clone();
        let removed = certificates::several(input.certificates)?;
        if let Some(default) = tls.certificates.first().filter(|arn| removed.contains(arn)) {
            return Err(Error::NotPermitted(format!(
                "The certificate '{default}' is the default certificate of the listener, which cannot be removed. Replace it \
                 with ModifyListener"
            )));
        }
        tls.certificates.retain(|arn| !removed.contains(arn));
        cx.tx.put(tls);
        Ok(())
    }
}
