//! The host's Internet, as the cloud's: `ESCALE_INTERNET` and `ESCALE_INTERNET_ALLOW`.

use anyhow::{Context, Result, bail};
use escale_base::limits;
use escale_network::EgressSpec;
use escale_plane::Link;
use escale_service::{Endpoint, Internet};
use ipnet::Ipv4Net;
use rustix::process::{Resource, getrlimit};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// One part in so many of the file descriptors that this process may open, for each connection's two.
const PART_OF_DESCRIPTORS: usize = 8;

/// What `ESCALE_INTERNET_ALLOW` lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) networks: BTreeSet<Ipv4Net>,
    pub(crate) names: Vec<String>,
}

/// Reads both variables.
pub(crate) fn read(internet: Option<&str>, allow: Option<&str>) -> Result<(Internet, BTreeSet<Ipv4Net>)> {
    let Allowed { networks, names } = allowed(allow.unwrap_or_default())?;
    match internet.unwrap_or("host") {
        "host" => Ok((Internet::Host { allowed_names: names }, networks)),
        "none" if allow.is_some() => {
            bail!("ESCALE_INTERNET_ALLOW has no effect with ESCALE_INTERNET=none. Remove one of them")
        }
        "none" => Ok((Internet::None, networks)),
        other => bail!(
            "ESCALE_INTERNET={other}: expected `host` (tasks use this machine's Internet) or `none` (the cloud is separate)"
        ),
    }
}

fn allowed(text: &str) -> Result<Allowed> {
    let mut allowed = Allowed::default();
    for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let network = entry.parse().or_else(|_| entry.parse::<Ipv4Addr>().map(Ipv4Net::from));
        match network {
            Ok(network) => drop(allowed.networks.insert(network.trunc())),
            Err(_) => allowed.names.push(name(entry)?),
        }
    }
    let spec = EgressSpec { allowed: allowed.networks, connections: 1 };
    spec.check().context("ESCALE_INTERNET_ALLOW")?;
    Ok(Allowed { networks: spec.allowed, ..allowed })
}

/// A name includes all names below, with or without `*.`.
fn name(entry: &str) -> Result<String> {
    let name = entry.strip_prefix("*.").unwrap_or(entry).trim_end_matches('.').to_ascii_lowercase();
    if entry.contains(':') {
        bail!("ESCALE_INTERNET_ALLOW: {entry}: the cloud has IPv4 only. Use the host's IPv4 address");
    }
    if !escale_route53::is_withheld(&name) {
        bail!(
            "ESCALE_INTERNET_ALLOW: {entry}: expected an IPv4 address, a network (10.1.0.0/16), or a name of AWS's own services \
             (sqs.eu-west-3.amazonaws.com): all other names resolve in any case. To reach a private host, list its address"
        );
    }
    Ok(name)
}

/// Refuses names that `ESCALE_INTERNET_ALLOW` lists without effect, because they are this cloud's own inside of it.
pub(crate) fn check(internet: &Internet, endpoints: &[Endpoint]) -> Result<()> {
    let Internet::Host { allowed_names } = internet else { return Ok(()) };
    for name in allowed_names {
        let is_own =
            |e: &&Endpoint| name.strip_suffix(&e.name).is_some_and(|b| b.is_empty() || b.ends_with('.'));
        if let Some(endpoint) = endpoints.iter().find(is_own) {
            bail!(
                "ESCALE_INTERNET_ALLOW: {name}: inside the cloud, {} is the name of this cloud's own service and never leads to \
                 AWS. Remove it from the list",
                endpoint.name
            );
        }
    }
    Ok(())
}

/// Opens the way out in the data plane, or closes one that is open. A machine that cannot do this still runs the cloud.
pub(crate) async fn open(link: &Link, internet: &Internet, allowed: BTreeSet<Ipv4Net>) -> Result<()> {
    if *internet == Internet::None {
        return link.apply_egress(None).await.context("cannot close the way to the Internet");
    }
    let most =
        getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let connections = limits::egress::CONNECTIONS.min(most / PART_OF_DESCRIPTORS);
    if let Err(error) = link.apply_egress(Some(EgressSpec { allowed, connections })).await {
        tracing::warn!(
            "tasks cannot reach the Internet of this machine: {error}. `escale doctor` checks this"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_networks_addresses_and_names() {
        let (internet, networks) =
            read(None, Some("10.1.2.3/16, 192.168.1.5,*.SQS.eu-west-3.amazonaws.com.,api.aws")).unwrap();
        let names = vec!["sqs.eu-west-3.amazonaws.com".to_owned(), "api.aws".to_owned()];
        assert_eq!(internet, Internet::Host { allowed_names: names });
        let networks: Vec<String> = networks.iter().map(Ipv4Net::to_string).collect();
        assert_eq!(networks, ["10.1.0.0/16", "192.168.1.5/32"]);
        assert_eq!(read(None, None).unwrap().0, Internet::Host { allowed_names: vec![] });
        assert_eq!(read(Some("none"), None).unwrap().0, Internet::None);
    }

    #[test]
    fn refuses_names_of_the_clouds_own_services() {
        let endpoint = |name: &str| Endpoint {
            name: name.into(),
            has_names_below: false,
            address: Ipv4Addr::UNSPECIFIED,
        };
        let endpoints = [endpoint("sts.amazonaws.com"), endpoint("s3.eu-west-3.amazonaws.com")];
        for (allowed, is_accepted) in [
            ("sqs.eu-west-3.amazonaws.com", true),
            ("amazonaws.com", true),
            ("xsts.amazonaws.com", true),
            ("sts.amazonaws.com", false),
            ("bucket.s3.eu-west-3.amazonaws.com", false),
        ] {
            let internet = Internet::Host { allowed_names: vec![allowed.into()] };
            assert_eq!(check(&internet, &endpoints).is_ok(), is_accepted, "{allowed}");
        }
        assert!(check(&Internet::None, &endpoints).is_ok());
    }

    #[test]
    fn refuses_what_would_have_no_effect() {
        for (internet, allow) in [
            (Some("yes"), None),
            (Some("none"), Some("10.0.0.1")),
            (None, Some("nas.example.com")),
            (None, Some("fd00::1")),
            (None, Some("::ffff:10.0.0.1")),
            (None, Some("127.0.0.1")),
            (None, Some("198.18.0.0/16")),
            (None, Some("10.0.0.0/33")),
            (None, Some("a*.amazonaws.com.evil.example")),
        ] {
            let error = read(internet, allow).unwrap_err();
            assert!(format!("{error:#}").contains("ESCALE_INTERNET"), "{error:#}");
        }
    }
}
