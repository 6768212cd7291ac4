//! The plane in memory: containers are scripts set up by the test, time is real. For tests of the layers above.

use crate::{
    engine::Engine,
    host::Host,
    seen::{ExecOutput, Exit, ExitReason, LogChunk, LogLine, Running, Stats, Stream, Usage},
    session::{self, Session, SessionSpec},
    spec::{ContainerSpec, GroupSpec},
    store::{Facts, Notes},
    watcher::{Wake, wake},
};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

/// The behaviour of an image's containers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// It cannot be started, for this reason.
    pub broken: Option<String>,
    /// Written to standard output at the start.
    pub lines: Vec<String>,
    /// Ends by itself: after so many milliseconds, with this exit code.
    pub exits: Option<(u64, i32)>,
    /// Every command run in it (a health check, for example) succeeds after so many milliseconds; `None`: never.
    pub healthy_after_ms: Option<u64>,
    /// Ends only on SIGKILL.
    pub ignores_stop: bool,
    /// Bytes written to its root, from its start on; `None`: not measured.
    pub stored_bytes: Option<u64>,
}

/// The fake machine. A clone is the same machine: planes opened on it one after the other see the same containers.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    images: BTreeMap<String, Behaviour>,
    groups: BTreeMap<String, (GroupSpec, Notes)>,
    containers: BTreeMap<(String, String), Container>,
    wakes: BTreeMap<String, Wake>,
    off: BTreeSet<String>,
}

#[derive(Default)]
struct Container {
    facts: Facts,
    behaviour: Behaviour,
    lines: Vec<LogLine>,
    /// When it ends by itself, and with which code. The plane that watches it at that time ends it.
    ends: Option<(Timestamp, i32)>,
    /// The clock of the plane that launched it.
    clock: Option<Clock>,
}

impl Fake {
    pub fn new() -> Fake {
        Fake::default()
    }

    /// Makes an image known; `digest` as in [`ContainerSpec::image`].
    pub fn image(&self, digest: &str, behaviour: Behaviour) {
        self.world().images.insert(digest.to_owned(), behaviour);
    }

    /// A plane on this machine. Call it inside a tokio runtime.
    pub fn open(&self, clock: Clock) -> Result<impl crate::Containers + use<>, PlaneError> {
        Engine::open(FakeHost { world: self.clone(), clock: clock.clone() }, clock)
    }

    /// The effect of a `kill -9` of the container's process.
    pub fn kill(&self, group: &str, container: &str) {
        let mut world = self.world();
        let key = (group.to_owned(), container.to_owned());
        let Some(c) = world.containers.get_mut(&key) else { return };
        let Some(clock) = c.clock.clone().filter(|_| c.facts.exit.is_none()) else { return };
        drop(world);
        self.end(group, container, ended(&clock, None, Some(9)));
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, group: &str, container: &str, exit: Exit) {
        let mut world = self.world();
        let key = (group.to_owned(), container.to_owned());
        if let Some(c) = world.containers.get_mut(&key)
            && c.facts.exit.is_none()
        {
            c.facts.exit = Some(exit);
            c.facts.kept = false;
        }
        if let Some(w) = world.wakes.get(group) {
            wake(w);
        }
    }
}

struct FakeHost {
    world: Fake,
    clock: Clock,
}

impl FakeHost {
    /// A container outlives its plane, so the next plane sets up the wait for its end again.
    fn end_in_time(&self, group: &str, container: &str) {
        let key = (group.to_owned(), container.to_owned());
        let known = self.world.world().containers.get(&key).map(|c| (c.ends, c.facts.exit.is_some()));
        let Some((Some((at, code)), false)) = known else { return };
        let (world, clock) = (self.world.clone(), self.clock.clone());
        tokio::spawn(async move {
            let left = u64::try_from(at.since_ms(clock.now())).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(left)).await;
            world.end(&key.0, &key.1, ended(&clock, Some(code), None));
        });
    }
}

