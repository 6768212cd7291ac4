//! Enacts a decision: changes the service's desired count, and records the activity. The texts are AWS's.

use super::{
    next::{Next, Reply, last_scaling},
    situation::service,
};
use crate::Error;
use escale_base::{AwsError, Timestamp, ids};
use escale_requests::ecs::UpdateService;
use escale_service::Cx;
use escale_tables::{
    autoscaling::{
        Activity, ActivityStatus, LastScaling, NotScaled, ResourceId, ScalableTarget, ScheduledAction,
        ScheduledActionName, TargetProgress,
    },
    cloudwatch::{Alarm, AlarmName},
};
use std::collections::BTreeSet;

/// Activities of a target that are kept. AWS keeps those of six weeks.
const ACTIVITIES: usize = 200;

pub(super) fn enact(cx: &mut Cx<'_>, resource: &ResourceId, step: Next) -> Result<(), Error> {
    match step {
        Next::Wait(_) => {}
        Next::End { activity, status } => end(cx, resource, &activity, status),
        Next::Schedule { name, is_suspended, .. } => schedule(cx, resource, name, is_suspended),
        Next::Limit { changed, to } => {
            if let Some((to, cause)) = to {
                scale(cx, resource, to, cause)?;
            }
            progress(cx, resource, |progress| progress.limited = changed);
        }
        Next::Answer { invoked, with } => {
            match with {
                Reply::Scale { to, cause, cooldown_secs } => {
                    by_policy(cx, resource, to, cause, cooldown_secs)?
                }
                Reply::NotScaled { cause, reason } => not_scaled(cx, resource, cause, reason),
                Reply::Blocked => {}
            }
            let alarms: BTreeSet<AlarmName> = cx.tx.scan::<Alarm>().map(|alarm| alarm.name.clone()).collect();
            progress(cx, resource, |progress| {
                progress.invoked.extend(invoked);
                progress.invoked.retain(|name, _| alarms.contains(name));
            });
        }
    }
    Ok(())
}

fn progress(cx: &mut Cx<'_>, resource: &ResourceId, change: impl FnOnce(&mut TargetProgress)) {
    let before = cx.tx.get::<TargetProgress>(resource).map(|progress| (*progress).clone());
    let mut row = before.unwrap_or(TargetProgress { resource: resource.clone(), ..Default::default() });
    change(&mut row);
    cx.tx.put(row);
}

fn end(cx: &mut Cx<'_>, resource: &ResourceId, key: &str, status: ActivityStatus) {
    let now = cx.now;
    let id = cx.tx.update(key, |activity: &mut Activity| {
        (activity.status, activity.ended) = (status, Some(now));
        let set = format!("Successfully set desired count to {}.", activity.capacity.unwrap_or_default());
        let rest = match status {
            ActivityStatus::Overridden => "The change was overridden by a later one.",
            _ => "Change successfully fulfilled by ecs.",
        };
        activity.message = Some(format!("{set} {rest}"));
        activity.id.clone()
    });
    progress(cx, resource, |progress| {
        let of_activity =
            |last: &&mut LastScaling| id.as_ref() == Some(&last.activity) && last.ended.is_none();
        for last in progress.last_out.iter_mut().chain(&mut progress.last_in).filter(of_activity) {
            last.ended = Some(now);
        }
    });
}

fn schedule(cx: &mut Cx<'_>, resource: &ResourceId, name: ScheduledActionName, is_suspended: bool) {
    let now = cx.now;
    let action = cx.tx.get::<ScheduledAction>(&ScheduledAction::key_of(resource, &name));
    if let Some(action) = action.filter(|_| !is_suspended) {
        let set = cx.tx.update(resource, |target: &mut ScalableTarget| {
            // A limit that alone would contradict the other one moves it.
            let min = action.min.unwrap_or_else(|| target.min.min(action.max.unwrap_or(target.min)));
            let max = action.max.unwrap_or_else(|| target.max.max(min));
            (target.min, target.max, target.limited) = (min, max, now);
            format!("min capacity to {min} and max capacity to {max}")
        });
        let set = set.unwrap_or_default();
        let cause = format!("scheduled action {name} was triggered");
        let description = format!("Setting {set}");
        let message = Some(format!("Successfully set {set}"));
        let new = activity(cx, resource, description, cause);
        record(cx, Activity { status: ActivityStatus::Successful, ended: Some(now), message, ..new });
    }
    let actions = cx.tx.scan::<ScheduledAction>().filter(|action| action.resource == *resource);
    let names: BTreeSet<ScheduledActionName> = actions.map(|action| action.name.clone()).collect();
    progress(cx, resource, |progress| {
        progress.scheduled.extend([(name, now)]);
        progress.scheduled.retain(|name, _| names.contains(name));
    });
}

