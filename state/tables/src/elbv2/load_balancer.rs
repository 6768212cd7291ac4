//! Application and network load balancers.

use super::TargetGroupArn;
use crate::{
    Fingerprint,
    ec2::{AllocationId, AssociationId, GroupId, InterfaceId, SubnetId, VpcId, ZoneName},
    row,
};
use escale_base::{Secret, Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

escale_base::name! {
    /// `arn:aws:elasticloadbalancing:<region>:<account>:loadbalancer/app/<name>/<16 hexadecimal digits>`, with `net` instead of
    /// `app` for a network load balancer.
    LoadBalancerArn;
    /// The host name of a load balancer: lower case, without a final dot.
    DnsName;
}

escale_base::choice! {
    pub enum Scheme { InternetFacing = "internet-facing", Internal = "internal" }
}

escale_base::choice! {
    #[derive(Default)]
    pub enum BalancerKind {
        /// HTTP. The default, because rows of older versions have no kind.
        #[default]
        Application = "application",
        /// TCP.
        Network = "network",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub arn: LoadBalancerArn,
    #[serde(default)]
    pub kind: BalancerKind,
    pub name: String,
    pub dns_name: DnsName,
    pub scheme: Scheme,
    pub vpc: VpcId,
    /// Empty for a network load balancer that was created without any: its nodes accept all traffic.
    pub groups: Vec<GroupId>,
    /// One per zone.
    pub nodes: Vec<Node>,
    /// The attributes that were set; the others have AWS's defaults.
    pub attributes: BTreeMap<String, String>,
    /// Makes the cookies of sticky sessions. Rows of older versions get one when the daemon starts.
    #[serde(default)]
    pub cookie_key: Option<Secret<String>>,
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
    /// Only for internet-facing load balancers.
    pub public: Option<PublicAddress>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicAddress {
    pub allocation: AllocationId,
    pub association: AssociationId,
    pub ip: Ipv4Addr,
}

/// The observed state of a load balancer in the proxy plane, in this run of the daemon. The rows are deleted at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerSeen {
    pub arn: LoadBalancerArn,
    /// The fingerprint of the specification that the plane serves; `None` if it has not accepted any yet.
    pub applied: Option<Fingerprint>,
    /// The error of the last attempt.
    pub fault: Option<SeenFault>,
    pub at: Timestamp,
}
row!(BalancerSeen, "elbv2_balancer_seen", |r| r.arn.to_string());

/// What keeps a node from serving: DNS leaves such a node out while another one can serve. A node without a row can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeFault {
    pub interface: InterfaceId,
    pub load_balancer: LoadBalancerArn,
    /// The target groups all of whose targets this node finds unhealthy.
    pub without_targets: BTreeSet<TargetGroupArn>,
    /// A port of a listener is not open.
    pub is_closed: bool,
}
row!(NodeFault, "elbv2_node_fault", |r| r.interface.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenFault {
    pub what: String,
    /// Whether a retry may succeed.
    pub retry: bool,
}
