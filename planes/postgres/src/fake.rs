//! The plane without servers: the same plan and the same refusals, on nodes in memory. For tests of the layers
//! above. It holds no rows and does not know the bounds of parameters.

use crate::{
    Postgres,
    plan::{self, Seen, Step},
    record::{NodeRecord, Record},
    spec::*,
    steps::mark,
};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, Secret, Timestamp, limits::PLANE_EVENTS};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};
use tokio::sync::mpsc;

/// Settings that need a restart, as far as the fake knows.
const STATIC: &[&str] = &["max_connections", "shared_buffers", "max_worker_processes", "wal_buffers"];

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
    dark: BTreeSet<String>,
    pids: u32,
}

struct Database {
    record: Record,
    /// In clear text: real servers keep a verifier, which takes thousands of hashes to make or to check.
    password: Option<Secret<String>>,
    nodes: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    has_data: bool,
    /// Pid and start time.
    running: Option<(u32, Timestamp)>,
    written: Option<Settings>,
    started_with: Settings,
    timeline: u32,
}

/// Parameters, whether it is the primary, and whether commits wait.
type Settings = (BTreeMap<String, String>, bool, bool);

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

    /// The effect of a `kill -9` of a real server. A dead standby is given up at once: the grace period is zero here.
    pub fn kill(&self, database: &str, node: &str) {
        let mut state = self.state();
        let Some(d) = state.databases.get_mut(database) else { return };
        let Some((pid, _)) = d.nodes.get_mut(node).and_then(|n| n.running.take()) else { return };
        let (database, standby) = (database.to_owned(), node.to_owned());
        self.report(Event::NodeDied { database: database.clone(), node: standby.clone(), pid });
        let primary_runs = d.nodes.get(&d.record.primary).is_some_and(|n| n.running.is_some());
        if primary_runs && d.record.protection != Protection::Alone {
            d.record.protection = Protection::Alone;
            self.report(Event::Degraded { database, standby });
        }
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

impl State {
    fn database(&mut self, name: &str) -> Result<&mut Database, PlaneError> {
        let found = self.databases.get_mut(name);
        found.ok_or_else(|| PlaneError::asked(format!("there is no database '{name}'")))
    }

    fn pid(&mut self) -> u32 {
        self.pids += 1;
        self.pids
    }
}

fn at<'a>(nodes: &'a mut BTreeMap<String, Node>, name: &str) -> &'a mut Node {
    nodes.entry(name.to_owned()).or_default()
}

fn settings(spec: &DatabaseSpec, record: &Record, node: &str) -> Settings {
    let primary = record.primary == node;
    (spec.parameters.clone(), primary, primary && record.protection != Protection::Alone)
}

impl Database {
    fn new(spec: &DatabaseSpec) -> Database {
        let record = Record {
            version: spec.version,
            port: spec.port,
            primary: spec.nodes[0].name.clone(),
            protection: Protection::Alone,
            epoch: 0,
            rebuild: vec![],
            nodes: vec![],
            bootstrapped: false,
            admin_verifier: None,
            replicator_password: Secret::default(),
            deleting: false,
        };
        Database { record, password: None, nodes: BTreeMap::new() }
    }

    fn seen(&self, spec: &DatabaseSpec, dark: &BTreeSet<String>) -> Seen {
        let up = |name: &str| self.nodes.get(name).is_some_and(|n| n.running.is_some());
        let node = |n: &NodeRecord| plan::Node {
            name: n.name.clone(),
            has_data: self.nodes.get(&n.name).is_some_and(|n| n.has_data),
            running: up(&n.name),
            configured: self.nodes.get(&n.name).and_then(|n| n.written.as_ref())
                == Some(&settings(spec, &self.record, &n.name)),
            in_recovery: up(&n.name).then_some(n.name != self.record.primary),
            streaming: up(&n.name) && up(&self.record.primary),
        };
        let password = self.password.as_ref().map(Secret::reveal);
        Seen {
            nodes: self.record.nodes.iter().map(node).collect(),
            password_differs: password != Some(spec.admin.password.reveal()),
            dark_zones: dark.clone(),
        }
    }

