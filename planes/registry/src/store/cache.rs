//! Caches blobs of other registries: each is received in `registry/partial/`, and becomes a blob once its digest is verified.

use super::{Inner, Store, place_blob, rows, upload, upload::Session};
use crate::{BLOB_BYTES, Digest, Error, Fetch, RESERVED_BYTES, RESUMPTIONS, Result};
use escale_base::{PlaneError, error::Context};
use escale_files::disk::{Disk, OnDisk};
use rusqlite::Connection;
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::Mutex, task::spawn_blocking};

pub(super) async fn cache(store: &Store, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()> {
    let turn = Turn::of(store, digest);
    let _alone = turn.lock.lock().await;
    one_at_a_time(store, digest, size_bytes, fetch).await
}

/// The right to wait for a blob, which ends with the call, also if that is cancelled.
struct Turn<'a> {
    store: &'a Store,
    digest: &'a Digest,
    lock: Arc<Mutex<()>>,
}

impl<'a> Turn<'a> {
    fn of(store: &'a Store, digest: &'a Digest) -> Turn<'a> {
        let mut caching = store.0.caching.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { store, digest, lock: Arc::clone(caching.entry(digest.clone()).or_default()) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut caching = self.store.0.caching.lock().unwrap_or_else(PoisonError::into_inner);
        // The map and this call: no other call waits, and none can begin to while the map is locked.
        if Arc::strong_count(&self.lock) == 2 {
            caching.remove(self.digest);
        }
    }
}

async fn one_at_a_time(store: &Store, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()> {
    if size_bytes > BLOB_BYTES {
        return Err(Error::BlobTooLarge { limit_bytes: BLOB_BYTES });
    }
    let known = digest.clone();
    match store.index(move |sql, inner| existing(sql, inner, &known)).await? {
        Some(found) if found == size_bytes => return Ok(()),
        Some(found) => return Err(other_size(digest, found, size_bytes)),
        None => {}
    }
    let begun = have_partial(&store.0.partial(digest));
    let received = complete(store, digest, size_bytes, fetch).await;
    match received {
        // Another source may have sent the first bytes, and its blame must not fall on this one.
        Err(Error::DigestMismatch { .. } | Error::OtherSize { .. }) if begun => {
            complete(store, digest, size_bytes, fetch).await?;
        }
        received => received?,
    }
    // Recorded before the file is placed, so that a crash in between leaves nothing that collect() does not know.
    let known = digest.clone();
    store.index(move |sql, _| rows::add_file(sql, &known, size_bytes)).await?;
    let known = digest.clone();
    let place = move |sql: &Connection, inner: &Inner| {
        place_blob(inner, &inner.partial(&known), &known)?;
        rows::add_file(sql, &known, size_bytes)?;
        rows::mark_cached(sql, &known, inner.now_ms())
    };
    store.index(place).await
}

/// Receives a blob's file and verifies its digest. A file that is wrong is removed.
async fn complete(store: &Store, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()> {
    let path = store.0.partial(digest);
    let session = Arc::new(Mutex::new(open(&path)?));
    receive(store, &session, digest, size_bytes, fetch).await?;
    let mut session = session.try_lock_owned().map_err(|_| Error::UploadBusy)?;
    let hashed = spawn_blocking(move || session.finish()).await.plane(|| "hash a cached blob".into())?;
    let (computed, _) = hashed?;
    if computed == *digest {
        return Ok(());
    }
    remove(&path)?;
    Err(Error::DigestMismatch { expected: digest.clone(), computed })
}

fn have_partial(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

/// The size of a complete file, which is marked as used.
fn existing(sql: &Connection, inner: &Inner, digest: &Digest) -> Result<Option<u64>> {
    let Some(size) = rows::file_size(sql, digest)? else { return Ok(None) };
    // The row may be older than the file, and a disk may have lost data that it reported as written.
    if fs::metadata(inner.blob(digest)).map(|m| m.len()).ok() != Some(size) {
        return Ok(None);
    }
    rows::mark_cached(sql, digest, inner.now_ms())?;
    Ok(Some(size))
}

/// Fetches the missing bytes, and again after an interruption.
async fn receive(
    store: &Store,
    session: &Arc<Mutex<Session>>,
    digest: &Digest,
    size_bytes: u64,
    fetch: Fetch<'_>,
) -> Result<()> {
    let path = store.0.partial(digest);
    let mut have = session.lock().await.size()?;
    for left in (0..=RESUMPTIONS).rev() {
        if have == size_bytes {
            return Ok(());
        }
        if have > size_bytes {
            remove(&path)?;
            return Err(other_size(digest, have, size_bytes));
        }
        check_space(&path, size_bytes.saturating_sub(have))?;
        let body = fetch(have).await.map_err(|source| Error::Body { received: have, source })?;
        let held = Arc::clone(session).lock_owned().await;
        let received = upload::append(held, None, body, size_bytes).await;
        let now = session.lock().await.size()?;
        match received {
            Err(Error::BlobTooLarge { .. }) => {
                remove(&path)?;
                return Err(other_size(digest, size_bytes + 1, size_bytes));
            }
            Err(Error::Body { .. }) if now > have && left > 0 => {}
            Err(error) => return Err(error),
            // Such a body ended without an error, so there are no more bytes.
            Ok(_) if now < size_bytes => {
                remove(&path)?;
                return Err(other_size(digest, now, size_bytes));
            }
            Ok(_) => {}
        }
        have = now;
    }
    Ok(())
}

fn other_size(digest: &Digest, size_bytes: u64, announced_bytes: u64) -> Error {
    Error::OtherSize { digest: digest.clone(), size_bytes, announced_bytes }
}

fn open(path: &Path) -> Result<Session> {
    let place = || format!("create the partial blob {}", path.display());
    File::options().create(true).append(true).open(path).on_disk(path, place)?;
    Ok(Session::at(path.to_owned()))
}

fn check_space(path: &Path, needed_bytes: u64) -> Result<()> {
    let Some(disk) = Disk::of(path) else { return Ok(()) };
    if disk.free_bytes >= needed_bytes.saturating_add(RESERVED_BYTES) {
        return Ok(());
    }
    let what = format!(
        "no space left on device: the disk mounted at {} has {} MiB free, and the image needs {} MiB more; {} MiB are reserved. \
         Free some space on it",
        disk.mount.display(),
        disk.free_bytes >> 20,
        (needed_bytes >> 20) + 1,
        RESERVED_BYTES >> 20
    );
    Err(PlaneError::machine(what).into())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(PlaneError::machine(format!("cannot remove {}", path.display())).because(e).into())
        }
        _ => Ok(()),
    }
}

/// Removes partial blobs that were last written to before a time: nobody continues them.
pub(super) fn drop_partial(inner: &Inner, before_ms: i64) -> Result<()> {
    let folder = inner.settings.root.join("registry/partial");
    let before = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(before_ms).unwrap_or(0));
    let place = || format!("list {}", folder.display());
    for entry in fs::read_dir(&folder).machine(place)? {
        let entry = entry.machine(place)?;
        if entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| at < before) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}
