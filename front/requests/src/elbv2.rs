//! Elastic Load Balancing: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Operations.html>

use escale_base::Wire;
use escale_tables::elbv2::TargetHealthState;
use std::net::Ipv4Addr;

crate::requests! { "elbv2";
    DeregisterTargets => (),
    DescribeTargetGroupAttributes => TargetGroupAttributes,
    DescribeTargetHealth => TargetHealthDescriptions,
    RegisterTargets => (),
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
