//! The decisions of a deployment that shifts traffic: blue/green, linear, canary. Pure.
//!
//! The old revision (the source) keeps all of its tasks until the new one has served all production traffic for the bake time. So a
//! rollback only changes weights. Each revision is kept at the desired count by the rules for a service without a deployment.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>

use super::{Decision, Life, Member, Version, Why, Wish, sooner};
use escale_base::Timestamp;
use escale_tables::ecs::{
    ALL_TRAFFIC, DeploymentStrategy, HookStage, LifecycleStage as Stage, Share, Traffic, TrafficStep,
};

/// The next stage, and the traffic that the new revision gets in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    pub stage: Stage,
    pub production: Share,
    pub test: Share,
}

/// What the service does for its newest deployment, which shifts traffic and has not ended.
pub(super) fn decide(
    wish: &Wish,
    newest: &Version,
    traffic: &Traffic,
    members: &[Member],
    now: Timestamp,
) -> Decision {
    let now_at = |stage| Shift { stage, production: traffic.production, test: traffic.test };
    // First of all, so that a rollback returns the traffic at once.
    if !traffic.is_routed && !newest.has_failed {
        return Decision::Shift(now_at(traffic.stage));
    }
    let source = wish.deployments.iter().skip(1).find(|version| version.is_complete());
    let grows = traffic.stage >= Stage::ScaleUp;
    let mut until = None;
    let kept = [grows.then_some(newest), source.filter(|_| traffic.stage != Stage::CleanUp)];
    for version in kept.into_iter().flatten() {
        match keep(wish, version, members, now) {
            Decision::Wait(None) => {}
            Decision::Wait(Some(at)) => until = sooner(until, at),
            Decision::Start(many) => return Decision::StartOf(version.id.clone(), many),
            other => return other,
        }
    }
    if newest.has_failed {
        return Decision::Wait(until);
    }
    let run = Run { wish, newest, traffic, source, members, now };
    match run.next() {
        Decision::Wait(at) => Decision::Wait(at.map_or(until, |at| sooner(until, at))),
        decision => decision,
    }
}

/// Keeps one revision at the desired count.
fn keep(wish: &Wish, version: &Version, members: &[Member], now: Timestamp) -> Decision {
    let own: Vec<Member> = members.iter().filter(|m| m.deployment == version.id).cloned().collect();
    let settled = Version { in_progress: false, traffic: None, ..version.clone() };
    let wish = Wish { deployments: vec![settled], alarm: None, circuit_breaker: false, ..wish.clone() };
    super::decide(&wish, &own, now)
}

struct Run<'a> {
    wish: &'a Wish,
    newest: &'a Version,
    traffic: &'a Traffic,
    source: Option<&'a Version>,
    members: &'a [Member],
    now: Timestamp,
}

