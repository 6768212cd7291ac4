//! IPv6 blocks of VPCs and subnets, and egress-only Internet gateways. Stored and shown only: networks carry IPv4.

use super::{SubnetId, VpcId};
use crate::row;
use escale_base::Tag;
use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

escale_base::id! {
    VpcCidrAssociationId = "vpc-cidr-assoc-";
    SubnetCidrAssociationId = "subnet-cidr-assoc-";
    EgressOnlyInternetGatewayId = "eigw-";
}

/// A VPC's IPv6 block; it has at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcIpv6Block {
    pub id: VpcCidrAssociationId,
    pub vpc: VpcId,
    pub cidr: Ipv6Net,
}
row!(VpcIpv6Block, "ec2_vpc_ipv6_block", |r| r.vpc.to_string());

/// A subnet's IPv6 block; it has at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetIpv6Block {
    pub id: SubnetCidrAssociationId,
    pub subnet: SubnetId,
    pub vpc: VpcId,
    pub cidr: Ipv6Net,
    /// `AssignIpv6AddressOnCreation`.
    pub assign_on_creation: bool,
}
row!(SubnetIpv6Block, "ec2_subnet_ipv6_block", |r| r.subnet.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EgressOnlyInternetGateway {
    pub id: EgressOnlyInternetGatewayId,
    pub vpc: VpcId,
    pub tags: Vec<Tag>,
}
row!(EgressOnlyInternetGateway, "ec2_egress_only_internet_gateway", |r| r.id.to_string());
