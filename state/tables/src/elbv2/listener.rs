//! Listeners and their rules.

use super::{LoadBalancerArn, TargetGroupArn};
use crate::{acm::CertificateArn, row};
use escale_base::{Tag, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `…:listener/app/<name>/<load balancer's id>/<16 hexadecimal digits>`
    ListenerArn;
    /// A predefined security policy: `ELBSecurityPolicy-TLS13-1-2-Res-2021-06`.
    SslPolicyName;
    /// `…:listener-rule/app/<name>/<load balancer's id>/<listener's id>/<16 hexadecimal digits>`
    RuleArn;
}

/// A listener: of HTTP, or of TCP if its load balancer is a network load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub arn: ListenerArn,
    pub load_balancer: LoadBalancerArn,
    pub port: u16,
    pub default: Action,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Listener, "elbv2_listener", |r| r.arn.to_string());

/// The TLS of an HTTPS listener. A listener without this row speaks HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerTls {
    pub listener: ListenerArn,
    pub load_balancer: LoadBalancerArn,
    pub policy: SslPolicyName,
    /// The first one is the default certificate.
    pub certificates: Vec<CertificateArn>,
}
row!(ListenerTls, "elbv2_listener_tls", |r| r.listener.to_string());

/// A rule other than the default rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub arn: RuleArn,
    pub listener: ListenerArn,
    /// 1 to 50,000; unique in its listener.
    pub priority: u32,
    pub conditions: Vec<Condition>,
    pub action: Action,
    pub tags: Vec<Tag>,
}
row!(Rule, "elbv2_rule", |r| r.arn.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Target groups with their weights.
    Forward(Vec<(TargetGroupArn, u32)>),
    /// As `Forward`. A client stays with its group for so many seconds.
    StickyForward {
        groups: Vec<(TargetGroupArn, u32)>,
        secs: u32,
    },
    Redirect(Redirect),
    Fixed(FixedResponse),
}

impl Action {
    /// The target groups of a forward action, with their weights.
    pub fn groups(&self) -> &[(TargetGroupArn, u32)] {
        match self {
            Action::Forward(groups) | Action::StickyForward { groups, .. } => groups,
            Action::Redirect(_) | Action::Fixed(_) => &[],
        }
    }
}

/// Parts may contain `#{protocol}`, `#{host}`, `#{port}`, `#{path}`, `#{query}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    pub protocol: String,
    pub host: String,
    pub port: String,
    pub path: String,
    pub query: String,
    /// 301 instead of 302.
    pub permanent: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FixedResponse {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    Path(Vec<String>),
    Host(Vec<String>),
    Method(Vec<String>),
    Header { name: String, values: Vec<String> },
    Query(Vec<QueryPair>),
    Source(Vec<IpNet>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryPair {
    pub key: Option<String>,
    pub value: String,
}
