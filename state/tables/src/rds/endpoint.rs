//! DNS names of databases, for the resolvers of their VPCs.

use crate::{ec2::VpcId, row};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A DNS name that the VPC's resolver serves. It always points to the server that accepts writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RdsEndpoint {
    /// Without a dot at the end.
    pub name: String,
    pub address: Ipv4Addr,
    pub vpc: VpcId,
    pub ttl_secs: u32,
}
row!(RdsEndpoint, "rds_endpoint", |r| r.name.clone());
