//! What one database of the fake does.

use super::*;
use std::time::Duration;

pub(super) fn at<'a>(nodes: &'a mut BTreeMap<String, Node>, name: &str) -> &'a mut Node {
    nodes.entry(name.to_owned()).or_default()
}

/// The primary of a copy's source.
pub(super) struct Above {
    pub(super) primary: String,
    pub(super) answers: bool,
    pub(super) rows: BTreeSet<u64>,
    pub(super) timeline: u32,
}

fn settings(spec: &DatabaseSpec, record: &Record, node: &str, above: Option<&Above>) -> Settings {
    let primary = record.primary == node;
    let follows = above.filter(|_| spec.source.is_some()).map(|a| a.primary.clone());
    (spec.parameters.clone(), primary, primary && record.protection != Protection::Alone, follows)
}

impl Node {
    /// A new primary that runs.
    fn created(with: Settings, run: (u32, Timestamp), release: Release) -> Node {
        Node {
            fault: None,
            rows: BTreeSet::new(),
            writes: true,
            has_data: true,
            running: Some(run),
            written: Some(with.clone()),
            started_with: with,
            timeline: 1,
            release,
        }
    }
}

impl Database {
    pub(super) fn new(spec: &DatabaseSpec) -> Database {
        let record = Record::new(spec, Secret::default());
        Database {
            record,
            password: None,
            nodes: BTreeMap::new(),
            written: 0,
            archived: None,
            installed: FIRST,
        }
    }

    /// A server without clients, which has written what the steps wrote.
    pub(super) fn usage(&self) -> Option<Usage> {
        let primary = &self.record.primary;
        let (pid, _) = self.nodes.get(primary)?.running.filter(|_| self.commits(primary))?;
        Some(Usage {
            pid,
            connections: 0,
            oldest_transaction_age: 1,
            wal_position: self.written,
            cpu: Duration::ZERO,
            processors: 1,
            read_bytes: 0,
            written_bytes: 0,
            network: None,
            free_disk_bytes: 1 << 30,
            free_memory_bytes: 1 << 30,
            lag_ms: self.record.source.as_ref().map(|_| 0),
        })
    }

    pub(super) fn fault(&self, name: &str) -> Option<Fault> {
        self.nodes.get(name).and_then(|n| n.fault)
    }

    pub(super) fn runs(&self, name: &str) -> bool {
        self.nodes.get(name).is_some_and(|n| n.running.is_some())
    }

    pub(super) fn answers(&self, name: &str) -> bool {
        self.runs(name) && !matches!(self.fault(name), Some(Fault::Frozen | Fault::Cut | Fault::ZoneLost))
    }

    pub(super) fn commits(&self, name: &str) -> bool {
        self.answers(name) && self.fault(name) != Some(Fault::DiskStuck)
    }

    /// Whether the standby flushes what the primary sends.
    pub(super) fn streams(&self, standby: &str) -> bool {
        let follows = !self.record.rebuild.iter().any(|n| n == standby);
        follows && self.commits(standby) && self.answers(&self.record.primary)
    }

    /// Whether the copy receives the rows of this primary.
    pub(super) fn follows(&self, above: &Above) -> bool {
        let copy = &self.record.primary;
        let points = self.nodes.get(copy).is_some_and(|n| n.started_with.3.as_ref() == Some(&above.primary));
        let is_whole = !self.record.rebuild.contains(copy);
        let known = self.nodes.get(copy).is_some_and(|n| !n.writes && n.rows.is_subset(&above.rows));
        points && is_whole && known && self.commits(copy) && above.answers
    }

    /// A server that only died is back before the observers' verdict.
    pub(super) fn can_restart(&self, name: &str) -> bool {
        !self.runs(name) && self.fault(name).is_none()
    }

    pub(super) fn seen(&self, spec: &DatabaseSpec, above: Option<&Above>) -> Seen {
        let up = |name: &str| self.runs(name);
        let node = |n: &NodeRecord| plan::Node {
            name: n.name.clone(),
            has_data: self.nodes.get(&n.name).is_some_and(|n| n.has_data),
            running: up(&n.name),
            configured: self.nodes.get(&n.name).and_then(|n| n.written.as_ref())
                == Some(&settings(spec, &self.record, &n.name, above)),
            in_recovery: self.answers(&n.name).then_some(self.recovers(&n.name)),
            streaming: match self.record.source {
                Some(_) => above.is_some_and(|a| self.follows(a)),
                None => self.streams(&n.name),
            },
            dying: false,
            too_low: false,
        };
        let password = self.password.as_ref().map(Secret::reveal);
        Seen {
            nodes: self.record.nodes.iter().map(node).collect(),
            password_differs: password != Some(spec.admin.password.reveal()),
            stale_slots: vec![],
        }
    }

    fn recovers(&self, name: &str) -> bool {
        let writes = self.nodes.get(name).is_some_and(|n| n.writes);
        if self.record.source.is_some() { !writes } else { name != self.record.primary }
    }

