//! Derives AWS's statuses from wish, progress and observation.

use crate::{
    choices::{DesiredStatus, HealthStatus, TaskStopCode},
    registries,
};
use escale_base::{Timestamp, choice};
use escale_store::Image;
use escale_tables::{
    ec2::InterfaceSeen,
    ecs::{
        ContainerState, Health, Phase, Service, StopCause, Task, TaskDefinition, TaskOfService, TaskProgress,
        TaskSeen,
    },
};
use std::sync::Arc;

choice! {
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
    pub(crate) enum Status {
        Provisioning = "PROVISIONING",
        Pending = "PENDING",
        Activating = "ACTIVATING",
        Running = "RUNNING",
        Deactivating = "DEACTIVATING",
        Stopping = "STOPPING",
        Deprovisioning = "DEPROVISIONING",
        Stopped = "STOPPED",
    }
}

/// All rows of a task.
pub(crate) struct Known {
    pub task: Arc<Task>,
    pub progress: Arc<TaskProgress>,
    pub seen: Option<Arc<TaskSeen>>,
    pub definition: Option<Arc<TaskDefinition>>,
    pub has_interface: bool,
    pub behind_balancer: bool,
    /// The deployment has service registries.
    pub has_registry: bool,
}

impl Known {
    pub(crate) fn of(image: &Image, task: Arc<Task>) -> Known {
        let is_balanced = |s: &TaskOfService| {
            image.get::<Service>(&s.key).is_some_and(|row| !row.load_balancers_of(&s.deployment).is_empty())
        };
        Known {
            progress: image.get::<TaskProgress>(&task.id).unwrap_or_default(),
            seen: image.get::<TaskSeen>(&task.id),
            definition: image.get::<TaskDefinition>(&TaskDefinition::key_of(&task.family, task.revision)),
            has_interface: image.has::<InterfaceSeen>(task.interface.as_str()),
            behind_balancer: task.service.as_ref().is_some_and(is_balanced),
            has_registry: !registries::of(image, &task).is_empty(),
            task,
        }
    }

    pub(crate) fn find(image: &Image, id: &str) -> Option<Known> {
        Some(Known::of(image, image.get::<Task>(id)?))
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        self.seen.as_ref().map(|s| s.phase)
    }

    /// Whether the task was stopped, ended by itself, or could not start.
    pub(crate) fn is_stopping(&self) -> bool {
        self.task.stop.is_some()
            || self.progress.failed.is_some()
            || matches!(self.phase(), Some(Phase::Stopping | Phase::Stopped))
    }

    /// Whether the task runs or will run: it was not stopped, and its end was not observed.
    pub(crate) fn is_alive(&self) -> bool {
        !self.is_stopping() && self.progress.stopped.is_none()
    }

    /// Whether a user or the scheduler stopped the task for a reason other than a failure of the task.
    pub(crate) fn was_stopped_on_purpose(&self) -> bool {
        self.task.stop.as_ref().is_some_and(|s| s.cause != StopCause::Sick)
    }

    pub(crate) fn status(&self) -> Status {
        if self.progress.stopped.is_some() {
            return Status::Stopped;
        }
        if self.is_stopping() {
            return match self.phase() {
                Some(Phase::Running | Phase::Starting) if self.progress.registered => Status::Deactivating,
                Some(Phase::Running | Phase::Starting | Phase::Stopping) => Status::Stopping,
                Some(Phase::Stopped) | None => Status::Deprovisioning,
            };
        }
        match self.phase() {
            None if !self.has_interface => Status::Provisioning,
            None | Some(Phase::Starting) => Status::Pending,
            Some(_) if self.behind_balancer && !self.progress.registered => Status::Activating,
            Some(_) => Status::Running,
        }
    }

    pub(crate) fn desired(&self) -> DesiredStatus {
        if self.is_alive() { DesiredStatus::Running } else { DesiredStatus::Stopped }
    }

    /// AWS's code and message for why the task stops.
    pub(crate) fn stop(&self) -> Option<(TaskStopCode, String)> {
        // A failed start comes first: it is the cause, also if the task was stopped afterwards.
        if let Some(failed) = &self.progress.failed {
            return Some((TaskStopCode::TaskFailedToStart, failed.clone()));
        }
        if let Some(stop) = &self.task.stop {
            let code = match stop.cause {
                StopCause::Asked => TaskStopCode::UserInitiated,
                StopCause::Scaled | StopCause::Sick => TaskStopCode::ServiceSchedulerInitiated,
            };
            return Some((code, stop.reason.clone()));
        }
        let why = self.seen.as_ref()?.why.as_ref()?;
        let never_ran = self.seen.as_ref().is_some_and(|s| s.started.is_none());
        let code =
            if never_ran { TaskStopCode::TaskFailedToStart } else { TaskStopCode::EssentialContainerExited };
        Some((code, why.clone()))
    }

