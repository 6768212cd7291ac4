//! The shared memory of killed servers. A server that ends by itself removes it; a killed one leaves it to
//! its next start, which a deleted database never has.

use crate::process::Process;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::task::JoinHandle;

/// Kernel objects of servers that outlive their processes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedMemory {
    /// POSIX segments, by their files.
    files: BTreeSet<PathBuf>,
    /// System V segments, by their ids.
    segments: BTreeSet<u64>,
}

impl SharedMemory {
    /// Adds the segments that a living process has mapped.
    pub(crate) fn note(&mut self, process: &Process) {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid)).unwrap_or_default();
        // Checked after reading: the pid of a dead process may belong to another server by now, which needs its memory.
        if process.lives() {
            self.read(&maps);
        }
    }

    pub(crate) fn add(&mut self, other: SharedMemory) {
        self.files.extend(other.files);
        self.segments.extend(other.segments);
    }

    /// `address permissions offset device inode path`; the inode of a System V segment is its id.
    fn read(&mut self, maps: &str) {
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace().skip(4);
            let (Some(inode), Some(path)) = (words.next(), words.next()) else { continue };
            if path.starts_with("/dev/shm/PostgreSQL.") {
                self.files.insert(path.into());
            } else if path.starts_with("/SYSV") {
                self.segments.extend(inode.parse::<u64>().ok());
            }
        }
    }

    /// Must be called after all users are dead. A segment that cannot be removed is logged and left: it is small.
    pub(crate) async fn remove(self) {
        if self != SharedMemory::default()
            && let Err(error) = self.remove_later().await
        {
            tracing::warn!(%error, "cannot remove the shared memory of a stopped server");
        }
    }

    /// As [`SharedMemory::remove`], in the background.
    pub(crate) fn remove_later(self) -> JoinHandle<()> {
        tokio::task::spawn_blocking(move || self.remove_now())
    }

    fn remove_now(&self) {
        for file in &self.files {
            remove_file(file);
        }
        for id in &self.segments {
            // The dependencies have no safe binding of shmctl.
            let done = Command::new("ipcrm").args(["-m", &id.to_string()]).output();
            if !done.as_ref().is_ok_and(|d| d.status.success()) {
                tracing::warn!(id, ?done, "a shared memory segment could not be removed");
            }
        }
    }
}

fn remove_file(file: &Path) {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!("{} could not be removed: {e}", file.display());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_mapped_segments() {
        let mut found = SharedMemory::default();
        found.read(
            "7f0a4c000000-7f0a4c021000 rw-p 00000000 00:00 0 \n\
             7f0a54a3c000-7f0a54a3d000 rw-s 00000000 00:01 360808                     /SYSV0014c0b1 (deleted)\n\
             7f0a4ba00000-7f0a54a00000 rw-s 00000000 00:01 1028                       /dev/zero (deleted)\n\
             7f0a4a000000-7f0a4a100000 rw-s 00000000 00:1b 7                          /dev/shm/PostgreSQL.2443183318\n\
             7f0a4a100000-7f0a4a200000 rw-s 00000000 00:1b 8                          /dev/shm/other\n",
        );
        let expected = SharedMemory {
            files: BTreeSet::from(["/dev/shm/PostgreSQL.2443183318".into()]),
            segments: BTreeSet::from([360_808]),
        };
        assert_eq!(found, expected);
    }
}