    /// The reason why a real server would not complete this step.
    pub(super) fn obstacle(&self, step: &Step, above: Option<&Above>) -> Option<String> {
        let broken = |node: &str| self.fault(node).map(|fault| format!("node '{node}' is broken: {fault:?}"));
        let primary = &self.record.primary;
        match step {
            // A frozen process ends when it is thawed.
            Step::Fence(node) | Step::Stop(node) => match self.fault(node) {
                Some(Fault::Frozen | Fault::DiskStuck | Fault::ZoneLost) => broken(node),
                _ => None,
            },
            Step::Rebuild(node) | Step::AwaitStreaming(node) if self.record.source.is_some() => match above {
                None => Some("its source does not exist".into()),
                Some(above) if !above.answers => Some("its source does not answer".into()),
                Some(_) => broken(node),
            },
            Step::Create(node) | Step::Start(node) | Step::Await(node) => broken(node),
            Step::Rebuild(node) | Step::AwaitStreaming(node) => broken(node).or_else(|| broken(primary)),
            Step::Bootstrap | Step::PrepareHeartbeat | Step::SetPassword => broken(primary),
            Step::Prove => broken(primary).or_else(|| self.record.standby().and_then(|s| broken(&s.name))),
            _ => None,
        }
    }

    pub(super) fn act(
        &mut self,
        spec: &DatabaseSpec,
        step: &Step,
        run: (u32, Timestamp),
        above: Option<&Above>,
    ) {
        let record = &mut self.record;
        let wanted = |record: &Record, name: &str| settings(spec, record, name, above);
        let nodes = &mut self.nodes;
        match step {
            Step::Create(name) => {
                let with = wanted(record, name);
                *at(nodes, name) = Node::created(with, run, self.installed);
            }
            Step::Configure(name) => {
                let with = wanted(record, name);
                let node = at(nodes, name);
                // A reload changes whether commits wait.
                node.started_with.2 = with.2;
                node.started_with.3.clone_from(&with.3);
                node.written = Some(with);
            }
            Step::Start(name) => {
                record.unstartable &= *name != record.primary;
                let installed = self.installed;
                let node = at(nodes, name);
                node.running = Some(run);
                node.release = installed;
                node.started_with = node.written.clone().unwrap_or_default();
            }
            Step::Stop(name) | Step::Fence(name) | Step::LeaveBehind(name) => at(nodes, name).running = None,
            Step::Rebuild(name) => {
                let (timeline, rows) = match above {
                    Some(above) => (above.timeline, above.rows.clone()),
                    None => (at(nodes, &record.primary).timeline, at(nodes, &record.primary).rows.clone()),
                };
                let node = at(nodes, name);
                (node.has_data, node.running, node.timeline) = (true, None, timeline);
                (node.rows, node.writes) = (rows, false);
                record.rebuild.retain(|n| n != name);
            }
            Step::Bootstrap => (record.bootstrapped, record.source) = (true, None),
            Step::PrepareHeartbeat => record.heartbeat = true,
            Step::SetPassword => self.password = Some(spec.admin.password.clone()),
            Step::Arm => record.protection = Protection::Arming,
            Step::Prove => {
                record.protection = Protection::Protected;
                let rows = at(nodes, &record.primary).rows.clone();
                if let Some(standby) = record.standby().map(|n| n.name.clone()) {
                    at(nodes, &standby).rows = rows;
                }
            }
            Step::Disarm => record.protection = Protection::Alone,
            Step::Remove(name) => {
                record.protection = Protection::Alone;
                record.nodes.retain(|n| n.name != *name);
                nodes.remove(name);
            }
            Step::SetPort => record.port = spec.port,
            Step::Promote(_) | Step::AwaitStreaming(_) => self.act_of_copy(step, above),
            // A fake server answers at once.
            Step::Await(_) | Step::DropSlot(_) => {}
        }
    }

    /// The steps that only a copy of another database needs.
    fn act_of_copy(&mut self, step: &Step, above: Option<&Above>) {
        let (record, nodes) = (&mut self.record, &mut self.nodes);
        match step {
            _ if record.source.is_none() => {}
            Step::Promote(name) => {
                let node = at(nodes, name);
                node.writes = true;
                node.timeline += 1;
            }
            Step::AwaitStreaming(name) => match above {
                Some(above) if at(nodes, name).rows.is_subset(&above.rows) => {
                    at(nodes, name).rows.clone_from(&above.rows);
                }
                // It has a row that the new primary of its source lacks.
                _ => crate::steps::mark(&mut record.rebuild, name),
            },
            _ => {}
        }
    }

    pub(super) fn observed(&self, name: &str, above: Option<&Above>) -> Observed {
        let up = |name: &str| self.nodes.get(name).and_then(|n| n.running);
        let replication = |node: &str| match (self.streams(node), self.record.protection) {
            (false, _) => Replication { state: ReplicationState::Disconnected, lag_bytes: None },
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
                    _ if !self.answers(&n.name) => NodeRole::Unresponsive,
                    _ if self.recovers(&n.name) => NodeRole::Standby,
                    _ => NodeRole::Primary,
                },
                pid: running.map(|r| r.0),
                ready_since: running.map(|r| r.1),
                replication: up(&self.record.primary).filter(|_| !primary).map(|_| replication(&n.name)),
                timeline: known.map(|k| k.timeline),
                release: known.map(|k| k.release),
                pending_restart: pending.unwrap_or_default(),
            }
        };
        Observed {
            name: name.to_owned(),
            version: self.record.version,
            primary: self.record.primary.clone(),
            protection: self.record.protection,
            epoch: self.record.epoch,
            watched: true,
            archive: self.archived,
            installed: Some(self.installed),
            source: self.record.source.clone().map(|database| {
                let streams = above.is_some_and(|a| self.follows(a));
                Following { database, streams, lag_ms: Some(0).filter(|_| streams) }
            }),
            nodes: self.record.nodes.iter().map(node).collect(),
        }
    }
}