fn ended(clock: &Clock, code: Option<i32>, signal: Option<i32>) -> Exit {
    Exit { at: clock.now(), code, signal, oom: false, reason: ExitReason::Ended }
}

static NEXT_PID: AtomicI32 = AtomicI32::new(1_000_000);

#[async_trait]
impl Host for FakeHost {
    fn load(&self) -> Result<Vec<(GroupSpec, Notes)>, PlaneError> {
        Ok(self.world.world().groups.values().cloned().collect())
    }

    fn check(&self, spec: &GroupSpec) -> Result<(), PlaneError> {
        let world = self.world.world();
        let missing = spec.containers.iter().find(|c| !world.images.contains_key(&c.image));
        missing.map_or(Ok(()), |c| {
            Err(PlaneError::asked(format!(
                "image manifest {}: the blob does not exist; push the image first",
                c.image
            )))
        })
    }

    fn save_group(&self, spec: &GroupSpec) -> Result<(), PlaneError> {
        self.world.world().groups.insert(spec.id.clone(), (spec.clone(), Notes::default()));
        Ok(())
    }

    fn save_notes(&self, group: &str, notes: &Notes) -> Result<(), PlaneError> {
        if let Some((_, old)) = self.world.world().groups.get_mut(group) {
            *old = notes.clone();
        }
        Ok(())
    }

    async fn delete_group(self: Arc<Self>, group: &str) -> Result<(), PlaneError> {
        let mut world = self.world.world();
        world.groups.remove(group);
        world.wakes.remove(group);
        world.containers.retain(|(g, _), _| g != group);
        Ok(())
    }

    fn watch(&self, group: &GroupSpec, wake: &Wake) -> Result<(), PlaneError> {
        self.world.world().wakes.insert(group.id.clone(), Arc::clone(wake));
        group.containers.iter().for_each(|c| self.end_in_time(&group.id, &c.name));
        Ok(())
    }

    fn facts(&self, group: &str, container: &str) -> Facts {
        let key = (group.to_owned(), container.to_owned());
        self.world.world().containers.get(&key).map(|c| c.facts.clone()).unwrap_or_default()
    }

