//! The names of load balancers, for who answers DNS.

use super::DnsName;
use crate::{ec2::VpcId, row};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A load balancer's name and where its nodes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancerName {
    pub name: DnsName,
    /// The nodes' public addresses, or their private ones when it is internal.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether the addresses are public ones.
    pub public: bool,
    pub vpc: VpcId,
}
row!(LoadBalancerName, "elbv2_name", |r| r.name.to_string());
