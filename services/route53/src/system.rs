//! Names of the cloud's own resources: load balancers, distributions, databases, the API. One function per table collects
//! them. Public names are separate from those that only resolvers in VPCs answer.

use escale_dns::{Kind, Record, Zone};
use escale_service::{Config, Endpoint};
use escale_store::Image;
use escale_tables::{cloudfront::DistributionName, elbv2::LoadBalancerName, rds::RdsEndpoint};
use std::{net::Ipv4Addr, sync::Arc};

/// The name server of every hosted zone, in the zone [`DNS`].
pub(crate) const NAME_SERVER: &str = "ns-1.dns.localhost.";

const DNS: &str = "dns.localhost";
const LOAD_BALANCERS: &str = "elb.localhost";
/// Names of internal load balancers end in `escale.internal`, not in `localhost`: curl, browsers and nss-myhostname resolve
/// every name below `localhost` to the loopback address themselves (RFC 6761 section 6.3), also inside a VPC.
const INTERNAL_LOAD_BALANCERS: &str = "elb.escale.internal";
const DISTRIBUTIONS: &str = "cloudfront.localhost";
const TTL_SECS: u32 = 60;

/// Every website of a bucket: S3 itself answers for a bucket that does not exist. The domain's own name is the target of
/// aliases, whose names are those of buckets.
fn websites(config: &Config) -> impl Iterator<Item = Arc<Zone>> {
    config.website_domains().into_iter().map(|domain| {
        let name = |name: String| SystemName::new(name, vec![config.website_address], TTL_SECS);
        zone(&domain, vec![name(domain.clone()), name(format!("*.{domain}"))])
    })
}

/// A name with its addresses.
pub(crate) struct SystemName {
    pub(crate) name: String,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) ttl_secs: u32,
}

impl SystemName {
    fn new(name: impl Into<String>, addresses: Vec<Ipv4Addr>, ttl_secs: u32) -> SystemName {
        SystemName { name: name.into(), addresses, ttl_secs }
    }
}

/// The zones of the public servers. As on AWS, the public DNS also answers an internal load balancer's name, with its
/// private addresses.
/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#load-balancer-scheme>
pub(crate) fn public(image: &Image, config: &Config) -> Vec<Arc<Zone>> {
    let name_server = SystemName::new(NAME_SERVER, vec![config.dns_address], 172_800);
    let mut zones = vec![
        zone(DNS, vec![name_server]),
        zone(LOAD_BALANCERS, load_balancers(image, Reach::Public)),
        zone(INTERNAL_LOAD_BALANCERS, load_balancers(image, Reach::Internal)),
        zone(DISTRIBUTIONS, distributions(image)),
    ];
    zones.extend(websites(config));
    zones
}

/// The zones that every VPC's resolver has. The name of an internal load balancer is within `escale.internal`, so its zone
/// is here as well: a resolver searches its own zones before the public ones.
pub(crate) fn private(image: &Image, config: &Config) -> Vec<Arc<Zone>> {
    let api = SystemName::new(Config::api_name(), vec![config.api_address], TTL_SECS);
    let data = SystemName::new(Config::data_api_name(), vec![config.api_address], TTL_SECS);
    let s3 = SystemName::new(Config::s3_name(), vec![config.s3_address], TTL_SECS);
    vec![
        zone(Config::PRIVATE_SUFFIX, [api, data, s3].into_iter().chain(databases(image)).collect()),
        zone(INTERNAL_LOAD_BALANCERS, load_balancers(image, Reach::Internal)),
    ]
}

/// A zone for each of AWS's names. All of them in one zone would hide other names of AWS, which the configuration may allow.
pub(crate) fn endpoints(endpoints: &[Endpoint]) -> Vec<Arc<Zone>> {
    let zone_of = |endpoint: &Endpoint| {
        let below = endpoint.has_names_below.then(|| format!("*.{}", endpoint.name));
        let names = std::iter::once(endpoint.name.clone()).chain(below);
        zone(
            &endpoint.name,
            names.map(|name| SystemName::new(name, vec![endpoint.address], TTL_SECS)).collect(),
        )
    };
    endpoints.iter().map(zone_of).collect()
}

/// Whether an alias may have this name as its target although it is in no hosted zone.
pub(crate) fn is_alias_target(name: &str, config: &Config) -> bool {
    let own = [LOAD_BALANCERS, INTERNAL_LOAD_BALANCERS, DISTRIBUTIONS].map(str::to_owned);
    own.into_iter()
        .chain(config.website_domains())
        .any(|zone| crate::names::within(name, &format!("{zone}.")))
}

/// Whether one of the cloud's own zones has this name.
pub(crate) fn is_apex(name: &str, config: &Config) -> bool {
    let name = name.trim_end_matches('.');
    [DNS, LOAD_BALANCERS, INTERNAL_LOAD_BALANCERS, DISTRIBUTIONS, Config::PRIVATE_SUFFIX].contains(&name)
        || config.website_domains().iter().any(|domain| domain == name)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    Internal,
}

fn load_balancers(image: &Image, reach: Reach) -> Vec<SystemName> {
    let rows = image.scan::<LoadBalancerName>().filter(|r| r.public == (reach == Reach::Public));
    rows.map(|r| SystemName::new(r.name.as_str(), r.addresses.clone(), TTL_SECS)).collect()
}

fn distributions(image: &Image) -> Vec<SystemName> {
    let rows = image.scan::<DistributionName>();
    rows.map(|r| SystemName::new(r.name.as_str(), r.addresses.clone(), TTL_SECS)).collect()
}

fn databases(image: &Image) -> Vec<SystemName> {
    let rows = image.scan::<RdsEndpoint>();
    rows.map(|r| SystemName::new(r.name.as_str(), vec![r.address], r.ttl_secs)).collect()
}

/// Builds a zone. A name outside the zone is skipped: one bad row must not make all other names unavailable.
fn zone(apex: &str, names: Vec<SystemName>) -> Arc<Zone> {
    let mut zone = Zone::new(apex, &[NAME_SERVER], 1);
    for system in names {
        let inside =
            crate::names::within(&format!("{}.", system.name.trim_end_matches('.')), &format!("{apex}."));
        if !inside {
            tracing::error!(
                name = system.name,
                apex,
                "a name of the cloud is not in its zone, so it is not served"
            );
        } else if !system.addresses.is_empty() {
            let values: Vec<String> = system.addresses.iter().map(Ipv4Addr::to_string).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            zone.records.push(Record::simple(&system.name, Kind::A, system.ttl_secs, &values));
        }
    }
    Arc::new(zone)
}
