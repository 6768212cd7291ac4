//! AWS's own prefix lists: the ranges of its services, by name.

use escale_service::Config;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A list; it belongs to AWS and cannot be changed.
pub(crate) struct PrefixList {
    pub id: &'static str,
    pub name: String,
    pub blocks: Vec<Ipv4Net>,
}

/// Where the CDN's requests to origins come from: it is a client of the Internet like any other on this machine.
const CDN: Ipv4Addr = escale_network::VISITOR;

pub(crate) fn all(config: &Config) -> Vec<PrefixList> {
    vec![s3(config), cdn()]
}

pub(crate) fn find(config: &Config, id: &str) -> Option<PrefixList> {
    all(config).into_iter().find(|l| l.id == id)
}

/// The list of the service that a gateway endpoint leads to.
pub(crate) fn s3(config: &Config) -> PrefixList {
    let blocks = vec![Ipv4Net::from(config.s3_address)];
    PrefixList { id: "pl-23ad484a", name: s3_service(config), blocks }
}

fn cdn() -> PrefixList {
    let name = "com.amazonaws.global.cloudfront.origin-facing".into();
    PrefixList { id: "pl-75b1541c", name, blocks: vec![Ipv4Net::from(CDN)] }
}

/// `com.amazonaws.<region>.s3`
pub(crate) fn s3_service(config: &Config) -> String {
    format!("com.amazonaws.{}.s3", config.region)
}
