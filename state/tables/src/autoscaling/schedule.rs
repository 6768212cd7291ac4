//! Scheduled actions.

use super::ResourceId;
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A scheduled action's name, unique in its scalable target.
    ScheduledActionName;
    /// `at(…)`, `rate(…)` or `cron(…)`, as the user wrote it.
    Schedule;
}

/// The wish for an action: at these times, set these limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledAction {
    pub resource: ResourceId,
    pub name: ScheduledActionName,
    pub arn: String,
    pub schedule: Schedule,
    /// An IANA name; UTC without one.
    pub timezone: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub created: Timestamp,
    /// When it was last changed: only later times are due.
    pub updated: Timestamp,
}
row!(ScheduledAction, "autoscaling_scheduled_action", |r| ScheduledAction::key_of(&r.resource, &r.name));

impl ScheduledAction {
    pub fn key_of(resource: &ResourceId, name: &ScheduledActionName) -> String {
        format!("{resource}|{name}")
    }
}
