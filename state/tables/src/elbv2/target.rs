//! Target groups and their targets.

use crate::{
    ec2::{VpcId, ZoneName},
    row,
};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv4Addr};

escale_base::name! {
    /// `…:targetgroup/<name>/<16 hexadecimal digits>`
    TargetGroupArn;
}

/// A group of HTTP targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    pub vpc: VpcId,
    #[serde(default)]
    pub targets: TargetType,
    /// The port of targets that are registered without one.
    pub port: u16,
    pub health: HealthCheck,
    /// Those that were set; the others have AWS's defaults.
    pub attributes: BTreeMap<String, String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(TargetGroup, "elbv2_target_group", |r| r.arn.to_string());

escale_base::choice! {
    /// What is registered as a target.
    #[derive(Default)]
    pub enum TargetType {
        /// Addresses. Groups from before there was a choice have this type.
        #[default]
        Ip = "ip",
        /// EC2 instances, of which there are none: such a group has no targets.
        Instance = "instance",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub path: String,
    /// `None`: the port that the target serves on.
    pub port: Option<u16>,
    pub interval_secs: u32,
    pub timeout_secs: u32,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    /// `200`, `200-299`, `200,301`
    pub matcher: String,
}

/// One registered target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub group: TargetGroupArn,
    pub ip: Ipv4Addr,
    pub port: u16,
    /// Of the subnet it is in; `None` outside of the VPC.
    pub zone: Option<ZoneName>,
    /// Since when it gets no new requests. The row goes when nothing is under way any more.
    pub draining: Option<Timestamp>,
}
row!(Target, "elbv2_target", |r| Target::key_of(&r.group, r.ip, r.port));

impl Target {
    pub fn key_of(group: &str, ip: Ipv4Addr, port: u16) -> String {
        format!("{group}/{ip}:{port}")
    }
}

/// What the load balancer's nodes found a target to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub group: TargetGroupArn,
    pub ip: Ipv4Addr,
    pub port: u16,
    pub health: TargetHealth,
    pub at: Timestamp,
}
row!(TargetSeen, "elbv2_target_seen", |r| Target::key_of(&r.group, r.ip, r.port));

escale_base::choice! {
    /// AWS's word for a target's health.
    pub enum TargetHealthState {
        Initial = "initial", Healthy = "healthy", Unhealthy = "unhealthy", Unused = "unused", Draining = "draining",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetHealth {
    /// No node may send to it.
    Unused,
    /// Not yet checked often enough to say.
    Initial,
    /// As `Initial`; and the last check ended like this.
    InitialFailing(Box<TargetHealth>),
    Healthy,
    /// Answered with this status.
    WrongStatus(u16),
    TimedOut,
    /// Nothing listens there.
    Refused,
    /// What came back is no HTTP answer, or the connection broke.
    NotHttp,
    /// Could not be reached at all, in the machine's words.
    Unreachable(String),
    Draining,
}
