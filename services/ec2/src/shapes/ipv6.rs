//! IPv6 blocks and egress-only Internet gateways.

use crate::{
    choices::{AttachmentStatus, CidrBlockState, IpSource, Ipv6AddressAttribute},
    shapes::vpc::CidrState,
};
use escale_base::{Tag, Wire};
use escale_tables::ec2::{
    EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, SubnetCidrAssociationId, SubnetIpv6Block,
    VpcCidrAssociationId, VpcId, VpcIpv6Block,
};

#[derive(Debug, Wire)]
pub(crate) struct VpcIpv6Shape {
    pub association_id: VpcCidrAssociationId,
    pub ipv6_cidr_block: String,
    pub ipv6_cidr_block_state: CidrState,
    pub ipv6_pool: &'static str,
    pub ipv6_address_attribute: Ipv6AddressAttribute,
    pub ip_source: IpSource,
}

#[derive(Debug, Wire)]
pub(crate) struct SubnetIpv6Shape {
    pub association_id: SubnetCidrAssociationId,
    pub ipv6_cidr_block: String,
    pub ipv6_cidr_block_state: CidrState,
    pub ipv6_address_attribute: Ipv6AddressAttribute,
    pub ip_source: IpSource,
}

#[derive(Debug, Wire)]
pub(crate) struct EgressOnlyShape {
    pub egress_only_internet_gateway_id: EgressOnlyInternetGatewayId,
    pub attachments: Vec<Attachment>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct Attachment {
    pub state: AttachmentStatus,
    pub vpc_id: VpcId,
}

pub(crate) fn vpc_block(row: &VpcIpv6Block) -> VpcIpv6Shape {
    VpcIpv6Shape {
        association_id: row.id.clone(),
        ipv6_cidr_block: row.cidr.to_string(),
        ipv6_cidr_block_state: CidrState { state: CidrBlockState::Associated },
        ipv6_pool: "Amazon",
        ipv6_address_attribute: Ipv6AddressAttribute::Public,
        ip_source: IpSource::Amazon,
    }
}

pub(crate) fn subnet_block(row: &SubnetIpv6Block) -> SubnetIpv6Shape {
    SubnetIpv6Shape {
        association_id: row.id.clone(),
        ipv6_cidr_block: row.cidr.to_string(),
        ipv6_cidr_block_state: CidrState { state: CidrBlockState::Associated },
        ipv6_address_attribute: Ipv6AddressAttribute::Public,
        ip_source: IpSource::Amazon,
    }
}

pub(crate) fn egress_only(row: &EgressOnlyInternetGateway) -> EgressOnlyShape {
    EgressOnlyShape {
        egress_only_internet_gateway_id: row.id.clone(),
        attachments: vec![Attachment { state: AttachmentStatus::Attached, vpc_id: row.vpc.clone() }],
        tags: row.tags.clone(),
    }
}
