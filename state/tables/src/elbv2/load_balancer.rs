//! Application load balancers.

use crate::{
    Fingerprint,
    ec2::{AllocationId, AssociationId, GroupId, InterfaceId, SubnetId, VpcId, ZoneName},
    row,
};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv4Addr};

escale_base::name! {
    /// `arn:aws:elasticloadbalancing:<region>:<account>:loadbalancer/app/<name>/<16 hexadecimal digits>`
    LoadBalancerArn;
    /// The host name of a load balancer: lower case, without a final dot.
    DnsName;
}

escale_base::choice! {
    pub enum Scheme { InternetFacing = "internet-facing", Internal = "internal" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: LoadBalancerArn,
    pub name: String,
    pub dns_name: DnsName,
    pub scheme: Scheme,
    pub vpc: VpcId,
    pub groups: Vec<GroupId>,
    /// One a zone.
    pub nodes: Vec<Node>,
    /// Those that were set; the others have AWS's defaults.
    pub attributes: BTreeMap<String, String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(LoadBalancer, "elbv2_load_balancer", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub zone: ZoneName,
    pub subnet: SubnetId,
    pub interface: InterfaceId,
    pub private_ip: Ipv4Addr,
    /// Of internet-facing ones.
    pub public: Option<PublicAddress>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicAddress {
    pub allocation: AllocationId,
    pub association: AssociationId,
    pub ip: Ipv4Addr,
}

/// What the proxy plane made of a load balancer in this run of the daemon: the rows are deleted at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerSeen {
    pub arn: LoadBalancerArn,
    /// The fingerprint of the specification that the plane has; `None` when none ever did.
    pub applied: Option<Fingerprint>,
    /// Why the last try did not come about.
    pub fault: Option<SeenFault>,
    pub at: Timestamp,
}
row!(BalancerSeen, "elbv2_balancer_seen", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenFault {
    pub what: String,
    /// Whether it can pass by itself.
    pub retry: bool,
}
