//! What the rows say about a scalable target and its service.

use crate::{
    adjust,
    decide::{COOLDOWN_SECS, Demand, Last, ReadyToScaleIn, Situation},
    rules,
};
use escale_base::Timestamp;
use escale_store::Image;
use escale_tables::{
    autoscaling::{
        LastScaling, MetricAggregation, Policy, PolicyKind, ResourceId, ScalableTarget, TargetProgress,
    },
    cloudwatch::{Alarm, AlarmInvocation, AlarmName, AlarmSeen, ComparisonOperator, StateValue},
    ecs::{Outcome, Phase, Service, Task, TaskProgress, TaskSeen},
};
use std::sync::Arc;

/// A service that can be scaled.
pub(super) fn service(image: &Image, target: &ScalableTarget) -> Option<Arc<Service>> {
    image.get::<Service>(target.resource.service_key()).filter(|service| service.deleted.is_none())
}

pub(super) fn situation(
    image: &Image,
    target: &ScalableTarget,
    service: &Service,
    progress: &TargetProgress,
    speed: i64,
) -> Situation {
    let last = |of: &Option<LastScaling>| {
        of.as_ref().map(|last| Last {
            base: last.base,
            until: last.ended.map(|at| at.plus_ms(i64::from(last.cooldown_secs) * 1000 / speed)),
        })
    };
    let newest = service.deployments.first();
    Situation {
        current: service.desired,
        min: target.min,
        max: target.max,
        in_suspended: target.suspended.scale_in,
        out_suspended: target.suspended.scale_out,
        is_deploying: service.deployments.len() > 1
            || newest.is_some_and(|newest| newest.outcome == Outcome::InProgress),
        last_out: last(&progress.last_out),
        last_in: last(&progress.last_in),
        scaling_in: rules::policies_of(image, &target.resource)
            .filter_map(|policy| ready_to_scale_in(image, &policy))
            .collect(),
    }
}

/// `None` for a policy that never scales in.
fn ready_to_scale_in(image: &Image, policy: &Policy) -> Option<ReadyToScaleIn> {
    let PolicyKind::TargetTracking(tracking) = &policy.kind else { return None };
    let low = tracking.low.as_ref().filter(|_| tracking.scales_in())?;
    let is_low = image.get::<AlarmSeen>(low).is_some_and(|seen| seen.state == StateValue::Alarm);
    let value = || image.get::<AlarmInvocation>(low).and_then(|last| last.values.last().copied());
    Some(ReadyToScaleIn(is_low.then(value).flatten().map(|value| value / tracking.target)))
}

/// An invocation that was not answered yet, of one policy.
pub(super) struct Invocation {
    pub(super) policy: Arc<Policy>,
    pub(super) alarm: AlarmName,
    pub(super) at: Timestamp,
    pub(super) state: StateValue,
    values: Vec<f64>,
    comparison: ComparisonOperator,
    threshold: f64,
}

pub(super) fn invocations(
    image: &Image,
    target: &ScalableTarget,
    progress: &TargetProgress,
) -> Vec<Invocation> {
    let policies: Vec<Arc<Policy>> = rules::policies_of(image, &target.resource).collect();
    let mut all = Vec::new();
    for last in image.scan::<AlarmInvocation>() {
        let is_answered = progress.invoked.get(&last.name).is_some_and(|at| *at >= last.at);
        let Some(alarm) = image.get::<Alarm>(&last.name).filter(|_| !is_answered) else { continue };
        let invoked = alarm.actions.of(last.state);
        for policy in policies.iter().filter(|policy| invoked.contains(&policy.arn)) {
            all.push(Invocation {
                policy: Arc::clone(policy),
                alarm: last.name.clone(),
                at: last.at,
                state: last.state,
                values: last.values.clone(),
                comparison: alarm.rule.comparison,
                threshold: alarm.rule.threshold,
            });
        }
    }
    all
}

impl Invocation {
    /// `None` if the alarm had no value that says how far to scale.
    pub(super) fn demand(&self) -> Option<Demand<'_>> {
        match &self.policy.kind {
            PolicyKind::TargetTracking(tracking) if tracking.low.as_ref() == Some(&self.alarm) => {
                Some(Demand::TrackIn)
            }
            PolicyKind::TargetTracking(tracking) => {
                Some(Demand::TrackOut(self.values.last()? / tracking.target))
            }
            PolicyKind::Step(policy) => {
                let by = policy.aggregation.unwrap_or(MetricAggregation::Average);
                let breach = adjust::aggregated(&self.values, by)? - self.threshold;
                let is_above = match self.comparison {
                    ComparisonOperator::Greater | ComparisonOperator::GreaterOrEqual => true,
                    ComparisonOperator::Less | ComparisonOperator::LessOrEqual => false,
                };
                Some(Demand::Step { policy, breach, is_above })
            }
        }
    }

    /// The policy's cooldown in one direction.
    pub(super) fn cooldown_secs(&self, is_in: bool) -> u32 {
        let own = match &self.policy.kind {
            PolicyKind::TargetTracking(tracking) if is_in => tracking.in_cooldown_secs,
            PolicyKind::TargetTracking(tracking) => tracking.out_cooldown_secs,
            PolicyKind::Step(step) => step.cooldown_secs,
        };
        own.unwrap_or(COOLDOWN_SECS)
    }

    /// In AWS's words.
    pub(super) fn cause(&self) -> String {
        format!("monitor alarm {} in state {} triggered policy {}", self.alarm, self.state, self.policy.name)
    }
}

/// Why a service has fewer tasks than its minimum, if it has.
pub(crate) fn missing_tasks(image: &Image, resource: &ResourceId) -> Option<String> {
    let target = image.get::<ScalableTarget>(resource)?;
    let service = service(image, &target)?;
    let limited = image.get::<TargetProgress>(resource).map(|progress| progress.limited);
    if limited.is_none_or(|limited| limited < target.limited) {
        return Some(format!("{resource} is brought between its limits"));
    }
    let running = running(image, &service, resource.service_key());
    (service.desired >= target.min && running < target.min)
        .then(|| format!("{running} of at least {} tasks of {resource} run", target.min))
}

/// The tasks of a service that run and that its load balancers know.
pub(super) fn running(image: &Image, service: &Service, key: &str) -> u32 {
    let is_running = |task: &Arc<Task>| {
        let Some(of) = task.service.as_ref().filter(|of| of.key == key) else { return false };
        let progress = image.get::<TaskProgress>(&task.id);
        let is_registered = progress.as_ref().is_some_and(|progress| progress.registered);
        let has_failed = progress.as_ref().is_some_and(|progress| progress.failed.is_some());
        task.stop.is_none()
            && !has_failed
            && (is_registered || service.load_balancers_of(&of.deployment).is_empty())
            && image.get::<TaskSeen>(&task.id).is_some_and(|seen| seen.phase == Phase::Running)
    };
    image.scan::<Task>().filter(is_running).count() as u32
}
