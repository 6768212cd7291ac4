//! The certificates and the TLS of listeners.

use crate::{
    Error,
    error::{TooMany, invalid},
    ssl_policies,
};
use escale_base::{Arn, AwsError, Wire};
use escale_service::Cx;
use escale_tables::{
    acm::{Certificate, CertificateArn, usable},
    elbv2::{Listener, ListenerTls, SslPolicyName},
};

/// AWS's quota of certificates on a load balancer, without default certificates.
pub(crate) const CERTIFICATES: usize = 25;

#[derive(Clone, Debug, Wire)]
pub(crate) struct CertificateShape {
    pub(crate) certificate_arn: Option<CertificateArn>,
    pub(crate) is_default: Option<bool>,
}

/// The members of a request that belong to TLS.
pub(crate) struct Asked {
    pub(crate) certificates: Vec<CertificateShape>,
    pub(crate) policy: Option<SslPolicyName>,
}

/// The TLS of a listener. `before` is its TLS until now, whose parts stay if the request does not have them.
pub(crate) fn tls(
    cx: &Cx<'_>,
    listener: &Listener,
    before: Option<&ListenerTls>,
    asked: Asked,
) -> Result<ListenerTls, Error> {
    let mut certificates = before.map_or_else(Vec::new, |tls| tls.certificates.clone());
    if !asked.certificates.is_empty() {
        let default = only(cx, asked.certificates)?;
        // The default certificate may have been one of the others.
        certificates.retain(|arn| *arn != default);
        if before.is_some() {
            certificates = certificates.split_off(certificates.len().min(1));
        }
        certificates.insert(0, default);
    }
    if certificates.is_empty() {
        return Err(Error::NoCertificate("A certificate must be specified for HTTPS listeners".into()));
    }
    let policy = match (asked.policy, before) {
        (None, Some(before)) => before.policy.clone(),
        (named, _) => ssl_policies::named(named.as_ref())?,
    };
    Ok(ListenerTls {
        listener: listener.arn.clone(),
        load_balancer: listener.load_balancer.clone(),
        policy,
        certificates,
    })
}

/// Refuses certificates and a policy of a listener without TLS.
pub(crate) fn none(asked: &Asked) -> Result<(), Error> {
    if asked.certificates.is_empty() && asked.policy.is_none() {
        return Ok(());
    }
    Err(invalid("Certificates and SslPolicy can only be specified for HTTPS listeners"))
}

/// The default certificate of a request.
fn only(cx: &Cx<'_>, given: Vec<CertificateShape>) -> Result<CertificateArn, Error> {
    let mut given = given.into_iter();
    match (given.next(), given.next()) {
        (Some(CertificateShape { is_default: None, certificate_arn: Some(arn) }), None) => {
            check(cx, &arn)?;
            Ok(arn)
        }
        (Some(CertificateShape { is_default: Some(_), .. }), _) => {
            Err(invalid("You cannot specify IsDefault. The certificate of this request is the default one"))
        }
        _ => Err(invalid("You must specify exactly one certificate, with its CertificateArn")),
    }
}

/// The certificates of a request that adds or removes some.
pub(crate) fn several(given: Vec<CertificateShape>) -> Result<Vec<CertificateArn>, Error> {
    let arn = |shape: CertificateShape| match shape {
        CertificateShape { certificate_arn: Some(arn), is_default: None } => Ok(arn),
        _ => Err(invalid("Each certificate must have a CertificateArn and no IsDefault")),
    };
    given.into_iter().map(arn).collect()
}

/// Refuses a certificate that this region does not have, or that is not issued yet.
pub(crate) fn check(cx: &Cx<'_>, arn: &CertificateArn) -> Result<(), Error> {
    let parsed = arn.parse::<Arn>().ok();
    if parsed.as_ref().is_some_and(|arn| arn.service == "iam") {
        let error = AwsError::not_supported(format_args!("The IAM server certificate {arn}"));
        return Err(error.hint("Import it into ACM (ImportCertificate).").into());
    }
    let is_here = parsed.is_some_and(|arn| arn.region == cx.config.region);
    if !is_here || !cx.tx.has::<Certificate>(arn) {
        return Err(Error::NoCertificate(format!("Certificate '{arn}' not found")));
    }
    if usable(cx.tx, arn).is_none() {
        return Err(Error::UnsupportedCertificate(format!(
            "The certificate '{arn}' is not issued yet. Create the CNAME records that DescribeCertificate returns, and wait \
             until its status is ISSUED"
        )));
    }
    Ok(())
}

/// Refuses more certificates than a load balancer may have.
pub(crate) fn check_count(cx: &Cx<'_>, changed: &ListenerTls) -> Result<(), Error> {
    let others = cx
        .tx
        .scan::<ListenerTls>()
        .filter(|tls| tls.load_balancer == changed.load_balancer && tls.listener != changed.listener);
    let extra = |tls: &ListenerTls| tls.certificates.len() - 1;
    let count: usize = others.map(|tls| extra(&tls)).sum::<usize>() + extra(changed);
    if count > CERTIFICATES { Err(Error::TooMany(TooMany::Certificates)) } else { Ok(()) }
}
