//! The plane on real servers: its state directory, one lock per database, and observation.

use crate::{
    answer::Answer,
    binaries::{Binaries, RunAs},
    conf::{self, Above},
    plan::{self, Seen, Step},
    process::{self, Process},
    record::{NodeRecord, Record},
    session::Session,
    spec::*,
    turns::Turn,
};
use escale_base::{Clock, PlaneError, error::Context};
use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc};

/// The configuration of the plane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything that the plane makes is below it. The user `postgres` must be able to enter it.
    pub state: PathBuf,
    /// Interval of the probes of a pair. Three without an answer make a failover.
    pub heartbeat: Duration,
    /// How long commits wait for a standby that flushes nothing before they continue without it.
    pub standby_grace: Duration,
    pub clock: Clock,
}

impl Config {
    pub fn new(state: impl Into<PathBuf>) -> Config {
        Config {
            state: state.into(),
            heartbeat: Duration::from_millis(200),
            standby_grace: Duration::from_secs(1),
            clock: Clock::machine(),
        }
    }
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) user: RunAs,
    pub(crate) events: mpsc::Sender<Event>,
    /// One pass at a time per database, and one template at a time (the empty name).
    pub(crate) turns: Mutex<BTreeMap<String, Arc<Turn>>>,
    /// Since when standbys do not answer. A new daemon begins to count again.
    pub(crate) silences: Mutex<BTreeMap<(String, String), Instant>>,
    /// Notified when a server was started or a database made, so that the supervision looks at once.
    pub(crate) looked: Notify,
    /// What is known of the archives.
    pub(crate) archives: Mutex<BTreeMap<String, ArchiveSeen>>,
    /// The releases of installed programs.
    pub(crate) releases: Mutex<Vec<crate::upgrade::Asked>>,
}

/// Everything that the plane makes is in these folders of its state.
pub(crate) const FOLDERS: [&str; 4] = ["databases", "snapshots", "templates", "archives"];

impl Inner {
    pub(crate) fn new(mut config: Config, events: mpsc::Sender<Event>) -> Result<Inner, PlaneError> {
        let user = RunAs::probe()?;
        let at = config.state.clone();
        for dir in FOLDERS {
            make_dir(&at.join(dir), None, 0o711)?;
        }
        config.state = at.canonicalize().machine(|| format!("open {}", at.display()))?;
        may_enter(&config.state, &user)?;
        let (turns, silences) = (Mutex::default(), Mutex::default());
        let (archives, releases) = (Mutex::default(), Mutex::default());
        Ok(Inner { config, user, events, turns, silences, looked: Notify::new(), archives, releases })
    }

    pub(crate) fn dir(&self, database: &str) -> PathBuf {
        self.config.state.join("databases").join(database)
    }

    pub(crate) fn node_dir(&self, database: &str, node: &str) -> PathBuf {
        self.dir(database).join(node)
    }

    pub(crate) fn data(&self, database: &str, node: &str) -> PathBuf {
        self.node_dir(database, node).join("data")
    }

    pub(crate) fn binaries(&self, version: u32) -> Result<Binaries, PlaneError> {
        Binaries::probe(version)
    }

