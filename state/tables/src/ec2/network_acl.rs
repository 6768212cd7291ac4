//! Network ACLs, their entries and their associations with subnets.

use super::{IpProtocol, SubnetId, VpcId};
use crate::row;
use escale_base::Tag;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

escale_base::id! { NetworkAclId = "acl-"; NetworkAclAssociationId = "aclassoc-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub vpc: VpcId,
    /// Whether it is its VPC's default ACL, which all subnets have that are not associated with another one.
    pub default: bool,
    /// In the order of their numbers. Without the last entry of every ACL, which denies all.
    pub entries: Vec<AclEntry>,
    pub tags: Vec<Tag>,
}
row!(NetworkAcl, "ec2_network_acl", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AclEntry {
    pub number: u16,
    pub egress: bool,
    pub allow: bool,
    /// A number, or -1 for all protocols.
    pub protocol: IpProtocol,
    pub cidr: IpNet,
    /// The first and the last destination port of tcp and udp.
    pub ports: Option<(u16, u16)>,
    /// The type and the code of icmp; -1 means all.
    pub icmp: Option<(i16, i16)>,
}

/// The ACL of a subnet. A subnet without a row has the default ACL of its VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAclAssociation {
    pub id: NetworkAclAssociationId,
    pub subnet: SubnetId,
    pub acl: NetworkAclId,
}
row!(NetworkAclAssociation, "ec2_network_acl_association", |r| r.subnet.to_string());
