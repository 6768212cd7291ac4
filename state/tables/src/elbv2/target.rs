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

/// A group of targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    pub vpc: VpcId,
    #[serde(default)]
    pub targets: TargetType,
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// Without effect on TCP.
    #[serde(default)]
    pub version: TargetVersion,
    /// The port of targets that are registered without one.
    pub port: u16,
    pub health: HealthCheck,
    /// The attributes that were set; the others have AWS's defaults.
    pub attributes: BTreeMap<String, String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(TargetGroup, "elbv2_target_group", |r| r.arn.to_string());

escale_base::choice! {
    /// The kind of targets that are registered.
    #[derive(Default)]
    pub enum TargetType {
        /// Addresses. The default, because rows of older versions have no type.
        #[default]
        Ip = "ip",
        /// EC2 instances, which do not exist here: such a group has no targets.
        Instance = "instance",
    }
}

escale_base::choice! {
    /// The protocol of targets, or of their health checks.
    #[derive(Default)]
    pub enum TargetProtocol {
        /// The default, because rows of older versions have no protocol.
        #[default]
        Http = "HTTP",
        Https = "HTTPS",
        Tcp = "TCP",
    }
}

impl TargetProtocol {
    /// HTTP, with or without TLS.
    pub fn is_http(self) -> bool {
        matches!(self, TargetProtocol::Http | TargetProtocol::Https)
    }
}

escale_base::choice! {
    /// The version of HTTP that targets speak.
    #[derive(Default)]
    pub enum TargetVersion {
        /// The default, because rows of older versions have no version.
        #[default]
        Http1 = "HTTP1",
        Http2 = "HTTP2",
        Grpc = "GRPC",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    #[serde(default)]
    pub protocol: TargetProtocol,
    /// The path and the matcher of a TCP check have no effect; they return when the protocol changes to HTTP.
    pub path: String,
    /// `None`: the target's own port.
    pub port: Option<u16>,
    pub interval_secs: u32,
    pub timeout_secs: u32,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    /// `200`, `200-299`, `200,301`; of a group with gRPC `12`, `0-99`, `0,1`.
    pub matcher: String,
}

/// One registered target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub group: TargetGroupArn,
    pub ip: Ipv4Addr,
    pub port: u16,
    /// The zone of its subnet; `None` outside the VPC.
    pub zone: Option<ZoneName>,
    /// The time since which it gets no new requests. The row is deleted when no request is open any more.
    pub draining: Option<Timestamp>,
}
row!(Target, "elbv2_target", |r| Target::key_of(&r.group, r.ip, r.port));

impl Target {
    pub fn key_of(group: &str, ip: Ipv4Addr, port: u16) -> String {
        format!("{group}/{ip}:{port}")
    }
}

/// The observed health of a target.
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
    /// AWS's state of a target's health.
    pub enum TargetHealthState {
        Initial = "initial", Healthy = "healthy", Unhealthy = "unhealthy", Unused = "unused", Draining = "draining",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetHealth {
    /// No node sends requests to it.
    Unused,
    /// Not checked often enough yet.
    Initial,
    /// Like `Initial`, with the result of the last check.
    InitialFailing(Box<TargetHealth>),
    Healthy,
    /// The target answered with this status.
    WrongStatus(u16),
    TimedOut,
    /// The connection was refused.
    Refused,
    /// The answer is not HTTP, or the connection broke.
    NotHttp,
    /// The target cannot be reached, with the operating system's error.
    Unreachable(String),
    Draining,
}
