//! The prefix lists that AWS manages: the address ranges of its services.

use escale_service::Config;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A prefix list. It belongs to AWS, and users cannot change it.
pub(crate) struct PrefixList {
    pub id: &'static str,
    pub name: String,
    pub blocks: Vec<Ipv4Net>,
}

/// The source address of the CDN's requests to origins. The CDN reaches the Internet like any other process of the host.
const CDN: Ipv4Addr = escale_network::VISITOR;

pub(crate) fn all(config: &Config) -> Vec<PrefixList> {
    vec![s3(config), dynamodb(config), cdn()]
}

pub(crate) fn find(config: &Config, id: &str) -> Option<PrefixList> {
    all(config).into_iter().find(|l| l.id == id)
}

/// The list of a service with a gateway endpoint.
pub(crate) fn of_service(config: &Config, service: &str) -> Option<PrefixList> {
    [s3(config), dynamodb(config)].into_iter().find(|list| list.name == service)
}

/// The list of DynamoDB. It is empty, because the cloud does not have this service.
fn dynamodb(config: &Config) -> PrefixList {
    PrefixList {
        id: "pl-02cd2c6b",
        name: format!("com.amazonaws.{}.dynamodb", config.region),
        blocks: Vec::new(),
    }
}

/// The list of S3.
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
