//! Listeners and their rules.

use crate::row;
use escale_base::{Tag, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An HTTP listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// `…:listener/app/<name>/<load balancer's id>/<16 hexadecimal digits>`
    pub arn: String,
    pub load_balancer: String,
    pub port: u16,
    pub default: Action,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Listener, "elbv2_listener", |r| r.arn.clone());

/// A rule beside the default one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `…:listener-rule/app/<name>/<load balancer's id>/<listener's id>/<16 hexadecimal digits>`
    pub arn: String,
    pub listener: String,
    /// 1 to 50,000; unique in its listener.
    pub priority: u32,
    pub conditions: Vec<Condition>,
    pub action: Action,
    pub tags: Vec<Tag>,
}
row!(Rule, "elbv2_rule", |r| r.arn.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Target groups' ARNs with their weights.
    Forward(Vec<(String, u32)>),
    Redirect(Redirect),
    Fixed(FixedResponse),
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
