//! The plane without servers: the same plan and the same refusals, on nodes in memory. For tests of the layers
//! above. It holds no rows and does not know the bounds of parameters.

use crate::{
    Postgres, Usage,
    plan::{self, Seen, Step},
    record::{NodeRecord, Record},
    spec::*,
};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Secret, Timestamp, limits::PLANE_EVENTS};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};
use tokio::sync::mpsc;

mod database;
mod fault;
mod state;

use database::at;
pub use fault::Fault;

/// Settings that need a restart, as far as the fake knows.
const STATIC: &[&str] = &["max_connections", "shared_buffers", "max_worker_processes", "wal_buffers"];

const ARCHIVES_EVERY_MS: i64 = 600_000;

/// Databases that exist in memory only.
pub struct FakePostgres {
    clock: Clock,
    state: Mutex<State>,
    /// The current receiver of events.
    events: Mutex<Option<mpsc::Sender<Event>>>,
}

#[derive(Default)]
struct State {
    databases: BTreeMap<String, Database>,
    snapshots: BTreeMap<String, Snapshot>,
    /// Faults of nodes whose database does not exist yet.
    early: BTreeMap<(String, String), Fault>,
    installed: Option<Release>,
    pids: u32,
}

struct Database {
    record: Record,
    /// In clear text: real servers keep a verifier, which takes thousands of hashes to make or to check.
    password: Option<Secret<String>>,
    nodes: BTreeMap<String, Node>,
    /// The number of the last row.
    written: u64,
    archived: Option<ArchiveSeen>,
    installed: Release,
}

/// The release that the fake has until [`FakePostgres::install`].
const FIRST: Release = Release(15, 1);

#[derive(Default)]
struct Node {
    fault: Option<Fault>,
    rows: BTreeSet<u64>,
    /// It was created or promoted, not copied from a primary.
    writes: bool,
    has_data: bool,
    /// Pid and start time.
    running: Option<(u32, Timestamp)>,
    written: Option<Settings>,
    started_with: Settings,
    timeline: u32,
    release: Release,
}

/// Parameters, whether it is the primary, whether commits wait, and the node of the source that a copy follows.
type Settings = (BTreeMap<String, String>, bool, bool, Option<String>);

impl FakePostgres {
    pub fn new(clock: Clock) -> FakePostgres {
        FakePostgres { clock, state: Mutex::default(), events: Mutex::default() }
    }

    /// The events from now on; an earlier receiver gets no more. As with a new daemon's instance of the plane, they begin with
    /// the running servers.
    pub fn events(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(PLANE_EVENTS);
        *self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(sender);
        let state = self.state();
        for (database, d) in &state.databases {
            for (node, n) in &d.nodes {
                if let Some((pid, _)) = n.running {
                    self.report(Event::NodeStarted { database: database.clone(), node: node.clone(), pid });
                }
            }
        }
        receiver
    }

    /// The effect of a `kill -9` of a real server, which can be started again.
    pub fn kill(&self, database: &str, node: &str) {
        let mut state = self.state();
        let Some(d) = state.databases.get_mut(database) else { return };
        let Some((pid, _)) = d.nodes.get_mut(node).and_then(|n| n.running.take()) else { return };
        self.report(Event::NodeDied { database: database.to_owned(), node: node.to_owned(), pid });
        self.decide(database, d);
    }

    /// Breaks a node in this way, until it is broken in another way or [`FakePostgres::heal`]ed.
    pub fn break_node(&self, database: &str, node: &str, fault: Fault) {
        let mut state = self.state();
        let Some(d) = state.databases.get_mut(database) else {
            state.early.insert((database.to_owned(), node.to_owned()), fault);
            return;
        };
        at(&mut d.nodes, node).fault = Some(fault);
        if fault == Fault::CannotStart
            && let Some((pid, _)) = at(&mut d.nodes, node).running.take()
        {
            self.report(Event::NodeDied { database: database.to_owned(), node: node.to_owned(), pid });
        }
        self.decide(database, d);
    }

    /// A newer package on the machine: servers that start from now on run it.
    pub fn install(&self, release: Release) {
        let mut state = self.state();
        state.installed = Some(release);
        state.databases.values_mut().for_each(|d| d.installed = release);
    }

    pub fn heal(&self, database: &str, node: &str) {
        let mut state = self.state();
        let Some(d) = state.databases.get_mut(database) else { return };
        let condemned = d.record.rebuild.iter().any(|n| n == node);
        let healed = at(&mut d.nodes, node);
        healed.fault = None;
        // The kill of the failover arrives now.
        if let Some((pid, _)) = healed.running.take_if(|_| condemned) {
            self.report(Event::NodeDied { database: database.to_owned(), node: node.to_owned(), pid });
        }
    }

