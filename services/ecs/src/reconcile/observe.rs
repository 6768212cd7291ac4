//! Writes the plane's observations of tasks to `TaskSeen`.

use escale_base::Timestamp;
use escale_containers::{self as plane, Containers, ExitReason, GroupSeen, State, StopReason};
use escale_service::Cloud;
use escale_store::{Image, Row, Store, StoreError};
use escale_tables::ecs::{ContainerSeen, ContainerState, Health, Phase, Task, TaskProgress, TaskSeen};
use std::sync::Arc;

/// Follows the containers plane. Returns only if the plane ends.
pub(crate) async fn observe(store: Store, cloud: Arc<Cloud>, containers: Arc<dyn Containers>) {
    let mut changes = containers.changes();
    let mut tasks = store.subscribe(&[Task::TABLE, TaskProgress::TABLE]);
    loop {
        // Rows first, then the snapshot: a task that has started according to its row is in the snapshot, unless it is lost.
        // In the other order, a task that starts between the two reads would look lost and be killed.
        {
            let image = store.read();
            let snapshot = changes.borrow_and_update().clone();
            write(&store, &image, &snapshot, cloud.clock.now());
        }
        // Rows may still change after the plane has ended, but there is nothing left to observe.
        tokio::select! {
            // A fixed order makes simulations reproducible.
            biased;
            changed = changes.changed() => if changed.is_err() { return },
            _ = tasks.changed() => {}
        }
    }
}

fn write(store: &Store, image: &Image, snapshot: &plane::Snapshot, now: Timestamp) {
    let mut changed: Vec<TaskSeen> = Vec::new();
    for task in image.scan::<Task>() {
        let before = image.get::<TaskSeen>(&task.id);
        let progress = image.get::<TaskProgress>(&task.id);
        if progress.as_ref().is_some_and(|p| p.stopped.is_some()) {
            continue;
        }
        let seen = match snapshot.get(task.id.as_str()) {
            Some(group) => observed(group, before.as_deref(), now),
            // The task was started, but the plane does not have it any more: it is lost.
            None if progress.is_some_and(|p| !p.images.is_empty() && p.failed.is_none()) => {
                lost(&task.id, before.as_deref(), now)
            }
            None => continue,
        };
        // Each write wakes reconcilers, so an unchanged row is not written.
        if before.as_deref() != Some(&seen) {
            changed.push(seen);
        }
    }
    if changed.is_empty() {
        return;
    }
    let written = store.write(|tx| {
        for seen in changed {
            if tx.has::<Task>(&seen.id) {
                tx.put(seen);
            }
        }
        Ok::<_, StoreError>(())
    });
    if let Err(error) = written {
        tracing::error!(%error, "the observed state of tasks could not be written");
    }
}

fn observed(group: &GroupSeen, before: Option<&TaskSeen>, now: Timestamp) -> TaskSeen {
    let phase = match group.phase {
        plane::Phase::Starting => Phase::Starting,
        plane::Phase::Running => Phase::Running,
        plane::Phase::Stopping => Phase::Stopping,
        plane::Phase::Stopped => Phase::Stopped,
    };
    let mut ran = group.containers.values().map(|c| match &c.state {
        State::Running(_) => true,
        State::Exited(exit) => exit.reason == ExitReason::Ended,
        State::Pending | State::Created => false,
    });
    let has_started = match phase {
        Phase::Starting => false,
        Phase::Running => ran.any(|ran| ran),
        // It may have run between two observations, but not if one of its containers had not started when it stopped.
        Phase::Stopping | Phase::Stopped => ran.all(|ran| ran),
    };
    let first = |was: Option<Timestamp>, is: bool| was.or(is.then_some(now));
    TaskSeen {
        id: group.id.clone().into(),
        phase,
        started: first(before.and_then(|b| b.started), has_started),
        stopping: first(before.and_then(|b| b.stopping), matches!(phase, Phase::Stopping | Phase::Stopped)),
        ended: first(before.and_then(|b| b.ended), phase == Phase::Stopped),
        why: why(group),
        containers: group.containers.iter().map(|(name, c)| (name.clone(), container(c))).collect(),
    }
}

