//! VPC peering connections.

use crate::{
    peerings,
    status::{self, PeeringState},
};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::Cx;
use escale_tables::ec2::{PeeringDecision, PeeringSide, VpcId, VpcPeering, VpcPeeringId};

#[derive(Debug, Wire)]
pub(crate) struct PeeringShape {
    pub vpc_peering_connection_id: VpcPeeringId,
    pub requester_vpc_info: VpcInfo,
    pub accepter_vpc_info: VpcInfo,
    pub status: Status,
    pub expiration_time: Option<Timestamp>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct VpcInfo {
    pub cidr_block: Option<String>,
    pub cidr_block_set: Vec<CidrBlock>,
    pub owner_id: String,
    pub vpc_id: VpcId,
    pub region: String,
    pub peering_options: Option<Options>,
}

#[derive(Debug, Wire)]
pub(crate) struct CidrBlock {
    pub cidr_block: String,
}

#[derive(Debug, Default, Wire)]
pub(crate) struct Options {
    pub allow_dns_resolution_from_remote_vpc: Option<bool>,
    pub allow_egress_from_local_classic_link_to_remote_vpc: Option<bool>,
    pub allow_egress_from_local_vpc_to_remote_classic_link: Option<bool>,
}

#[derive(Debug, Wire)]
pub(crate) struct Status {
    pub code: PeeringState,
    pub message: String,
}

pub(crate) fn peering(cx: &Cx<'_>, row: &VpcPeering) -> PeeringShape {
    peering_as(cx, row, peerings::state(cx.tx, row, cx.now))
}

/// A peering connection, shown in this state.
pub(crate) fn peering_as(cx: &Cx<'_>, row: &VpcPeering, state: PeeringState) -> PeeringShape {
    // As on AWS, the accepter's block and the options are shown once the request is accepted.
    let is_accepted = row.decision == PeeringDecision::Accepted;
    let is_open = matches!(state, PeeringState::InitiatingRequest | PeeringState::PendingAcceptance);
    PeeringShape {
        vpc_peering_connection_id: row.id.clone(),
        requester_vpc_info: info(cx, &row.requester, true, is_accepted),
        accepter_vpc_info: info(cx, &row.accepter, is_accepted, is_accepted),
        status: Status { code: state, message: message(&cx.config.account, state) },
        expiration_time: is_open.then(|| peerings::expires(row)),
        tags: row.tags.clone(),
    }
}

fn info(cx: &Cx<'_>, side: &PeeringSide, has_block: bool, has_options: bool) -> VpcInfo {
    let block = side.cidr.filter(|_| has_block).map(|cidr| cidr.to_string());
    let no = Some(false);
    VpcInfo {
        cidr_block_set: block.iter().map(|block| CidrBlock { cidr_block: block.clone() }).collect(),
        cidr_block: block,
        owner_id: cx.config.account.clone(),
        vpc_id: side.vpc.clone(),
        region: cx.config.region.clone(),
        peering_options: has_options.then_some(Options {
            allow_dns_resolution_from_remote_vpc: no,
            allow_egress_from_local_classic_link_to_remote_vpc: no,
            allow_egress_from_local_vpc_to_remote_classic_link: no,
        }),
    }
}

fn message(account: &str, state: PeeringState) -> String {
    match state {
        PeeringState::InitiatingRequest => format!("Initiating Request to {account}"),
        PeeringState::PendingAcceptance => format!("Pending Acceptance by {account}"),
        PeeringState::Provisioning => "Provisioning".into(),
        PeeringState::Active => "Active".into(),
        PeeringState::Deleting => "Deleting".into(),
        PeeringState::Deleted => format!("Deleted by {account}"),
        PeeringState::Rejected => format!("Rejected by {account}"),
        PeeringState::Expired => format!("The request to {account} expired"),
        PeeringState::Failed => status::PEERING_FAILED.into(),
    }
}
