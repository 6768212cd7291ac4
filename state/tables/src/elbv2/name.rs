//! The names of load balancers, for DNS.

use super::DnsName;
use crate::{ec2::VpcId, row};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A load balancer's name and the addresses of its nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancerName {
    pub name: DnsName,
    /// The nodes' public addresses; the private ones of an internal load balancer.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether the addresses are public.
    pub public: bool,
    pub vpc: VpcId,
}
row!(LoadBalancerName, "elbv2_name", |r| r.name.to_string());
