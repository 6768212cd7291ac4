//! The names of distributions, for DNS.

use crate::row;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A distribution's name and the addresses of the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionName {
    /// Lower case, without a final dot.
    pub name: String,
    pub addresses: Vec<Ipv4Addr>,
}
row!(DistributionName, "cloudfront_name", |r| r.name.clone());
