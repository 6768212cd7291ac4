//! Data directories: created from a template, copied to a standby, rewound, kept as snapshots.

use crate::{
    conf,
    plane::{Inner, make_dir, names_in},
    process::{self, Process, Tool, run},
    record::{Record, read_json, sync_parent, write_json},
    replica::Upstream,
    session::{Session, literal},
    spec::*,
    steps::{mark, remove_dir, sync_filesystem},
};
use escale_base::{PlaneError, error::Context};
use rand::RngCore;
use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long killed processes of a standby may take to end before the standby is made anew without them.
const LEAVE_AFTER: Duration = Duration::from_secs(30);

/// Renaming a folder takes longer only if the disk does not answer.
const RENAME: Duration = Duration::from_secs(2);

impl Inner {
    /// Makes the first data and starts a server on it. Until the roles exist the directory holds nothing of value: leftovers of
    /// a crash are deleted.
    pub(crate) async fn create(
        &self,
        spec: &DatabaseSpec,
        record: &Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let data = self.data(&spec.name, node);
        process::fence(&data).await?;
        self.fence_recoveries(&spec.name, node).await?;
        let source = match &spec.restore_from {
            Some(snapshot) => {
                let found = self.snapshot_record(snapshot)?;
                if found.version != spec.version {
                    let (is, asked) = (found.version, spec.version);
                    let what = format!("snapshot '{snapshot}' is of PostgreSQL {is}, not {asked}");
                    return Err(PlaneError::asked(what));
                }
                self.snapshot_dir(snapshot).join("data")
            }
            None => self.template(spec.version).await?,
        };
        self.configure(spec, record, node).await?;
        let fresh = self.fresh(&spec.name, node)?;
        self.copy(&source, &fresh).await?;
        // A snapshot keeps its system identifier: it is a copy of an existing database.
        if spec.restore_from.is_none() {
            self.renumber(&fresh, record.version).await?;
        }
        if let (Some(snapshot), Some(recovery)) = (&spec.restore_from, &spec.recover) {
            self.recover(spec, node, snapshot, recovery, &fresh).await?;
        }
        put_in_place(&fresh, &data)?;
        self.start(&spec.name, record, node).await
    }

