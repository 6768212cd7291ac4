//! What a service does next: a pure function of what it wants, what its tasks are, and what the load balancer says.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html> and
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>

use escale_base::Timestamp;
use escale_tables::{
    ec2::ZoneName,
    ecs::{DeploymentId, TaskId},
};

/// A service as the scheduler sees it.
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
    /// Tasks that did not come up, in a row.
    pub failures: u32,
    /// When the last of them ended.
    pub last_failure: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Not up yet.
    Coming,
    /// Up, and as healthy as anybody can tell.
    Up,
    /// Up, and found to be unhealthy, by its container's check or by the load balancer.
    Sick(Sickness),
    /// On its way out.
    Going,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sickness {
    Container,
    Balancer,
}

/// A task of the service that is not gone yet.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub id: TaskId,
    pub deployment: DeploymentId,
    pub zone: ZoneName,
    pub life: Life,
    /// A health check, its container's or the load balancer's, says what `life` says.
    pub is_checked: bool,
    pub started: Option<Timestamp>,
    pub created: Timestamp,
}

impl Member {
    /// From when on it may stand in for an old task, if it is up.
    fn settles(&self) -> Timestamp {
        let started = self.started.unwrap_or(self.created);
        if self.is_checked { started } else { started.plus_ms(SETTLE_MS) }
    }
}

/// What to do, all in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// So many tasks of the newest deployment.
    Start(u32),
    Stop(Vec<(TaskId, Why)>),
    /// The newest deployment is done: old ones leave the list.
    Complete,
    /// Its circuit breaker trips.
    Trip,
    /// Nothing, until the time if there is one.
    Rest(Option<Timestamp>),
}

/// For what a service stops a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Sick(Sickness),
    /// A newer deployment takes its place.
    Deployment,
    /// It is one too many.
    ScaleIn,
}

/// How long a task that nothing checks must have run before an old one is stopped for it. AWS counts it from the moment
/// it runs, but looks at it seconds later; without this, a program that exits at once costs a service its old tasks.
const SETTLE_MS: i64 = 2_000;

/// Failures after which the circuit breaker trips.
pub(crate) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(3, 200)
}

/// How long to wait after so many failures in a row until the next task.
fn backoff_ms(failures: u32) -> i64 {
    match failures {
        0 => 0,
        n => (1_000i64 << (n - 1).min(8)).min(300_000),
    }
}