    /// A client's commit through the database's name. Returns the number of the row that was acknowledged.
    pub fn write(&self, database: &str) -> Result<u64, PlaneError> {
        let mut state = self.state();
        let d = state.database(database)?;
        let primary = d.record.primary.clone();
        let refused = |why: &str| PlaneError::machine(format!("database '{database}' takes no write: {why}"));
        if !d.record.bootstrapped {
            // Its users do not exist yet, and a creation that does not succeed begins again.
            return Err(refused("it is being created"));
        }
        if !d.commits(&primary) || d.record.moving.is_some() {
            return Err(refused("its primary does not answer"));
        }
        d.written += 1;
        let row = d.written;
        at(&mut d.nodes, &primary).rows.insert(row);
        state.replicate(database);
        let d = state.database(database)?;
        let waits_for = d.record.standby().filter(|_| d.record.protection != Protection::Alone);
        if let Some(standby) = waits_for.map(|n| n.name.clone()) {
            if !d.streams(&standby) {
                // The row is on the primary, and the client never learns of it.
                return Err(refused("it waits for its standby"));
            }
            at(&mut d.nodes, &standby).rows.insert(row);
        }
        Ok(row)
    }

    /// The rows that a client finds in the database.
    pub fn rows(&self, database: &str) -> BTreeSet<u64> {
        let state = self.state();
        let found = state.databases.get(database).and_then(|d| d.nodes.get(&d.record.primary));
        found.map(|n| n.rows.clone()).unwrap_or_default()
    }

    /// The nodes that would acknowledge a write of a client that still has their address.
    pub fn acknowledging(&self, database: &str) -> Vec<String> {
        let state = self.state();
        let Some(d) = state.databases.get(database) else { return vec![] };
        let alone = |name: &str| !d.nodes.get(name).is_some_and(|n| n.started_with.2);
        let accepts = |n: &&NodeRecord| {
            let is_copy = d.record.source.is_some();
            let is_primary = n.name == d.record.primary && d.record.moving.is_none() && !is_copy;
            // An old primary waits for a standby that no longer follows it.
            d.commits(&n.name)
                && (is_primary || d.nodes.get(&n.name).is_some_and(|n| n.writes) && alone(&n.name))
        };
        d.record.nodes.iter().filter(accepts).map(|n| n.name.clone()).collect()
    }

    /// The decisions of the observers of real servers, without their time: the grace periods are zero here.
    fn decide(&self, database: &str, d: &mut Database) {
        let Some(standby) = d.record.standby().map(|n| n.name.clone()) else { return };
        let is_wanted = d.record.running && d.record.protection != Protection::Alone;
        let primary = d.record.primary.clone();
        match (d.commits(&primary), d.answers(&standby)) {
            (false, true)
                if is_wanted && d.record.protection == Protection::Protected && !d.can_restart(&primary) =>
            {
                self.move_primary(database, d, Reason::Unresponsive);
            }
            (true, _) if is_wanted && !d.streams(&standby) => {
                d.record.protection = Protection::Alone;
                at(&mut d.nodes, &primary).started_with.2 = false;
                self.report(Event::Degraded { database: database.to_owned(), standby });
            }
            _ => {}
        }
    }

    /// The fence and the promotion of the real plane.
    fn move_primary(&self, database: &str, d: &mut Database, reason: Reason) {
        let (from, at_time) = (d.record.primary.clone(), self.clock.now());
        let Some(to) = d.record.standby().map(|n| n.name.clone()) else { return };
        d.record.hand_over(&to, reason, at_time);
        d.record.moving = None;
        let node = at(&mut d.nodes, &to);
        node.timeline += 1;
        node.writes = true;
        // The kill does not reach a frozen process.
        let stuck =
            matches!(at(&mut d.nodes, &from).fault, Some(Fault::Frozen | Fault::DiskStuck | Fault::ZoneLost));
        if let Some((pid, _)) = at(&mut d.nodes, &from).running.take_if(|_| !stuck) {
            self.report(Event::NodeDied { database: database.to_owned(), node: from.clone(), pid });
        }
        let (started, finished) = (at_time, at_time);
        let database = database.to_owned();
        let epoch = d.record.epoch;
        let event =
            Event::FailedOver { database, from, to, epoch, reason, started, finished, resumed: false };
        self.report(event);
    }

    /// Without a receiver the event is dropped, as a dead daemon would receive none.
    fn report(&self, event: Event) {
        let mut events = self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if events.as_ref().is_some_and(|e| e.try_send(event).is_err()) {
            *events = None;
        }
    }

