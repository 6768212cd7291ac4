//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcPeeringConnection.html>

use crate::{
    Error,
    choices::ResourceType,
    peerings, rules,
    shapes::{self, peering::PeeringShape},
    status::PeeringState,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{PeeringDecision, PeeringSide, Vpc, VpcId, VpcPeering, VpcPeeringId};

pub(crate) struct CreateVpcPeeringConnection;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    peer_vpc_id: Option<VpcId>,
    peer_owner_id: Option<String>,
    peer_region: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc_peering_connection: PeeringShape,
}

impl Operation for CreateVpcPeeringConnection {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(owner) = input.peer_owner_id.filter(|owner| *owner != cx.config.account) {
            return Err(rules::refuse_with_hint(
                format_args!("A peering connection with the account {owner}"),
                "An installation has one account: omit PeerOwnerId.",
            ));
        }
        if let Some(region) = input.peer_region.filter(|region| *region != cx.config.region) {
            return Err(rules::refuse_with_hint(
                format_args!("A peering connection with the region {region}"),
                "An installation has one region: omit PeerRegion.",
            ));
        }
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let peer = input.peer_vpc_id.ok_or(Error::Missing("peerVpcId"))?;
        check_unique(cx, &vpc.id, &peer)?;
        let block = cx.tx.get::<Vpc>(peer.as_str()).map(|peer| peer.cidr);
        // AWS accepts the request for a VPC that does not exist and for overlapping blocks, and reports the state `failed`.
        let overlap = |block: ipnet::Ipv4Net| {
            block.contains(&vpc.cidr.network()) || vpc.cidr.contains(&block.network())
        };
        let decision = match block {
            Some(block) if !overlap(block) => PeeringDecision::Requested,
            _ => PeeringDecision::Failed,
        };
        let row = VpcPeering {
            id: VpcPeeringId::random(),
            requester: PeeringSide { vpc: vpc.id.clone(), cidr: Some(vpc.cidr) },
            accepter: PeeringSide { vpc: peer, cidr: block },
            decision,
            decided: cx.now,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::VpcPeeringConnection)?,
            created: cx.now,
        };
        delete_hidden(cx);
        // As on AWS, also if it fails: the next DescribeVpcPeeringConnections shows that.
        let vpc_peering_connection = shapes::peering::peering_as(cx, &row, PeeringState::InitiatingRequest);
        cx.tx.put(row);
        Ok(Output { vpc_peering_connection })
    }
}

/// Two VPCs have at most one peering connection, whoever requested it.
fn check_unique(cx: &Cx<'_>, vpc: &VpcId, peer: &VpcId) -> Result<(), Error> {
    let joins = |p: &VpcPeering| p.sides(vpc).is_some_and(|(_, other)| other.vpc == *peer);
    let is_open = |p: &VpcPeering| {
        let state = peerings::state(cx.tx, p, cx.now);
        matches!(state, PeeringState::PendingAcceptance | PeeringState::Provisioning | PeeringState::Active)
    };
    match cx.tx.scan::<VpcPeering>().find(|p| joins(p) && is_open(p)) {
        Some(existing) => {
            Err(Error::PeeringExists(existing.id.to_string(), vpc.to_string(), peer.to_string()))
        }
        None => Ok(()),
    }
}

/// Deletes the rows that are no longer shown. Each creation does this, so no timer is needed.
fn delete_hidden(cx: &mut Cx<'_>) {
    let is_hidden = |p: &std::sync::Arc<VpcPeering>| peerings::is_hidden(cx.tx, p, cx.now);
    let hidden: Vec<_> = cx.tx.scan::<VpcPeering>().filter(is_hidden).collect();
    for row in &hidden {
        cx.tx.delete::<VpcPeering>(row.id.as_str());
    }
}