pub(crate) fn decide(wish: &Wish, members: &[Member], now: Timestamp) -> Decision {
    let Some(newest) = wish.deployments.first() else { return Decision::Rest(None) };
    if newest.in_progress && wish.circuit_breaker && newest.failures >= threshold(wish.desired) {
        return Decision::Trip;
    }
    let mut rest: Option<Timestamp> = None;
    let mut later = |at: Timestamp| rest = Some(rest.map_or(at, |r: Timestamp| r.min(at)));
    if let Some(stop) = sick(wish, members, now, &mut later) {
        return stop;
    }
    let living = || members.iter().filter(|m| m.life != Life::Going);
    let new = living().filter(|m| m.deployment == newest.id).count() as u32;
    let old = living().filter(|m| m.deployment != newest.id).count() as u32;
    let up_new = living().filter(|m| m.deployment == newest.id && m.life == Life::Up).count() as u32;
    let most = (wish.desired * wish.maximum_percent / 100).max(wish.desired);
    // Rounded up, as AWS does for the lower limit.
    let least = (wish.desired * wish.minimum_percent).div_ceil(100);

    if new > wish.desired {
        if is_moving(wish, members) {
            return Decision::Rest(rest);
        }
        return Decision::Stop(surplus(living().filter(|m| m.deployment == newest.id), new - wish.desired));
    }
    if old > 0 {
        let (mut healthy, mut ready) = (0u32, 0u32);
        for member in living().filter(|m| m.life == Life::Up) {
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
    let is_done = up_new == wish.desired && members.iter().all(|m| m.deployment == newest.id);
    if is_done && (newest.in_progress || wish.deployments.len() > 1) {
        return Decision::Complete;
    }
    if is_done
        && wish.rebalance
        && members.len() as u32 == wish.desired
        && let Some(moved) = unbalanced(wish, members)
    {
        return moved;
    }
    Decision::Rest(rest)
}

/// A sick task is replaced: its successor is placed first if there is room.
fn sick(
    wish: &Wish,
    members: &[Member],
    now: Timestamp,
    later: &mut impl FnMut(Timestamp),
) -> Option<Decision> {
    let mut stop = Vec::new();
    for member in members {
        let Life::Sick(sickness) = member.life else { continue };
        let until = member.started.unwrap_or(member.created).plus_ms(wish.grace_ms);
        if now < until {
            later(until);
            continue;
        }
        stop.push((member.id.clone(), Why::Sick(sickness)));
    }
    (!stop.is_empty()).then_some(Decision::Stop(stop))
}

/// Old tasks go first when they are not up anyway, and else as many as are not needed for the lower limit, and never
/// more than there are new ones to stand in for them.
fn old_to_stop(wish: &Wish, members: &[Member], newest: &str, up_new: u32, spare: u32) -> Vec<(TaskId, Why)> {
    let old: Vec<&Member> =
        members.iter().filter(|m| m.deployment != newest && m.life != Life::Going).collect();
    let idle: Vec<_> =
        old.iter().filter(|m| m.life == Life::Coming).map(|m| (m.id.clone(), Why::Deployment)).collect();
    if !idle.is_empty() {
        return idle;
    }
    let is_full = up_new >= wish.desired;
    let many = if is_full { old.len() as u32 } else { spare };
    old.iter().take(many as usize).map(|m| (m.id.clone(), Why::Deployment)).collect()
}

/// Those too many: what is not up first, then from the fullest zone, then the newest.
fn surplus<'a>(members: impl Iterator<Item = &'a Member>, many: u32) -> Vec<(TaskId, Why)> {
    let mut left: Vec<&Member> = members.collect();
    let mut out = Vec::new();
    for _ in 0..many {
        let in_zone = |m: &Member| left.iter().filter(|o| o.zone == m.zone).count();
        let worst = (0..left.len()).max_by_key(|i| {
            let m = left[*i];
            (m.life == Life::Coming, in_zone(m), m.created)
        });
        let Some(worst) = worst else { break };
        let member = left.remove(worst);
        out.push((member.id.clone(), Why::ScaleIn));
    }
    out
}

/// One task too many in a zone, by two or more against another: a new one starts (placing takes the emptiest zone), and
/// the surplus is then stopped in the fullest one.
fn unbalanced(wish: &Wish, members: &[Member]) -> Option<Decision> {
    let count = |zone: &ZoneName| members.iter().filter(|m| m.zone == *zone).count();
    let counts = || wish.zones.iter().map(count);
    let (most, least) = (counts().max()?, counts().min()?);
    if most < least + 2 {
        return None;
    }
    Some(Decision::Start(1))
}

/// Whether the one task too many is the one that balances the zones, and is not up yet.
fn is_moving(wish: &Wish, members: &[Member]) -> bool {
    let settled: Vec<Member> = members.iter().filter(|m| m.life == Life::Up).cloned().collect();
    let is_one = members.iter().filter(|m| m.life == Life::Coming).count() == 1;
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

    /// `"new:up@a"` and so on.
    fn members(list: &[&str]) -> Vec<Member> {
        let member = |(i, text): (usize, &&str)| {
            let (deployment, rest) = text.split_once(':').unwrap();
            let (life, zone) = rest.split_once('@').unwrap_or((rest, "a"));
            Member {
                id: TaskId(format!("{i}")),
                deployment: deployment.into(),
                zone: zone.into(),
                life: match life {
                    "coming" => Life::Coming,
                    "up" => Life::Up,
                    "sick" => Life::Sick(Sickness::Balancer),
                    "going" => Life::Going,
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
    fn comes_up_and_is_done() {
        let w = wish(2, &["new"]);
        assert_eq!(decide(&w, &[], NOW), Decision::Start(2));
        assert_eq!(decide(&w, &members(&["new:coming", "new:coming"]), NOW), Decision::Rest(None));
        assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
        let mut done = w;
        done.deployments[0].in_progress = false;
        assert_eq!(decide(&done, &members(&["new:up", "new:up"]), NOW), Decision::Rest(None));
        assert_eq!(decide(&done, &members(&["new:up", "new:going"]), NOW), Decision::Start(1));
    }

    #[test]
    fn rolls_from_old_to_new_within_the_limits() {
        let w = wish(2, &["new", "old"]);
        // 200 %: both new ones at once beside both old ones.
        assert_eq!(decide(&w, &members(&["old:up", "old:up"]), NOW), Decision::Start(2));
        let half = members(&["old:up", "old:up", "new:up", "new:coming"]);
        assert_eq!(stopped(decide(&w, &half, NOW)), ["0"]);
        let full = members(&["old:going", "old:up", "new:up", "new:up"]);
        assert_eq!(stopped(decide(&w, &full, NOW)), ["1"]);
        // The old deployment stays listed until its tasks are gone.
        let waiting = members(&["old:going", "new:up", "new:up"]);
        assert_eq!(decide(&w, &waiting, NOW), Decision::Rest(None));
        assert_eq!(decide(&w, &members(&["new:up", "new:up"]), NOW), Decision::Complete);
    }

    #[test]
    fn an_old_task_stays_until_an_unchecked_new_one_has_run_for_a_while() {
        let w = wish(2, &["new", "old"]);
        let mut all = members(&["old:up", "old:up", "new:up", "new:up"]);
        for new in &mut all[2..] {
            (new.is_checked, new.started) = (false, Some(NOW));
        }
        let settled = NOW.plus_ms(SETTLE_MS);
        assert_eq!(decide(&w, &all, NOW), Decision::Rest(Some(settled)));
        assert_eq!(stopped(decide(&w, &all, settled)), ["0", "1"]);
    }

    #[test]
    fn without_room_above_old_ones_go_first() {
        let mut w = wish(4, &["new", "old"]);
        (w.minimum_percent, w.maximum_percent) = (50, 100);
        let all = members(&["old:up", "old:up", "old:up", "old:up"]);
        assert_eq!(stopped(decide(&w, &all, NOW)), ["0", "1"]);
        let half = members(&["old:going", "old:going", "old:up", "old:up"]);
        assert_eq!(decide(&w, &half, NOW), Decision::Start(2));
    }

    #[test]
    fn minimum_is_rounded_up_and_maximum_down() {
        let mut w = wish(3, &["new", "old"]);
        (w.minimum_percent, w.maximum_percent) = (50, 150);
        let all = members(&["old:up", "old:up", "old:up"]);
        // At least 2 of 3 stay up.
        assert_eq!(stopped(decide(&w, &all, NOW)), ["0"]);
        let two = members(&["old:going", "old:up", "old:up"]);
        // At most 4: two more.
        assert_eq!(decide(&w, &two, NOW), Decision::Start(2));
    }

    #[test]
    fn a_sick_task_is_replaced_after_the_grace_period() {
        let mut w = wish(1, &["new"]);
        w.grace_ms = 2_000_000;
        let sick = members(&["new:sick"]);
        assert_eq!(decide(&w, &sick, NOW), Decision::Rest(Some(Timestamp(2_000_000))));
        w.grace_ms = 0;
        assert_eq!(decide(&w, &sick, NOW), Decision::Stop(vec![("0".into(), Why::Sick(Sickness::Balancer))]));
    }

    #[test]
    fn failures_slow_down_and_then_trip() {
        let mut w = wish(2, &["new"]);
        w.deployments[0].failures = 2;
        w.deployments[0].last_failure = Some(NOW);
        assert_eq!(decide(&w, &[], NOW), Decision::Rest(Some(NOW.plus_ms(2000))));
        assert_eq!(decide(&w, &[], NOW.plus_ms(2000)), Decision::Start(2));
        w.deployments[0].failures = 3;
        assert_eq!(decide(&w, &[], NOW), Decision::Trip);
        w.circuit_breaker = false;
        assert_eq!(decide(&w, &[], NOW), Decision::Rest(Some(NOW.plus_ms(4000))));
        for (desired, trips) in [(1, 3), (6, 3), (7, 4), (25, 13), (800, 200)] {
            assert_eq!(threshold(desired), trips, "{desired}");
        }
    }

    #[test]
    fn a_failed_deployment_starts_nothing_more() {
        let mut w = wish(1, &["new"]);
        (w.deployments[0].in_progress, w.deployments[0].has_failed) = (false, true);
        assert_eq!(decide(&w, &[], NOW), Decision::Rest(None));
    }

    #[test]
    fn scaling_in_takes_from_the_fullest_zone() {
        let w = wish(2, &["new"]);
        let three = members(&["new:up@a", "new:up@b", "new:up@a"]);
        assert_eq!(stopped(decide(&w, &three, NOW)), ["2"]);
        let coming = members(&["new:up@a", "new:up@a", "new:coming@b"]);
        assert_eq!(stopped(decide(&w, &coming, NOW)), ["2"]);
    }

    #[test]
    fn zones_are_balanced_again_when_asked() {
        let mut w = wish(2, &["new"]);
        w.deployments[0].in_progress = false;
        let both = members(&["new:up@a", "new:up@a"]);
        assert_eq!(decide(&w, &both, NOW), Decision::Rest(None));
        w.rebalance = true;
        assert_eq!(decide(&w, &both, NOW), Decision::Start(1));
        let three = members(&["new:up@a", "new:up@a", "new:coming@b"]);
        // The new one must be up before one of the others goes.
        assert_eq!(decide(&w, &three, NOW), Decision::Rest(None));
        let up = members(&["new:up@a", "new:up@a", "new:up@b"]);
        assert_eq!(stopped(decide(&w, &up, NOW)), ["1"]);
    }

    #[test]
    fn a_deleted_service_stops_all() {
        let w = wish(0, &["new"]);
        assert_eq!(stopped(decide(&w, &members(&["new:up", "new:up"]), NOW)).len(), 2);
    }
}
