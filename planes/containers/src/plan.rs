//! Plans the next steps for a group: a pure function of its spec and the observed facts.

use crate::{
    seen::{ContainerSeen, Exit, ExitReason, Phase, State, StopReason},
    spec::{Condition, ContainerSpec, GroupSpec},
    store::{Facts, Notes},
};
use escale_base::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct View<'a> {
    pub(crate) spec: &'a GroupSpec,
    pub(crate) notes: &'a Notes,
    /// One entry per container.
    pub(crate) facts: &'a BTreeMap<String, Facts>,
    /// Containers that this daemon is preparing.
    pub(crate) launching: &'a BTreeSet<String>,
    /// Containers that this daemon has sent SIGKILL.
    pub(crate) killed: &'a BTreeSet<String>,
    /// Whether the zone has power.
    pub(crate) powered: bool,
    pub(crate) now: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Launch(String),
    /// Never start it: the group was stopped first.
    Skip(String),
    /// Send it the stop signal.
    Signal(String),
    Kill(String),
    /// Its shim died: end its remaining processes and record that.
    Bury(String),
    Stop(StopReason),
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// When to plan again if no event comes before.
    pub(crate) wake_at: Option<Timestamp>,
}

/// How close another container is to the awaited condition.
enum Progress {
    Done,
    Waiting,
    Never(String),
}

pub(crate) fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    for c in &view.spec.containers {
        let f = view.of(c);
        // It may have run, no shim has it and none recorded its end: the shim was killed.
        if f.begun && !f.kept && f.exit.is_none() && !view.launching.contains(&c.name) {
            plan.steps.push(Step::Bury(c.name.clone()));
        } else if !view.powered && view.is_running(c) && !view.killed.contains(&c.name) {
            plan.steps.push(Step::Kill(c.name.clone()));
        }
    }
    match &view.notes.stop {
        None => go_on(view, &mut plan),
        Some(stop) => view.spec.containers.iter().for_each(|c| stop_one(view, c, stop.at_once, &mut plan)),
    }
    plan
}

fn go_on(view: &View<'_>, plan: &mut Plan) {
    let ended = |c: &&ContainerSpec| c.essential && view.of(c).exit.is_some();
    if let Some(c) = view.spec.containers.iter().find(ended) {
        plan.steps.push(Step::Stop(StopReason::EssentialExited(c.name.clone())));
        return;
    }
    for c in view.spec.containers.iter().filter(|c| view.is_pending(c)) {
        let mut ready = true;
        for dependency in &c.depends_on {
            let Some(other) = view.spec.container(&dependency.container) else { continue };
            match progress(view, other, dependency.condition) {
                Progress::Done => {}
                Progress::Waiting => {
                    ready = false;
                    if let Some(at) = plan.wake_at.into_iter().chain(deadline(view, other)).min() {
                        plan.wake_at = Some(at);
                    }
                }
                Progress::Never(why) => {
                    plan.steps.push(Step::Stop(StopReason::Dependency(other.name.clone(), why)));
                    return;
                }
            }
        }
        if ready && !view.launching.contains(&c.name) {
            plan.steps.push(Step::Launch(c.name.clone()));
        }
    }
}

fn deadline(view: &View<'_>, other: &ContainerSpec) -> Option<Timestamp> {
    let started = view.of(other).running.as_ref()?.started_at;
    Some(started.plus_ms(i64::try_from(other.start_timeout_ms).unwrap_or(i64::MAX)))
}