    /// Runs `initdb` once per version; each database gets a copy.
    pub(crate) async fn template(&self, version: u32) -> Result<PathBuf, PlaneError> {
        let _one = self.lock("").await;
        let dir = self.config.state.join("templates").join(version.to_string());
        if dir.exists() {
            return Ok(dir);
        }
        let fresh = dir.with_extension(format!("new-{}", escale_base::ids::random_hex(8)));
        make_dir(&fresh, Some(&self.user), 0o700)?;
        let initdb = Tool::new(self.binaries(version)?.program("initdb"))
            // Small WAL segments: an empty database needs little. Checksums: damage is detected, and
            // pg_rewind works with any settings.
            .args(&[
                "--no-sync",
                "--wal-segsize=1",
                "--data-checksums",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(&["--auth=reject", "--username", SUPERVISOR, "-D"])
            .arg(&fresh);
        run(initdb, &self.user).await?;
        let own = fresh.join("postgresql.conf");
        // Read only by the single-user server that pg_rewind runs.
        let mut file =
            std::fs::OpenOptions::new().append(true).open(&own).machine(|| "open the template".into())?;
        file.write_all(b"wal_log_hints = on\n").machine(|| "write the template's settings".into())?;
        let state = self.config.state.clone();
        tokio::task::spawn_blocking(move || sync_filesystem(&state))
            .await
            .plane(|| "sync the template to disk".into())??;
        std::fs::rename(&fresh, &dir).machine(|| format!("move the template to {}", dir.display()))?;
        sync_parent(&dir).machine(|| "sync the template to disk".into())?;
        Ok(dir)
    }

    /// Gives a copy of the template its own system identifier: the first eight bytes of `pg_control`;
    /// `pg_resetwal` then writes the checksum and a first WAL file with it.
    async fn renumber(&self, data: &Path, version: u32) -> Result<(), PlaneError> {
        use std::os::unix::fs::FileExt;
        let control = data.join("global/pg_control");
        let what = || format!("write a new system identifier to {}", control.display());
        let file = std::fs::OpenOptions::new().write(true).open(&control).machine(what)?;
        file.write_all_at(&rand::rng().next_u64().to_ne_bytes(), 0).machine(what)?;
        let tool = Tool::new(self.binaries(version)?.program("pg_resetwal")).arg("-f").arg("-D").arg(data);
        run(tool, &self.user).await.map(|_| ())
    }

    /// Makes a node the standby of the primary, or a copy of its source, whatever data it has.
    pub(crate) async fn rebuild(
        &self,
        spec: &DatabaseSpec,
        record: &mut Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let (name, data) = (spec.name.as_str(), self.data(&spec.name, node));
        if record.protection != Protection::Alone {
            self.disarm(name, record).await?;
        }
        mark(&mut record.rebuild, node);
        record.save(&self.dir(name))?;
        let upstream = match record.source {
            Some(_) => self.needed_source(record)?,
            None => record.upstream(name)?,
        };
        if record.source.is_some() {
            // A rewind of a server that was shut down needs no recovery of its own.
            self.stop(name, node).await?;
        }
        process::fence(&data).await?;
        let slot = conf::slot(node);
        self.drop_slot(&upstream, &slot).await?;
        let session = self.session(&upstream.database, &upstream.node, upstream.port).await?;
        // Before the copy, so that the primary keeps all WAL from here on.
        session.run(&format!("select pg_create_physical_replication_slot({}, true)", literal(&slot))).await?;
        // A rewind copies only the blocks that differ; a new copy is the fallback for every error.
        let rewound = if record.copy.iter().any(|n| n == node) {
            Err(PlaneError::plane("a server on the node's data did not answer"))
        } else if data.join("global/pg_control").exists() {
            // The source's control file names its new timeline only after a checkpoint.
            session.run("checkpoint").await?;
            match self.rewind(spec, record, node, &upstream).await {
                Ok(()) => has_wal_for(&session, &data).await,
                Err(error) => Err(error),
            }
        } else {
            Err(PlaneError::plane("the node has no data to rewind"))
        };
        if let Err(e) = rewound {
            tracing::info!(
                database = name,
                node,
                "the data could not be rewound, so it is copied again: {e}"
            );
            self.copy_anew(name, record, node, &upstream).await?;
        }
        // Slots from the time when it was a primary would keep WAL forever.
        remove_dir(&data.join("pg_replslot"))?;
        make_dir(&data.join("pg_replslot"), Some(&self.user), 0o700)?;
        let signal = data.join("standby.signal");
        crate::record::replace(&signal, b"", Some(&self.user))
            .machine(|| format!("write {}", signal.display()))?;
        record.rebuild.retain(|n| n != node);
        record.copy.retain(|n| n != node);
        record.save(&self.dir(name))
    }

    /// Copies the whole data of a server over the network.
    async fn copy_anew(
        &self,
        name: &str,
        record: &Record,
        node: &str,
        upstream: &Upstream,
    ) -> Result<(), PlaneError> {
        let fresh = self.fresh(name, node)?;
        let slot = conf::slot(node);
        let tool = Tool::new(self.binaries(record.version)?.program("pg_basebackup"))
            .args(&[
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
                "--no-password",
                "--slot",
                &slot,
            ])
            .arg("-D")
            .arg(&fresh)
            .arg("-d")
            .arg(source(upstream))
            .password(upstream.password.reveal())
            .within(record.node(node)?.namespace.as_deref());
        run(tool, &self.user).await?;
        put_in_place(&fresh, &self.data(name, node))
    }

    /// Waits for a killed standby's processes. Frozen ones do not end, so after a time its data gets another name, which the processes keep as
    /// their working directory, and its port is taken from them: a new copy takes its place. They execute nothing any more, because the
    /// signal is pending.
    pub(crate) async fn leave_behind(
        &self,
        database: &str,
        record: &mut Record,
        node: &str,
    ) -> Result<(), PlaneError> {
        let data = self.data(database, node);
        match tokio::time::timeout(LEAVE_AFTER, process::fence_patiently(&data)).await {
            Ok(ended) => return ended,
            Err(_) => tracing::warn!(
                database,
                node,
                "killed processes do not end, so the standby is made anew without them"
            ),
        }
        mark(&mut record.rebuild, node);
        mark(&mut record.copy, node);
        record.save(&self.dir(database))?;
        let old = data.with_extension(format!("left{}", escale_base::ids::random_hex(8)));
        let what = || format!("move the data of the standby '{node}' of database '{database}'");
        // On another thread, because its disk may be stuck: then a new copy could not be written either.
        let moved = tokio::task::spawn_blocking(move || std::fs::rename(data, old));
        let moved = tokio::time::timeout(RENAME, moved).await;
        moved
            .map_err(|_| {
                PlaneError::machine(format!("cannot {}", what())).because("its disk does not answer")
            })?
            .plane(what)?
            .machine(what)?;
        let found = record.node(node)?;
        if let Some(address) = found.address {
            process::close_listener(found.namespace.clone(), (address, record.port).into()).await?;
        }
        // The lock of the socket names the old server, whose pid still exists.
        let sockets = self.node_dir(database, node).join("socket");
        remove_dir(&sockets)?;
        make_dir(&sockets, Some(&self.user), 0o700)
    }

    async fn rewind(
        &self,
        spec: &DatabaseSpec,
        record: &Record,
        node: &str,
        upstream: &Upstream,
    ) -> Result<(), PlaneError> {
        let data = self.data(&spec.name, node);
        let signal = data.join("standby.signal");
        if signal.exists() {
            // Recovery as a standby never ends, and pg_rewind needs a clean shutdown.
            std::fs::remove_file(&signal).machine(|| format!("remove {}", signal.display()))?;
        }
        let tool = Tool::new(self.binaries(record.version)?.program("pg_rewind"))
            .args(&["--no-sync", "-D"])
            .arg(&data)
            .arg("--source-server")
            .arg(format!("{} dbname=postgres", source(upstream)))
            .password(upstream.password.reveal())
            .within(record.node(node)?.namespace.as_deref());
        run(tool, &self.user).await.map(|_| ())
    }

    pub(crate) async fn snapshot(&self, database: &str, snapshot: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", snapshot)?;
        let record = self.record(database)?;
        let dir = self.snapshot_dir(snapshot);
        if let Some(found) = read_json::<Snapshot>(&dir.join("snapshot.json"))? {
            return if found.database == database {
                Ok(found)
            } else {
                Err(PlaneError::asked(format!(
                    "there is a snapshot '{snapshot}' of database '{}' already",
                    found.database
                )))
            };
        }
        if !record.bootstrapped {
            return Err(PlaneError::machine(format!("database '{database}' has not been created yet")));
        }
        // Before the copy begins, so that all WAL from then on is archived.
        self.resume_archive(database)?;
        let fresh = dir.with_extension(format!("new-{}", escale_base::ids::random_hex(8)));
        make_dir(&fresh, Some(&self.user), 0o700)?;
        let out = fresh.join("data");
        let data = self.data(database, &record.primary);
        match Process::server_of(&data) {
            Some(_) => {
                // libpq has the same limit of a socket's path: the tool's own directory makes it short.
                let tool = Tool::new(self.binaries(record.version)?.program("pg_basebackup"))
                    .args(&["--wal-method=stream", "--checkpoint=fast", "--no-sync", "-h", "/proc/self/cwd"])
                    .args(&["-U", SUPERVISOR, "-p", &record.port.to_string(), "-D"])
                    .arg(&out)
                    .directory(&self.node_dir(database, &record.primary).join("socket"));
                run(tool, &self.user).await?;
            }
            None => {
                process::fence(&data).await?;
                self.copy(&data, &out).await?;
            }
        }
        for stale in ["standby.signal", "postmaster.pid"] {
            match std::fs::remove_file(out.join(stale)) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(e).machine(|| format!("remove {stale}"));
                }
                _ => {}
            }
        }
        let walked = fresh.clone();
        let size_bytes = tokio::task::spawn_blocking(move || {
            sync_filesystem(&walked)?;
            size(&walked).machine(|| format!("measure the size of {}", walked.display()))
        });
        let size_bytes = size_bytes.await.plane(|| "measure the size of a snapshot".into())??;
        let taken = self.config.clock.now();
        let (name, database) = (snapshot.to_owned(), database.to_owned());
        let made = Snapshot { name, database, version: record.version, taken, size_bytes };
        write_json(&fresh.join("snapshot.json"), &made)?;
        // The directory gets its name when it is complete, so every named snapshot is a whole one.
        std::fs::rename(&fresh, &dir).machine(|| format!("move the snapshot to {}", dir.display()))?;
        sync_parent(&dir).machine(|| format!("move the snapshot to {}", dir.display()))?;
        Ok(made)
    }

