//! Load balancers, their observed state, and the health of their targets. Every row's key is an ARN or starts with one,
//! because clients of this service identify resources by ARN.

mod listener;
mod load_balancer;
mod name;
mod target;

pub use listener::{
    Action, Condition, FixedResponse, Listener, ListenerArn, ListenerTls, QueryPair, Redirect, Rule, RuleArn,
    SslPolicyName,
};
pub use load_balancer::{
    BalancerKind, BalancerSeen, DnsName, LoadBalancer, LoadBalancerArn, Node, NodeFault, PublicAddress,
    Scheme, SeenFault,
};
pub use name::LoadBalancerName;
pub use target::{
    HealthCheck, Target, TargetGroup, TargetGroupArn, TargetHealth, TargetHealthState, TargetProtocol,
    TargetSeen, TargetType, TargetVersion,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<BalancerSeen>(),
    TableDef::of::<Listener>(),
    TableDef::of::<ListenerTls>(),
    TableDef::of::<LoadBalancer>(),
    TableDef::of::<LoadBalancerName>(),
    TableDef::of::<NodeFault>(),
    TableDef::of::<Rule>(),
    TableDef::of::<Target>(),
    TableDef::of::<TargetGroup>(),
    TableDef::of::<TargetSeen>(),
];