fn progress(view: &View<'_>, other: &ContainerSpec, condition: Condition) -> Progress {
    let f = view.of(other);
    if let Some(Exit { reason: ExitReason::NotStarted(why), .. }) = &f.exit {
        return Progress::Never(format!("it could not be started: {why}"));
    }
    let was_healthy = view.notes.containers.get(&other.name).is_some_and(|n| n.was_healthy);
    let done = match (condition, &f.exit) {
        (Condition::Start, exit) => f.running.is_some() || exit.is_some(),
        (Condition::Complete, exit) => exit.is_some(),
        (Condition::Success, None) => false,
        (Condition::Success, Some(exit)) if exit.code == Some(0) => true,
        (Condition::Success, Some(exit)) => {
            return Progress::Never(match exit.code {
                Some(code) => format!("it ended with exit code {code}"),
                None => "it ended without an exit code".into(),
            });
        }
        // Once is enough: a later failure must not keep a dependent from starting.
        (Condition::Healthy, _) if was_healthy => true,
        (Condition::Healthy, None) => false,
        (Condition::Healthy, Some(_)) => return Progress::Never("it ended before it was healthy".into()),
    };
    match (done, deadline(view, other)) {
        (true, _) => Progress::Done,
        (false, Some(at)) if at <= view.now => Progress::Never(format!(
            "it did not get there within its start timeout of {} ms",
            other.start_timeout_ms
        )),
        _ => Progress::Waiting,
    }
}

fn stop_one(view: &View<'_>, c: &ContainerSpec, at_once: bool, plan: &mut Plan) {
    if view.is_pending(c) && !view.launching.contains(&c.name) {
        plan.steps.push(Step::Skip(c.name.clone()));
        return;
    }
    if !view.is_running(c) || view.killed.contains(&c.name) {
        return;
    }
    if at_once {
        plan.steps.push(Step::Kill(c.name.clone()));
        return;
    }
    let needs_it = |d: &ContainerSpec| d.depends_on.iter().any(|on| on.container == c.name);
    let alive = |d: &ContainerSpec| view.is_running(d) || view.launching.contains(&d.name);
    // Dependents stop first; this one gets its signal when the last of them has ended.
    if view.spec.containers.iter().any(|d| needs_it(d) && alive(d)) {
        return;
    }
    let Some(since) = view.notes.containers.get(&c.name).and_then(|n| n.signalled) else {
        plan.steps.push(Step::Signal(c.name.clone()));
        return;
    };
    let kill_at = since.plus_ms(i64::try_from(c.stop_timeout_ms).unwrap_or(i64::MAX));
    if kill_at <= view.now {
        plan.steps.push(Step::Kill(c.name.clone()))
    } else {
        plan.wake_at = plan.wake_at.into_iter().chain([kill_at]).min()
    }
}

impl View<'_> {
    fn of(&self, c: &ContainerSpec) -> &Facts {
        const NOTHING: &Facts = &Facts { begun: false, kept: false, running: None, exit: None };
        self.facts.get(&c.name).unwrap_or(NOTHING)
    }

    fn is_pending(&self, c: &ContainerSpec) -> bool {
        let f = self.of(c);
        !f.begun && !f.kept && f.running.is_none() && f.exit.is_none()
    }

    fn is_running(&self, c: &ContainerSpec) -> bool {
        let f = self.of(c);
        f.kept && f.running.is_some() && f.exit.is_none()
    }

    pub(crate) fn seen(&self, c: &ContainerSpec) -> ContainerSeen {
        let f = self.of(c);
        let state = match (&f.exit, &f.running) {
            (Some(exit), _) => State::Exited(exit.clone()),
            (None, Some(running)) => State::Running(running.clone()),
            _ if self.is_pending(c) && !self.launching.contains(&c.name) => State::Pending,
            _ => State::Created,
        };
        let health = self.notes.containers.get(&c.name).map(|n| n.health).unwrap_or_default();
        ContainerSeen { state, health }
    }

    pub(crate) fn phase(&self) -> Phase {
        let all = &self.spec.containers;
        if self.notes.stop.is_some() {
            // A group that is stopped always has a reason.
            if all.iter().all(|c| self.of(c).exit.is_some()) { Phase::Stopped } else { Phase::Stopping }
        } else if all.iter().all(|c| self.of(c).running.is_some() || self.of(c).exit.is_some()) {
            Phase::Running
        } else {
            Phase::Starting
        }
    }
}
