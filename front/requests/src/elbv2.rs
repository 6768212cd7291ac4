//! Elastic Load Balancing: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Operations.html>

use escale_base::Wire;
use escale_tables::elbv2::TargetHealthState;
use std::net::Ipv4Addr;

crate::requests! { "elbv2";
    DeregisterTargets => (),
    DescribeRules => Rules,
    DescribeTargetGroupAttributes => TargetGroupAttributes,
    DescribeTargetHealth => TargetHealthDescriptions,
    ModifyListener => (),
    ModifyRule => (),
    RegisterTargets => (),
}

#[derive(Clone, Debug, Wire)]
pub struct DescribeRules {
    pub rule_arns: Vec<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct Rules {
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, Wire)]
pub struct Rule {
    pub rule_arn: String,
    /// The default rule of a listener, which is changed with the listener.
    pub is_default: bool,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, Wire)]
pub struct ModifyRule {
    pub rule_arn: String,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, Wire)]
pub struct ModifyListener {
    pub listener_arn: String,
    pub default_actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Action {
    #[wire("Type")]
    pub kind: String,
    pub forward_config: Option<Forward>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Forward {
    pub target_groups: Vec<WeightedGroup>,
    pub target_group_stickiness_config: Option<GroupStickiness>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct WeightedGroup {
    pub target_group_arn: String,
    pub weight: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct GroupStickiness {
    pub enabled: Option<bool>,
    pub duration_seconds: Option<i64>,
}

#[derive(Clone, Debug, Wire)]
pub struct RegisterTargets {
    pub target_group_arn: String,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, Wire)]
pub struct DeregisterTargets {
    pub target_group_arn: String,
    pub targets: Vec<Target>,
}

/// A target by its address.
#[derive(Clone, Debug, Wire)]
pub struct Target {
    pub id: Ipv4Addr,
    pub port: i64,
    pub availability_zone: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub struct DescribeTargetGroupAttributes {
    pub target_group_arn: String,
}

#[derive(Clone, Debug, Wire)]
pub struct TargetGroupAttributes {
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, Wire)]
pub struct Attribute {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Debug, Wire)]
pub struct DescribeTargetHealth {
    pub target_group_arn: String,
}

#[derive(Clone, Debug, Wire)]
pub struct TargetHealthDescriptions {
    pub target_health_descriptions: Vec<TargetHealthDescription>,
}

#[derive(Clone, Debug, Wire)]
pub struct TargetHealthDescription {
    pub target: Target,
    pub target_health: TargetHealth,
}

#[derive(Clone, Debug, Wire)]
pub struct TargetHealth {
    pub state: TargetHealthState,
    pub description: Option<String>,
}
