//! Scaling policies.

use super::ResourceId;
use crate::{
    cloudwatch::{AlarmName, Dimension, MetricDataQuery, StandardUnit, Statistic},
    row,
};
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A policy's name, unique in its scalable target.
    PolicyName;
}

escale_base::choice! {
    pub enum AdjustmentType {
        Change = "ChangeInCapacity", Percent = "PercentChangeInCapacity", Exact = "ExactCapacity",
    }
}

escale_base::choice! {
    pub enum MetricAggregation { Average = "Average", Minimum = "Minimum", Maximum = "Maximum" }
}

escale_base::choice! {
    /// The predefined metrics of ECS services.
    pub enum Predefined {
        Cpu = "ECSServiceAverageCPUUtilization",
        Memory = "ECSServiceAverageMemoryUtilization",
        Requests = "ALBRequestCountPerTarget",
    }
}

/// The wish for a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub resource: ResourceId,
    pub name: PolicyName,
    pub arn: String,
    pub kind: PolicyKind,
    pub created: Timestamp,
}
row!(Policy, "autoscaling_policy", |r| Policy::key_of(&r.resource, &r.name));

impl Policy {
    pub fn key_of(resource: &ResourceId, name: &PolicyName) -> String {
        format!("{resource}|{name}")
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PolicyKind {
    TargetTracking(TargetTracking),
    Step(StepScaling),
}

/// Keeps a metric at a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetTracking {
    pub target: f64,
    pub metric: TrackedMetric,
    pub out_cooldown_secs: Option<u32>,
    pub in_cooldown_secs: Option<u32>,
    pub disable_scale_in: Option<bool>,
    /// The policy's own alarms.
    pub high: AlarmName,
    /// `None` if scale-in is disabled.
    pub low: Option<AlarmName>,
}

impl TargetTracking {
    pub fn scales_in(&self) -> bool {
        self.disable_scale_in != Some(true)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TrackedMetric {
    /// With the label of the target group, for its requests.
    Predefined(Predefined, Option<String>),
    Custom(CustomMetric),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CustomMetric {
    Single {
        namespace: String,
        name: String,
        dimensions: Vec<Dimension>,
        statistic: Statistic,
        unit: Option<StandardUnit>,
    },
    /// An expression on metrics.
    Queries(Vec<MetricDataQuery>),
}

/// Changes the capacity by how far an alarm's metric is from its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepScaling {
    pub adjustment: AdjustmentType,
    pub steps: Vec<StepAdjustment>,
    pub min_magnitude: Option<u32>,
    pub cooldown_secs: Option<u32>,
    pub aggregation: Option<MetricAggregation>,
}

/// The bounds are differences from the alarm's threshold; a missing one is infinite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepAdjustment {
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub adjustment: i32,
}