impl Run<'_> {
    fn next(&self) -> Decision {
        match self.traffic.stage {
            Stage::ReconcileService => self.reconcile(),
            Stage::PreScaleUp => self.after(HookStage::PreScaleUp, |run| run.to(Stage::ScaleUp)),
            Stage::ScaleUp => self.when_ready(|run| run.to(Stage::PostScaleUp)),
            Stage::PostScaleUp => self.after(HookStage::PostScaleUp, |run| run.to(Stage::TestTrafficShift)),
            Stage::TestTrafficShift => self.when_ready(|run| {
                let production = run.traffic.production;
                Decision::Shift(Shift { stage: Stage::PostTestTrafficShift, production, test: ALL_TRAFFIC })
            }),
            Stage::PostTestTrafficShift => {
                self.after(HookStage::PostTestTrafficShift, |run| run.to(Stage::ProductionTrafficShift))
            }
            Stage::ProductionTrafficShift => self.shift_production(),
            Stage::PostProductionTrafficShift => {
                self.after(HookStage::PostProductionTrafficShift, |run| run.to(Stage::BakeTime))
            }
            Stage::BakeTime => self.bake(),
            Stage::CleanUp => match self.leave(|version| version == self.newest.id) {
                None => self.when_ready(|_| Decision::Complete),
                Some(decision) => decision,
            },
        }
    }

    fn to(&self, stage: Stage) -> Decision {
        let Traffic { production, test, .. } = *self.traffic;
        Decision::Shift(Shift { stage, production, test })
    }

    /// Only the source and the new revision go on: there are two target groups. The source is complete before the others leave.
    fn reconcile(&self) -> Decision {
        if let Some(source) = self.source
            && let Err(until) = self.is_ready(source)
        {
            return Decision::Wait(until);
        }
        let stays = |id: &str| id == self.newest.id || self.source.is_some_and(|source| id == source.id);
        let next = || self.after(HookStage::ReconcileService, |run| run.to(Stage::PreScaleUp));
        self.leave(stays).unwrap_or_else(next)
    }

    fn shift_production(&self) -> Decision {
        let Traffic { production, ref strategy, since, .. } = *self.traffic;
        // Without an old revision there is nothing to compare with.
        let step = strategy.step.filter(|_| self.source.is_some());
        if let Some(TrafficStep { minutes, .. }) = step.filter(|_| production > 0) {
            let due = since.plus_ms(i64::from(minutes) * self.wish.minute_ms);
            if due > self.now {
                return Decision::Wait(Some(due));
            }
        }
        let next = match (strategy.kind, step) {
            (DeploymentStrategy::Linear, Some(step)) => production + step.share,
            (DeploymentStrategy::Canary, Some(step)) if production == 0 => step.share,
            _ => ALL_TRAFFIC,
        };
        let production = next.min(ALL_TRAFFIC);
        let stage = if production == ALL_TRAFFIC {
            Stage::PostProductionTrafficShift
        } else {
            Stage::ProductionTrafficShift
        };
        self.after(HookStage::PreProductionTrafficShift, |run| {
            let shift = Shift { stage, production, test: run.traffic.test };
            run.when_ready(|_| Decision::Shift(shift))
        })
    }

    fn bake(&self) -> Decision {
        let minutes = self.source.map_or(0, |_| self.traffic.strategy.bake_minutes);
        let end = self.traffic.since.plus_ms(i64::from(minutes) * self.wish.minute_ms);
        if end > self.now {
            return Decision::Wait(Some(end));
        }
        self.when_ready(|run| run.to(Stage::CleanUp))
    }

    /// Continues once all hooks of the stage were passed.
    fn after(&self, stage: HookStage, then: impl FnOnce(&Self) -> Decision) -> Decision {
        let hooks = self.traffic.strategy.pauses.iter().filter(|hook| hook.stages.contains(&stage)).count();
        if self.traffic.passed as usize >= hooks {
            return then(self);
        }
        match self.traffic.pause() {
            None => Decision::Pause(stage),
            Some(pause) if pause.expires <= self.now => Decision::Expire,
            Some(pause) => Decision::Wait(Some(pause.expires)),
        }
    }

    fn when_ready(&self, then: impl FnOnce(&Self) -> Decision) -> Decision {
        match self.is_ready(self.newest) {
            Ok(()) => then(self),
            Err(until) => Decision::Wait(until),
        }
    }

    /// Whether as many tasks as desired are healthy; otherwise when that may change without a change of rows.
    fn is_ready(&self, version: &Version) -> Result<(), Option<Timestamp>> {
        let (mut up, mut until) = (0, None);
        for member in self.members.iter().filter(|m| m.deployment == version.id && m.life == Life::Up) {
            let settles = member.settles();
            if settles > self.now { until = sooner(until, settles) } else { up += 1 }
        }
        if up >= self.wish.desired { Ok(()) } else { Err(until) }
    }

    /// Stops the tasks of revisions that do not stay, and waits until they are gone. `None` if there is none.
    fn leave(&self, stays: impl Fn(&str) -> bool) -> Option<Decision> {
        let left: Vec<&Member> = self.members.iter().filter(|m| !stays(&m.deployment)).collect();
        let until = left.iter().filter_map(|m| m.protected_until.filter(|until| *until > self.now)).min();
        let may_stop = |m: &&&Member| m.life != Life::Stopping && !m.is_protected(self.now);
        let stop: Vec<_> = left.iter().filter(may_stop).map(|m| (m.id.clone(), Why::Deployment)).collect();
        match (left.is_empty(), stop.is_empty()) {
            (true, _) => None,
            (false, true) => Some(Decision::Wait(until)),
            (false, false) => Some(Decision::Stop(stop)),
        }
    }
}

#[cfg(test)]
mod tests;
