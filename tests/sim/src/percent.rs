//! Checks, after every change of rows, that the scheduler keeps services within their healthy percentages: it starts no task above the
//! maximum, and stops none that the minimum needs.

use anyhow::{Result, ensure};
use escale_store::{Image, Row};
use escale_tables::{
    ecs::{Phase, Service, StopCause, TargetSeen, Task, TaskProgress, TaskSeen},
    elbv2::TargetHealthState,
};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Starting,
    Healthy,
    /// Stopped by the scheduler, but not because it was unhealthy.
    Scaled,
    /// Failed, unhealthy or stopped by a user.
    Lost,
}

/// The desired count of a service and its tasks.
type Seen = BTreeMap<String, (u32, BTreeMap<String, Life>)>;

/// The services as the last check has seen them.
pub(crate) struct Percent(Seen);

impl Percent {
    pub(crate) fn of(image: &Image) -> Percent {
        Percent(seen(image))
    }

    /// Checks what changed since the last call.
    pub(crate) fn check(&mut self, image: &Image) -> Result<()> {
        let now = seen(image);
        for (key, (desired, tasks)) in &now {
            let Some((_, old)) = self.0.get(key).filter(|(count, _)| count == desired) else { continue };
            if let Some(service) = image.get::<Service>(key) {
                check(&service, old, tasks)?;
            }
        }
        self.0 = now;
        Ok(())
    }
}

fn check(service: &Service, old: &BTreeMap<String, Life>, now: &BTreeMap<String, Life>) -> Result<()> {
    let count = |tasks: &BTreeMap<String, Life>, lives: &[Life]| {
        tasks.values().filter(|life| lives.contains(life)).count() as u32
    };
    // A task that is lost still counts for the maximum, unless it is stopped; that only makes this check weaker.
    let (alive_before, alive) =
        (count(old, &[Life::Starting, Life::Healthy]), count(now, &[Life::Starting, Life::Healthy]));
    let most = (service.desired * service.maximum_percent / 100).max(service.desired);
    ensure!(
        alive <= alive_before || alive <= most,
        "{}: {alive} tasks exist, the maximum is {most}",
        service.key()
    );
    let was_healthy = |id: &String| old.get(id) == Some(&Life::Healthy);
    let stopped = now.iter().any(|(id, life)| was_healthy(id) && *life == Life::Scaled);
    // Several commits may be seen at once: with an accident among them, the stop was decided in another state.
    let has_accident = old.iter().any(|(id, life)| {
        *life == Life::Healthy && !matches!(now.get(id), Some(Life::Healthy | Life::Scaled))
    });
    if stopped && !has_accident {
        let least = (service.desired * service.minimum_percent).div_ceil(100);
        let (healthy_before, healthy) = (count(old, &[Life::Healthy]), count(now, &[Life::Healthy]));
        ensure!(
            healthy >= least.min(healthy_before),
            "{}: {healthy} of {healthy_before} healthy tasks are left, the minimum is {least}; before {old:?}, now {now:?}",
            service.key()
        );
    }
    Ok(())
}

fn seen(image: &Image) -> Seen {
    let mut all: Seen = image
        .scan::<Service>()
        .filter(|service| service.deleted.is_none())
        .map(|service| (service.key(), (service.desired, BTreeMap::new())))
        .collect();
    for task in image.scan::<Task>() {
        if let Some(of) = &task.service
            && let Some((_, tasks)) = all.get_mut(of.key.as_str())
        {
            tasks.insert(task.id.to_string(), life(image, &task));
        }
    }
    all
}

fn life(image: &Image, task: &Task) -> Life {
    match task.stop.as_ref().map(|stop| stop.cause) {
        Some(StopCause::Scaled) => return Life::Scaled,
        Some(_) => return Life::Lost,
        None => {}
    }
    let progress = image.get::<TaskProgress>(&task.id);
    let phase = image.get::<TaskSeen>(&task.id).map(|seen| seen.phase);
    if progress.is_some_and(|p| p.failed.is_some() || p.stopped.is_some()) {
        return Life::Lost;
    }
    match phase {
        Some(Phase::Stopping | Phase::Stopped) => Life::Lost,
        Some(Phase::Running) => match image.get::<TargetSeen>(&task.id) {
            Some(seen) if seen.groups.values().any(|(state, _)| *state == TargetHealthState::Unhealthy) => {
                Life::Lost
            }
            Some(seen) if seen.groups.values().all(|(state, _)| *state == TargetHealthState::Healthy) => {
                Life::Healthy
            }
            _ => Life::Starting,
        },
        Some(Phase::Starting) | None => Life::Starting,
    }
}
