//! The specification of the Internet: the addresses of the API, of S3, of websites, of the edge and of DNS, and test hosts. It does not change
//! while the daemon runs, so it is applied once at the start and needs no reconciler.

use escale_network::{InternetHost, InternetSpec};
use escale_service::Config;

pub(super) fn spec(config: &Config, hosts: Vec<InternetHost>) -> InternetSpec {
    let addresses = [
        config.api_address,
        config.s3_address,
        config.website_address,
        config.edge_address,
        config.dns_address,
    ];
    InternetSpec { service_addresses: addresses.into(), hosts }
}
