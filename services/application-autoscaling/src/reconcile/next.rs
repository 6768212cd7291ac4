//! The next thing to do for a scalable target: a pure function of the rows and the time.

use super::situation::{Invocation, invocations, running, service, situation};
use crate::{
    decide::{self, Answer},
    schedule,
};
use escale_base::Timestamp;
use escale_store::Image;
use escale_tables::{
    autoscaling::{
        Activity, ActivityId, ActivityStatus, LastScaling, NotScaled, ResourceId, ScalableTarget,
        ScheduledAction, ScheduledActionName, TargetProgress,
    },
    cloudwatch::AlarmName,
    ecs::Service,
};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing until this time, or until a row changes.
    Wait(Option<Timestamp>),
    /// The service has the capacity of an activity, or somebody else gave it another one.
    End { activity: String, status: ActivityStatus },
    /// A scheduled action is due, or not any more: its time was `due`.
    Schedule { name: ScheduledActionName, due: Timestamp, is_suspended: bool },
    /// The limits were changed at this time. `Some` if the capacity is outside of them: the new one, and the cause.
    Limit { changed: Timestamp, to: Option<(u32, String)> },
    /// Alarms invoked policies.
    Answer { invoked: BTreeMap<AlarmName, Timestamp>, with: Reply },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Scale {
        to: u32,
        cause: String,
        cooldown_secs: u32,
    },
    /// The reason is shown with the activities.
    NotScaled {
        cause: String,
        reason: NotScaled,
    },
    /// Nothing can be done now. The alarm invokes again.
    Blocked,
}

pub(super) fn next(image: &Image, resource: &ResourceId, now: Timestamp, speed: i64) -> Next {
    let Some(target) = image.get::<ScalableTarget>(resource) else { return Next::Wait(None) };
    let progress = image.get::<TargetProgress>(resource);
    let progress = progress.map_or_else(TargetProgress::default, |progress| (*progress).clone());
    let until = match scheduled(image, &target, &progress, now, speed) {
        Ok(step) => return step,
        Err(until) => until,
    };
    let Some(service) = service(image, &target) else { return Next::Wait(until) };
    let ended = ended(image, &target, &service);
    let step = ended.or_else(|| limit(&target, &service, &progress));
    step.or_else(|| answer(image, &target, &service, &progress, now, speed)).unwrap_or(Next::Wait(until))
}

/// The scheduled action that is due, or the time at which the next one is.
fn scheduled(
    image: &Image,
    target: &ScalableTarget,
    progress: &TargetProgress,
    now: Timestamp,
    speed: i64,
) -> Result<Next, Option<Timestamp>> {
    let actions = image.scan::<ScheduledAction>().filter(|action| action.resource == target.resource);
    let due = actions.filter_map(|action| {
        let last = progress.scheduled.get(&action.name).copied();
        schedule::due(&action, last, speed).map(|due| (due, action.name.clone()))
    });
    match due.min() {
        Some((due, name)) if due <= now => {
            Ok(Next::Schedule { name, due, is_suspended: target.suspended.scheduled })
        }
        next => Err(next.map(|(due, _)| due)),
    }
}

fn ended(image: &Image, target: &ScalableTarget, service: &Service) -> Option<Next> {
    let prefix = format!("{}|", target.resource);
    let mut open = image.prefix::<Activity>(&prefix).filter(|a| a.status == ActivityStatus::InProgress);
    let activity = open.next()?;
    let end = |status| {
        let activity = Activity::key_of(&activity.resource, activity.started, &activity.id);
        Some(Next::End { activity, status })
    };
    if activity.capacity != Some(service.desired) {
        return end(ActivityStatus::Overridden);
    }
    let running = running(image, service, target.resource.service_key());
    let has_ended = if activity.is_in { running <= service.desired } else { running >= service.desired };
    if has_ended { end(ActivityStatus::Successful) } else { None }
}

/// The limits apply to the capacity when they change. AWS's words for the causes:
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html>
fn limit(target: &ScalableTarget, service: &Service, progress: &TargetProgress) -> Option<Next> {
    if progress.limited >= target.limited {
        return None;
    }
    let to = match service.desired {
        below if below < target.min => {
            Some((target.min, format!("minimum capacity was set to {}", target.min)))
        }
        above if above > target.max => {
            Some((target.max, format!("maximum capacity was set to {}", target.max)))
        }
        _ => None,
    };
    Some(Next::Limit { changed: target.limited, to })
}

fn answer(
    image: &Image,
    target: &ScalableTarget,
    service: &Service,
    progress: &TargetProgress,
    now: Timestamp,
    speed: i64,
) -> Option<Next> {
    let invocations = invocations(image, target, progress);
    if invocations.is_empty() {
        return None;
    }
    let of = situation(image, target, service, progress, speed);
    let answer = |invocation: &Invocation| match invocation.demand() {
        Some(demand) => decide::answer(demand, &of, now),
        None => Answer::Blocked("the alarm has no value"),
    };
    let answers: Vec<Answer> = invocations.iter().map(answer).collect();
    let chosen = decide::choose(&answers, of.current);
    // Without a change, the first reason is shown.
    let shown = chosen.or_else(|| answers.iter().position(|a| matches!(a, Answer::NotScaled(_))));
    let with = match shown.map(|i| (&invocations[i], answers[i])) {
        Some((by, Answer::Scale(to))) => {
            Reply::Scale { to, cause: by.cause(), cooldown_secs: by.cooldown_secs(to < of.current) }
        }
        Some((by, Answer::NotScaled(reason))) => Reply::NotScaled { cause: by.cause(), reason },
        _ => {
            tracing::debug!(resource = %target.resource, ?answers, "alarms change nothing");
            Reply::Blocked
        }
    };
    let invoked = invocations.into_iter().map(|invocation| (invocation.alarm, invocation.at)).collect();
    Some(Next::Answer { invoked, with })
}

/// The record of a change by a policy. An increase during the cooldown of another one continues it.
pub(super) fn last_scaling(
    before: Option<&LastScaling>,
    (current, now, speed): (u32, Timestamp, i64),
    activity: ActivityId,
    cooldown_secs: u32,
) -> LastScaling {
    let is_in_effect = |last: &&LastScaling| {
        let until = last.ended.map(|at| at.plus_ms(i64::from(last.cooldown_secs) * 1000 / speed));
        until.is_none_or(|until| now < until)
    };
    let base = before.filter(is_in_effect).map_or(current, |last| last.base.min(current));
    LastScaling { activity, base, cooldown_secs, ended: None }
}