    fn act(&mut self, spec: &DatabaseSpec, step: &Step, run: (u32, Timestamp)) {
        let record = &mut self.record;
        let wanted = |record: &Record, name: &str| settings(spec, record, name);
        let nodes = &mut self.nodes;
        match step {
            Step::Create(name) => {
                let with = wanted(record, name);
                *at(nodes, name) = Node {
                    has_data: true,
                    running: Some(run),
                    written: Some(with.clone()),
                    started_with: with,
                    timeline: 1,
                };
            }
            Step::Configure(name) => at(nodes, name).written = Some(wanted(record, name)),
            Step::Start(name) => {
                let node = at(nodes, name);
                node.running = Some(run);
                node.started_with = node.written.clone().unwrap_or_default();
            }
            Step::Stop(name) | Step::Fence(name) => at(nodes, name).running = None,
            Step::Rebuild(name) => {
                let timeline = at(nodes, &record.primary).timeline;
                let node = at(nodes, name);
                (node.has_data, node.running, node.timeline) = (true, None, timeline);
                record.rebuild.retain(|n| n != name);
            }
            Step::Bootstrap => record.bootstrapped = true,
            Step::SetPassword => self.password = Some(spec.admin.password.clone()),
            Step::Arm => record.protection = Protection::Arming,
            Step::Prove => record.protection = Protection::Protected,
            Step::Disarm => record.protection = Protection::Alone,
            Step::Remove(name) => {
                record.protection = Protection::Alone;
                record.nodes.retain(|n| n.name != *name);
                nodes.remove(name);
            }
            Step::SetPort => record.port = spec.port,
            // A fake server answers at once.
            Step::Await(_) | Step::Promote(_) | Step::AwaitStreaming(_) => {}
        }
    }

    fn observed(&self, name: &str) -> Observed {
        let up = |name: &str| self.nodes.get(name).and_then(|n| n.running);
        let replication = |node: &str| match (up(node), self.record.protection) {
            (None, _) => Replication { state: ReplicationState::Disconnected, lag_bytes: None },
            (_, Protection::Alone) => Replication { state: ReplicationState::Async, lag_bytes: Some(0) },
            _ => Replication { state: ReplicationState::Sync, lag_bytes: Some(0) },
        };
        let node = |n: &NodeRecord| {
            let (running, primary) = (up(&n.name), n.name == self.record.primary);
            let known = self.nodes.get(&n.name).filter(|_| running.is_some());
            let pending = known.map(|k| {
                let now = k.written.clone().unwrap_or_default().0;
                let differs = |s: &&&str| now.get(**s) != k.started_with.0.get(**s);
                STATIC.iter().filter(differs).map(|s| s.to_string()).collect()
            });
            NodeSeen {
                name: n.name.clone(),
                zone: n.zone.clone(),
                role: match (running, primary) {
                    (None, _) => NodeRole::Down,
                    (_, true) => NodeRole::Primary,
                    _ => NodeRole::Standby,
                },
                pid: running.map(|r| r.0),
                ready_since: running.map(|r| r.1),
                replication: up(&self.record.primary).filter(|_| !primary).map(|_| replication(&n.name)),
                timeline: known.map(|k| k.timeline),
                pending_restart: pending.unwrap_or_default(),
            }
        };
        Observed {
            name: name.to_owned(),
            version: self.record.version,
            primary: self.record.primary.clone(),
            protection: self.record.protection,
            epoch: self.record.epoch,
            nodes: self.record.nodes.iter().map(node).collect(),
        }
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
        let (dark, run) = (state.dark.clone(), (state.pid(), self.clock.now()));
        let database = state.databases.entry(spec.name.clone()).or_insert_with(|| Database::new(spec));
        let (record, asked) = (&mut database.record, spec.nodes.iter());
        let known = |name: &str| spec.node(name).is_some();
        let leaving: Vec<NodeRecord> = record.nodes.iter().filter(|n| !known(&n.name)).cloned().collect();
        let asked = asked.map(|n| NodeRecord {
            name: n.name.clone(),
            zone: n.zone.clone(),
            namespace: n.namespace.clone(),
        });
        record.nodes = asked.chain(leaving).collect();
        let step = plan::next(spec, &database.record, &database.seen(spec, &dark))
            .map_err(|zone| PlaneError::machine(format!("zone '{zone}' has no power")))?;
        if let Some(step) = &step {
            let before = match step {
                Step::Stop(node) | Step::Fence(node) => database.nodes.get(node).and_then(|n| n.running),
                _ => None,
            };
            database.act(spec, step, run);
            self.report_step(&spec.name, step, before.unwrap_or(run).0);
            if let (Step::Prove, Some(standby)) = (step, database.record.standby()) {
                self.report(Event::Protected { database: spec.name.clone(), standby: standby.name.clone() });
            }
        }
        Ok(step)
    }

