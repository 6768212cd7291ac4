//! Subnets.

use super::{RouteTableId, VpcId};
use crate::row;
use escale_base::{Tag, Timestamp};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

escale_base::id! { SubnetId = "subnet-"; }
escale_base::name! { /// An availability zone, by name.
ZoneName; }

/// A subnet as it was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: SubnetId,
    pub vpc: VpcId,
    pub cidr: Ipv4Net,
    pub zone: ZoneName,
    pub map_public_ip: bool,
    /// The explicitly associated route table; `None` means the VPC's main route table.
    pub route_table: Option<RouteTableId>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Subnet, "ec2_subnet", |r| r.id.to_string());
