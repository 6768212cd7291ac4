//! Recovery to a point in time: a snapshot's files, and the WAL of an archive replayed on them up to a moment.
//!
//! It runs in a folder of its own, beside the node's data: the database exists only when its recovery is complete.

use crate::{
    plane::Inner,
    process::{self, Process},
    record::replace,
    spec::*,
    wal::{Archived, HEADER, Segment, frozen_name, restore_command, switched_at},
};
use escale_base::{PlaneError, Timestamp, error::Context};
use std::{path::Path, time::Duration};

/// Pause between two looks at the file in which a server writes its state.
const LOOK: Duration = Duration::from_millis(50);
/// PostgreSQL's words for a target after the last commit of the WAL.
const TOO_FEW: &str = "recovery ended before configured recovery target was reached";

/// The server reads it before it knows the names of time zones, `Z` among them.
fn target(until: Timestamp) -> String {
    until.iso8601().replace('T', " ").replace('Z', "+00")
}

impl Inner {
    /// Replays the archive on the copy of the snapshot in `fresh`.
    pub(crate) async fn recover(
        &self,
        spec: &DatabaseSpec,
        node: &str,
        snapshot: &str,
        recovery: &Recovery,
        fresh: &Path,
    ) -> Result<(), PlaneError> {
        check_name("database", &recovery.database)?;
        let first = self.first_wal(snapshot, spec.version).await?;
        let frozen = self.config.state.join("archives").join(frozen_name(&spec.name));
        self.freeze(&recovery.database, first, &frozen).await?;
        let archived = Archived::read(&frozen)?;
        let missing = |file: String| {
            let what = format!("the archive of database '{}' lacks the WAL file {file}", recovery.database);
            Err(PlaneError::machine(what).because("the time cannot be restored").retry(false))
        };
        // Without this check, recovery would end at a gap as if nothing had happened after it.
        let reached = archived.reach(first);
        match reached {
            None if archived.segments.is_empty() => {}
            None => return missing(first.to_string()),
            Some(last) if archived.beyond(last).is_some() => {
                return missing(Segment { number: last.number + 1, ..last }.to_string());
            }
            Some(_) => {}
        }
        // The target is after every commit of the archive if nothing was committed since. Then all of it is replayed, of the
        // same frozen files.
        let until = format!("recovery_target_time={}", target(recovery.until));
        if !self.replay(spec, node, fresh, Some(&until)).await? {
            self.replay(spec, node, fresh, None).await?;
            // The server takes a damaged file for the end of the WAL. At least a record of the last file must have been read.
            let read = |last: &Segment| switched_at(fresh).is_some_and(|at| at > last.begin() + HEADER);
            if let Some(last) = reached.filter(|last| !read(last)) {
                let what = format!(
                    "the archive of database '{}' is damaged before the file {last}",
                    recovery.database
                );
                return Err(PlaneError::machine(what).because("the time cannot be restored").retry(false));
            }
        }
        crate::steps::remove_dir(&frozen)
    }

    /// Runs a server without clients until its recovery is complete, and stops it. False if the WAL ends before the target.
    async fn replay(
        &self,
        spec: &DatabaseSpec,
        node: &str,
        fresh: &Path,
        until: Option<&str>,
    ) -> Result<bool, PlaneError> {
        let dir = self.node_dir(&spec.name, node);
        let log = dir.join("start.log");
        let signal = fresh.join("recovery.signal");
        replace(&signal, b"", Some(&self.user)).machine(|| format!("write {}", signal.display()))?;
        let mut args = vec!["-D".to_owned(), fresh.display().to_string()];
        let config = format!("config_file={}", dir.join("postgresql.conf").display());
        let restore = format!("restore_command={}", restore_command(&frozen_name(&spec.name)));
        let fixed = [
            config.as_str(),
            restore.as_str(),
            "recovery_target_timeline=latest",
            "recovery_target_action=promote",
            "listen_addresses=",
            // It is ready only when it is promoted, and needs no settings of the database that it is a copy of.
            "hot_standby=off",
            // What it replays is in an archive already.
            "archive_mode=off",
            // Its words are in the file that is begun with each start.
            "logging_collector=off",
        ];
        for setting in fixed.into_iter().chain(until) {
            args.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let program = self.binaries(spec.version)?.program("postgres");
        let (data, user, out) = (fresh.to_owned(), self.user.clone(), log.clone());
        let started =
            tokio::task::spawn_blocking(move || process::start(&program, &data, &args, &out, None, &user));
        let pid = started.await.plane(|| format!("start the recovery of '{}'", spec.name))??;
        let is_ready = self.await_recovery(fresh, pid).await;
        if is_ready {
            if let Some(server) = Process::server_of(fresh) {
                server.signal(rustix::process::Signal::INT);
                server.gone().await?;
            }
            process::fence(fresh).await?;
            return Ok(true);
        }
        process::fence(fresh).await?;
        let words = std::fs::read(&log).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        if until.is_some() && words.contains(TOO_FEW) {
            return Ok(false);
        }
        let mut fatal: Vec<&str> =
            words.lines().filter(|l| ["FATAL", "PANIC", "ERROR"].iter().any(|w| l.contains(w))).collect();
        fatal.drain(..fatal.len().saturating_sub(3));
        let what = format!("the recovery of database '{}' ended", spec.name);
        Err(PlaneError::machine(what).because(fatal.join("; ")))
    }

    /// Whether the server became ready; false when it ended. However long the replay takes.
    async fn await_recovery(&self, data: &Path, pid: u32) -> bool {
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tick.tick().await;
            // Its eighth line is the state. Asking over the socket would write a line to the log each time.
            let state = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|s| s.trim() == "ready") {
                return true;
            }
            if !Path::new(&format!("/proc/{pid}")).exists() {
                return false;
            }
        }
    }

    /// Ends the servers of interrupted recoveries: nothing else knows the folders that they run in.
    pub(crate) async fn fence_recoveries(&self, database: &str, node: &str) -> Result<(), PlaneError> {
        let dir = self.node_dir(database, node);
        let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(()) };
        for path in entries.flatten().map(|e| e.path()) {
            if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("data.")) {
                process::fence(&path).await?;
            }
        }
        Ok(())
    }

    /// Removes the folders beside the databases that belong to this one.
    pub(crate) fn remove_archive(&self, database: &str) -> Result<(), PlaneError> {
        crate::steps::remove_dir(&self.config.state.join("archives").join(frozen_name(database)))?;
        self.resume_archive(database)?;
        crate::steps::remove_dir(&self.archive_dir(database))
    }
}
