//! VPCs.

use crate::{
    choices::{CidrBlockState, Tenancy},
    dhcp, ipv6,
    shapes::ipv6::{VpcIpv6Shape, vpc_block},
    status::VpcState,
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{DefaultVpc, DhcpOptionsId, Vpc, VpcId};

#[derive(Debug, Wire)]
pub(crate) struct VpcShape {
    pub vpc_id: VpcId,
    pub cidr_block: String,
    pub cidr_block_association_set: Vec<CidrAssociation>,
    pub ipv6_cidr_block_association_set: Vec<VpcIpv6Shape>,
    pub state: VpcState,
    pub owner_id: String,
    pub is_default: bool,
    pub instance_tenancy: Tenancy,
    pub dhcp_options_id: DhcpOptionsId,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct CidrAssociation {
    pub association_id: String,
    pub cidr_block: String,
    pub cidr_block_state: CidrState,
}

#[derive(Debug, Wire)]
pub(crate) struct CidrState {
    pub state: CidrBlockState,
}

/// A VPC in the state that `crate::status` derives.
pub(crate) fn vpc(cx: &Cx<'_>, row: &Vpc, state: VpcState) -> VpcShape {
    VpcShape {
        vpc_id: row.id.clone(),
        cidr_block: row.cidr.to_string(),
        cidr_block_association_set: vec![CidrAssociation {
            association_id: ipv6::ipv4_association_id(&row.id),
            cidr_block: row.cidr.to_string(),
            cidr_block_state: CidrState { state: CidrBlockState::Associated },
        }],
        ipv6_cidr_block_association_set: ipv6::of_vpc(cx.tx, &row.id).iter().map(|b| vpc_block(b)).collect(),
        state,
        owner_id: cx.config.account.clone(),
        is_default: DefaultVpc::of(cx.tx).as_ref() == Some(&row.id),
        instance_tenancy: Tenancy::Default,
        dhcp_options_id: dhcp::of_vpc(cx.tx, &row.id),
        tags: row.tags.clone(),
    }
}
