//! The layout of the state directory. Every write leaves either the old or the new content after a crash.
//!
//! ```text
//! layers/<hex>/fs                unpacked layers
//! zones-off/<zone>               zones without power
//! runtime/                       the runtime's own state
//! gone/                          groups being deleted
//! groups/<group>/spec.json       the desired state
//!               /notes.json      what must survive the daemon (stop, health, signals sent)
//!               /volumes/<v>/
//!               /c/<container>/  lock  shim.json  config.json  begun  running.json  exit.json  session.sock
//!                                rootfs/ upper/ work/ l/<n>  logs/<first byte>
//! ```

use crate::seen::{Exit, Running};
use escale_base::{PlaneError, Timestamp, error::Context};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The directory of one container: the interface between daemon and shim.
#[derive(Clone, Debug)]
pub(crate) struct ContainerDir(pub(crate) PathBuf);

/// The shim's input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShimOrder {
    pub(crate) runtime: crate::runtime::Runtime,
    /// The runtime's `--root`.
    pub(crate) root: PathBuf,
    pub(crate) id: String,
    pub(crate) cgroup: String,
    pub(crate) workdir: PathBuf,
    /// Number of directories in `l/`, `l/0` on top.
    pub(crate) layers: usize,
    #[serde(default)]
    pub(crate) seeds: Vec<crate::volumes::Seed>,
}

/// The history of one container, read from its directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// The shim was about to call the runtime: the container cannot be started again.
    pub(crate) begun: bool,
    /// Whether a shim holds the container's lock.
    pub(crate) kept: bool,
    pub(crate) running: Option<Running>,
    pub(crate) exit: Option<Exit>,
}

impl ContainerDir {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn facts(&self) -> Facts {
        // The lock is checked first: a shim writes its last record before it releases the lock.
        let kept = self.is_locked();
        Facts {
            begun: self.path("begun").exists(),
            kept,
            running: read_json(&self.path("running.json")),
            exit: read_json(&self.path("exit.json")),
        }
    }

    fn is_locked(&self) -> bool {
        // Opened for reading: the close must not look like a shim's end to a watcher (which waits for a close after writing).
        let Ok(file) = File::open(self.path("lock")) else { return false };
        matches!(
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared),
            Err(rustix::io::Errno::WOULDBLOCK)
        )
    }

    /// Holds the lock as long as the file is open. Closing it wakes all watchers, however this process ends.
    pub(crate) fn lock(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.path("lock"))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    pub(crate) fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        write_json(&self.path("exit.json"), exit, true)
    }
}

/// The state of a group that must survive the daemon, in addition to its spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) stop: Option<StopNote>,
    pub(crate) containers: std::collections::BTreeMap<String, ContainerNote>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StopNote {
    pub(crate) at: Timestamp,
    pub(crate) reason: crate::seen::StopReason,
    /// SIGKILL at once: the zone was switched off, or the group is removed.
    pub(crate) at_once: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerNote {
    /// When the stop signal was sent.
    pub(crate) signalled: Option<Timestamp>,
    pub(crate) health: crate::seen::Health,
    /// Was healthy at least once: dependents that waited for that need not wait again.
    pub(crate) was_healthy: bool,
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(e) => {
            tracing::error!(path = %path.display(), "the file is damaged: {e}");
            None
        }
    }
}

/// Writes a file atomically; with `durable` it also survives a power failure.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T, durable: bool) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let temporary = path.with_extension("new");
    let mut file = private(&temporary)?;
    file.write_all(&bytes)?;
    if durable {
        file.sync_data()?;
    }
    fs::rename(&temporary, path)?;
    if durable && let Some(parent) = path.parent() {
        File::open(parent)?.sync_data()?;
    }
    Ok(())
}

/// Readable by root only: environments contain passwords.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).truncate(true).write(true).mode(0o600).open(path)
}

/// A directory that becomes part of a container's file system: its users may enter and list it, whatever the daemon's umask.
/// A parent directory that only root may enter protects it from other users of the host.
pub(crate) fn open_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The same for a file that a container's users may read.
pub(crate) fn open_file(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// Changes at every boot of the machine.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// A process that was just ended may still have written a file after its folder was listed. Each such file costs one attempt.
const REMOVALS: usize = 10;

pub(crate) fn remove_tree(path: &Path) -> Result<(), PlaneError> {
    let mut left = REMOVALS;
    loop {
        left -= 1;
        match fs::remove_dir_all(path) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty && left > 0 => {}
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).machine(|| format!("remove {}", path.display()));
            }
            _ => return Ok(()),
        }
    }
}
