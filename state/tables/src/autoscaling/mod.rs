//! Application Auto Scaling: scalable targets with their policies and scheduled actions, and what was done for them.

mod activity;
mod policy;
mod schedule;
mod target;

pub use activity::{Activity, ActivityId, ActivityStatus, NotScaled, NotScaledCode};
pub use policy::{
    AdjustmentType, CustomMetric, MetricAggregation, Policy, PolicyKind, PolicyName, Predefined,
    StepAdjustment, StepScaling, TargetTracking, TrackedMetric,
};
pub use schedule::{Schedule, ScheduledAction, ScheduledActionName};
pub use target::{LastScaling, ResourceId, ScalableTarget, Suspended, TargetProgress};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<ScalableTarget>(),
    TableDef::of::<TargetProgress>(),
    TableDef::of::<Policy>(),
    TableDef::of::<ScheduledAction>(),
    TableDef::of::<Activity>(),
];
