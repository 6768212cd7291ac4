//! Security groups and their rules.

use super::VpcId;
use crate::row;
use escale_base::Tag;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `-1` (all), `tcp`, `udp`, `icmp`, `icmpv6`, or a number.
    IpProtocol;
}
escale_base::id! { GroupId = "sg-"; RuleId = "sgr-"; PrefixListId = "pl-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    pub vpc: VpcId,
    /// `default` is the name of each VPC's default group and of no other group.
    pub name: String,
    pub description: String,
    pub tags: Vec<Tag>,
}
row!(Group, "ec2_group", |r| r.id.to_string());

/// A rule with one protocol, one port range and one peer. As on AWS, it has its own id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRule {
    pub id: RuleId,
    pub group: GroupId,
    pub egress: bool,
    pub protocol: IpProtocol,
    /// The port range of tcp and udp, or the type and code of icmp; -1 means all.
    pub from_port: i32,
    pub to_port: i32,
    pub peer: Peer,
    pub description: Option<String>,
    pub tags: Vec<Tag>,
}
row!(GroupRule, "ec2_group_rule", |r| format!("{}/{}", r.group, r.id));

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Peer {
    /// No packet has an IPv6 address.
    Cidr(IpNet),
    Group(GroupId),
    PrefixList(PrefixListId),
}
