//! Decides the next action of a service: a pure function of its desired state, its tasks and their health.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html> and
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>

use escale_base::Timestamp;
use escale_tables::{
    ec2::ZoneName,
    ecs::{DeploymentId, TaskId},
};

/// The desired state of a service.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub desired: u32,
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    pub circuit_breaker: bool,
    pub rebalance: bool,
    pub grace_ms: i64,
    /// The newest first.
    pub deployments: Vec<Version>,
    /// Zones that the newest deployment may use.
    pub zones: Vec<ZoneName>,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub id: DeploymentId,
    pub in_progress: bool,
    pub has_failed: bool,
    /// Tasks that failed to start, in a row.
    pub failures: u32,
    /// When the last of them ended.
    pub last_failure: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Not up yet.
    Starting,
    /// Running, and healthy in all its checks.
    Up,
    /// Running, but unhealthy in this check.
    Unhealthy(FailedCheck),
    Stopping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedCheck {
    Container,
    Balancer,
}

/// A task of the service that has not stopped yet.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub id: TaskId,
    pub deployment: DeploymentId,
    pub zone: ZoneName,
    pub life: Life,
    /// `life` depends on a health check, of a container or of a load balancer.
    pub is_checked: bool,
    pub started: Option<Timestamp>,
    pub created: Timestamp,
}

impl Member {
    /// From when on it can replace an old task, if it is up.
    fn settles(&self) -> Timestamp {
        let started = self.started.unwrap_or(self.created);
        if self.is_checked { started } else { started.plus_ms(SETTLE_MS) }
    }
}

/// The next action of a service, executed in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start this many tasks of the newest deployment.
    Start(u32),
    Stop(Vec<(TaskId, Why)>),
    /// The newest deployment is complete: remove the old ones from the list.
    Complete,
    /// Trip the circuit breaker of the newest deployment.
    Trip,
    /// Do nothing until this time, or until a row changes.
    Wait(Option<Timestamp>),
}

/// Why a service stops a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Unhealthy(FailedCheck),
    /// A newer deployment replaces it.
    Deployment,
    /// The service has too many tasks.
    ScaleIn,
}

/// How long a task without health checks must run before an old one is stopped for it. AWS counts a task as soon as it runs, but
/// looks seconds later. Without this delay, a program that exits at once would cost a service its old tasks.
const SETTLE_MS: i64 = 2_000;

/// The number of failures that trips the circuit breaker.
pub(crate) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(3, 200)
}

/// The pause before the next task after this many failures in a row: 1 s, doubled each time, up to 5 minutes.
fn backoff_ms(failures: u32) -> i64 {
    match failures {
        0 => 0,
        n => (1_000i64 << (n - 1).min(8)).min(300_000),
    }
}

pub(crate) fn decide(wish: &Wish, members: &[Member], now: Timestamp) -> Decision {
    let Some(newest) = wish.deployments.first() else { return Decision::Wait(None) };
    if newest.in_progress && wish.circuit_breaker && newest.failures >= threshold(wish.desired) {
        return Decision::Trip;
    }
    // The earliest time at which the decision may change without a change of rows.
    let mut until: Option<Timestamp> = None;
    let mut later = |at: Timestamp| until = Some(until.map_or(at, |u: Timestamp| u.min(at)));
    if let Some(stop) = stop_unhealthy(wish, members, now, &mut later) {
        return stop;
    }
    let alive = || members.iter().filter(|m| m.life != Life::Stopping);
    let new = alive().filter(|m| m.deployment == newest.id).count() as u32;
    let old = alive().filter(|m| m.deployment != newest.id).count() as u32;
    let up_new = alive().filter(|m| m.deployment == newest.id && m.life == Life::Up).count() as u32;
    let most = (wish.desired * wish.maximum_percent / 100).max(wish.desired);
    // AWS rounds the lower limit up and the upper limit down.
    let least = (wish.desired * wish.minimum_percent).div_ceil(100);

    if new > wish.desired {
        if is_rebalancing(wish, members) {
            return Decision::Wait(until);
        }
        return Decision::Stop(surplus(alive().filter(|m| m.deployment == newest.id), new - wish.desired));
    }
    if old > 0 {
        let (mut healthy, mut ready) = (0u32, 0u32);
        for member in alive().filter(|m| m.life == Life::Up) {
            // A new task that has not settled yet protects no old task, and does not count as healthy.
            let is_new = member.deployment == newest.id;
            if is_new && member.settles() > now {
                later(member.settles());
                continue;
            }
            healthy += 1;
            ready += u32::from(is_new);
        }
        let first = old_to_stop(wish, members, &newest.id, ready, healthy.saturating_sub(least));
        if !first.is_empty() {
            return Decision::Stop(first);
        }
    }
    let room = most.saturating_sub(new + old);
    let missing = (wish.desired - new).min(room);
    if missing > 0 && !newest.has_failed {
        let next = newest.last_failure.map(|at| at.plus_ms(backoff_ms(newest.failures)));
        match next.filter(|at| *at > now) {
            Some(at) => later(at),
            None => return Decision::Start(missing),
        }
    }
    // Stopping tasks of old deployments count too: the deployment completes when they are gone.
    let is_done = up_new == wish.desired && members.iter().all(|m| m.deployment == newest.id);
    if is_done && (newest.in_progress || wish.deployments.len() > 1) {
        return Decision::Complete;
    }
    if is_done
        && wish.rebalance
        // Not while a task is stopping: its zone would be counted as too full.
        && members.len() as u32 == wish.desired
        && let Some(moved) = unbalanced(wish, members)
    {
        return moved;
    }
    Decision::Wait(until)
}

