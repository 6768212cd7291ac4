//! Decides the next action of a service: a pure function of its desired state, its tasks and their health.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html> and
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>; for unhealthy tasks
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html>: replacements start first where the upper limit
//! allows it, else unhealthy tasks are stopped one at a time.

use escale_base::Timestamp;
use escale_tables::{
    cloudwatch::AlarmName,
    ec2::ZoneName,
    ecs::{DeploymentId, HookStage, LifecycleStage, TaskId, Threshold, ThresholdType, Traffic},
};

pub(crate) use traffic::Shift;

/// The desired state of a service.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub desired: u32,
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    pub circuit_breaker: bool,
    /// The number of failed tasks that trips the circuit breaker.
    pub threshold: u32,
    /// The alarm that went into the state ALARM during the newest deployment.
    pub alarm: Option<AlarmName>,
    /// How long the alarms are watched after the tasks of a deployment have replaced all others.
    pub bake_ms: i64,
    /// A minute of the times that are configured.
    pub minute_ms: i64,
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
    /// When its tasks had replaced all others.
    pub baking: Option<Timestamp>,
    /// Its progress if it shifts traffic.
    pub traffic: Option<Traffic>,
}

impl Version {
    fn is_complete(&self) -> bool {
        !self.in_progress && !self.has_failed
    }

    /// Whether a failure of its tasks or an alarm still fails it: not once the revision before it is being removed.
    fn may_fail(&self) -> bool {
        let is_removing = |traffic: &Traffic| traffic.stage == LifecycleStage::CleanUp;
        self.in_progress && !self.traffic.as_ref().is_some_and(is_removing)
    }
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
    /// It was healthy in its load balancers before, so it may serve although it is checked anew.
    pub has_served: bool,
    /// `life` depends on a health check, of a container or of a load balancer.
    pub is_checked: bool,
    pub started: Option<Timestamp>,
    pub created: Timestamp,
    /// Until then only a failed check stops it.
    pub protected_until: Option<Timestamp>,
}

