//! VPCs.

use crate::{Fingerprint, row};
use escale_base::{Tag, Timestamp};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

escale_base::id! { VpcId = "vpc-"; }

/// A VPC as it was requested.
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

/// The observed state of a VPC's network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcSeen {
    pub id: VpcId,
    /// The fingerprint of the specification that the plane has applied; empty until a new daemon has adopted the network.
    pub applied: Fingerprint,
    /// The network namespace of its router.
    #[serde(default)]
    pub router: Option<PathBuf>,
    pub at: Timestamp,
}
row!(VpcSeen, "ec2_vpc_seen", |r| r.id.to_string());

/// The network plane may have built a part of this VPC's network, even if `VpcSeen` has no row: an apply can fail or be
/// interrupted. Deleted after the plane has removed the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcTold {
    pub id: VpcId,
}
row!(VpcTold, "ec2_vpc_told", |r| r.id.to_string());
