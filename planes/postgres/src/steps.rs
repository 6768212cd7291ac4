//! The implementation of each step of the plan. Every step may be cut off anywhere and repeated.

use crate::{
    conf::{self, Above},
    plan::Step,
    plane::{Inner, make_dir},
    process::{self, Process, Tool},
    record::{Record, replace},
    scram,
    session::{ident, literal},
    spec::*,
};
use escale_base::{PlaneError, error::Context};
use rustix::process::Signal;
use std::{path::Path, time::Duration};

/// A server that has not started after this time is reported, and checked again in the next pass.
const START: Duration = Duration::from_secs(60);
/// A fast shutdown writes a checkpoint; after this time the server is killed, which loses no data.
const STOP: Duration = Duration::from_secs(30);
/// How long one pass waits for a standby to answer. Until it does for [`START`] in total, it is checked again.
const STANDBY: Duration = Duration::from_secs(5);
/// How long one pass waits for a standby to stream before it lets others have the database.
pub(crate) const STREAM: Duration = Duration::from_secs(10);
/// Pause between two checks of a socket or a file, which send no event to wait for.
pub(crate) const POLL: Duration = Duration::from_millis(3);

/// Evaluates an expression repeatedly until it gives a value or the time is over. A macro, because the future of an
/// `AsyncFnMut` cannot be declared `Send`.
macro_rules! until {
    ($limit:expr, $ask:expr) => {{
        let end = std::time::Instant::now() + $limit;
        let mut tick = tokio::time::interval($crate::steps::POLL);
        loop {
            tick.tick().await;
            if let Some(found) = $ask {
                break Some(found);
            }
            if std::time::Instant::now() > end {
                break None;
            }
        }
    }};
}
pub(crate) use until;

impl Inner {
    pub(crate) async fn act(
        &self,
        spec: &DatabaseSpec,
        mut record: Record,
        step: &Step,
    ) -> Result<(), PlaneError> {
        let name = spec.name.as_str();
        match step {
            Step::Create(node) => self.create(spec, &record, node).await,
            Step::Configure(node) => self.configure(spec, &record, node).await,
            Step::Start(node) => self.start_and_note(name, &mut record, node).await,
            Step::Await(node) => {
                let answered = self.await_answer(name, &record, node, None).await;
                self.note_silence(name, &mut record, node, answered.is_err())?;
                answered
            }
            Step::Stop(node) => {
                let _planned = self.plan_downtime(name);
                self.stop(name, node).await
            }
            Step::Fence(node) => {
                mark(&mut record.rebuild, node);
                record.save(&self.dir(name))?;
                self.fence(name, node).await
            }
            Step::LeaveBehind(node) => self.leave_behind(name, &mut record, node).await,
            Step::Promote(_) => self.promote(name, &mut record, None, true).await,
            Step::Bootstrap => self.bootstrap(spec, &mut record).await,
            Step::PrepareHeartbeat => {
                let session = self.session(name, &record.primary, record.port).await?;
                session.run(&crate::heartbeat::table()).await?;
                record.heartbeat = true;
                record.save(&self.dir(name))
            }
            Step::SetPassword => self.set_password(spec, &mut record).await,
            Step::Rebuild(node) => self.rebuild(spec, &mut record, node).await,
            Step::AwaitStreaming(node) => self.await_streaming(name, &mut record, node).await,
            Step::DropSlot(slot) => self.drop_slot(&record.upstream(name)?, slot).await,
            Step::Arm => self.arm(name, &mut record).await,
            Step::Prove => self.prove(name, &mut record).await,
            Step::Disarm => self.disarm(name, &mut record).await,
            Step::Remove(node) => self.remove(name, &mut record, node).await,
            Step::SetPort => {
                record.port = spec.port;
                record.save(&self.dir(name))
            }
        }
    }

