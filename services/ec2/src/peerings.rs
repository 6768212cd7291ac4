//! VPC peering connections: their states, and which VPCs they connect.
//!
//! <https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html>

use crate::{Error, rules, status::PeeringState};
use escale_base::Timestamp;
use escale_service::Cx;
use escale_store::Image;
use escale_tables::ec2::{Group, GroupId, PeeringDecision, VpcId, VpcPeering, VpcPeeringId, VpcPeeringSeen};
use std::sync::Arc;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long a request can be accepted.
const EXPIRES_MS: i64 = 7 * DAY_MS;

/// The accepted peering connections of a VPC.
pub(crate) fn accepted<'a>(image: &'a Image, vpc: &'a VpcId) -> impl Iterator<Item = Arc<VpcPeering>> + 'a {
    let is_own = |p: &Arc<VpcPeering>| p.decision == PeeringDecision::Accepted && p.sides(vpc).is_some();
    image.scan::<VpcPeering>().filter(is_own)
}

/// The accepted peering connection between two VPCs.
pub(crate) fn between(image: &Image, one: &VpcId, other: &VpcId) -> Option<Arc<VpcPeering>> {
    accepted(image, one).find(|p| p.sides(one).is_some_and(|(_, peer)| peer.vpc == *other))
}

/// The VPC of a group that a rule of another VPC names, and the peering connection by which it may: the accepted one, or the
/// last that there was.
pub(crate) fn of_group(
    image: &Image,
    own: &VpcId,
    group: &GroupId,
) -> Option<(VpcId, Option<Arc<VpcPeering>>)> {
    let vpc = image.get::<Group>(group.as_str())?.vpc.clone();
    if vpc == *own {
        return None;
    }
    let joins = |p: &Arc<VpcPeering>| p.sides(own).is_some_and(|(_, peer)| peer.vpc == vpc);
    let last = || image.scan::<VpcPeering>().filter(joins).max_by_key(|p| p.decided);
    let peering = between(image, own, &vpc).or_else(last);
    Some((vpc, peering))
}

/// The time at which a request can no longer be accepted.
pub(crate) fn expires(row: &VpcPeering) -> Timestamp {
    row.created.plus_ms(EXPIRES_MS)
}

pub(crate) fn state(image: &Image, row: &VpcPeering, now: Timestamp) -> PeeringState {
    let is_linked = |vpc: &VpcId| image.has::<VpcPeeringSeen>(&format!("{}/{vpc}", row.id));
    let (requester, accepter) = (is_linked(&row.requester.vpc), is_linked(&row.accepter.vpc));
    match row.decision {
        PeeringDecision::Requested if now >= expires(row) => PeeringState::Expired,
        PeeringDecision::Requested => PeeringState::PendingAcceptance,
        PeeringDecision::Accepted if requester && accepter => PeeringState::Active,
        PeeringDecision::Accepted => PeeringState::Provisioning,
        PeeringDecision::Deleted if requester || accepter => PeeringState::Deleting,
        PeeringDecision::Deleted => PeeringState::Deleted,
        PeeringDecision::Rejected => PeeringState::Rejected,
        PeeringDecision::Failed => PeeringState::Failed,
    }
}

/// Whether it ended so long ago that it is no longer shown.
pub(crate) fn is_hidden(image: &Image, row: &VpcPeering, now: Timestamp) -> bool {
    let (since, shown_ms) = match state(image, row, now) {
        PeeringState::Failed | PeeringState::Deleted => (row.decided, 2 * HOUR_MS),
        PeeringState::Rejected => (row.decided, 2 * DAY_MS),
        PeeringState::Expired => (expires(row), 2 * DAY_MS),
        _ => return false,
    };
    now.since_ms(since) > shown_ms
}

/// The peering connection with this id, if it is still shown.
pub(crate) fn find(cx: &Cx<'_>, id: &VpcPeeringId) -> Result<Arc<VpcPeering>, Error> {
    let row = rules::find::<VpcPeering>(cx, id.as_str())?;
    if is_hidden(cx.tx, &row, cx.now) {
        return Err(Error::NotFound(crate::error::Kind::VpcPeering, id.to_string()));
    }
    Ok(row)
}

/// The peering connection with this id, in one of these states, to which an operation can be applied.
pub(crate) fn find_in(
    cx: &Cx<'_>,
    id: &VpcPeeringId,
    states: &[PeeringState],
    next: PeeringState,
) -> Result<Arc<VpcPeering>, Error> {
    let row = find(cx, id)?;
    let state = state(cx.tx, &row, cx.now);
    if states.contains(&state) {
        Ok(row)
    } else {
        Err(Error::Transition(id.to_string(), state.as_str(), next.as_str()))
    }
}