    fn report_step(&self, database: &str, step: &Step, pid: u32) {
        let database = database.to_owned();
        match step {
            Step::Create(node) | Step::Start(node) => {
                self.report(Event::NodeStarted { database, node: node.clone(), pid });
            }
            Step::Stop(node) | Step::Fence(node) => {
                self.report(Event::NodeDied { database, node: node.clone(), pid });
            }
            _ => {}
        }
    }

    /// The decision that the supervision of real servers takes when a standby stays away: commits no longer wait for it.
    pub fn degrade(&self, database: &str) {
        if let Some(d) = self.state().databases.get_mut(database) {
            d.record.protection = Protection::Alone;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[async_trait]
impl Postgres for FakePostgres {
    async fn step(&self, spec: &DatabaseSpec) -> Result<Option<Step>, PlaneError> {
        spec.check()?;
        let mut state = self.state();
        if let Some(snapshot) = spec.restore_from.as_ref().filter(|s| !state.snapshots.contains_key(*s))
            && !state.databases.contains_key(&spec.name)
        {
            return Err(PlaneError::asked(format!("there is no snapshot '{snapshot}'")));
        }
        let run = (state.pid(), self.clock.now());
        state.databases.entry(spec.name.clone()).or_insert_with(|| Database::new(spec));
        let above = state.databases.get(&spec.name).and_then(|d| state.above(d));
        let State { databases, early, installed, .. } = &mut *state;
        let database = databases.entry(spec.name.clone()).or_insert_with(|| Database::new(spec));
        if spec.source.is_some() && database.record.source != spec.source {
            let what = format!("database '{}': an independent database cannot become a replica", spec.name);
            return Err(PlaneError::asked(what));
        }
        for node in &spec.nodes {
            if let Some(fault) = early.remove(&(spec.name.clone(), node.name.clone())) {
                at(&mut database.nodes, &node.name).fault = Some(fault);
            }
        }
        database.installed = installed.unwrap_or(FIRST);
        let (record, asked) = (&mut database.record, spec.nodes.iter());
        let known = |name: &str| spec.node(name).is_some();
        let leaving: Vec<NodeRecord> = record.nodes.iter().filter(|n| !known(&n.name)).cloned().collect();
        record.running = spec.running;
        record.archive = spec.archive;
        let asked = asked.map(NodeRecord::from);
        record.nodes = asked.chain(leaving).collect();
        let step = plan::next(spec, &database.record, &database.seen(spec, above.as_ref()));
        if let Some(step) = &step {
            if let Some(why) = database.obstacle(step, above.as_ref()) {
                if *step == Step::Start(database.record.primary.clone()) {
                    database.record.unstartable = true;
                }
                return Err(PlaneError::machine(format!("database '{}': {why}", spec.name)));
            }
            let before = match step {
                Step::Stop(node) | Step::Fence(node) => database.nodes.get(node).and_then(|n| n.running),
                _ => None,
            };
            database.act(spec, step, run, above.as_ref());
            self.report_step(&spec.name, step, before.unwrap_or(run).0);
            self.decide(&spec.name, database);
            if let (Step::Prove, Some(standby)) = (step, database.record.standby()) {
                self.report(Event::Protected { database: spec.name.clone(), standby: standby.name.clone() });
            }
        }
        Ok(step)
    }

    async fn primary_matches(&self, spec: &DatabaseSpec) -> Result<bool, PlaneError> {
        let state = self.state();
        let database = state.databases.get(&spec.name);
        let matches =
            |d: &Database| plan::primary_matches(spec, &d.record, &d.seen(spec, state.above(d).as_ref()));
        Ok(database.is_some_and(matches))
    }

    async fn observe(&self, name: &str) -> Result<Option<Observed>, PlaneError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let has_base = state.snapshots.values().any(|s| s.database == name);
        if let Some(d) = state.databases.get_mut(name) {
            // A quiet server archives now and then. Rarely enough for a simulation to see that nothing else changes.
            let before = d.archived.and_then(|a| a.latest).filter(|at| now.since_ms(*at) < ARCHIVES_EVERY_MS);
            let latest = has_base.then(|| before.unwrap_or(now));
            let seen = ArchiveSeen { latest, failing_since: None, waiting_bytes: 0 };
            d.archived = d.record.archive.map(|_| seen);
        }
        drop(state);
        let state = self.state();
        Ok(state.databases.get(name).map(|d| d.observed(name, state.above(d).as_ref())))
    }

    async fn usage(&self, name: &str) -> Result<Option<Usage>, PlaneError> {
        Ok(self.state().databases.get(name).and_then(Database::usage))
    }

    async fn list(&self) -> Result<Vec<String>, PlaneError> {
        Ok(self.state().databases.keys().cloned().collect())
    }

    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover, PlaneError> {
        let mut state = self.state();
        let database = state.database(name)?;
        database.record.node(away_from)?;
        let done = Failover { fenced_ms: 0, promoted_ms: 0 };
        let primary = database.record.primary.clone();
        if primary != away_from && !database.runs(&primary) {
            let what = format!("cannot promote node '{primary}' of database '{name}'");
            return Err(PlaneError::machine(what).because("its server is not running"));
        }
        if primary != away_from {
            return Ok(done);
        }
        let refuse = |why: &str| PlaneError::asked(format!("cannot fail over database '{name}': {why}"));
        let standby =
            database.record.standby().map(|n| n.name.clone()).ok_or_else(|| refuse("no standby"))?;
        if database.record.protection != Protection::Protected {
            return Err(refuse("its standby was not in sync").retry(true));
        }
        if !database.answers(&standby) {
            return Err(PlaneError::machine(format!(
                "standby '{standby}' of database '{name}' does not answer"
            )));
        }
        self.move_primary(name, database, Reason::Requested);
        Ok(done)
    }

    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<(), PlaneError> {
        let mut state = self.state();
        let run = (state.pid(), self.clock.now());
        let installed = state.installed.unwrap_or(FIRST);
        for node in state.database(name)?.nodes.values_mut() {
            if node.running.is_some_and(|(_, since)| since < asked_at) {
                node.running = Some(run);
                node.release = installed;
                node.started_with = node.written.clone().unwrap_or_default();
            }
        }
        Ok(())
    }

    async fn snapshot(&self, name: &str, snapshot: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", snapshot)?;
        let mut state = self.state();
        let version = state.database(name)?.record.version;
        let (database, taken) = (name.to_owned(), self.clock.now());
        let made = Snapshot { name: snapshot.to_owned(), database, version, taken, size_bytes: 1 };
        let kept = state.snapshots.entry(snapshot.to_owned()).or_insert(made).clone();
        if kept.database == name {
            Ok(kept)
        } else {
            Err(PlaneError::asked(format!("there is a snapshot '{snapshot}' of another database")))
        }
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>, PlaneError> {
        Ok(self.state().snapshots.values().cloned().collect())
    }

    async fn delete_snapshot(&self, snapshot: &str) -> Result<(), PlaneError> {
        self.state().snapshots.remove(snapshot);
        Ok(())
    }

    async fn copy_snapshot(&self, from: &str, to: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", to)?;
        let mut state = self.state();
        let found = state.snapshots.get(from).cloned();
        let found = found.ok_or_else(|| PlaneError::asked(format!("there is no snapshot '{from}'")))?;
        let made = Snapshot { name: to.to_owned(), ..found };
        Ok(state.snapshots.entry(to.to_owned()).or_insert(made).clone())
    }

    async fn upgrade(&self, name: &str) -> Result<bool, PlaneError> {
        let mut state = self.state();
        let run = (state.pid(), self.clock.now());
        let d = state.database(name)?;
        let (observed, primary) = (d.observed(name, None), d.record.primary.clone());
        let standby = d.record.standby().map(|n| n.name.clone());
        let is_old = |node: &str| observed.is_outdated(node);
        if !is_old(&primary) && !standby.as_deref().is_some_and(is_old) {
            return Ok(false);
        }
        let restarted = match standby {
            Some(_) if d.record.protection != Protection::Protected => {
                let what = format!("cannot upgrade database '{name}': its standby is not in sync");
                return Err(PlaneError::machine(what));
            }
            Some(standby) if is_old(&standby) => standby,
            Some(_) => {
                self.move_primary(name, d, Reason::Requested);
                return Ok(true);
            }
            None => primary,
        };
        let installed = d.installed;
        let node = at(&mut d.nodes, &restarted);
        (node.running, node.release) = (Some(run), installed);
        Ok(true)
    }

    /// Its servers write nothing.
    async fn log(
        &self,
        name: &str,
        node: &str,
        after: Option<LogPlace>,
        _: usize,
    ) -> Result<LogChunk, PlaneError> {
        self.state().database(name)?.record.node(node)?;
        let next = after.unwrap_or(LogPlace { file: "postgresql-00.log".into(), offset: 0 });
        Ok(LogChunk { lines: vec![], next })
    }

    async fn trim(&self, name: &str, oldest_snapshot: Option<&str>) -> Result<(), PlaneError> {
        check_name("database", name)?;
        match oldest_snapshot.filter(|s| !self.state().snapshots.contains_key(*s)) {
            Some(snapshot) => Err(PlaneError::asked(format!("there is no snapshot '{snapshot}'"))),
            None => Ok(()),
        }
    }

    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<(), PlaneError> {
        if let Some(snapshot) = final_snapshot.filter(|_| self.state().databases.contains_key(name)) {
            self.snapshot(name, snapshot).await?;
        }
        self.state().databases.remove(name);
        Ok(())
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        *self.state() = State::default();
        Ok(())
    }
}
