//! Network interfaces (ENIs). Every address in a VPC belongs to one.

use super::{GroupId, SubnetId, VpcId, ZoneName};
use crate::{ServicePrincipal, row};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, path::PathBuf};

escale_base::id! { InterfaceId = "eni-"; }

escale_base::choice! {
    /// The purpose of an interface. AWS returns `nat_gateway`, although its model spells it `natGateway`.
    pub enum InterfaceType {
        Interface = "interface",
        NatGateway = "nat_gateway",
        /// As on AWS, the only other kind that may be without security groups: then it accepts all traffic.
        NetworkLoadBalancer = "network_load_balancer",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    pub id: InterfaceId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: ZoneName,
    pub private_ip: Ipv4Addr,
    /// The automatically assigned public address (ModifyNetworkInterfaceAttribute with AssociatePublicIpAddress). It is released
    /// with the interface. An Elastic IP is an `Address` row instead, and takes precedence.
    pub auto_public_ip: Option<Ipv4Addr>,
    pub groups: Vec<GroupId>,
    pub source_dest_check: bool,
    pub description: String,
    pub interface_type: InterfaceType,
    /// The service principal that created the interface for one of its own resources. Users cannot delete it.
    pub requester: Option<ServicePrincipal>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Interface, "ec2_interface", |r| r.id.to_string());

/// The interface exists in the plane, and packets can flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceSeen {
    pub id: InterfaceId,
    pub vpc: VpcId,
    /// The public address that the plane has assigned. It is not free until this row no longer has it.
    pub public_ip: Option<Ipv4Addr>,
    /// The network namespace of the interface, in which its owner's processes run.
    pub namespace: PathBuf,
    pub at: Timestamp,
}
row!(InterfaceSeen, "ec2_interface_seen", |r| r.id.to_string());
