//! Where AWS's services answer: a service and a region give a host, and the region that signatures name.
//!
//! Nothing is contacted here. `AWS_ENDPOINT_URL` or a profile's `endpoint_url` replaces all of AWS's own hosts.

use anyhow::{Context, Result, bail};

/// The region in which CloudFront, Route 53 and IAM are signed, and in which CloudFront's certificates are.
pub(crate) const GLOBAL_REGION: &str = "us-east-1";

/// Services without a region of their own.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/rande.html#global-endpoints>
const GLOBAL: [&str; 3] = ["cloudfront", "iam", "route53"];

/// Regions of AWS's other partitions have other domains, and CloudFront is different or absent there.
const OTHER_PARTITIONS: [&str; 5] = ["cn-", "us-gov-", "us-iso", "eu-iso", "eusc-"];

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The region of the signature.
    pub(crate) region: String,
}

impl Endpoint {
    /// As the `Host` header has it: without the scheme's own port.
    pub(crate) fn authority(&self) -> String {
        let own = if self.is_tls { 443 } else { 80 };
        if self.port == own { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// AWS's endpoints, or the one that the user has configured instead.
#[derive(Clone, Debug)]
pub(crate) enum Endpoints {
    Aws,
    /// One address for all services, of which the region is added later.
    One {
        is_tls: bool,
        host: String,
        port: u16,
    },
}

impl Endpoints {
    /// `url` is the value of `AWS_ENDPOINT_URL` or of `endpoint_url`.
    pub(crate) fn new(url: Option<&str>) -> Result<Endpoints> {
        let Some(url) = url else { return Ok(Endpoints::Aws) };
        let wrong = || {
            format!(
                "the endpoint `{url}` must have the form https://HOST or https://HOST:PORT, without a path"
            )
        };
        let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            _ => bail!(wrong()),
        };
        let authority: http::uri::Authority = rest.trim_end_matches('/').parse().with_context(wrong)?;
        if authority.as_str().contains('@') {
            bail!(wrong());
        }
        let host = authority.host().to_owned();
        if !is_tls && !is_loopback(&host) {
            bail!(
                "the endpoint {url} is not encrypted, and it is not on this machine: credentials and secrets could be read on the \
                 way. Use https"
            );
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Endpoints::One { is_tls, host, port })
    }

    /// Where the service answers for a region.
    pub(crate) fn of(&self, service: &str, region: &str) -> Result<Endpoint> {
        let is_global = GLOBAL.contains(&service);
        let signing = if is_global { GLOBAL_REGION } else { region }.to_owned();
        match self {
            Endpoints::One { is_tls, host, port } => {
                Ok(Endpoint { is_tls: *is_tls, host: host.clone(), port: *port, region: signing })
            }
            Endpoints::Aws => {
                check_region(region)?;
                let names = escale_model::endpoint_names(service, region, "");
                let name = names.into_iter().next();
                let host = name.with_context(|| format!("no endpoint of {service} is known"))?.name;
                Ok(Endpoint { is_tls: true, host, port: 443, region: signing })
            }
        }
    }
}

/// Refuses what is no region, because its name becomes a part of a host name, and regions of other partitions.
pub(crate) fn check_region(region: &str) -> Result<()> {
    let mut parts = region.split('-');
    let is_name = region.split('-').count() >= 3
        && parts.all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    if !is_name {
        bail!("`{region}` is not the name of an AWS region, for example eu-west-3");
    }
    if OTHER_PARTITIONS.iter().any(|prefix| region.starts_with(prefix)) {
        bail!("the region {region} is not supported: only those of AWS's main partition are");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_service_and_region() {
        for (service, host, region) in [
            ("sts", "sts.eu-west-3.amazonaws.com", "eu-west-3"),
            ("ecr", "api.ecr.eu-west-3.amazonaws.com", "eu-west-3"),
            ("elbv2", "elasticloadbalancing.eu-west-3.amazonaws.com", "eu-west-3"),
            ("s3", "s3.eu-west-3.amazonaws.com", "eu-west-3"),
            ("logs", "logs.eu-west-3.amazonaws.com", "eu-west-3"),
            ("acm", "acm.eu-west-3.amazonaws.com", "eu-west-3"),
            ("cloudfront", "cloudfront.amazonaws.com", "us-east-1"),
            ("route53", "route53.amazonaws.com", "us-east-1"),
            ("iam", "iam.amazonaws.com", "us-east-1"),
        ] {
            let found = Endpoints::Aws.of(service, "eu-west-3").unwrap();
            let expected = Endpoint { is_tls: true, host: host.into(), port: 443, region: region.into() };
            assert_eq!(found, expected);
            assert_eq!(found.authority(), host);
        }
    }

    #[test]
    fn one_endpoint_replaces_all_hosts_and_keeps_signing_regions() {
        let one = Endpoints::new(Some("https://127.0.0.1:4566")).unwrap();
        let region = |service: &str| one.of(service, "eu-west-3").unwrap().region;
        assert_eq!(region("cloudfront"), "us-east-1");
        assert_eq!(region("ecs"), "eu-west-3");
        assert_eq!(one.of("ecs", "eu-west-3").unwrap().authority(), "127.0.0.1:4566");
        let plain = Endpoints::new(Some("https://aws.example.com/")).unwrap();
        assert_eq!(plain.of("ecs", "eu-west-3").unwrap().authority(), "aws.example.com");
    }

    #[test]
    fn refuses_endpoints_that_are_not_encrypted_or_have_another_form() {
        for url in
            ["aws.example.com", "https://", "https://a@b", "https://a/b", "http://aws.example.com", "ftp://a"]
        {
            assert!(Endpoints::new(Some(url)).is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:2"] {
            assert!(Endpoints::new(Some(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn refuses_regions_of_other_partitions_and_other_text() {
        for region in
            ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "eu-isoe-west-1", "evil.com/", "eu west 3", "eu"]
        {
            assert!(Endpoints::Aws.of("sts", region).is_err(), "{region}");
        }
    }
}