    /// An error when the database does not exist.
    pub(crate) fn record(&self, database: &str) -> Result<Record, PlaneError> {
        check_name("database", database)?;
        Record::load(&self.dir(database))?
            .ok_or_else(|| PlaneError::asked(format!("there is no database '{database}'")))
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, PlaneError> {
        names_in(&self.config.state.join("databases"))
    }

    pub(crate) async fn session(&self, database: &str, node: &str, port: u16) -> Result<Session, PlaneError> {
        Session::open(&self.node_dir(database, node).join("socket"), port, "postgres").await
    }

    /// The record of the database, updated from the spec: created if there is none, with new nodes added.
    pub(crate) fn adopt(&self, spec: &DatabaseSpec) -> Result<Record, PlaneError> {
        spec.check()?;
        let dir = self.dir(&spec.name);
        let asked = spec.nodes.iter().map(NodeRecord::from);
        let Some(old) = Record::load(&dir)? else {
            // Checked before anything is created, so that a missing installation leaves nothing behind.
            self.binaries(spec.version)?;
            make_dir(&dir, None, 0o711)?;
            let password = escale_base::Secret::new(escale_base::ids::random_hex(32));
            let record = Record::new(spec, password);
            record.save(&dir)?;
            self.looked.notify_one();
            return Ok(record);
        };
        let cannot = |what: String| Err(PlaneError::asked(format!("database '{}': {what}", spec.name)));
        if spec.source.is_some() && old.source != spec.source {
            return cannot("an independent database cannot become a replica".into());
        }
        if old.deleting {
            return cannot("it is being deleted".into());
        }
        if old.version != spec.version {
            return cannot(format!("an upgrade from {} to {} is not supported", old.version, spec.version));
        }
        if spec.node(&old.primary).is_none() {
            return cannot(format!("node '{}' is the primary and cannot be removed", old.primary));
        }
        let mut record = old.clone();
        // Before a server is stopped, so that no observer takes it for a failure.
        record.running = spec.running;
        record.witness.clone_from(&spec.witness);
        record.archive = spec.archive;
        // A node that is leaving stays recorded until its step has removed it.
        let leaving = old.nodes.iter().filter(|n| spec.node(&n.name).is_none()).cloned();
        record.nodes = match leaving.collect::<Vec<_>>() {
            none if none.is_empty() => asked.collect(),
            // One change at a time: new nodes are added when the leaving ones are removed.
            some => asked.filter(|n| old.node(&n.name).is_ok()).chain(some).collect(),
        };
        if record != old {
            record.save(&dir)?;
        }
        Ok(record)
    }

    /// Takes at most one step and returns it; `None` when the database matches the spec.
    pub(crate) async fn step(&self, spec: &DatabaseSpec) -> Result<Option<Step>, PlaneError> {
        let record = self.adopt(spec)?;
        let seen = self.look(spec, &record).await?;
        let step = plan::next(spec, &record, &seen);
        if let Some(step) = &step {
            tracing::debug!(database = spec.name, ?step, "step");
            self.act(spec, record, step).await?;
        }
        Ok(step)
    }

    /// Changes nothing, so it needs no lock.
    pub(crate) async fn primary_matches(&self, spec: &DatabaseSpec) -> Result<bool, PlaneError> {
        let record = self.record(&spec.name)?;
        let seen = self.look(spec, &record).await?;
        Ok(plan::primary_matches(spec, &record, &seen))
    }

    async fn look(&self, spec: &DatabaseSpec, record: &Record) -> Result<Seen, PlaneError> {
        let answers = self.ask_all(&spec.name, record).await;
        let own = record.nodes.iter().zip(&answers).find(|(n, _)| n.name == record.primary);
        let upstream = self.source_of(record)?;
        let above = match &upstream {
            Some(up) => self.ask(&up.database, &up.node, up.port).await,
            None => own.and_then(|(_, a)| a.clone()),
        };
        let floors = above.as_ref().map(|a| a.floors.clone()).unwrap_or_default();
        let wanted = Above { floors, source: upstream };
        let mut seen = Seen::default();
        let password = spec.admin.password.reveal();
        seen.password_differs =
            !record.admin_verifier.as_ref().is_some_and(|v| crate::scram::matches(v, password));
        seen.stale_slots = above.as_ref().filter(|_| record.source.is_none()).map_or(vec![], |a| {
            let nodes = record.nodes.iter().map(|n| &n.name).chain(spec.replicas.iter().map(|r| &r.node));
            let known: Vec<String> = nodes.map(|name| conf::slot(name)).collect();
            a.slots.iter().filter(|slot| !known.contains(slot)).cloned().collect()
        });
        for (node, answer) in record.nodes.iter().zip(&answers) {
            let data = self.data(&spec.name, &node.name);
            let server = Process::server_of(&data);
            if answer.is_some() {
                self.heard(&spec.name, &node.name);
            }
            seen.nodes.push(plan::Node {
                name: node.name.clone(),
                has_data: data.join("PG_VERSION").exists(),
                running: server.is_some(),
                dying: server.is_some_and(|s| s.is_dying()),
                configured: self.configured(spec, record, &node.name, &wanted),
                in_recovery: answer.as_ref().map(|a| a.in_recovery),
                streaming: above.as_ref().is_some_and(|p| p.streams(&node.name)),
                too_low: record.source.is_some()
                    && answer.as_ref().is_some_and(|a| a.is_below(&wanted.floors)),
            });
        }
        Ok(seen)
    }

    fn configured(&self, spec: &DatabaseSpec, record: &Record, node: &str, above: &Above) -> bool {
        let Some(asked) = spec.node(node) else { return true };
        let dir = self.node_dir(&spec.name, node);
        let same = |file: &str, text: String| {
            std::fs::read(dir.join(file)).is_ok_and(|found| found == text.as_bytes())
        };
        let copied = |from: &Path, to: &str| {
            std::fs::read(from).ok().is_some_and(|a| std::fs::read(dir.join(to)).is_ok_and(|b| a == b))
        };
        same("postgresql.conf", conf::server(spec, record, asked, &dir, above))
            && same("pg_hba.conf", conf::access(spec))
            && spec
                .tls
                .as_ref()
                .is_none_or(|tls| copied(&tls.certificate, "server.crt") && copied(&tls.key, "server.key"))
    }

    /// The reports of all nodes. A node that will be rebuilt is not asked: its answer is of no use, and it may be stuck.
    async fn ask_all(&self, database: &str, record: &Record) -> Vec<Option<Answer>> {
        let ask = async |node: &NodeRecord| {
            if record.rebuild.contains(&node.name) {
                return None;
            }
            self.ask(database, &node.name, record.port).await
        };
        futures_util::future::join_all(record.nodes.iter().map(ask)).await
    }

    /// A server's own report; `None` if it does not answer.
    pub(crate) async fn ask(&self, database: &str, node: &str, port: u16) -> Option<Answer> {
        Process::server_of(&self.data(database, node))?;
        let session = self.session(database, node, port).await.ok()?;
        match Answer::ask(&session).await {
            Ok(answer) => Some(answer),
            Err(e) => {
                tracing::debug!(database, node, "the server does not answer: {e}");
                None
            }
        }
    }

    pub(crate) async fn observe(&self, name: &str) -> Result<Option<Observed>, PlaneError> {
        check_name("database", name)?;
        let Some(record) = Record::load(&self.dir(name))? else { return Ok(None) };
        let answers = self.ask_all(name, &record).await;
        let pid = |node: &NodeRecord| Process::server_of(&self.data(name, &node.name)).map(|p| p.pid);
        let found: Vec<_> = record.nodes.iter().zip(answers).map(|(node, a)| (node, pid(node), a)).collect();
        let primary = found.iter().find(|(n, ..)| n.name == record.primary).and_then(|f| f.2.clone());
        let source = record.source.clone().map(|database| Following {
            database,
            streams: primary.as_ref().is_some_and(|a| a.receives),
            lag_ms: primary.as_ref().and_then(|a| a.lag_ms),
        });
        let nodes = found.into_iter().map(|(node, pid, answer)| {
            let role = match (&answer, pid) {
                (_, None) => NodeRole::Down,
                (None, _) => NodeRole::Unresponsive,
                (Some(a), _) if a.in_recovery => NodeRole::Standby,
                (Some(_), _) => NodeRole::Primary,
            };
            let gone = Replication { state: ReplicationState::Disconnected, lag_bytes: None };
            let replication = primary.as_ref().map(|p| p.replicas.get(&node.name).copied().unwrap_or(gone));
            NodeSeen {
                name: node.name.clone(),
                zone: node.zone.clone(),
                role,
                pid,
                ready_since: answer.as_ref().map(|a| a.started),
                replication: replication.filter(|_| node.name != record.primary),
                timeline: answer.as_ref().map(|a| a.timeline),
                release: answer.as_ref().and_then(|a| a.release),
                pending_restart: answer.map(|a| a.pending_restart).unwrap_or_default(),
            }
        });
        Ok(Some(Observed {
            watched: record.is_watched(),
            archive: self.archive_seen(name).filter(|_| record.archive.is_some()),
            installed: self.installed_release(record.version),
            source,
            name: name.to_owned(),
            version: record.version,
            nodes: nodes.collect(),
            primary: record.primary,
            protection: record.protection,
            epoch: record.epoch,
        }))
    }

    pub(crate) async fn report(&self, event: Event) {
        tracing::info!(?event);
        // Without a receiver the event is dropped.
        let _ = self.events.send(event).await;
    }

    /// Kills all processes of a node and waits until they are dead.
    pub(crate) async fn fence(&self, database: &str, node: &str) -> Result<(), PlaneError> {
        process::fence(&self.data(database, node)).await
    }
}

pub(crate) fn make_dir(dir: &Path, owner: Option<&RunAs>, mode: u32) -> Result<(), PlaneError> {
    let what = || format!("make the directory {}", dir.display());
    // Whatever the umask: the servers' user must be able to pass through all of them, and no other user needs to list them.
    for above in dir.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        if !above.as_os_str().is_empty() && !above.exists() {
            make_one(above).machine(what)?;
            std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o711)).machine(what)?;
        }
    }
    make_one(dir).machine(what)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).machine(what)?;
    if let Some(user) = owner {
        std::os::unix::fs::chown(dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).machine(what)?;
    }
    Ok(())
}

fn make_one(dir: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(dir) {
        Err(_) if dir.is_dir() => Ok(()),
        made => made,
    }
}

pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>, PlaneError> {
    let entries = std::fs::read_dir(dir).machine(|| format!("list {}", dir.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|name| check_name("", name).is_ok())
        .collect();
    names.sort();
    Ok(names)
}

/// The servers run as another user, who must be able to enter every directory above the state.
fn may_enter(state: &Path, user: &RunAs) -> Result<(), PlaneError> {
    for dir in state.ancestors() {
        let meta = dir.metadata().machine(|| format!("read the metadata of {}", dir.display()))?;
        let owns = meta.uid() == user.uid.as_raw() && meta.mode() & 0o100 != 0;
        let group = meta.gid() == user.gid.as_raw() && meta.mode() & 0o010 != 0;
        if !owns && !group && meta.mode() & 0o001 == 0 {
            return Err(PlaneError::machine(format!(
                "the user '{}' cannot enter {}, which is a parent of the database files: run chmod o+x on it, or choose \
                 another state directory",
                user.name,
                dir.display()
            ))
            .retry(false));
        }
    }
    Ok(())
}