    pub(crate) fn stopping_at(&self) -> Option<Timestamp> {
        let requested = self.task.stop.as_ref().map(|s| s.at);
        requested.or_else(|| self.seen.as_ref().and_then(|s| s.stopping)).or(self.progress.stopped)
    }

    /// Whether an essential container has a health check.
    pub(crate) fn is_checked(&self) -> bool {
        let definition = self.definition.as_ref();
        definition.is_some_and(|d| d.containers.iter().any(|c| c.essential && c.health_check.is_some()))
    }

    /// The worst health of the essential containers that have a health check.
    pub(crate) fn health(&self) -> Health {
        let (Some(definition), Some(seen)) = (&self.definition, &self.seen) else { return Health::Unknown };
        let checked = definition.containers.iter().filter(|c| c.essential && c.health_check.is_some());
        let mut all =
            checked.map(|c| seen.containers.get(c.name.as_str()).map_or(Health::Unknown, |s| s.health));
        let Some(first) = all.next() else { return Health::Unknown };
        all.fold(first, |worst, next| match (worst, next) {
            (Health::Unhealthy, _) | (_, Health::Unhealthy) => Health::Unhealthy,
            (Health::Unknown, _) | (_, Health::Unknown) => Health::Unknown,
            _ => Health::Healthy,
        })
    }
}

pub(crate) fn health_status(health: Health) -> HealthStatus {
    match health {
        Health::Unknown => HealthStatus::Unknown,
        Health::Healthy => HealthStatus::Healthy,
        Health::Unhealthy => HealthStatus::Unhealthy,
    }
}

pub(crate) fn container_status(state: Option<&ContainerState>) -> Status {
    match state {
        None | Some(ContainerState::Pending) => Status::Pending,
        Some(ContainerState::Running) => Status::Running,
        Some(ContainerState::Ended { .. }) => Status::Stopped,
    }
}

/// Numbers of running and of pending tasks.
pub(crate) fn count<'a>(image: &Image, tasks: impl Iterator<Item = &'a Arc<Task>>) -> (i32, i32) {
    let (mut running, mut pending) = (0, 0);
    for task in tasks {
        match Known::of(image, Arc::clone(task)).status() {
            Status::Running => running += 1,
            Status::Provisioning | Status::Pending | Status::Activating => pending += 1,
            _ => {}
        }
    }
    (running, pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_tables::ecs::{Overrides, PlatformVersion, Stop};

    fn task(stop: Option<Stop>) -> Task {
        Task {
            id: "t".into(),
            cluster: "c".into(),
            family: "f".into(),
            revision: 1,
            group: "service:s".into(),
            started_by: None,
            service: None,
            capacity_provider: None,
            platform_version: PlatformVersion::V1_4,
            vpc: "vpc-1".into(),
            subnet: "subnet-1".into(),
            zone: "a".into(),
            interface: "eni-1".into(),
            private_ip: std::net::Ipv4Addr::LOCALHOST,
            allocation: None,
            overrides: Overrides::default(),
            credentials_id: "".into(),
            execute_command: false,
            protected_until: None,
            client_token: None,
            stop,
            tags: vec![],
            created: Timestamp(0),
        }
    }

    /// Placement and DescribeTasks depend on this: a dead task counts as stopped before its last record is written.
    #[test]
    fn task_is_alive_until_it_is_stopped_or_seen_to_stop() {
        let stopped = || Some(Stop { at: Timestamp(1), cause: StopCause::Scaled, reason: String::new() });
        for (stop, failed, phase, recorded, is_alive) in [
            (None, false, None, false, true),
            (None, false, Some(Phase::Starting), false, true),
            (None, false, Some(Phase::Running), false, true),
            (None, false, Some(Phase::Stopping), false, false),
            (None, false, Some(Phase::Stopped), false, false),
            (None, false, Some(Phase::Stopped), true, false),
            (None, true, None, false, false),
            (stopped(), false, Some(Phase::Running), false, false),
        ] {
            let seen = phase.map(|phase| {
                let containers = Default::default();
                let (started, stopping, ended, why) = (None, None, None, None);
                Arc::new(TaskSeen { id: "t".into(), phase, started, stopping, ended, why, containers })
            });
            let progress = TaskProgress {
                failed: failed.then(|| "CannotPullContainerError".to_owned()),
                stopped: recorded.then_some(Timestamp(2)),
                ..TaskProgress::default()
            };
            let shown = format!("{stop:?} {failed} {phase:?} {recorded}");
            let known = Known {
                task: Arc::new(task(stop)),
                progress: Arc::new(progress),
                seen,
                definition: None,
                has_interface: true,
                behind_balancer: false,
                has_registry: false,
            };
            assert_eq!(known.is_alive(), is_alive, "{shown}");
        }
    }
}