fn by_policy(
    cx: &mut Cx<'_>,
    resource: &ResourceId,
    to: u32,
    cause: String,
    cooldown_secs: u32,
) -> Result<(), Error> {
    let Some(current) = current(cx, resource) else { return Ok(()) };
    let (now, speed) = (cx.now, cx.config.clock_speed);
    let activity = scale(cx, resource, to, cause)?;
    if activity.status == ActivityStatus::Failed {
        return Ok(());
    }
    progress(cx, resource, |progress| {
        if to < current {
            progress.last_in =
                Some(LastScaling { activity: activity.id, base: current, cooldown_secs, ended: None });
            return;
        }
        let at = (current, now, speed);
        progress.last_out = Some(last_scaling(progress.last_out.as_ref(), at, activity.id, cooldown_secs));
        // The cooldown of a scale-in ends with it.
        progress.last_in = None;
    });
    Ok(())
}

fn current(cx: &Cx<'_>, resource: &ResourceId) -> Option<u32> {
    let target = cx.tx.get::<ScalableTarget>(resource)?;
    service(cx.tx, &target).map(|service| service.desired)
}

/// Sets the desired count. A refusal by ECS is an activity that failed; the alarm invokes again.
fn scale(cx: &mut Cx<'_>, resource: &ResourceId, to: u32, cause: String) -> Result<Activity, Error> {
    let now = cx.now;
    let before = current(cx, resource).unwrap_or_default();
    override_open(cx, resource);
    let (cluster, service) = resource.service_key().split_once('/').unwrap_or_default();
    let request =
        UpdateService { cluster: cluster.to_owned(), service: service.to_owned(), desired_count: to };
    let mut new = activity(cx, resource, format!("Setting desired count to {to}."), cause);
    new.is_in = to < before;
    match cx.call(request) {
        Ok(_) => {
            new.capacity = Some(to);
            let message =
                format!("Successfully set desired count to {to}. Waiting for change to be fulfilled by ecs.");
            new.message = Some(message);
        }
        Err(error) if error.status >= 500 => return Err(error.into()),
        Err(AwsError { message, .. }) => {
            (new.status, new.ended) = (ActivityStatus::Failed, Some(now));
            new.message = Some(format!("Failed to set desired count to {to}. Reason: {message}"));
        }
    }
    record(cx, new.clone());
    Ok(new)
}

/// A later activity overrides one whose tasks have not started or stopped yet.
fn override_open(cx: &mut Cx<'_>, resource: &ResourceId) {
    let prefix = format!("{resource}|");
    let open = cx.tx.prefix::<Activity>(&prefix).filter(|a| a.status == ActivityStatus::InProgress);
    let keys: Vec<String> = open.map(|a| Activity::key_of(&a.resource, a.started, &a.id)).collect();
    for key in keys {
        end(cx, resource, &key, ActivityStatus::Overridden);
    }
}

fn activity(cx: &Cx<'_>, resource: &ResourceId, description: String, cause: String) -> Activity {
    // Two activities in one millisecond keep their order.
    let last = cx.tx.prefix::<Activity>(&format!("{resource}|")).map(|activity| activity.started).max();
    Activity {
        id: ids::random_uuid().into(),
        resource: resource.clone(),
        description,
        cause,
        started: last.map_or(cx.now, |last| cx.now.max(last.plus_ms(1))),
        ended: None,
        status: ActivityStatus::InProgress,
        message: None,
        capacity: None,
        is_in: false,
        not_scaled: None,
    }
}

/// An alarm that invokes its policy every minute in vain is one activity, until something else happens.
fn not_scaled(cx: &mut Cx<'_>, resource: &ResourceId, cause: String, reason: NotScaled) {
    let prefix = format!("{resource}|");
    let last = cx.tx.prefix::<Activity>(&prefix).max_by_key(|activity| activity.started);
    if last.is_some_and(|last| last.cause == cause && last.not_scaled == Some(reason)) {
        return;
    }
    let now: Timestamp = cx.now;
    let new = activity(cx, resource, "Attempting to scale due to alarm triggered".into(), cause);
    record(
        cx,
        Activity { status: ActivityStatus::Failed, ended: Some(now), not_scaled: Some(reason), ..new },
    );
}

fn record(cx: &mut Cx<'_>, activity: Activity) {
    let prefix = format!("{}|", activity.resource);
    let mut keys: Vec<String> =
        cx.tx.prefix::<Activity>(&prefix).map(|a| Activity::key_of(&a.resource, a.started, &a.id)).collect();
    keys.sort_unstable();
    let surplus = (keys.len() + 1).saturating_sub(ACTIVITIES);
    for key in keys.into_iter().take(surplus) {
        cx.tx.delete::<Activity>(&key);
    }
    cx.tx.put(activity);
}
