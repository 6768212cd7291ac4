//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html>

use crate::{Error, certificates::CertificateShape, rules};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::acm::CertificateArn;

pub(crate) struct DescribeListenerCertificates;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
    marker: Option<String>,
    page_size: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) certificates: Vec<CertificateShape>,
    pub(crate) next_marker: Option<String>,
}

impl Operation for DescribeListenerCertificates {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let tls = rules::tls(cx, &input.listener_arn)?;
        let size = rules::page_size(input.page_size)?;
        let default = tls.certificates.first().cloned();
        let mut all = tls.certificates.clone();
        // Pages continue after the last key, so the keys are in order.
        all.sort();
        let page = paging::page(all, CertificateArn::to_string, input.marker.as_deref(), size)?;
        let shape = |arn: CertificateArn| CertificateShape {
            is_default: Some(default.as_ref() == Some(&arn)),
            certificate_arn: Some(arn),
        };
        Ok(Output { certificates: page.items.into_iter().map(shape).collect(), next_marker: page.next })
    }
}
