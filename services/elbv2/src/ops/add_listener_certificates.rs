//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddListenerCertificates.html>

use crate::{
    Error,
    certificates::{self, CertificateShape},
    rules,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct AddListenerCertificates;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
    certificates: Vec<CertificateShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    certificates: Vec<CertificateShape>,
}

impl Operation for AddListenerCertificates {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    /// A certificate that the listener has already is no error.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut tls = (*rules::tls(cx, &input.listener_arn)?).clone();
        let added = certificates::several(input.certificates)?;
        for arn in &added {
            certificates::check(cx, arn)?;
            if !tls.certificates.contains(arn) {
                tls.certificates.push(arn.clone());
            }
        }
        certificates::check_count(cx, &tls)?;
        let is_default = |arn: &_| tls.certificates.first() == Some(arn);
        let shape = |arn| CertificateShape { is_default: Some(is_default(&arn)), certificate_arn: Some(arn) };
        let certificates = added.into_iter().map(shape).collect();
        cx.tx.put(tls);
        Ok(Output { certificates })
    }
}
