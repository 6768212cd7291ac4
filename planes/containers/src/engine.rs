//! The plane over any [`Host`]: holds the groups and implements the trait.

use crate::{
    Containers,
    driver::Group,
    host::Host,
    limits,
    seen::{ExecOutput, GroupSeen, LogChunk, LogLine, Snapshot, State, Stats, StopReason},
    session::{Session, SessionSpec},
    spec::GroupSpec,
    watcher::wake,
};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

pub(crate) struct Engine<H: Host> {
    host: Arc<H>,
    clock: Clock,
    groups: Mutex<BTreeMap<String, Entry<H>>>,
    seen: watch::Sender<Snapshot>,
}

struct Entry<H> {
    group: Arc<Group<H>>,
    task: JoinHandle<()>,
}

impl<H: Host> Engine<H> {
    /// Adopts every group that the host knows.
    pub(crate) fn open(host: H, clock: Clock) -> Result<Engine<H>, PlaneError> {
        let engine = Engine {
            host: Arc::new(host),
            clock,
            groups: Mutex::default(),
            seen: watch::channel(Snapshot::default()).0,
        };
        for (spec, notes) in engine.host.load()? {
            engine.adopt(spec, notes);
        }
        Ok(engine)
    }

    fn adopt(&self, spec: GroupSpec, notes: crate::store::Notes) {
        let id = spec.id.clone();
        let group = Group::new(Arc::clone(&self.host), self.clock.clone(), spec, notes, self.seen.clone());
        // At once: a caller that looks after `open` or `start` must find the group, or it would count it as lost.
        group.show();
        let task = tokio::spawn(Arc::clone(&group).drive());
        self.groups().insert(id, Entry { group, task });
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Entry<H>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self, id: &str) -> Result<Arc<Group<H>>, PlaneError> {
        let found = self.groups().get(id).map(|e| Arc::clone(&e.group));
        found.ok_or_else(|| PlaneError::asked(format!("there is no group '{id}'; start it first")))
    }

    fn container(&self, id: &str, container: &str) -> Result<Arc<Group<H>>, PlaneError> {
        let group = self.group(id)?;
        match group.spec.container(container) {
            Some(_) => Ok(group),
            None => Err(PlaneError::asked(format!("group '{id}' has no container '{container}'"))),
        }
    }

    /// Refuses a command that cannot run, since there is none or its container does not run.
    fn may_run(&self, id: &str, container: &str, argv: &[String]) -> Result<(), PlaneError> {
        self.container(id, container)?;
        if argv.is_empty() {
            return Err(PlaneError::asked(format!("no command was given for container '{container}'")));
        }
        let state = self.observe(id).and_then(|g| g.containers.get(container).map(|c| c.state.clone()));
        match state {
            Some(State::Running(_)) => Ok(()),
            _ => Err(PlaneError::asked(format!(
                "container '{container}' of group '{id}' is not running, so no command can run in it"
            ))),
        }
    }

    async fn ended(&self, group: &Group<H>) -> Result<(), PlaneError> {
        let wait = Duration::from_millis(limits::KILL_WAIT_MS);
        match tokio::time::timeout(wait, group.stopped.subscribe().wait_for(|stopped| *stopped)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(PlaneError::machine(format!(
                "group '{}' still has processes {} ms after SIGKILL; the kernel is blocked on them (check for a failed disk or mount)",
                group.spec.id,
                limits::KILL_WAIT_MS
            ))),
        }
    }
}

impl<H: Host> Drop for Engine<H> {
    fn drop(&mut self) {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        // Containers and shims keep running; the next plane adopts them.
        groups.values().for_each(|e| e.task.abort());
        self.host.close();
    }
}

#[async_trait]
impl<H: Host> Containers for Engine<H> {
    async fn start(&self, spec: GroupSpec) -> Result<(), PlaneError> {
        spec.check()?;
        if let Ok(there) = self.group(&spec.id) {
            return if there.spec == spec {
                Ok(())
            } else {
                Err(PlaneError::asked(format!(
                    "group '{}' already exists with a different spec; remove it, or use another id",
                    spec.id
                )))
            };
        }
        self.host.check(&spec)?;
        // Saved before it is adopted: after a crash the next daemon finds it and continues.
        self.host.save_group(&spec)?;
        self.adopt(spec, Default::default());
        Ok(())
    }

