//! Network interfaces (ENIs): every address in a VPC is one's.

use super::{GroupId, SubnetId, VpcId, ZoneName};
use crate::{ServicePrincipal, row};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, path::PathBuf};

escale_base::id! { InterfaceId = "eni-"; }

escale_base::choice! {
    /// What an interface was made for. AWS answers `nat_gateway` although its model spells it `natGateway`.
    pub enum InterfaceType { Interface = "interface", NatGateway = "nat_gateway" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    pub id: InterfaceId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: ZoneName,
    pub private_ip: Ipv4Addr,
    /// A public address that comes and goes with the interface (ModifyNetworkInterfaceAttribute with
    /// AssociatePublicIpAddress); an Elastic IP is an `Address` row instead, and comes before this one.
    pub auto_public_ip: Option<Ipv4Addr>,
    pub groups: Vec<GroupId>,
    pub source_dest_check: bool,
    pub description: String,
    pub interface_type: InterfaceType,
    /// The service principal that made it for a resource of its own; such an interface only that service deletes.
    pub requester: Option<ServicePrincipal>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Interface, "ec2_interface", |r| r.id.to_string());

/// The interface stands: packets can flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceSeen {
    pub id: InterfaceId,
    pub vpc: VpcId,
    /// The public address that stands: taken by it until this row says otherwise.
    pub public_ip: Option<Ipv4Addr>,
    /// The namespace that whoever owns the interface runs in.
    pub namespace: PathBuf,
    pub at: Timestamp,
}
row!(InterfaceSeen, "ec2_interface_seen", |r| r.id.to_string());
