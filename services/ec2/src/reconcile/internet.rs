//! What stands on the Internet: the API's address, S3's, and test hosts. Fixed for the daemon's life, so it is
//! made once at the start and needs no reconciler.

use escale_network::{InternetHost, InternetSpec};
use escale_service::Config;

pub(super) fn spec(config: &Config, hosts: Vec<InternetHost>) -> InternetSpec {
    InternetSpec { service_addresses: [config.api_address, config.s3_address, config.edge_address].into(), hosts }
}