    pub(crate) async fn configure(
        &self,
        spec: &DatabaseSpec,
        record: &Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let Some(asked) = spec.node(node) else { return Ok(()) };
        let dir = self.node_dir(&spec.name, node);
        make_dir(&dir, None, 0o711)?;
        // Access to the socket is access as the supervisor, so only the servers' user may enter.
        make_dir(&dir.join("socket"), Some(&self.user), 0o700)?;
        make_dir(&dir.join("log"), Some(&self.user), 0o700)?;
        if spec.archive.is_some() {
            self.make_archive(&spec.name)?;
        }
        let source = self.source_of(record)?;
        let asked_of = source.clone().map_or_else(|| record.upstream(&spec.name), Ok)?;
        let answer = self.ask(&asked_of.database, &asked_of.node, asked_of.port).await;
        let above = Above { floors: answer.map(|a| a.floors).unwrap_or_default(), source };
        let write = |file: &str, bytes: &[u8]| {
            replace(&dir.join(file), bytes, Some(&self.user))
                .machine(|| format!("write {}", dir.join(file).display()))
        };
        if let Some(tls) = &spec.tls {
            for (from, to) in [(&tls.certificate, "server.crt"), (&tls.key, "server.key")] {
                let bytes = std::fs::read(from).machine(|| format!("read {}", from.display()))?;
                write(to, &bytes)?;
            }
        }
        write("pg_hba.conf", conf::access(spec).as_bytes())?;
        write("pg_ident.conf", conf::idents(&self.user).as_bytes())?;
        let text = conf::server(spec, record, asked, &dir, &above);
        // PostgreSQL itself checks the new settings before they replace the old ones.
        write("postgresql.check", text.as_bytes())?;
        let data = dir.join("data");
        let base =
            if data.join("PG_VERSION").exists() { data.clone() } else { self.template(spec.version).await? };
        let tool = Tool::new(self.binaries(spec.version)?.program("postgres"))
            .args(&["-C", "max_connections", "-D"])
            .arg(base)
            .arg("-c")
            .arg(format!("config_file={}", dir.join("postgresql.check").display()));
        process::run(tool, &self.user).await.map_err(|e| {
            PlaneError::asked(format!("database '{}': PostgreSQL refuses its parameters", spec.name))
                .because(e.what)
        })?;
        write("postgresql.conf", text.as_bytes())?;
        if let Some(server) = Process::server_of(&data) {
            server.signal(Signal::HUP);
        }
        if spec.archive.is_none() {
            // A later archive begins with a new snapshot.
            self.remove_archive(&spec.name)?;
        }
        Ok(())
    }

    /// Needs only the record, so that a restart and a failover work without the spec.
    pub(crate) async fn start(&self, database: &str, record: &Record, node: &str) -> Result<(), PlaneError> {
        let dir = self.node_dir(database, node);
        let data = dir.join("data");
        if Process::server_of(&data).is_none() {
            // Processes that a killed server left running would write into the same files.
            process::fence(&data).await?;
        }
        let program = self.binaries(record.version)?.program("postgres");
        let conf = dir.join("postgresql.conf");
        let args =
            ["-D".into(), data.display().to_string(), "-c".into(), format!("config_file={}", conf.display())];
        let (user, log) = (self.user.clone(), dir.join("start.log"));
        let namespace = record.node(node)?.namespace.clone();
        let started = tokio::task::spawn_blocking(move || {
            process::start(&program, &data, &args, &log, namespace.as_deref(), &user)
        });
        let pid = started.await.plane(|| format!("start node '{node}'"))??;
        self.await_answer(database, record, node, Some(pid)).await?;
        self.looked.notify_one();
        Ok(())
    }

    /// Starts a server, and records what its failure means.
    async fn start_and_note(
        &self,
        database: &str,
        record: &mut Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let started = self.start(database, record, node).await;
        if node == record.primary {
            let before = std::mem::replace(&mut record.unstartable, started.is_err());
            // The data of a copy can be had again.
            let broken = started.is_err() && record.source.is_some() && self.has_ended(database, node);
            if broken {
                mark(&mut record.rebuild, node);
                mark(&mut record.copy, node);
            }
            if before != record.unstartable || broken {
                record.save(&self.dir(database))?;
            }
        } else {
            self.note_silence(database, record, node, started.is_err())?;
        }
        started
    }