    /// Makes a copy of a snapshot under another name. Its files never change, so the copy shares them.
    pub(crate) async fn copy_snapshot(&self, from: &str, to: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", to)?;
        let source = self.snapshot_record(from)?;
        let dir = self.snapshot_dir(to);
        if let Some(found) = read_json::<Snapshot>(&dir.join("snapshot.json"))? {
            return Ok(found);
        }
        let fresh = dir.with_extension(format!("new-{}", escale_base::ids::random_hex(8)));
        make_dir(&fresh, Some(&self.user), 0o700)?;
        let tool =
            Tool::new("cp").args(&["-al"]).arg(self.snapshot_dir(from).join("data")).arg(fresh.join("data"));
        run(tool, &self.user).await?;
        let made = Snapshot { name: to.to_owned(), ..source };
        write_json(&fresh.join("snapshot.json"), &made)?;
        std::fs::rename(&fresh, &dir).machine(|| format!("move the snapshot to {}", dir.display()))?;
        sync_parent(&dir).machine(|| format!("move the snapshot to {}", dir.display()))?;
        Ok(made)
    }

    pub(crate) fn snapshots(&self) -> Result<Vec<Snapshot>, PlaneError> {
        let names = names_in(&self.config.state.join("snapshots"))?;
        names.iter().map(|name| self.snapshot_record(name)).collect()
    }

