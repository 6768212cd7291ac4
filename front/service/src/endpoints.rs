//! The names under which networks reach the cloud's API.

use crate::{Cloud, Config};
use escale_model::endpoint_names;
use std::net::Ipv4Addr;

/// A name of the API inside the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Whether names one label below are the endpoint's, too: buckets have names below S3's.
    pub has_names_below: bool,
    pub address: Ipv4Addr,
}

/// Services with the address of S3: a gateway endpoint for S3 leads there.
const AT_S3: &str = "s3";

impl Cloud {
    /// Every name of the API inside the cloud: the cloud's own ones, and AWS's names of the services that this cloud has.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let config = &*self.config;
        let own = |name, address, has_names_below| Endpoint { name, has_names_below, address };
        let mut all = vec![
            own(Config::api_name(), config.api_address, false),
            own(Config::data_api_name(), config.api_address, false),
            own(Config::s3_name(), config.s3_address, true),
        ];
        all.extend(self.aws_endpoints());
        all
    }

    /// AWS's names of the services that this cloud has, in its region.
    pub fn aws_endpoints(&self) -> impl Iterator<Item = Endpoint> + '_ {
        let config = &*self.config;
        self.services().flat_map(move |service| {
            let regions = std::iter::once(config.region.as_str()).chain(service.also_in().iter().copied());
            let address = if service.id() == AT_S3 { config.s3_address } else { config.api_address };
            let mut all: Vec<Endpoint> = Vec::new();
            for region in regions {
                for found in endpoint_names(service.id(), region, &config.account) {
                    if all.iter().all(|known| known.name != found.name) {
                        let has_names_below = found.has_names_below;
                        all.push(Endpoint { name: found.name, has_names_below, address });
                    }
                }
            }
            all
        })
    }
}
