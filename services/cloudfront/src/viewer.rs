//! HTTPS of viewers: the certificates and the TLS policy of a distribution.
//!
//! The edge has a certificate of the installation's authority for the distribution's own name, as AWS has one for
//! `*.cloudfront.net`. It also has the aliases below `localhost`, which every machine resolves to itself: nobody else can own
//! them. All other aliases need a certificate in ACM.

use crate::{Error, check::hosts};
use escale_base::{Arn, AwsError};
use escale_cdn::spec::tls::{CertificateSpec, Policy, Suite, TlsSpec, Version};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::{
    acm::{Certificate, CertificateArn, usable},
    cloudfront::{
        Alias, Distribution, DistributionConfig, EdgeCertificate, HttpVersion, MinimumProtocolVersion,
        SslSupportMethod, ViewerCertificate,
    },
};
use escale_tls::x509::covers;

/// The region of certificates for distributions.
/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html>
const REGION: &str = "us-east-1";
const LOCAL: &str = ".localhost";

/// Refuses a viewer certificate that the edge cannot use.
pub(crate) fn check(cx: &Cx<'_>, config: &DistributionConfig) -> Result<(), Error> {
    let Some(viewer) = &config.viewer_certificate else { return Ok(()) };
    let is_default = viewer.cloud_front_default_certificate == Some(true);
    let Some(arn) = arn(viewer) else {
        if is_default {
            return Ok(());
        }
        return Err(Error::ViewerCertificate(
            "The viewer certificate must be CloudFront's default certificate or name an ACMCertificateArn"
                .into(),
        ));
    };
    if is_default {
        return Err(Error::ViewerCertificate(
            "Specify either CloudFrontDefaultCertificate or ACMCertificateArn, not both".into(),
        ));
    }
    match viewer.ssl_support_method {
        Some(SslSupportMethod::SniOnly) => {}
        None => {
            return Err(Error::ViewerCertificate(
                "SSLSupportMethod is required with ACMCertificateArn".into(),
            ));
        }
        Some(other) => {
            let error = AwsError::not_supported(format_args!("The SSLSupportMethod '{other}'"));
            return Err(error.hint("Use 'sni-only'.").into());
        }
    }
    let is_in_region = arn.parse::<Arn>().is_ok_and(|parsed| parsed.region == REGION);
    let row = cx.tx.get::<Certificate>(arn).filter(|_| is_in_region && usable(cx.tx, arn).is_some());
    let row = row.ok_or_else(|| {
        Error::ViewerCertificate(format!(
            "The specified SSL certificate {arn} doesn't exist, isn't in {REGION} region, isn't valid, or isn't issued yet. \
             Request it with: aws acm request-certificate --region {REGION}"
        ))
    })?;
    // A wildcard alias is covered by the same wildcard.
    let is_covered = |alias: &str| row.names.iter().any(|name| covers(name, alias));
    match config
        .aliases
        .iter()
        .flat_map(|aliases| &aliases.0)
        .map(Alias::as_str)
        .find(|alias| !is_covered(alias))
    {
        Some(alias) => Err(Error::ViewerCertificate(format!(
            "The certificate {arn} doesn't cover the alternate domain name (CNAME) {alias}"
        ))),
        None => Ok(()),
    }
}

fn arn(viewer: &ViewerCertificate) -> Option<&CertificateArn> {
    viewer.acm_certificate_arn.as_ref().filter(|arn| !arn.is_empty())
}

/// The names of the edge's own certificate for the distribution.
pub(crate) fn own_names(row: &Distribution) -> Vec<String> {
    let has_other = row.config.viewer_certificate.as_ref().and_then(arn).is_some();
    let hosts = hosts(row);
    hosts
        .into_iter()
        .enumerate()
        .filter(|(at, host)| *at == 0 || (!has_other && host.ends_with(LOCAL)))
        .map(|(_, h)| h)
        .collect()
}

/// `None` until a certificate is there.
pub(crate) fn tls(image: &Image, row: &Distribution) -> Option<TlsSpec> {
    let viewer = row.config.viewer_certificate.as_ref();
    let own = image.get::<EdgeCertificate>(&row.id).map(|row| row.material.clone());
    let other = viewer.and_then(arn).and_then(|arn| usable(image, arn));
    let certificates: Vec<CertificateSpec> = other
        .into_iter()
        .chain(own)
        .map(|material| CertificateSpec { chain_pem: material.full_chain(), key_pem: material.key_pem })
        .collect();
    let minimum = viewer.and_then(|viewer| viewer.minimum_protocol_version);
    (!certificates.is_empty()).then(|| TlsSpec {
        certificates,
        policy: policy(minimum),
        http2: !matches!(row.config.http_version, Some(HttpVersion::Http11 | HttpVersion::Http3)),
    })
}

/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html>
fn policy(minimum: Option<MinimumProtocolVersion>) -> Policy {
    let suites13 = [Suite::Tls13Aes128Gcm, Suite::Tls13Aes256Gcm, Suite::Tls13Chacha20];
    match minimum {
        Some(MinimumProtocolVersion::TLSv132025) => {
            Policy { versions: vec![Version::Tls13], suites: suites13.to_vec() }
        }
        // The others differ in versions before 1.2 and in CBC suites, which the edge does not offer.
        _ => Policy::modern(),
    }
}