    async fn stop(&self, id: &str, reason: &str) -> Result<(), PlaneError> {
        self.group(id)?.stop(StopReason::Asked(reason.to_owned()), false)
    }

    async fn halt(&self, within: Duration) -> Result<(), PlaneError> {
        let groups: Vec<_> = self.groups().values().map(|e| Arc::clone(&e.group)).collect();
        for group in &groups {
            group.stop(StopReason::Halted, false)?;
        }
        let all = async {
            for group in &groups {
                // The channel is not closed while this function holds the group.
                let _ = group.stopped.subscribe().wait_for(|stopped| *stopped).await;
            }
        };
        if tokio::time::timeout(within, all).await.is_ok() {
            return Ok(());
        }
        for group in &groups {
            group.stop(StopReason::Halted, true)?;
        }
        for group in &groups {
            self.ended(group).await?;
        }
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), PlaneError> {
        let Ok(group) = self.group(id) else { return Ok(()) };
        group.stop(StopReason::Asked("removed".into()), true)?;
        self.ended(&group).await?;
        let driver =
            self.groups().get_mut(id).map(|e| std::mem::replace(&mut e.task, tokio::spawn(async {})));
        if let Some(driver) = driver {
            // Before the files are deleted: a driver that still runs could write new ones.
            driver.abort();
            // The task always ends with "aborted".
            let _ = driver.await;
        }
        Arc::clone(&self.host).delete_group(id).await?;
        self.groups().remove(id);
        self.seen.send_modify(|all| {
            Arc::make_mut(all).remove(id);
        });
        Ok(())
    }

    fn observe(&self, id: &str) -> Option<Arc<GroupSeen>> {
        self.seen.borrow().get(id).cloned()
    }

    fn list(&self) -> Snapshot {
        self.seen.borrow().clone()
    }

    fn changes(&self) -> watch::Receiver<Snapshot> {
        self.seen.subscribe()
    }

    async fn logs(
        &self,
        id: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
        follow: bool,
    ) -> Result<LogChunk, PlaneError> {
        self.container(id, container)?;
        let grown = Arc::new(watch::channel(0u64).0);
        let mut growing = grown.subscribe();
        let mut seen = self.seen.subscribe();
        let mut watched = false;
        loop {
            // Asked before reading: output written until the end is then read too.
            let ended = self.host.facts(id, container).exit.is_some();
            let mut chunk = self.host.logs(id, container, cursor, max_bytes)?;
            chunk.end = ended && chunk.lines.is_empty();
            if !follow || ended || !chunk.lines.is_empty() || chunk.next != cursor {
                return Ok(chunk);
            }
            if !watched {
                // The first output may have come before the watch was set: read once more.
                watched = true;
                self.host.watch_logs(id, container, &grown)?;
                continue;
            }
            tokio::select! {
                biased;
                _ = growing.changed() => {}
                _ = seen.changed() => {}
            }
            self.container(id, container)?;
        }
    }

    async fn tail(&self, id: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError> {
        self.container(id, container)?;
        self.host.tail(id, container, lines)
    }

    async fn stats(&self, id: &str) -> Result<Stats, PlaneError> {
        let group = self.group(id)?;
        self.host.stats(&group.spec)
    }

    async fn exec(
        &self,
        id: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, PlaneError> {
        self.may_run(id, container, argv)?;
        self.host.exec(id, container, argv, timeout).await
    }

    async fn session(&self, id: &str, container: &str, spec: &SessionSpec) -> Result<Session, PlaneError> {
        self.may_run(id, container, &spec.argv)?;
        self.host.session(id, container, spec).await
    }

    async fn power(&self, zone: &str, on: bool) -> Result<(), PlaneError> {
        if !crate::spec::is_name(zone, 64) {
            return Err(PlaneError::asked(format!("'{zone}' is not the name of a zone")));
        }
        // Recorded first, so that the woken drivers already read the new state.
        self.host.set_power(zone, on)?;
        self.groups().values().filter(|e| e.group.spec.zone == zone).for_each(|e| wake(&e.group.wake));
        Ok(())
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        let ids: Vec<String> = self.groups().keys().cloned().collect();
        // Concurrently: a removal mostly waits for the kernel.
        let removed = futures_util::future::join_all(ids.iter().map(|id| self.remove(id))).await;
        removed.into_iter().collect::<Result<Vec<()>, _>>()?;
        self.host.wipe()
    }
}