impl Member {
    fn is_protected(&self, now: Timestamp) -> bool {
        self.protected_until.is_some_and(|until| until > now)
    }

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
    /// Start this many tasks of this deployment, while it and another one are both complete.
    StartOf(DeploymentId, u32),
    Stop(Vec<(TaskId, Why)>),
    /// The newest deployment is complete: remove the old ones from the list.
    Complete,
    /// Fail the newest deployment, because of its tasks or because of this alarm.
    Trip(Option<AlarmName>),
    /// The newest deployment is complete, unless one of its alarms changes soon.
    Bake,
    /// Go to a stage of the newest deployment, with its shares of the traffic.
    Shift(Shift),
    /// Wait at a hook of this stage for an action.
    Pause(HookStage),
    /// Nobody has answered the hook in time.
    Expire,
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
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ThresholdConfiguration.html>
pub(crate) fn threshold(configured: Option<Threshold>, desired: u32) -> u32 {
    let default = Threshold { kind: ThresholdType::BoundedPercent, value: 50 };
    let Threshold { kind, value } = configured.unwrap_or(default);
    let percent = (u64::from(desired) * u64::from(value)).div_ceil(100).try_into().unwrap_or(u32::MAX);
    match kind {
        ThresholdType::Count => value,
        ThresholdType::BoundedPercent => percent.clamp(3, 200),
        ThresholdType::UnboundedPercent => percent.max(1),
    }
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
    if newest.may_fail() && wish.circuit_breaker && newest.failures >= wish.threshold {
        return Decision::Trip(None);
    }
    if newest.may_fail() && wish.alarm.is_some() {
        return Decision::Trip(wish.alarm.clone());
    }
    let has_ended = newest.is_complete() && wish.deployments.len() == 1;
    if let Some(traffic) = newest.traffic.as_ref().filter(|_| !has_ended) {
        return traffic::decide(wish, newest, traffic, members, now);
    }
    let (counts, mut until) = Counts::of(wish, members, newest, now);
    // AWS rounds the lower limit up and the upper limit down.
    let least = (wish.desired * wish.minimum_percent).div_ceil(100);
    let most = (wish.desired * wish.maximum_percent / 100).max(wish.desired);

    // An unhealthy task is stopped once another one serves in its place. Until then it stays: if all targets of a load balancer
    // are unhealthy, they all get requests.
    let replaced = (counts.healthy + counts.unhealthy.len() as u32).saturating_sub(wish.desired);
    if replaced > 0 && !counts.unhealthy.is_empty() {
        return Decision::Stop(counts.stop_unhealthy(replaced));
    }
    if counts.new > wish.desired {
        if is_rebalancing(wish, members, now) {
            return Decision::Wait(until);
        }
        let surplus = surplus(counts.usable(members, &newest.id), counts.new - wish.desired, now);
        if !surplus.is_empty() {
            return Decision::Stop(surplus);
        }
    }
    if counts.old > 0 {
        let spare = counts.healthy.saturating_sub(least);
        let old = members.iter().filter(|m| m.deployment != newest.id && !m.is_protected(now));
        let first = old_to_stop(wish, old, counts.healthy_new, spare);
        if !first.is_empty() {
            return Decision::Stop(first);
        }
    }
    let missing = wish.desired.saturating_sub(counts.new);
    if missing > 0 && !newest.has_failed {
        let next = newest.last_failure.map(|at| at.plus_ms(backoff_ms(newest.failures)));
        if let Some(at) = next.filter(|at| *at > now) {
            until = sooner(until, at);
        } else {
            match missing.min(most.saturating_sub(counts.alive)) {
                // The upper limit leaves no room: one unhealthy task at a time makes room for its replacement.
                0 if !counts.unhealthy.is_empty() && !counts.is_any_starting => {
                    return Decision::Stop(counts.stop_unhealthy(1));
                }
                0 => {}
                many => return Decision::Start(many),
            }
        }
    }
    finish(wish, members, &counts, most, now).unwrap_or(Decision::Wait(until))
}

/// What follows when nothing must be started or stopped any more.
fn finish(
    wish: &Wish,
    members: &[Member],
    counts: &Counts<'_>,
    most: u32,
    now: Timestamp,
) -> Option<Decision> {
    let newest = wish.deployments.first()?;
    // Stopping tasks of old deployments count too: the deployment completes when they are gone.
    // More than desired are those that are protected from a scale-in.
    let is_done = counts.up_new >= wish.desired && members.iter().all(|m| m.deployment == newest.id);
    if is_done && newest.in_progress && wish.bake_ms > 0 {
        match newest.baking.map(|since| since.plus_ms(wish.bake_ms)) {
            None => return Some(Decision::Bake),
            Some(end) if end > now => return Some(Decision::Wait(Some(end))),
            Some(_) => {}
        }
    }
    if is_done && (newest.in_progress || wish.deployments.len() > 1) {
        return Some(Decision::Complete);
    }
    // Not while a task is stopping: its zone would be counted as too full.
    let has_room = most > wish.desired;
    let may_move = is_done && wish.rebalance && has_room && members.len() as u32 == wish.desired;
    may_move.then(|| unbalanced(wish, members, now)).flatten()
}

fn sooner(until: Option<Timestamp>, at: Timestamp) -> Option<Timestamp> {
    Some(until.map_or(at, |u| u.min(at)))
}

/// The tasks of a service that are not stopping.
struct Counts<'a> {
    alive: u32,
    /// Of the newest deployment, without those in `unhealthy`.
    new: u32,
    /// Of older deployments, likewise.
    old: u32,
    /// Of the newest deployment, running and healthy.
    up_new: u32,
    /// Running and healthy. A new task that has not settled yet replaces no other task and does not count.
    healthy: u32,
    healthy_new: u32,
    is_any_starting: bool,
    /// Unhealthy, with their grace period over: those to be replaced. The one to stop first is the first.
    unhealthy: Vec<(&'a Member, FailedCheck)>,
}

impl<'a> Counts<'a> {
    /// Also returns the earliest time at which the counts change without a change of rows.
    fn of(
        wish: &Wish,
        members: &'a [Member],
        newest: &Version,
        now: Timestamp,
    ) -> (Counts<'a>, Option<Timestamp>) {
        let (mut alive, mut new, mut old, mut up_new, mut healthy, mut healthy_new) = (0, 0, 0, 0, 0, 0);
        let (mut unhealthy, mut until, mut is_any_starting) = (Vec::new(), None, false);
        for member in members.iter().filter(|m| m.life != Life::Stopping) {
            let is_new = member.deployment == newest.id;
            alive += 1;
            if let Some(end) = member.protected_until.filter(|end| *end > now) {
                until = sooner(until, end);
            }
            is_any_starting |= member.life == Life::Starting;
            match member.life {
                Life::Unhealthy(check) => {
                    let due = member.started.unwrap_or(member.created).plus_ms(wish.grace_ms);
                    if due <= now {
                        unhealthy.push((member, check));
                        continue;
                    }
                    until = sooner(until, due);
                }
                Life::Up if is_new && member.settles() > now => until = sooner(until, member.settles()),
                Life::Up => {
                    healthy += 1;
                    healthy_new += u32::from(is_new);
                }
                Life::Starting | Life::Stopping => {}
            }
            up_new += u32::from(is_new && member.life == Life::Up);
            if is_new { new += 1 } else { old += 1 }
        }
        // The newest first: an older one has served before.
        unhealthy.sort_by_key(|(member, _)| std::cmp::Reverse(member.created));
        let counts = Counts { alive, new, old, up_new, healthy, healthy_new, is_any_starting, unhealthy };
        (counts, until)
    }

