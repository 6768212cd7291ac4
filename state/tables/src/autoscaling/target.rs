//! Scalable targets. All of them are the desired counts of ECS services.

use super::{ActivityId, ScheduledActionName};
use crate::{cloudwatch::AlarmName, row};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// `service/CLUSTER/SERVICE`.
    ResourceId;
}

impl ResourceId {
    /// The key of the ECS service's row.
    pub fn service_key(&self) -> &str {
        self.0.strip_prefix("service/").unwrap_or_default()
    }
}

/// The wish: between which limits a service is scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalableTarget {
    pub resource: ResourceId,
    /// The last part of its ARN.
    pub id: String,
    pub min: u32,
    pub max: u32,
    pub suspended: Suspended,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
    /// When a limit was last changed. The capacity is then brought between the limits once; it may leave them by hand.
    pub limited: Timestamp,
}
row!(ScalableTarget, "autoscaling_target", |r| r.resource.to_string());

/// What is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    pub scale_in: bool,
    pub scale_out: bool,
    pub scheduled: bool,
}

/// How far the wish is enacted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetProgress {
    pub resource: ResourceId,
    /// The last change of the limits that the capacity was compared with.
    pub limited: Timestamp,
    /// The last invocation of each alarm that was answered.
    pub invoked: BTreeMap<AlarmName, Timestamp>,
    /// The last due time of each scheduled action that was enacted.
    pub scheduled: BTreeMap<ScheduledActionName, Timestamp>,
    pub last_out: Option<LastScaling>,
    pub last_in: Option<LastScaling>,
}
row!(TargetProgress, "autoscaling_progress", |r| r.resource.to_string());

/// A change of the capacity by a policy, which begins a cooldown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastScaling {
    pub activity: ActivityId,
    /// The capacity before the cooldown began.
    pub base: u32,
    pub cooldown_secs: u32,
    /// When the service had the capacity. `None` while tasks start or stop.
    pub ended: Option<Timestamp>,
}
