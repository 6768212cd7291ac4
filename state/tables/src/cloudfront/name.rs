//! The names of distributions, for DNS.

use crate::row;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

escale_base::name! {
    /// The host name of a distribution: lower case, without a final dot.
    DistributionHost;
}

/// A distribution's name and the addresses of the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionName {
    pub name: DistributionHost,
    pub addresses: Vec<Ipv4Addr>,
}
row!(DistributionName, "cloudfront_name", |r| r.name.to_string());
