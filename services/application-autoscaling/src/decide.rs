//! What a scalable target does when alarms invoke its policies. Pure.
//!
//! Sources: <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>,
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html> and, for deployments and
//! counts outside of the limits, <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html>.
//!
//! AWS does not publish how target tracking computes a capacity. Here it is proportional: the capacity at which the metric would be
//! at its target if the load were spread evenly.

use crate::adjust;
use escale_base::Timestamp;
use escale_tables::autoscaling::{NotScaled, NotScaledCode, StepScaling};

/// The cooldown of AWS for ECS services, unless a policy has its own.
pub(crate) const COOLDOWN_SECS: u32 = 300;

/// A scalable target and its service.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    /// The service's desired count.
    pub(crate) current: u32,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) in_suspended: bool,
    pub(crate) out_suspended: bool,
    /// A deployment of the service has not completed.
    pub(crate) is_deploying: bool,
    pub(crate) last_out: Option<Last>,
    pub(crate) last_in: Option<Last>,
    /// The target tracking policies that may scale in.
    pub(crate) scaling_in: Vec<ReadyToScaleIn>,
}

/// The last change in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    /// The capacity before its cooldown began.
    pub(crate) base: u32,
    /// The end of its cooldown; `None` while tasks start or stop.
    pub(crate) until: Option<Timestamp>,
}

impl Last {
    fn is_in_effect(self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Whether a target tracking policy agrees to scale in: its metric, as a share of the target, if its lower alarm is in ALARM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadyToScaleIn(pub(crate) Option<f64>);

/// What an alarm demands of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand<'a> {
    /// The upper alarm of target tracking, with its metric as a share of the target.
    TrackOut(f64),
    /// The lower alarm. The values of all policies decide.
    TrackIn,
    /// An alarm of a step policy: how far its metric is from its threshold.
    Step { policy: &'a StepScaling, breach: f64, is_above: bool },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Scale(u32),
    NotScaled(NotScaled),
    /// A cooldown, a suspension, a deployment or another policy prevents a change. The alarm invokes the policy again a minute later.
    Blocked(&'static str),
}

/// The answer to one demand.
pub(crate) fn answer(demand: Demand<'_>, of: &Situation, now: Timestamp) -> Answer {
    match demand {
        Demand::TrackOut(share) => {
            // A service without tasks has no load to spread: the first task is started by any demand.
            scale_out(of, now, |base| track(base.max(1), share))
        }
        Demand::TrackIn => {
            let mut shares = Vec::new();
            for ReadyToScaleIn(share) in &of.scaling_in {
                let Some(share) = share else {
                    return Answer::Blocked("another target tracking policy is not ready to scale in");
                };
                shares.push(track(of.current, *share));
            }
            match shares.into_iter().max() {
                Some(wanted) => scale_in(of, now, wanted, NotScaledCode::AnticipatedFlapping),
                None => Answer::Blocked("no policy may scale in"),
            }
        }
        Demand::Step { policy, breach, is_above } => {
            let Some(step) = adjust::step(&policy.steps, breach, is_above) else {
                return Answer::Blocked("no step includes the metric's distance from the threshold");
            };
            let adjusted = |base| adjust::adjusted(policy, step, base);
            if adjusted(of.current) > of.current {
                return scale_out(of, now, adjusted);
            }
            scale_in(of, now, adjusted(of.current), NotScaledCode::AtDesired)
        }
    }
}

/// The capacity that brings a metric to its target.
fn track(current: u32, share: f64) -> u32 {
    // A share of exactly 1 must not become one task more by the rounding of its division.
    let wanted = (f64::from(current) * share - 1e-9).ceil();
    wanted.clamp(0.0, f64::from(u32::MAX)) as u32
}

/// During a cooldown, what was added counts as a part of the next increase: only a larger one goes on.
fn scale_out(of: &Situation, now: Timestamp, wanted: impl Fn(u32) -> u32) -> Answer {
    if of.out_suspended {
        return Answer::Blocked("scaling out is suspended");
    }
    if of.current >= of.max {
        return not_scaled(NotScaledCode::AtMax, of.max);
    }
    let cooldown = of.last_out.filter(|last| last.is_in_effect(now));
    let base = cooldown.map_or(of.current, |last| last.base.min(of.current));
    let wanted = wanted(base).max(of.min).min(of.max);
    match wanted {
        _ if wanted > of.current => Answer::Scale(wanted),
        _ if cooldown.is_some() => Answer::Blocked("the cooldown of the last scale-out has not ended"),
        _ => not_scaled(NotScaledCode::AtDesired, of.current),
    }
}

fn scale_in(of: &Situation, now: Timestamp, wanted: u32, unchanged: NotScaledCode) -> Answer {
    if of.in_suspended {
        return Answer::Blocked("scaling in is suspended");
    }
    if of.current <= of.min {
        return not_scaled(NotScaledCode::AtMin, of.min);
    }
    if of.is_deploying {
        return Answer::Blocked("a deployment of the service is in progress");
    }
    if of.last_in.is_some_and(|last| last.is_in_effect(now)) {
        return Answer::Blocked("the cooldown of the last scale-in has not ended");
    }
    let wanted = wanted.max(of.min).min(of.max);
    if wanted < of.current { Answer::Scale(wanted) } else { not_scaled(unchanged, of.current) }
}

fn not_scaled(code: NotScaledCode, capacity: u32) -> Answer {
    Answer::NotScaled(NotScaled { code, capacity })
}

/// The answer that is enacted when several policies are invoked at once, by its index: the largest capacity wins, in both
/// directions, and an increase wins over a decrease.
pub(crate) fn choose(answers: &[Answer], current: u32) -> Option<usize> {
    let scale = |answer: &Answer| match answer {
        Answer::Scale(to) => Some(*to),
        _ => None,
    };
    let scaled = (0..answers.len()).filter_map(|i| Some((scale(&answers[i])?, i)));
    let largest = scaled.max_by_key(|(to, i)| (*to, std::cmp::Reverse(*i)));
    largest.filter(|(to, _)| *to != current).map(|(_, i)| i)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
