//! Scaling activities: what was done, and why.

use super::ResourceId;
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A UUID.
    ActivityId;
}

escale_base::choice! {
    pub enum ActivityStatus {
        InProgress = "InProgress",
        Successful = "Successful",
        Overridden = "Overridden",
        Failed = "Failed",
    }
}

escale_base::choice! {
    pub enum NotScaledCode {
        AnticipatedFlapping = "AutoScalingAnticipatedFlapping",
        AtMax = "AlreadyAtMaxCapacity",
        AtMin = "AlreadyAtMinCapacity",
        AtDesired = "AlreadyAtDesiredCapacity",
    }
}

/// An attempt to change a capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub id: ActivityId,
    pub resource: ResourceId,
    pub description: String,
    pub cause: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub status: ActivityStatus,
    pub message: Option<String>,
    /// The capacity that the service gets; `None` if only the limits were set, or nothing.
    pub capacity: Option<u32>,
    /// Whether it removes tasks.
    pub is_in: bool,
    pub not_scaled: Option<NotScaled>,
}
row!(Activity, "autoscaling_activity", |r| Activity::key_of(&r.resource, r.started, &r.id));

impl Activity {
    pub fn key_of(resource: &ResourceId, started: Timestamp, id: &ActivityId) -> String {
        format!("{resource}|{:020}|{id}", started.0)
    }
}

/// Why an alarm changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotScaled {
    pub code: NotScaledCode,
    /// The limit or the capacity that the code names.
    pub capacity: u32,
}