    /// Records that a standby ended while it started, or has not answered for [`START`]: it is rebuilt then. A server that runs in silence has
    /// data that leads nowhere (it may wait for WAL that the primary no longer has), so it is copied, not rewound.
    fn note_silence(
        &self,
        database: &str,
        record: &mut Record,
        node: &str,
        is_silent: bool,
    ) -> Result<(), PlaneError> {
        // While commits wait for the standby, its data is needed.
        if !is_silent || node == record.primary || record.protection != Protection::Alone {
            self.heard(database, node);
            return Ok(());
        }
        let has_ended = self.has_ended(database, node);
        if !has_ended && self.silent_for(database, node) < START {
            return Ok(());
        }
        self.heard(database, node);
        mark(&mut record.rebuild, node);
        if !has_ended {
            tracing::warn!(database, node, "the standby does not answer, so it is copied again");
            mark(&mut record.copy, node);
        }
        record.save(&self.dir(database))
    }

    /// How long this standby has not answered; counted from the first call.
    pub(crate) fn silent_for(&self, database: &str, node: &str) -> Duration {
        let mut all = self.silences.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        all.entry((database.to_owned(), node.to_owned())).or_insert_with(std::time::Instant::now).elapsed()
    }

    pub(crate) fn heard(&self, database: &str, node: &str) {
        let mut all = self.silences.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        all.remove(&(database.to_owned(), node.to_owned()));
    }

    fn has_ended(&self, database: &str, node: &str) -> bool {
        Process::server_of(&self.data(database, node)).is_none()
    }