fn why(group: &GroupSeen) -> Option<String> {
    match group.stop.as_ref()? {
        StopReason::Asked(_) => None,
        StopReason::Halted => Some("ContainerRuntimeError: the machine was shut down".to_owned()),
        StopReason::EssentialExited(name) => {
            let words = match group.containers.get(name).map(container).map(|c| c.state) {
                Some(ContainerState::Ended { reason: Some(reason), .. }) if reason.starts_with("Cannot") => {
                    reason
                }
                Some(ContainerState::Ended { reason: Some(reason), .. }) => {
                    format!("{reason}: Essential container in task exited")
                }
                _ => "Essential container in task exited".to_owned(),
            };
            Some(words)
        }
        // On Fargate the programs of a task with a full disk get this error from the kernel. Here tasks share the machine's
        // disk, so the plane stops the task.
        StopReason::StorageFull { used_bytes, limit_bytes } => Some(format!(
            "ContainerRuntimeError: no space left on device: the task had written {} to its ephemeralStorage of {} GiB",
            gib(*used_bytes),
            limit_bytes >> 30
        )),
        StopReason::Dependency(name, why) => Some(format!(
            "CannotStartContainerError: dependency graph: container {name} did not reach the state that other containers \
             depend on: {why}"
        )),
    }
}

fn gib(bytes: u64) -> String {
    match bytes {
        u64::MAX => "an amount that cannot be measured (its folders are nested too deep)".to_owned(),
        bytes => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

fn container(seen: &plane::ContainerSeen) -> ContainerSeen {
    let state = match &seen.state {
        State::Pending | State::Created => ContainerState::Pending,
        State::Running(_) => ContainerState::Running,
        State::Exited(exit) => ContainerState::Ended {
            // As shells and Docker report a signal.
            code: exit.code.or(exit.signal.map(|s| 128 + s)),
            reason: match &exit.reason {
                _ if exit.oom => Some("OutOfMemoryError: Container killed due to memory usage".to_owned()),
                ExitReason::Ended | ExitReason::Skipped => None,
                ExitReason::NotStarted(why) => Some(format!("CannotStartContainerError: {why}")),
                ExitReason::Lost(why) => Some(format!("ContainerRuntimeError: {why}")),
            },
        },
    };
    let health = match seen.health {
        plane::Health::Unknown => Health::Unknown,
        plane::Health::Healthy => Health::Healthy,
        plane::Health::Unhealthy => Health::Unhealthy,
    };
    ContainerSeen { state, health }
}

fn lost(id: &str, before: Option<&TaskSeen>, now: Timestamp) -> TaskSeen {
    let why = "ContainerRuntimeError: the task's containers no longer exist on the machine".to_owned();
    let mut seen = before.cloned().unwrap_or_else(|| TaskSeen {
        id: id.into(),
        phase: Phase::Stopped,
        started: None,
        stopping: None,
        ended: None,
        why: None,
        containers: Default::default(),
    });
    seen.phase = Phase::Stopped;
    seen.stopping.get_or_insert(now);
    seen.ended.get_or_insert(now);
    seen.why.get_or_insert(why);
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn full_storage_is_reported_with_usage_and_limit() {
        for (used_bytes, usage) in [
            (22 << 30, "22.0 GiB"),
            ((20 << 30) + (100 << 20), "20.1 GiB"),
            (u64::MAX, "an amount that cannot be measured (its folders are nested too deep)"),
        ] {
            let group = GroupSeen {
                id: "t".into(),
                zone: "a".into(),
                phase: plane::Phase::Stopped,
                stop: Some(StopReason::StorageFull { used_bytes, limit_bytes: 20 << 30 }),
                containers: BTreeMap::new(),
            };
            let expected = format!(
                "ContainerRuntimeError: no space left on device: the task had written {usage} to its ephemeralStorage of 20 GiB"
            );
            assert_eq!(why(&group), Some(expected));
        }
    }
}
