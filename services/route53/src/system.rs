//! Names that the cloud itself has: load balancers, distributions, databases, the API. One list, gathered by a function
//! per table; the names that everybody may ask for are apart from those that only VPCs know.

use escale_dns::{Kind, Record, Zone};
use escale_service::Config;
use escale_store::Image;
use escale_tables::{cloudfront::DistributionName, elbv2::LoadBalancerName, rds::RdsEndpoint};
use std::{net::Ipv4Addr, sync::Arc};

/// The name server of every hosted zone, in the zone [`DNS`].
pub(crate) const NAME_SERVER: &str = "ns-1.dns.localhost.";

const DNS: &str = "dns.localhost";
const LOAD_BALANCERS: &str = "elb.localhost";
const DISTRIBUTIONS: &str = "cloudfront.localhost";
const TTL_SECS: u32 = 60;

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

/// Zones that everybody may ask for.
pub(crate) fn public(image: &Image, config: &Config) -> Vec<Arc<Zone>> {
    let name_server = SystemName::new(NAME_SERVER, vec![config.dns_address], 172_800);
    vec![
        zone(DNS, vec![name_server]),
        zone(LOAD_BALANCERS, load_balancers(image)),
        zone(DISTRIBUTIONS, distributions(image)),
    ]
}

/// The zone that every VPC's resolver has.
pub(crate) fn private(image: &Image, config: &Config) -> Arc<Zone> {
    let api = SystemName::new(Config::api_name(), vec![config.api_address], TTL_SECS);
    let s3 = SystemName::new(Config::s3_name(), vec![config.s3_address], TTL_SECS);
    zone(Config::PRIVATE_SUFFIX, [api, s3].into_iter().chain(databases(image)).collect())
}

/// Whether a name can be an alias's target without being in a hosted zone.
pub(crate) fn is_alias_target(name: &str) -> bool {
    [LOAD_BALANCERS, DISTRIBUTIONS].iter().any(|zone| crate::names::within(name, &format!("{zone}.")))
}

/// The zone of the cloud's own that has this very name.
pub(crate) fn is_apex(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    [DNS, LOAD_BALANCERS, DISTRIBUTIONS, Config::PRIVATE_SUFFIX].contains(&name)
}

fn load_balancers(image: &Image) -> Vec<SystemName> {
    let rows = image.scan::<LoadBalancerName>();
    rows.map(|r| SystemName::new(&r.name, r.addresses.clone(), TTL_SECS)).collect()
}

fn distributions(image: &Image) -> Vec<SystemName> {
    let rows = image.scan::<DistributionName>();
    rows.map(|r| SystemName::new(&r.name, r.addresses.clone(), TTL_SECS)).collect()
}

fn databases(image: &Image) -> Vec<SystemName> {
    let rows = image.scan::<RdsEndpoint>();
    rows.map(|r| SystemName::new(&r.name, vec![r.address], r.ttl_secs)).collect()
}

/// A name that is not the zone's is left out: one bad row must not take all other names down.
fn zone(apex: &str, names: Vec<SystemName>) -> Arc<Zone> {
    let mut zone = Zone::new(apex, &[NAME_SERVER], 1);
    for system in names {
        let inside =
            crate::names::within(&format!("{}.", system.name.trim_end_matches('.')), &format!("{apex}."));
        if !inside {
            tracing::error!(name = system.name, apex, "a name of the cloud's own is not in its zone");
        } else if !system.addresses.is_empty() {
            let values: Vec<String> = system.addresses.iter().map(Ipv4Addr::to_string).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            zone.records.push(Record::simple(&system.name, Kind::A, system.ttl_secs, &values));
        }
    }
    Arc::new(zone)
}