/// Stops the unhealthy tasks whose grace period is over. A later decision starts their replacements.
fn stop_unhealthy(
    wish: &Wish,
    members: &[Member],
    now: Timestamp,
    later: &mut impl FnMut(Timestamp),
) -> Option<Decision> {
    let mut stop = Vec::new();
    for member in members {
        let Life::Unhealthy(check) = member.life else { continue };
        let until = member.started.unwrap_or(member.created).plus_ms(wish.grace_ms);
        if now < until {
            later(until);
            continue;
        }
        stop.push((member.id.clone(), Why::Unhealthy(check)));
    }
    (!stop.is_empty()).then_some(Decision::Stop(stop))
}

/// The old tasks to stop: first those that are not up. If there are none, as many as the lower limit allows, or all once there
/// are enough new ones.
fn old_to_stop(wish: &Wish, members: &[Member], newest: &str, up_new: u32, spare: u32) -> Vec<(TaskId, Why)> {
    let old: Vec<&Member> =
        members.iter().filter(|m| m.deployment != newest && m.life != Life::Stopping).collect();
    let idle: Vec<_> =
        old.iter().filter(|m| m.life == Life::Starting).map(|m| (m.id.clone(), Why::Deployment)).collect();
    if !idle.is_empty() {
        return idle;
    }
    let is_full = up_new >= wish.desired;
    let many = if is_full { old.len() as u32 } else { spare };
    old.iter().take(many as usize).map(|m| (m.id.clone(), Why::Deployment)).collect()
}

/// The tasks to stop in a scale-in: first those that are not up, then from the fullest zone, then the newest.
fn surplus<'a>(members: impl Iterator<Item = &'a Member>, many: u32) -> Vec<(TaskId, Why)> {
    let mut left: Vec<&Member> = members.collect();
    let mut out = Vec::new();
    for _ in 0..many {
        let in_zone = |m: &Member| left.iter().filter(|o| o.zone == m.zone).count();
        let worst = (0..left.len()).max_by_key(|i| {
            let m = left[*i];
            (m.life == Life::Starting, in_zone(m), m.created)
        });
        let Some(worst) = worst else { break };
        let member = left.remove(worst);
        out.push((member.id.clone(), Why::ScaleIn));
    }
    out
}

/// If a zone has at least two tasks more than another, starts one task more: placement puts it into the emptiest zone. Then
/// the scale-in stops one in the fullest zone.
fn unbalanced(wish: &Wish, members: &[Member]) -> Option<Decision> {
    let count = |zone: &ZoneName| members.iter().filter(|m| m.zone == *zone).count();
    let counts = || wish.zones.iter().map(count);
    let (most, least) = (counts().max()?, counts().min()?);
    if most < least + 2 {
        return None;
    }
    Some(Decision::Start(1))
}

