//! Layers, each unpacked once: `<state>/layers/<hex>/fs`.
//!
//! A layer whose blob was removed goes, too, once no container uses it: at the next start of the daemon, or when another layer is
//! unpacked.
//!
//! A layer is unpacked under a temporary name and renamed when complete. Syncing it to disk happens in the background; a layer
//! that was not recorded as synced when the machine went down is unpacked again.

use crate::{image::Layer, store, unpack};
use escale_base::{Clock, PlaneError, error::Context, ids};
use escale_files::disk::OnDisk;
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

const TEMPORARY: &str = "tmp-";

#[derive(Debug)]
pub(crate) struct Layers {
    dir: PathBuf,
    places: Places,
    /// One task unpacks a layer; others that need it wait.
    busy: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// What decides whether a layer is needed.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) blobs: PathBuf,
    pub(crate) groups: PathBuf,
}

/// A layer that was unpacked within this time stays: its container may not refer to it yet.
const YOUNG: Duration = Duration::from_secs(3600);

impl Layers {
    /// Opens the directory, and removes what a crash left incomplete and what is no longer needed.
    pub(crate) fn open(dir: PathBuf, places: Places) -> Result<Layers, PlaneError> {
        fs::create_dir_all(&dir).machine(|| format!("make {}", dir.display()))?;
        let boot = store::boot_id();
        for entry in fs::read_dir(&dir).machine(|| format!("list {}", dir.display()))?.flatten() {
            let path = entry.path();
            let half = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            let unsure = !path.join("on-disk").exists()
                && fs::read_to_string(path.join("boot")).ok().as_deref() != Some(&boot);
            if half || unsure {
                fs::remove_dir_all(&path).machine(|| format!("remove {}", path.display()))?;
            }
        }
        sweep(&dir, &places, Duration::ZERO);
        Ok(Layers { dir, places, busy: Mutex::default() })
    }

    /// The directory of a layer; unpacks it first if necessary. Blocks.
    pub(crate) fn ensure(&self, layer: &Layer) -> Result<PathBuf, PlaneError> {
        let home = self.dir.join(&layer.hex);
        if home.is_dir() {
            return Ok(home.join("fs"));
        }
        let turn = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(layer.hex.clone()).or_default())
        };
        let held = turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Checked again: the task that had the turn before may have unpacked it.
        let done = if home.is_dir() { Ok(()) } else { self.add(layer, &home) };
        drop(held);
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&layer.hex);
        done.map(|()| home.join("fs"))
    }

    fn add(&self, layer: &Layer, home: &Path) -> Result<(), PlaneError> {
        let temporary = self.dir.join(format!("{TEMPORARY}{}", ids::random_hex(16)));
        let place = || format!("unpack layer sha256:{}", layer.hex);
        let made = fs::create_dir(&temporary)
            .and_then(|()| store::open_dir(&temporary.join("fs")))
            .and_then(|()| fs::write(temporary.join("boot"), store::boot_id()))
            .on_disk(&self.dir, place)
            .and_then(|()| unpack::unpack(layer, &temporary.join("fs")))
            .and_then(|()| fs::rename(&temporary, home).on_disk(&self.dir, place));
        if made.is_err() {
            // Only the first error is reported; leftovers are removed at the next start.
            let _ = fs::remove_dir_all(&temporary);
            return made;
        }
        let (home, dir, places) = (home.to_owned(), self.dir.clone(), self.places.clone());
        // In the background: a container need not wait until its layers are synced.
        std::thread::spawn(move || {
            sweep(&dir, &places, YOUNG);
            if let Err(e) = settle(&home) {
                tracing::debug!(layer = %home.display(), "the layer is not synced to disk yet: {e}");
            }
        });
        Ok(())
    }
}

/// Removes layers whose blob is gone, that no container uses and that are older than `age`. An error only postpones a removal.
fn sweep(dir: &Path, places: &Places, age: Duration) {
    let Ok(used) = used(&places.groups) else { return };
    let now = Duration::from_millis(u64::try_from(Clock::machine().now().0).unwrap_or_default());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let unpacked = entry.metadata().and_then(|m| m.modified()).ok();
        let passed = unpacked.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let is_needed = name.to_string_lossy().starts_with(TEMPORARY)
            || places.blobs.join("sha256").join(&name).exists()
            || used.contains(&path.join("fs"))
            || passed.is_none_or(|at| now.saturating_sub(at) < age);
        // Renamed first, so that nothing can find half of a layer.
        let temporary = dir.join(format!("{TEMPORARY}{}", ids::random_hex(16)));
        if !is_needed && fs::rename(&path, &temporary).is_ok() {
            let _ = fs::remove_dir_all(&temporary);
        }
    }
}

/// The layers that containers refer to. An error could hide one, so it must not be ignored.
fn used(groups: &Path) -> io::Result<HashSet<PathBuf>> {
    let mut used = HashSet::new();
    let list = |path: &Path| match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>(),
    };
    for group in list(groups)? {
        for container in list(&group.join("c"))? {
            for link in list(&container.join("l"))? {
                match fs::read_link(&link) {
                    Ok(layer) => drop(used.insert(layer)),
                    // Its container was removed meanwhile.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
    }
    Ok(used)
}

fn settle(home: &Path) -> io::Result<()> {
    rustix::fs::syncfs(fs::File::open(home)?)?;
    fs::write(home.join("on-disk"), b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_without_blob_and_container_are_removed_at_the_start() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let places = Places { blobs: at("blobs"), groups: at("groups") };
        for layer in ["needed", "used", "unused"] {
            fs::create_dir_all(at("layers").join(layer).join("fs")).unwrap();
            fs::write(at("layers").join(layer).join("on-disk"), b"").unwrap();
        }
        fs::create_dir_all(at("blobs/sha256")).unwrap();
        fs::write(at("blobs/sha256/needed"), b"").unwrap();
        fs::create_dir_all(at("groups/g/c/web/l")).unwrap();
        fs::create_dir_all(at("groups/not-prepared-yet")).unwrap();
        std::os::unix::fs::symlink(at("layers/used/fs"), at("groups/g/c/web/l/0")).unwrap();
        sweep(&at("layers"), &places, YOUNG);
        assert!(at("layers/unused").exists(), "it was just unpacked");
        Layers::open(at("layers"), places).unwrap();
        let left = |layer: &str| at("layers").join(layer).exists();
        assert_eq!((left("needed"), left("used"), left("unused")), (true, true, false));
        assert_eq!(fs::read_dir(at("layers")).unwrap().count(), 2);
    }
}
