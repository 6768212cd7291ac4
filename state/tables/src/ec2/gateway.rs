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
    /// The VPC to which it is attached.
    pub vpc: Option<VpcId>,
    pub tags: Vec<Tag>,
}
row!(InternetGateway, "ec2_internet_gateway", |r| r.id.to_string());

/// A public NAT gateway. Its interface is a separate row; a failed gateway has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NatGateway {
    pub id: NatGatewayId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub interface: Option<InterfaceId>,
    pub allocation: AllocationId,
    pub private_ip: Option<Ipv4Addr>,
    pub public_ip: Ipv4Addr,
    /// The reason why it could not be created.
    #[serde(default)]
    pub failure: Option<NatFailure>,
    /// The time of DeleteNatGateway. The row stays visible for a while, as on AWS.
    pub deleted: Option<Timestamp>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(NatGateway, "ec2_nat_gateway", |r| r.id.to_string());

/// The failures that AWS reports only after it has accepted the request.
/// Source: `failureCode` of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatFailure {
    /// The VPC has no Internet gateway.
    GatewayNotAttached,
    /// The Elastic IP address is associated with another interface.
    AlreadyAssociated,
}
