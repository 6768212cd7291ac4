//! VPC peering connections.

use super::VpcId;
use crate::row;
use escale_base::{Tag, Timestamp};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

escale_base::id! { VpcPeeringId = "pcx-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcPeering {
    pub id: VpcPeeringId,
    pub requester: PeeringSide,
    pub accepter: PeeringSide,
    pub decision: PeeringDecision,
    pub decided: Timestamp,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(VpcPeering, "ec2_vpc_peering", |r| r.id.to_string());

/// One of the two VPCs, which may have been deleted since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeeringSide {
    pub vpc: VpcId,
    /// `None` if the VPC did not exist when the connection was requested.
    pub cidr: Option<Ipv4Net>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeeringDecision {
    /// Neither accepted nor rejected. The request expires.
    Requested,
    Accepted,
    Rejected,
    Deleted,
    /// The accepter's VPC does not exist, or both have the same addresses.
    Failed,
}

impl VpcPeering {
    /// The side of this VPC, and the other one; none if the VPC has no part in it.
    pub fn sides(&self, vpc: &VpcId) -> Option<(&PeeringSide, &PeeringSide)> {
        match (self.requester.vpc == *vpc, self.accepter.vpc == *vpc) {
            (true, _) => Some((&self.requester, &self.accepter)),
            (false, true) => Some((&self.accepter, &self.requester)),
            (false, false) => None,
        }
    }
}

/// The network of this VPC has a link to the peering connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcPeeringSeen {
    pub peering: VpcPeeringId,
    pub vpc: VpcId,
}
row!(VpcPeeringSeen, "ec2_vpc_peering_seen", |r| format!("{}/{}", r.peering, r.vpc));
