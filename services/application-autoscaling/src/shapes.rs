//! AWS's shapes of targets, actions and activities, and how they are stored.

mod policy;

pub(crate) use policy::{
    AlarmShape, PERIOD_SECS, PolicyShape, StepShape, TrackingShape, alarms, dimensions_of_label, policy,
};

use crate::{
    choices::{Dimension, Namespace},
    rules,
};
use escale_base::{Timestamp, Wire};
use escale_service::Config;
use escale_tables::autoscaling::{
    Activity, ActivityStatus, NotScaled, NotScaledCode, ScalableTarget, Schedule, ScheduledAction,
    ScheduledActionName, Suspended,
};

#[derive(Clone, Copy, Debug, Default, Wire)]
pub(crate) struct SuspendedState {
    dynamic_scaling_in_suspended: Option<bool>,
    dynamic_scaling_out_suspended: Option<bool>,
    scheduled_scaling_suspended: Option<bool>,
}

impl SuspendedState {
    /// What the request does not name stays as it is.
    pub(crate) fn over(self, before: Suspended) -> Suspended {
        Suspended {
            scale_in: self.dynamic_scaling_in_suspended.unwrap_or(before.scale_in),
            scale_out: self.dynamic_scaling_out_suspended.unwrap_or(before.scale_out),
            scheduled: self.scheduled_scaling_suspended.unwrap_or(before.scheduled),
        }
    }

    /// What it does not name is not suspended.
    pub(crate) fn whole(self) -> SuspendedState {
        SuspendedState::of(self.over(Suspended::default()))
    }

    fn of(stored: Suspended) -> SuspendedState {
        SuspendedState {
            dynamic_scaling_in_suspended: Some(stored.scale_in),
            dynamic_scaling_out_suspended: Some(stored.scale_out),
            scheduled_scaling_suspended: Some(stored.scheduled),
        }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct TargetShape {
    service_namespace: Namespace,
    pub(crate) resource_id: String,
    scalable_dimension: Dimension,
    pub(crate) min_capacity: u32,
    pub(crate) max_capacity: u32,
    #[wire("RoleARN")]
    role_arn: String,
    creation_time: Timestamp,
    pub(crate) suspended_state: SuspendedState,
    #[wire("ScalableTargetARN")]
    pub(crate) scalable_target_arn: String,
}

pub(crate) fn target(config: &Config, target: &ScalableTarget) -> TargetShape {
    TargetShape {
        service_namespace: Namespace::Ecs,
        resource_id: target.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        min_capacity: target.min,
        max_capacity: target.max,
        role_arn: rules::role_arn(config),
        creation_time: target.created,
        suspended_state: SuspendedState::of(target.suspended),
        scalable_target_arn: rules::target_arn(config, &target.id),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Wire)]
pub(crate) struct TargetAction {
    pub(crate) min_capacity: Option<u32>,
    pub(crate) max_capacity: Option<u32>,
}

#[derive(Debug, Wire)]
pub(crate) struct ActionShape {
    pub(crate) scheduled_action_name: ScheduledActionName,
    #[wire("ScheduledActionARN")]
    scheduled_action_arn: String,
    service_namespace: Namespace,
    pub(crate) schedule: Schedule,
    pub(crate) timezone: Option<String>,
    resource_id: String,
    scalable_dimension: Dimension,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) end_time: Option<Timestamp>,
    pub(crate) scalable_target_action: Option<TargetAction>,
    creation_time: Timestamp,
}

pub(crate) fn action(action: &ScheduledAction) -> ActionShape {
    ActionShape {
        scheduled_action_name: action.name.clone(),
        scheduled_action_arn: action.arn.clone(),
        service_namespace: Namespace::Ecs,
        schedule: action.schedule.clone(),
        timezone: action.timezone.clone(),
        resource_id: action.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        start_time: action.start,
        end_time: action.end,
        scalable_target_action: Some(TargetAction { min_capacity: action.min, max_capacity: action.max }),
        creation_time: action.created,
    }
}

#[derive(Debug, Wire)]
pub(crate) struct NotScaledShape {
    code: NotScaledCode,
    max_capacity: Option<u32>,
    min_capacity: Option<u32>,
    current_capacity: Option<u32>,
}

impl NotScaledShape {
    fn of(stored: NotScaled) -> NotScaledShape {
        let of = |code| (stored.code == code).then_some(stored.capacity);
        let (max_capacity, min_capacity) = (of(NotScaledCode::AtMax), of(NotScaledCode::AtMin));
        let current_capacity = of(NotScaledCode::AtDesired).or(of(NotScaledCode::AnticipatedFlapping));
        NotScaledShape { code: stored.code, max_capacity, min_capacity, current_capacity }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ActivityShape {
    pub(crate) activity_id: String,
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
    description: String,
    cause: String,
    start_time: Timestamp,
    end_time: Option<Timestamp>,
    status_code: ActivityStatus,
    status_message: Option<String>,
    not_scaled_reasons: Vec<NotScaledShape>,
}

pub(crate) fn activity(activity: &Activity) -> ActivityShape {
    ActivityShape {
        activity_id: activity.id.to_string(),
        service_namespace: Namespace::Ecs,
        resource_id: activity.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        description: activity.description.clone(),
        cause: activity.cause.clone(),
        start_time: activity.started,
        end_time: activity.ended,
        status_code: activity.status,
        status_message: activity.message.clone(),
        not_scaled_reasons: activity.not_scaled.map(NotScaledShape::of).into_iter().collect(),
    }
}