    pub(crate) fn snapshot_record(&self, name: &str) -> Result<Snapshot, PlaneError> {
        check_name("snapshot", name)?;
        read_json(&self.snapshot_dir(name).join("snapshot.json"))?
            .ok_or_else(|| PlaneError::asked(format!("there is no snapshot '{name}'")))
    }

    pub(crate) fn snapshot_dir(&self, name: &str) -> PathBuf {
        self.config.state.join("snapshots").join(name)
    }

    /// A new name in the node's directory; leftovers of earlier attempts are removed.
    fn fresh(&self, database: &str, node: &str) -> Result<PathBuf, PlaneError> {
        let dir = self.node_dir(database, node);
        make_dir(&dir, None, 0o711)?;
        let entries = std::fs::read_dir(&dir).machine(|| format!("list {}", dir.display()))?;
        for path in entries.flatten().map(|e| e.path()) {
            // Of an interrupted copy, or of processes that did not end: they may have ended since.
            let is_left = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("data."));
            if is_left && let Err(error) = remove_dir(&path) {
                // A tool outlives the future that waited for it and may still write there; a later attempt removes it.
                tracing::info!(%error, "the data of an earlier attempt is not removed yet");
            }
        }
        let fresh = dir.join(format!("data.{}", escale_base::ids::random_hex(8)));
        make_dir(&fresh, Some(&self.user), 0o700)?;
        Ok(fresh)
    }

    /// Copies the content of a data directory; shares blocks where the file system can.
    async fn copy(&self, from: &Path, to: &Path) -> Result<(), PlaneError> {
        make_dir(to, Some(&self.user), 0o700)?;
        let tool = Tool::new("cp").args(&["-a", "--reflink=auto"]).arg(from.join(".")).arg(to);
        run(tool, &self.user).await.map(|_| ())
    }
}

/// Whether the primary still has the WAL from which rewound data recovers: it begins at the last checkpoint before the data diverged, and a primary
/// that became one lately may have begun with later WAL. `pg_rewind` writes where into the backup label.
async fn has_wal_for(session: &Session, data: &Path) -> Result<(), PlaneError> {
    let label = data.join("backup_label");
    let text = match std::fs::read_to_string(&label) {
        // Nothing had diverged, so nothing was rewound: the primary's slot shows whether WAL is missing.
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        text => text.machine(|| format!("read {}", label.display()))?,
    };
    let Some(segment) = first_segment(&text) else {
        return Err(PlaneError::plane(format!("{} names no WAL file", label.display())));
    };
    // The number without the timeline: the same segment is there under the timelines of both sides of a switch.
    let found = session.rows("select from pg_ls_waldir() where substr(name, 9) = $1", &[&segment]).await?;
    if found.is_empty() {
        return Err(PlaneError::machine(format!("the primary no longer has the WAL segment {segment}")));
    }
    Ok(())
}

/// The segment's number in `START WAL LOCATION: 0/1800028 (file 000000010000000000000018)`, without its timeline.
fn first_segment(label: &str) -> Option<String> {
    let line = label.lines().find(|line| line.starts_with("START WAL LOCATION:"))?;
    let file = line.split_once("(file ")?.1.strip_suffix(')')?;
    file.get(8..).filter(|number| number.len() == 16).map(str::to_owned)
}

/// The connection string of a node's tools to the primary; the password is passed in the environment.
fn source(upstream: &Upstream) -> String {
    format!("host={} port={} user={REPLICATOR} connect_timeout=5", upstream.address, upstream.port)
}

/// Renames the old directory before its removal, so that a half-removed directory is never taken for a data
/// directory.
fn put_in_place(fresh: &Path, data: &Path) -> Result<(), PlaneError> {
    let what = || format!("move the new data to {}", data.display());
    let old = data.with_extension(format!("old{}", escale_base::ids::random_hex(8)));
    match std::fs::rename(data, &old) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).machine(what),
        _ => {}
    }
    std::fs::rename(fresh, data).machine(what)?;
    remove_dir(&old)?;
    sync_parent(data).machine(what)
}

fn size(dir: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::first_segment;

    #[test]
    fn backup_label_names_the_first_segment() {
        let label =
            "START WAL LOCATION: 0/1800028 (file 000000010000000000000018)\nCHECKPOINT LOCATION: 0/1800060\n";
        assert_eq!(first_segment(label).as_deref(), Some("0000000000000018"));
        assert_eq!(first_segment("CHECKPOINT LOCATION: 0/1800060\n"), None);
    }
}