    async fn await_answer(
        &self,
        database: &str,
        record: &Record,
        node: &str,
        pid: Option<u32>,
    ) -> Result<(), PlaneError> {
        let pid = pid.or_else(|| Process::server_of(&self.data(database, node)).map(|p| p.pid));
        let gone = || pid.is_none_or(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        let what = format!("node '{node}' of database '{database}'");
        // A change of the primary must not wait long for a standby.
        let limit = if node == record.primary { START } else { STANDBY };
        let came = until!(
            limit,
            match self.session(database, node, record.port).await {
                Ok(_) => Some(true),
                Err(_) => gone().then_some(false),
            }
        );
        match came {
            Some(true) => Ok(()),
            Some(false) => Err(PlaneError::machine(format!("{what} ended while it started"))
                .because(self.last_words(database, node))),
            None => Err(PlaneError::machine(format!("{what} does not answer"))
                .because(self.last_words(database, node))),
        }
    }

    /// The end of a server's log, for the detail of an error.
    pub(crate) fn last_words(&self, database: &str, node: &str) -> String {
        let dir = self.node_dir(database, node);
        let logs = std::fs::read_dir(dir.join("log")).into_iter().flatten().flatten().map(|e| e.path());
        let newest = logs.max_by_key(|p| p.metadata().and_then(|m| m.modified()).ok());
        let mut lines = Vec::new();
        for file in [Some(dir.join("start.log")), newest].into_iter().flatten() {
            let text = std::fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            lines.extend(
                text.lines().filter(|l| l.contains("FATAL") || l.contains("ERROR")).map(str::to_owned),
            );
        }
        lines.drain(..lines.len().saturating_sub(3));
        if lines.is_empty() { "its log has no error".into() } else { lines.join("; ") }
    }

    /// See `PostgresPlane::halt`.
    pub(crate) async fn halt(&self, database: &str, within: Duration) -> Result<(), PlaneError> {
        let _one = self.lock(database).await;
        let record = self.record(database)?;
        let (first, rest): (Vec<_>, Vec<_>) = record.nodes.iter().partition(|n| n.name == record.primary);
        let nodes: Vec<_> = first.into_iter().chain(rest).collect();
        let stops = async {
            for node in &nodes {
                self.stop(database, &node.name).await?;
            }
            Ok(())
        };
        let Ok(stopped) = tokio::time::timeout(within, stops).await else {
            tracing::warn!(
                database,
                "the fast shutdown did not complete within {within:?}, so the servers are killed"
            );
            for node in &nodes {
                self.fence(database, &node.name).await?;
            }
            return Ok(());
        };
        stopped
    }

    pub(crate) async fn stop(&self, database: &str, node: &str) -> Result<(), PlaneError> {
        let data = self.data(database, node);
        if let Some(server) = Process::server_of(&data) {
            // A fast shutdown: sessions are ended instead of waited for.
            server.signal(Signal::INT);
            if tokio::time::timeout(STOP, server.gone()).await.is_err() {
                tracing::warn!(
                    database,
                    node,
                    "the fast shutdown did not complete in time, so the server is killed"
                );
            }
        }
        process::fence(&data).await
    }

    /// Creates roles, grants and the initial database. Meanwhile the files are synced to disk.
    async fn bootstrap(&self, spec: &DatabaseSpec, record: &mut Record) -> Result<(), PlaneError> {
        let state = self.config.state.clone();
        let durable = tokio::task::spawn_blocking(move || sync_filesystem(&state));
        let session = self.session(&spec.name, &record.primary, record.port).await?;
        let role = |name: &str, attributes: &str| {
            let (quoted, id) = (literal(name), ident(name));
            format!(
                "do $$ begin if not exists (select from pg_roles where rolname = {quoted}) then create role {id}; \
                 end if; end $$; alter role {id} {attributes};"
            )
        };
        let verifier = scram::verifier(record.replicator_password.reveal());
        let mut sql = role(REPLICATOR, &format!("login replication password {}", literal(&verifier)));
        // The functions that pg_rewind calls on its source, by its manual page.
        for function in [
            "pg_ls_dir(text, boolean, boolean)",
            "pg_stat_file(text, boolean)",
            "pg_read_binary_file(text)",
            "pg_read_binary_file(text, bigint, bigint, boolean)",
        ] {
            sql += &format!("grant execute on function pg_catalog.{function} to {REPLICATOR};");
        }
        let admin = &spec.admin;
        sql += &role(&admin.name, "login createdb createrole nosuperuser noreplication nobypassrls");
        if let Some(group) = &admin.group {
            sql += &role(group, "nologin nosuperuser");
            sql += &format!("grant pg_monitor, pg_signal_backend to {};", ident(group));
            sql += &format!("grant {} to {} with admin option;", ident(group), ident(&admin.name));
        }
        session.run(&sql).await?;
        if let Some(database) = &spec.initial_database {
            let there = session.rows("select from pg_database where datname = $1", &[database]).await?;
            if there.is_empty() {
                let (name, owner) = (ident(database), ident(&admin.name));
                session.run(&format!("create database {name} owner {owner}")).await?;
            }
        }
        // The record must not claim data that a power failure could still lose.
        durable.await.plane(|| "sync the first data to disk".into())??;
        record.bootstrapped = true;
        record.source = None;
        record.save(&self.dir(&spec.name))
    }

    async fn set_password(&self, spec: &DatabaseSpec, record: &mut Record) -> Result<(), PlaneError> {
        let verifier = scram::verifier(spec.admin.password.reveal());
        let session = self.session(&spec.name, &record.primary, record.port).await?;
        let (role, text) = (ident(&spec.admin.name), literal(&verifier));
        session.run(&format!("alter role {role} password {text}")).await?;
        // After the server has it: a crash in between repeats the step with a new verifier.
        record.admin_verifier = Some(verifier);
        record.save(&self.dir(&spec.name))
    }

    async fn remove(&self, database: &str, record: &mut Record, node: &str) -> Result<(), PlaneError> {
        if record.protection != Protection::Alone {
            self.disarm(database, record).await?;
        }
        self.fence(database, node).await?;
        self.drop_slot(&record.upstream(database)?, &conf::slot(node)).await?;
        remove_dir(&self.node_dir(database, node))?;
        record.nodes.retain(|n| n.name != node);
        record.rebuild.retain(|n| n != node);
        record.save(&self.dir(database))
    }
}

pub(crate) fn mark(list: &mut Vec<String>, node: &str) {
    if !list.iter().any(|n| n == node) {
        list.push(node.to_owned());
    }
}

pub(crate) fn sync_filesystem(dir: &Path) -> Result<(), PlaneError> {
    let what = || format!("sync {} to disk", dir.display());
    let file = std::fs::File::open(dir).machine(what)?;
    rustix::fs::syncfs(&file).machine(what)
}

/// Removes a directory; a directory that does not exist is no error.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), PlaneError> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).machine(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
