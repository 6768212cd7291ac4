//! Elastic IP addresses.

use super::InterfaceId;
use crate::{ServicePrincipal, row};
use escale_base::Tag;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

escale_base::id! { AllocationId = "eipalloc-"; AssociationId = "eipassoc-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Address {
    pub id: AllocationId,
    /// From 198.18.0.0/15, the range that RFC 2544 reserves for benchmarks.
    pub public_ip: Ipv4Addr,
    pub association: Option<(AssociationId, InterfaceId)>,
    /// The service principal that allocated the address for one of its own resources. Users cannot release it.
    pub requester: Option<ServicePrincipal>,
    pub tags: Vec<Tag>,
}
row!(Address, "ec2_address", |r| r.id.to_string());