/// Whether the surplus task was started to balance the zones and is not up yet.
fn is_rebalancing(wish: &Wish, members: &[Member]) -> bool {
    let settled: Vec<Member> = members.iter().filter(|m| m.life == Life::Up).cloned().collect();
    let is_one = members.iter().filter(|m| m.life == Life::Starting).count() == 1;
    wish.rebalance && is_one && settled.len() as u32 == wish.desired && unbalanced(wish, &settled).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, in_progress: bool) -> Version {
        Version { id: id.into(), in_progress, has_failed: false, failures: 0, last_failure: None }
    }

    fn wish(desired: u32, deployments: &[&str]) -> Wish {
        Wish {
            desired,
            minimum_percent: 100,
            maximum_percent: 200,
            circuit_breaker: true,
            rebalance: false,
            grace_ms: 0,
            deployments: deployments.iter().map(|d| version(d, true)).collect(),
            zones: vec!["a".into(), "b".into()],
        }
    }

    /// Parses `deployment:life@zone`, such as `new:up@a`.
    fn members(list: &[&str]) -> Vec<Member> {
        let member = |(i, text): (usize, &&str)| {
            let (deployment, rest) = text.split_once(':').unwrap();
            let (life, zone) = rest.split_once('@').unwrap_or((rest, "a"));
            Member {
                id: TaskId(format!("{i}")),
                deployment: deployment.into(),
                zone: zone.into(),
                life: match life {
                    "starting" => Life::Starting,
                    "up" => Life::Up,
                    "unhealthy" => Life::Unhealthy(FailedCheck::Balancer),
                    "stopping" => Life::Stopping,
                    other => panic!("{other}"),
                },
                is_checked: true,
                started: Some(Timestamp(0)),
                created: Timestamp(i as i64),
            }
        };
        list.iter().enumerate().map(member).collect()
    }

    fn stopped(decision: Decision) -> Vec<TaskId> {
        match decision {
            Decision::Stop(list) => list.into_iter().map(|(id, _)| id).collect(),
            other => panic!("{other:?}"),
        }
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn deployment_completes_when_all_tasks_are_up() {
        let w = wish(2, &["new"]);
        assert_eq!(decide(&w, &[], NOW), Decision::Start(2));
        assert_eq!(decide(&w, &members(&["new:starting", "new:starting"]), NOW), Decision::Wait(None));
        assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
        let mut done = w;
        done.deployments[0].in_progress = false;
        assert_eq!(decide(&done, &members(&["new:up", "new:up"]), NOW), Decision::Wait(None));
        assert_eq!(decide(&done, &members(&["new:up", "new:stopping"]), NOW), Decision::Start(1));
    }

    #[test]
    fn rolling_update_stays_within_the_limits() {
        let w = wish(2, &["new", "old"]);
        // 200 %: both new tasks start at once, while both old ones run.
        assert_eq!(decide(&w, &members(&["old:up", "old:up"]), NOW), Decision::Start(2));
        let half = members(&["old:up", "old:up", "new:up", "new:starting"]);
        assert_eq!(stopped(decide(&w, &half, NOW)), ["0"]);
        let full = members(&["old:stopping", "old:up", "new:up", "new:up"]);
        assert_eq!(stopped(decide(&w, &full, NOW)), ["1"]);
        // The old deployment stays in the list until its tasks have stopped.
        let waiting = members(&["old:stopping", "new:up", "new:up"]);
        assert_eq!(decide(&w, &waiting, NOW), Decision::Wait(None));
        assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
    }

    #[test]
    fn old_task_stays_until_a_new_one_without_checks_has_settled() {
        let w = wish(2, &["new", "old"]);
        let mut all = members(&["old:up", "old:up", "new:up", "new:up"]);
        for new in &mut all[2..] {
            (new.is_checked, new.started) = (false, Some(NOW));
        }
        let settled = NOW.plus_ms(SETTLE_MS);
        assert_eq!(decide(&w, &all, NOW), Decision::Wait(Some(settled)));
        assert_eq!(stopped(decide(&w, &all, settled)), ["0", "1"]);
    }

    #[test]
    fn stops_old_tasks_first_at_100_maximum_percent() {
        let mut w = wish(4, &["new", "old"]);
        (w.minimum_percent, w.maximum_percent) = (50, 100);
        let all = members(&["old:up", "old:up", "old:up", "old:up"]);
        assert_eq!(stopped(decide(&w, &all, NOW)), ["0", "1"]);
        let half = members(&["old:stopping", "old:stopping", "old:up", "old:up"]);
        assert_eq!(decide(&w, &half, NOW), Decision::Start(2));
    }

    #[test]
    fn minimum_is_rounded_up_and_maximum_down() {
        let mut w = wish(3, &["new", "old"]);
        (w.minimum_percent, w.maximum_percent) = (50, 150);
        let all = members(&["old:up", "old:up", "old:up"]);
        // At least 2 of 3 must stay up.
        assert_eq!(stopped(decide(&w, &all, NOW)), ["0"]);
        let two = members(&["old:stopping", "old:up", "old:up"]);
        // At most 4 may exist, so two more start.
        assert_eq!(decide(&w, &two, NOW), Decision::Start(2));
    }

    #[test]
    fn unhealthy_task_is_stopped_after_the_grace_period() {
        let mut w = wish(1, &["new"]);
        w.grace_ms = 2_000_000;
        let unhealthy = members(&["new:unhealthy"]);
        assert_eq!(decide(&w, &unhealthy, NOW), Decision::Wait(Some(Timestamp(2_000_000))));
        w.grace_ms = 0;
        assert_eq!(
            decide(&w, &unhealthy, NOW),
            Decision::Stop(vec![("0".into(), Why::Unhealthy(FailedCheck::Balancer))])
        );
    }

    #[test]
    fn failures_delay_starts_and_then_trip_the_circuit_breaker() {
        let mut w = wish(2, &["new"]);
        w.deployments[0].failures = 2;
        w.deployments[0].last_failure = Some(NOW);
        assert_eq!(decide(&w, &[], NOW), Decision::Wait(Some(NOW.plus_ms(2000))));
        assert_eq!(decide(&w, &[], NOW.plus_ms(2000)), Decision::Start(2));
        w.deployments[0].failures = 3;
        assert_eq!(decide(&w, &[], NOW), Decision::Trip);
        w.circuit_breaker = false;
        assert_eq!(decide(&w, &[], NOW), Decision::Wait(Some(NOW.plus_ms(4000))));
        for (desired, trips) in [(1, 3), (6, 3), (7, 4), (25, 13), (800, 200)] {
            assert_eq!(threshold(desired), trips, "{desired}");
        }
    }

    #[test]
    fn failed_deployment_starts_no_more_tasks() {
        let mut w = wish(1, &["new"]);
        (w.deployments[0].in_progress, w.deployments[0].has_failed) = (false, true);
        assert_eq!(decide(&w, &[], NOW), Decision::Wait(None));
    }

    #[test]
    fn scaling_in_takes_from_the_fullest_zone() {
        let w = wish(2, &["new"]);
        let three = members(&["new:up@a", "new:up@b", "new:up@a"]);
        assert_eq!(stopped(decide(&w, &three, NOW)), ["2"]);
        let starting = members(&["new:up@a", "new:up@a", "new:starting@b"]);
        assert_eq!(stopped(decide(&w, &starting, NOW)), ["2"]);
    }

    #[test]
    fn rebalances_zones_if_enabled() {
        let mut w = wish(2, &["new"]);
        w.deployments[0].in_progress = false;
        let both = members(&["new:up@a", "new:up@a"]);
        assert_eq!(decide(&w, &both, NOW), Decision::Wait(None));
        w.rebalance = true;
        assert_eq!(decide(&w, &both, NOW), Decision::Start(1));
        let three = members(&["new:up@a", "new:up@a", "new:starting@b"]);
        // The new task must be up before one of the others stops.
        assert_eq!(decide(&w, &three, NOW), Decision::Wait(None));
        let up = members(&["new:up@a", "new:up@a", "new:up@b"]);
        assert_eq!(stopped(decide(&w, &up, NOW)), ["1"]);
    }

    #[test]
    fn deleted_service_stops_all_tasks() {
        let w = wish(0, &["new"]);
        assert_eq!(stopped(decide(&w, &members(&["new:up", "new:up"]), NOW)).len(), 2);
    }
}