    async fn observe(&self, name: &str) -> Result<Option<Observed>, PlaneError> {
        Ok(self.state().databases.get(name).map(|d| d.observed(name)))
    }

    async fn list(&self) -> Result<Vec<String>, PlaneError> {
        Ok(self.state().databases.keys().cloned().collect())
    }

    async fn failover(&self, name: &str, away_from: &str) -> Result<Failover, PlaneError> {
        let mut state = self.state();
        let database = state.database(name)?;
        database.record.node(away_from)?;
        let done = Failover { fenced_ms: 0, promoted_ms: 0 };
        if database.record.primary != away_from {
            return Ok(done);
        }
        let refuse = |why: &str| PlaneError::asked(format!("cannot fail over database '{name}': {why}"));
        let standby =
            database.record.standby().map(|n| n.name.clone()).ok_or_else(|| refuse("no standby"))?;
        if database.record.protection != Protection::Protected {
            return Err(refuse("its standby was not in sync").retry(true));
        }
        let node = database.nodes.entry(standby.clone()).or_default();
        if node.running.is_none() {
            return Err(PlaneError::machine(format!(
                "standby '{standby}' of database '{name}' does not answer"
            )));
        }
        node.timeline += 1;
        database.nodes.entry(away_from.to_owned()).or_default().running = None;
        database.record.primary.clone_from(&standby);
        database.record.protection = Protection::Alone;
        database.record.epoch += 1;
        mark(&mut database.record.rebuild, away_from);
        self.report(Event::FailedOver { database: name.to_owned(), from: away_from.to_owned(), to: standby });
        Ok(done)
    }

    async fn restart(&self, name: &str, asked_at: Timestamp) -> Result<(), PlaneError> {
        let mut state = self.state();
        let run = (state.pid(), self.clock.now());
        for node in state.database(name)?.nodes.values_mut() {
            if node.running.is_some_and(|(_, since)| since < asked_at) {
                node.running = Some(run);
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

    async fn delete(&self, name: &str, final_snapshot: Option<&str>) -> Result<(), PlaneError> {
        if let Some(snapshot) = final_snapshot.filter(|_| self.state().databases.contains_key(name)) {
            self.snapshot(name, snapshot).await?;
        }
        self.state().databases.remove(name);
        Ok(())
    }

    async fn power_off(&self, zone: &str) -> Result<(), PlaneError> {
        let mut state = self.state();
        state.dark.insert(zone.to_owned());
        for database in state.databases.values_mut() {
            for n in database.record.nodes.iter().filter(|n| n.zone == zone) {
                database.nodes.entry(n.name.clone()).or_default().running = None;
            }
        }
        Ok(())
    }

    async fn power_on(&self, zone: &str) -> Result<(), PlaneError> {
        self.state().dark.remove(zone);
        Ok(())
    }

    async fn wipe(&self) -> Result<(), PlaneError> {
        *self.state() = State::default();
        Ok(())
    }
}
