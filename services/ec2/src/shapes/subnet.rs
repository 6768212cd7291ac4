//! Subnets.

use crate::{
    addresses,
    choices::SubnetState,
    default_vpc, ipv6,
    shapes::ipv6::{SubnetIpv6Shape, subnet_block},
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Subnet, SubnetId, VpcId};

#[derive(Debug, Wire)]
pub(crate) struct SubnetShape {
    pub subnet_id: SubnetId,
    pub subnet_arn: String,
    pub vpc_id: VpcId,
    pub cidr_block: String,
    pub availability_zone: String,
    pub availability_zone_id: String,
    pub available_ip_address_count: usize,
    pub map_public_ip_on_launch: bool,
    pub default_for_az: bool,
    pub assign_ipv6_address_on_creation: bool,
    pub ipv6_cidr_block_association_set: Vec<SubnetIpv6Shape>,
    pub ipv6_native: bool,
    pub enable_dns64: bool,
    pub owner_id: String,
    pub state: SubnetState,
    pub tags: Vec<Tag>,
}

pub(crate) fn subnet(cx: &Cx<'_>, row: &Subnet) -> SubnetShape {
    let block = ipv6::of_subnet(cx.tx, &row.id);
    SubnetShape {
        subnet_id: row.id.clone(),
        subnet_arn: cx.arn("ec2", format!("subnet/{}", row.id)).to_string(),
        vpc_id: row.vpc.clone(),
        cidr_block: row.cidr.to_string(),
        availability_zone: row.zone.to_string(),
        availability_zone_id: cx.config.zone_id(&row.zone),
        available_ip_address_count: addresses::free_in(cx.tx, row),
        map_public_ip_on_launch: row.map_public_ip,
        default_for_az: default_vpc::is_default_subnet(cx.tx, row),
        assign_ipv6_address_on_creation: block.as_ref().is_some_and(|b| b.assign_on_creation),
        ipv6_cidr_block_association_set: block.iter().map(|b| subnet_block(b)).collect(),
        ipv6_native: false,
        enable_dns64: false,
        owner_id: cx.config.account.clone(),
        // A subnet is an address range and a route table: the plane has nothing to create for it.
        state: SubnetState::Available,
        tags: row.tags.clone(),
    }
}
