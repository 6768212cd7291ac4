//! VPCs.

use crate::{Fingerprint, row};
use escale_base::{Tag, Timestamp};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

escale_base::id! { VpcId = "vpc-"; }

/// A VPC as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: VpcId,
    pub cidr: Ipv4Net,
    pub dns_support: bool,
    pub dns_hostnames: bool,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Vpc, "ec2_vpc", |r| r.id.to_string());

/// What the network plane made of a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcSeen {
    pub id: VpcId,
    /// The fingerprint of the specification that the plane has; empty when a new daemon has yet to take it over.
    pub applied: Fingerprint,
    pub at: Timestamp,
}
row!(VpcSeen, "ec2_vpc_seen", |r| r.id.to_string());

/// The network plane was told of the VPC: something of it may stand, also where nobody has seen it. Goes when the plane has been
/// told to remove it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcTold {
    pub id: VpcId,
}
row!(VpcTold, "ec2_vpc_told", |r| r.id.to_string());