    async fn launch(
        self: Arc<Self>,
        group: &GroupSpec,
        c: &ContainerSpec,
        _: &Wake,
    ) -> Result<(), PlaneError> {
        let mut world = self.world.world();
        if world.off.contains(&group.zone) {
            return Err(PlaneError::machine(format!("zone '{}' has no power", group.zone)));
        }
        let behaviour = world.images.get(&c.image).cloned().unwrap_or_default();
        if let Some(why) = behaviour.broken {
            return Err(PlaneError::asked(why));
        }
        let now = self.clock.now();
        let running =
            Running { pid: NEXT_PID.fetch_add(1, Ordering::Relaxed), started_at: now, start_ticks: 0 };
        let line = |text: &String| LogLine {
            at: now,
            stream: Stream::Stdout,
            text: text.clone().into_bytes(),
            partial: false,
        };
        let lines = behaviour.lines.iter().map(line).collect();
        let facts = Facts { begun: true, kept: true, running: Some(running), exit: None };
        let ends =
            behaviour.exits.map(|(ms, code)| (now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX)), code));
        let clock = Some(self.clock.clone());
        world
            .containers
            .insert((group.id.clone(), c.name.clone()), Container { facts, behaviour, lines, ends, clock });
        world.wakes.get(&group.id).into_iter().for_each(wake);
        drop(world);
        self.end_in_time(&group.id, &c.name);
        Ok(())
    }

    fn write_off(&self, group: &str, container: &str, reason: ExitReason) -> Result<(), PlaneError> {
        let exit = Exit { at: self.clock.now(), code: None, signal: None, oom: false, reason };
        let key = (group.to_owned(), container.to_owned());
        self.world.world().containers.entry(key).or_default();
        self.world.end(group, container, exit);
        Ok(())
    }

    fn signal(&self, group: &GroupSpec, c: &ContainerSpec, kill: bool) -> Result<(), PlaneError> {
        let key = (group.id.clone(), c.name.clone());
        let ignores = self.world.world().containers.get(&key).is_some_and(|c| c.behaviour.ignores_stop);
        if kill || !ignores {
            let number = if kill { 9 } else { 15 };
            self.world.end(&group.id, &c.name, ended(&self.clock, None, Some(number)));
        }
        Ok(())
    }

    /// A fake container has no shim that could die.
    async fn bury(&self, _: &str, _: &str) -> Result<(), PlaneError> {
        Ok(())
    }

    async fn exec(
        &self,
        group: &str,
        container: &str,
        _: &[String],
        _: Duration,
    ) -> Result<ExecOutput, PlaneError> {
        let key = (group.to_owned(), container.to_owned());
        let world = self.world.world();
        let healthy = world.containers.get(&key).and_then(|c| {
            let after = i64::try_from(c.behaviour.healthy_after_ms?).ok()?;
            Some(self.clock.now().since_ms(c.facts.running.as_ref()?.started_at) >= after)
        });
        Ok(ExecOutput { code: i32::from(healthy != Some(true)), stdout: vec![], stderr: vec![] })
    }

    async fn session(&self, _: &str, _: &str, spec: &SessionSpec) -> Result<Session, PlaneError> {
        session::echo(spec).await
    }

    fn logs(&self, group: &str, container: &str, cursor: u64, _: usize) -> Result<LogChunk, PlaneError> {
        let key = (group.to_owned(), container.to_owned());
        let lines = self.world.world().containers.get(&key).map(|c| c.lines.clone()).unwrap_or_default();
        let next = lines.len() as u64;
        let from = usize::try_from(cursor).unwrap_or(usize::MAX).min(lines.len());
        Ok(LogChunk { lines: lines[from..].to_vec(), next: next.max(cursor), lost_bytes: 0, end: false })
    }

    fn tail(&self, group: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError> {
        let mut all = self.logs(group, container, 0, usize::MAX)?.lines;
        Ok(all.split_off(all.len().saturating_sub(lines)))
    }

    /// A fake container writes only at its start, which wakes its group anyway.
    fn watch_logs(&self, _: &str, _: &str, _: &Wake) -> Result<(), PlaneError> {
        Ok(())
    }

    fn measures_storage(&self) -> bool {
        self.world.world().images.values().any(|image| image.stored_bytes.is_some())
    }

    fn storage_used(&self, group: &GroupSpec) -> Result<u64, PlaneError> {
        let world = self.world.world();
        let of = |c: &ContainerSpec| {
            let container = world.containers.get(&(group.id.clone(), c.name.clone()))?;
            container.behaviour.stored_bytes.filter(|_| container.facts.running.is_some())
        };
        Ok(group.containers.iter().filter_map(of).sum())
    }

    fn stats(&self, group: &GroupSpec) -> Result<Stats, PlaneError> {
        let usage = |limit| Usage { memory_limit_bytes: limit, ..Usage::default() };
        let containers = group.containers.iter().map(|c| (c.name.clone(), usage(c.limits.memory_bytes)));
        Ok(Stats { group: usage(group.limits.memory_bytes), containers: containers.collect() })
    }

    fn powered(&self, zone: &str) -> bool {
        !self.world.world().off.contains(zone)
    }

    fn set_power(&self, zone: &str, on: bool) -> Result<(), PlaneError> {
        let mut world = self.world.world();
        if on {
            world.off.remove(zone)
        } else {
            world.off.insert(zone.to_owned())
        };
        Ok(())
    }

    fn close(&self) {}

    fn wipe(&self) -> Result<(), PlaneError> {
        *self.world.world() = World::default();
        Ok(())
    }
}
