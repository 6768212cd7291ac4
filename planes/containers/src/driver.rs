//! One task per group: read the facts, ask [`crate::plan`], take its steps, publish the observed state, wait.
//!
//! No important state is only in memory: a new plane on the same state directory continues where the old one stopped.

use crate::{
    health,
    host::Host,
    plan::{self, Step, View},
    seen::{ExitReason, GroupSeen, Health, Phase, Snapshot, State},
    spec::{ContainerSpec, GroupSpec},
    storage,
    store::{Facts, Notes, StopNote},
    watcher::{Wake, wake},
};
use escale_base::{Clock, PlaneError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

pub(crate) struct Group<H> {
    pub(crate) host: Arc<H>,
    pub(crate) clock: Clock,
    pub(crate) spec: GroupSpec,
    pub(crate) wake: Wake,
    /// Whether none of its containers runs any more, and none will.
    pub(crate) stopped: watch::Sender<bool>,
    notes: Mutex<Notes>,
    seen: watch::Sender<Snapshot>,
}

/// The activities of this daemon for a group. They end with the daemon, and the next daemon starts them again.
#[derive(Default)]
struct Doing {
    launching: BTreeSet<String>,
    killed: BTreeSet<String>,
    launches: JoinSet<(String, Result<(), PlaneError>)>,
    probes: BTreeMap<String, AbortHandle>,
    probers: JoinSet<()>,
}

impl<H: Host> Group<H> {
    pub(crate) fn new(
        host: Arc<H>,
        clock: Clock,
        spec: GroupSpec,
        notes: Notes,
        seen: watch::Sender<Snapshot>,
    ) -> Arc<Group<H>> {
        let wake = Arc::new(watch::channel(0).0);
        let stopped = watch::Sender::new(false);
        Arc::new(Group { host, clock, spec, wake, stopped, notes: Mutex::new(notes), seen })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the notes to disk first, then to memory.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Notes)) -> Result<(), PlaneError> {
        let mut notes = self.notes();
        let mut new = notes.clone();
        change(&mut new);
        if new != *notes {
            // Disk first: a signal that is only noted in memory would be sent again by the next daemon.
            self.host.save_notes(&self.spec.id, &new)?;
            *notes = new;
            drop(notes);
            wake(&self.wake);
        }
        Ok(())
    }

    /// The first reason to stop is kept; the stop can only become more urgent.
    pub(crate) fn stop(&self, reason: crate::seen::StopReason, at_once: bool) -> Result<(), PlaneError> {
        let at = self.clock.now();
        self.note(|notes| match &mut notes.stop {
            Some(stop) => stop.at_once |= at_once,
            none => *none = Some(StopNote { at, reason, at_once }),
        })
    }

    /// Publishes the observed state before any step is taken.
    pub(crate) fn show(&self) {
        self.look(&Doing::default());
    }

    pub(crate) async fn drive(self: Arc<Group<H>>) {
        let mut changes = self.wake.subscribe();
        if let Err(e) = self.host.watch(&self.spec, &self.wake) {
            tracing::error!(group = self.spec.id, "changes will be noticed late: {e}");
        }
        let mut doing = Doing::default();
        if let Some(limit_bytes) = self.spec.limits.storage_bytes
            && self.host.measures_storage()
        {
            doing.probers.spawn(storage::watch(Arc::clone(&self), limit_bytes));
        }
        loop {
            // Before the facts are read: a change that comes later ends the wait below.
            changes.mark_unchanged();
            let (steps, wake_at, stopped) = self.look(&doing);
            let idle = steps.is_empty();
            for step in steps {
                self.act(step, &mut doing).await;
            }
            self.probe(&mut doing);
            if stopped {
                return;
            }
            // The steps have changed the facts, so plan again at once.
            if !idle {
                continue;
            }
            let pause = wake_at.map(|at| at.since_ms(self.clock.now()).max(1) as u64);
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                Some(done) = doing.launches.join_next() => self.launched(done, &mut doing),
                () = tokio::time::sleep(Duration::from_millis(pause.unwrap_or(u64::from(u32::MAX)))) => {}
            }
        }
    }

    /// Reads the facts, publishes them, and plans.
    fn look(&self, doing: &Doing) -> (Vec<Step>, Option<escale_base::Timestamp>, bool) {
        let facts: BTreeMap<String, Facts> = self
            .spec
            .containers
            .iter()
            .map(|c| (c.name.clone(), self.host.facts(&self.spec.id, &c.name)))
            .collect();
        let notes = self.notes().clone();
        let view = View {
            spec: &self.spec,
            notes: &notes,
            facts: &facts,
            launching: &doing.launching,
            killed: &doing.killed,
            powered: self.host.powered(&self.spec.zone),
            now: self.clock.now(),
        };
        let phase = view.phase();
        let seen = GroupSeen {
            id: self.spec.id.clone(),
            zone: self.spec.zone.clone(),
            phase,
            stop: notes.stop.as_ref().map(|s| s.reason.clone()),
            containers: self.spec.containers.iter().map(|c| (c.name.clone(), view.seen(c))).collect(),
        };
        let planned = plan::plan(&view);
        self.publish(seen);
        if phase == Phase::Stopped {
            self.stopped.send_replace(true);
        }
        (planned.steps, planned.wake_at, phase == Phase::Stopped)
    }

    fn publish(&self, seen: GroupSeen) {
        self.seen.send_if_modified(|all| {
            if all.get(&seen.id).is_some_and(|old| **old == seen) {
                return false;
            }
            Arc::make_mut(all).insert(seen.id.clone(), Arc::new(seen));
            true
        });
    }

    async fn act(self: &Arc<Group<H>>, step: Step, doing: &mut Doing) {
        let id = &self.spec.id;
        let done = match &step {
            Step::Launch(name) => {
                doing.launching.insert(name.clone());
                let (group, name) = (Arc::clone(self), name.clone());
                // In the background: unpacking an image must not delay the signals for other containers.
                doing.launches.spawn(async move {
                    let done = match group.spec.container(&name) {
                        Some(container) => {
                            Arc::clone(&group.host).launch(&group.spec, container, &group.wake).await
                        }
                        None => Ok(()),
                    };
                    (name, done)
                });
                Ok(())
            }
            Step::Skip(name) => self.host.write_off(id, name, ExitReason::Skipped),
            Step::Bury(name) => self.host.bury(id, name).await,
            Step::Stop(reason) => self.stop(reason.clone(), false),
            Step::Kill(name) => {
                doing.killed.insert(name.clone());
                self.each(name, |c| self.host.signal(&self.spec, c, true))
            }
            Step::Signal(name) => {
                let now = self.clock.now();
                let sent = self.each(name, |c| self.host.signal(&self.spec, c, false));
                // Recorded even if the signal fails: a container that does not react is killed when its stop timeout is over.
                let noted =
                    self.note(|n| n.containers.entry(name.clone()).or_default().signalled = Some(now));
                sent.and(noted)
            }
        };
        if let Err(e) = done {
            tracing::error!(group = id, ?step, "{e}");
            // A failed step is planned again, after a pause: the machine may recover, for example a full disk.
            tokio::time::sleep(Duration::from_millis(escale_base::limits::BACKOFF_MIN_MS)).await;
        }
    }

    fn each(
        &self,
        name: &str,
        act: impl FnOnce(&ContainerSpec) -> Result<(), PlaneError>,
    ) -> Result<(), PlaneError> {
        self.spec.container(name).map_or(Ok(()), act)
    }

    fn launched(
        &self,
        done: Result<(String, Result<(), PlaneError>), tokio::task::JoinError>,
        doing: &mut Doing,
    ) {
        let (name, result) = match done {
            Ok(done) => done,
            Err(e) => {
                tracing::error!(group = self.spec.id, "a launch was aborted: {e}");
                // The error does not name the launch, so all that were in progress count as failed.
                let broken: Vec<String> = std::mem::take(&mut doing.launching).into_iter().collect();
                for name in broken {
                    let reason =
                        ExitReason::NotStarted("an internal fault of the plane; see the daemon's log".into());
                    let _ = self.host.write_off(&self.spec.id, &name, reason);
                }
                return;
            }
        };
        doing.launching.remove(&name);
        if let Err(e) = result {
            let reason = ExitReason::NotStarted(e.to_string());
            if let Err(e) = self.host.write_off(&self.spec.id, &name, reason) {
                tracing::error!(group = self.spec.id, container = name, "{e}");
            }
        }
    }

    /// Starts a health prober for each running container, and ends those of containers that ended.
    fn probe(self: &Arc<Group<H>>, doing: &mut Doing) {
        let seen = self.seen.borrow().get(&self.spec.id).cloned();
        let Some(seen) = seen else { return };
        for c in &self.spec.containers {
            let Some(check) = &c.health else { continue };
            let running = match seen.containers.get(&c.name).map(|s| &s.state) {
                Some(State::Running(running)) => Some(running),
                _ => None,
            };
            match running {
                Some(running) if !doing.probes.contains_key(&c.name) => {
                    let prober =
                        health::probe(Arc::clone(self), c.name.clone(), check.clone(), running.started_at);
                    doing.probes.insert(c.name.clone(), doing.probers.spawn(prober));
                }
                None => {
                    if let Some(task) = doing.probes.remove(&c.name) {
                        task.abort();
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn set_health(&self, container: &str, health: Health) {
        let noted = self.note(|notes| {
            let note = notes.containers.entry(container.to_owned()).or_default();
            note.health = health;
            note.was_healthy |= health == Health::Healthy;
        });
        if let Err(e) = noted {
            tracing::error!(group = self.spec.id, container, "{e}");
        }
    }
}
