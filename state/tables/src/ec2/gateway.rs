//! Internet gateways and NAT gateways.

use super::{AllocationId, InterfaceId, SubnetId, VpcId};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

escale_base::id! { InternetGatewayId = "igw-"; NatGatewayId = "nat-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    pub id: InternetGatewayId,
    /// The VPC it is attached to.
    pub vpc: Option<VpcId>,
    pub tags: Vec<Tag>,
}
row!(InternetGateway, "ec2_internet_gateway", |r| r.id.to_string());

/// A public NAT gateway. Its interface is a row of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NatGateway {
    pub id: NatGatewayId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub interface: InterfaceId,
    pub allocation: AllocationId,
    pub private_ip: Ipv4Addr,
    pub public_ip: Ipv4Addr,
    /// Set when its deletion was asked; the row stays visible for a while, as on AWS.
    pub deleted: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(NatGateway, "ec2_nat_gateway", |r| r.id.to_string());
