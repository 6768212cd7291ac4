//! Removes everything without adopting it first: for a machine whose disk is full, since it writes nothing.

use crate::{
    cgroup::Cgroups,
    exec, limits,
    machine::DIRECTORIES,
    store::{self, ContainerDir},
};
use escale_base::{PlaneError, error::Context};
use rustix::{fs::FlockOperation, io::Errno};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Kills the processes of a state directory and removes everything that was made for it. `tag` is the one of its
/// [`crate::Settings`]. No daemon may be using it.
pub async fn clear(state_dir: &Path, tag: &str) -> Result<(), PlaneError> {
    let cgroups = Cgroups::detect();
    // The lock keeps a daemon from adopting the directory meanwhile. Without the file no daemon ever used it.
    let lock = File::open(state_dir.join("daemon.lock")).ok();
    if let Some(lock) = &lock
        && rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
    {
        let what = format!("{} is in use by a daemon; stop that daemon first", state_dir.display());
        return Err(PlaneError::machine(what));
    }
    for group in below(&state_dir.join("groups"))? {
        let name = group.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for container in below(&group.join("c"))? {
            let own = container.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let cgroup = format!("{tag}/{name}/{own}");
            end(&cgroups, &cgroup, ContainerDir(container))
                .await
                .machine(|| format!("end container '{own}' of group '{name}'"))?;
        }
    }
    // Includes the processes of a state directory that was removed by hand.
    exec::end_all(&cgroups.processes_below(tag))
        .await
        .machine(|| format!("end the processes in the cgroup {tag}"))?;
    cgroups.remove(tag)?;
    for directory in DIRECTORIES {
        store::remove_tree(&state_dir.join(directory))?;
    }
    drop(lock);
    Ok(())
}

/// Ends a container's processes and its shim, in a loop: a shim that was about to start it makes a new process.
async fn end(cgroups: &Cgroups, cgroup: &str, dir: ContainerDir) -> io::Result<()> {
    loop {
        let processes = cgroups.processes(cgroup);
        exec::end_all(&processes).await?;
        match File::open(dir.path("lock")) {
            Ok(lock) => unlocked(lock).await?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        if processes.is_empty() {
            return Ok(());
        }
    }
}

/// Waits for the end of the shim that holds a lock. A shim ends when its container has.
async fn unlocked(lock: File) -> io::Result<()> {
    let wait = tokio::task::spawn_blocking(move || rustix::fs::flock(&lock, FlockOperation::LockShared));
    match tokio::time::timeout(Duration::from_millis(limits::KILL_WAIT_MS), wait).await {
        Ok(Ok(taken)) => Ok(taken?),
        Ok(Err(broken)) => Err(io::Error::other(broken)),
        Err(_) => Err(io::Error::other("the container's shim has not ended")),
    }
}

fn below(dir: &Path) -> Result<Vec<PathBuf>, PlaneError> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => Ok(entries
            .machine(|| format!("list {}", dir.display()))?
            .flatten()
            .map(|entry| entry.path())
            .collect()),
    }
}
