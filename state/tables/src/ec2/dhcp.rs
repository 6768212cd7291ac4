//! DHCP options, and their associations with VPCs.

use super::VpcId;
use crate::row;
use escale_base::Tag;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

escale_base::id! { DhcpOptionsId = "dopt-"; }
escale_base::name! { /// A domain name that resolvers append to short names.
DomainName; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    pub id: DhcpOptionsId,
    pub domain_name: Option<DomainName>,
    /// In the order of preference; empty if the set has no name servers.
    pub name_servers: Vec<NameServer>,
    /// Stored and shown only.
    pub ntp_servers: Vec<Ipv4Addr>,
    /// Stored and shown only.
    pub netbios_name_servers: Vec<Ipv4Addr>,
    /// Stored and shown only.
    pub netbios_node_type: Option<u8>,
    pub tags: Vec<Tag>,
}
row!(DhcpOptions, "ec2_dhcp_options", |r| r.id.to_string());

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameServer {
    /// `AmazonProvidedDNS`: the VPC's own resolver.
    Own,
    Address(Ipv4Addr),
}

/// A VPC's options. A VPC without a row has the default options: its own resolver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptionsAssociation {
    pub vpc: VpcId,
    pub options: DhcpOptionsId,
}
row!(DhcpOptionsAssociation, "ec2_dhcp_options_association", |r| r.vpc.to_string());
