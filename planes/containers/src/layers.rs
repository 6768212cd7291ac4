//! Layers, each unpacked once: `<state>/layers/<hex>/fs`.
//!
//! A layer is unpacked under a temporary name and renamed when complete. Syncing it to disk happens in the background; a layer
//! that was not recorded as synced when the machine went down is unpacked again.

use crate::{image::Layer, store, unpack};
use escale_base::{PlaneError, error::Context, ids};
use escale_files::disk::OnDisk;
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const TEMPORARY: &str = "tmp-";

#[derive(Debug)]
pub(crate) struct Layers {
    dir: PathBuf,
    /// One task unpacks a layer; others that need it wait.
    busy: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Layers {
    /// Opens the directory and removes what a crash left incomplete.
    pub(crate) fn open(dir: PathBuf) -> Result<Layers, PlaneError> {
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
        Ok(Layers { dir, busy: Mutex::default() })
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
        let home = home.to_owned();
        // In the background: a container need not wait until its layers are synced.
        std::thread::spawn(move || {
            if let Err(e) = settle(&home) {
                tracing::debug!(layer = %home.display(), "not yet on disk: {e}");
            }
        });
        Ok(())
    }
}

fn settle(home: &Path) -> io::Result<()> {
    rustix::fs::syncfs(fs::File::open(home)?)?;
    fs::write(home.join("on-disk"), b"")
}
