//! The resources that use a certificate.

use escale_store::Image;
use escale_tables::cloudfront::Distribution;
use escale_tables::elbv2::ListenerTls;
use std::collections::BTreeSet;

/// The ARNs of load balancers and distributions.
pub(crate) fn by(image: &Image, account: &str, arn: &str) -> BTreeSet<String> {
    let listeners = image.scan::<ListenerTls>().filter(|tls| tls.certificates.iter().any(|c| *c == *arn));
    let balancers = listeners.map(|tls| tls.load_balancer.to_string());
    let distributions = image.scan::<Distribution>().filter(|distribution| {
        let viewer = distribution.config.viewer_certificate.as_ref();
        viewer.and_then(|v| v.acm_certificate_arn.as_deref()) == Some(arn)
    });
    let distributions = distributions.map(|d| format!("arn:aws:cloudfront::{account}:distribution/{}", d.id));
    balancers.chain(distributions).collect()
}