    fn stop_unhealthy(&self, many: u32) -> Vec<(TaskId, Why)> {
        let first = self.unhealthy.iter().take(many as usize);
        first.map(|(member, check)| (member.id.clone(), Why::Unhealthy(*check))).collect()
    }

    /// The tasks counted in `new`.
    fn usable(&self, members: &'a [Member], newest: &str) -> impl Iterator<Item = &'a Member> {
        let is_usable = move |m: &&Member| {
            m.life != Life::Stopping
                && m.deployment == *newest
                && !self.unhealthy.iter().any(|(unhealthy, _)| unhealthy.id == m.id)
        };
        members.iter().filter(is_usable)
    }
}

/// The old tasks to stop: first those that start and have never served. If there are none, as many as the lower limit allows, or all once there
/// are enough new ones.
fn old_to_stop<'a>(
    wish: &Wish,
    old: impl Iterator<Item = &'a Member>,
    up_new: u32,
    spare: u32,
) -> Vec<(TaskId, Why)> {
    let mut old: Vec<&Member> = old.filter(|m| m.life != Life::Stopping).collect();
    old.sort_by_key(|m| m.life == Life::Up);
    let is_idle = |m: &&&Member| m.life == Life::Starting && !m.has_served;
    let idle: Vec<_> = old.iter().filter(is_idle).map(|m| (m.id.clone(), Why::Deployment)).collect();
    if !idle.is_empty() {
        return idle;
    }
    let is_full = up_new >= wish.desired;
    let many = if is_full { old.len() as u32 } else { spare };
    old.iter().take(many as usize).map(|m| (m.id.clone(), Why::Deployment)).collect()
}

/// The tasks to stop in a scale-in: first those that have never served, then those that are not up, then from the fullest zone, then
/// the newest. Protected tasks stay.
fn surplus<'a>(members: impl Iterator<Item = &'a Member>, many: u32, now: Timestamp) -> Vec<(TaskId, Why)> {
    let mut left: Vec<&Member> = members.collect();
    let mut out = Vec::new();
    for _ in 0..many {
        let in_zone = |m: &Member| left.iter().filter(|o| o.zone == m.zone).count();
        let worst = (0..left.len()).filter(|i| !left[*i].is_protected(now)).max_by_key(|i| {
            let m = left[*i];
            let is_idle = m.life == Life::Starting && !m.has_served;
            (is_idle, m.life != Life::Up, in_zone(m), m.created)
        });
        let Some(worst) = worst else { break };
        let member = left.remove(worst);
        out.push((member.id.clone(), Why::ScaleIn));
    }
    out
}

/// If a zone has at least two tasks more than another, starts one task more: placement puts it into the emptiest zone. Then
/// the scale-in stops one in the fullest zone.
fn unbalanced(wish: &Wish, members: &[Member], now: Timestamp) -> Option<Decision> {
    let count = |zone: &ZoneName| members.iter().filter(|m| m.zone == *zone).count();
    let counts = || wish.zones.iter().map(count);
    let (most, least) = (counts().max()?, counts().min()?);
    let may_leave = |m: &Member| count(&m.zone) == most && !m.is_protected(now);
    if most < least + 2 || !members.iter().any(may_leave) {
        return None;
    }
    Some(Decision::Start(1))
}

/// Whether the surplus task was started to balance the zones and is not up yet.
fn is_rebalancing(wish: &Wish, members: &[Member], now: Timestamp) -> bool {
    let settled: Vec<Member> = members.iter().filter(|m| m.life == Life::Up).cloned().collect();
    let is_one = members.iter().filter(|m| m.life == Life::Starting).count() == 1;
    wish.rebalance
        && is_one
        && settled.len() as u32 == wish.desired
        && unbalanced(wish, &settled, now).is_some()
}

mod traffic;

#[cfg(test)]
mod limits;
#[cfg(test)]
mod tests;
