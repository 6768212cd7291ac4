//! The bytes of objects: files under `data/`, written under `tmp/` first and renamed when they are complete.
//!
//! A file without a row is removed when the last reader that began before has finished.

use crate::digest::{Hasher, Sums};
use crate::{Algorithm, Body, Durability, Error, Expected, Result, Trailer};
use bytes::Bytes;
use escale_base::{PlaneError, error::Context};
use escale_files::disk::OnDisk;
use futures_util::stream::{self, StreamExt};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that one call on a blocking thread writes or reads.
const CHUNK: usize = 256 << 10;
/// Number of directories that files are distributed to.
const SHARDS: i64 = 256;

pub(crate) struct Files {
    root: PathBuf,
    durability: Durability,
    /// The number of readers of each file, and whether it is to be removed after the last one.
    pins: Mutex<HashMap<i64, (u32, bool)>>,
    /// Held for reading from an index lookup until the files found there are pinned.
    looking: RwLock<()>,
}

impl Files {
    pub(crate) fn open(root: &Path, durability: Durability) -> Result<Files, PlaneError> {
        let place = || format!("prepare the object directory {}", root.display());
        for shard in 0..SHARDS {
            std::fs::create_dir_all(root.join(format!("data/{shard:02x}"))).machine(place)?;
        }
        // These files belong to puts that never completed.
        // Safe to delete: the store's lock guarantees that no other process writes here.
        let tmp = root.join("tmp");
        match std::fs::remove_dir_all(&tmp) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e).machine(place),
            _ => std::fs::create_dir(&tmp).machine(place)?,
        }
        let (pins, looking) = (Mutex::default(), RwLock::default());
        Ok(Files { root: root.to_owned(), durability, pins, looking })
    }

    fn path(&self, id: i64) -> PathBuf {
        self.root.join(format!("data/{:02x}/{id:016x}", id % SHARDS))
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<i64, (u32, bool)>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While the guard is held no file that the index names is removed.
    pub(crate) fn look(&self) -> RwLockReadGuard<'_, ()> {
        self.looking.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes files that a committed transaction deleted from the index.
    pub(crate) fn remove(&self, dead: Vec<i64>) {
        if dead.is_empty() {
            return;
        }
        // Every reader that used the index before the commit has pinned its files once this lock is acquired.
        drop(self.looking.write().unwrap_or_else(PoisonError::into_inner));
        for id in dead {
            // A reader still has the file open or will open it; the last pin removes it.
            if let Some((_, doomed)) = self.pins().get_mut(&id) {
                *doomed = true;
                continue;
            }
            self.unlink(id);
        }
    }

    fn unlink(&self, id: i64) {
        if let Err(e) = std::fs::remove_file(self.path(id)) {
            // The sweep of the next start removes it.
            tracing::warn!("cannot remove the bytes of a deleted object, {}: {e}", self.path(id).display());
        }
    }

    pub(crate) fn pin(self: &Arc<Self>, ids: Vec<i64>) -> Pins {
        let mut pins = self.pins();
        for id in &ids {
            pins.entry(*id).or_insert((0, false)).0 += 1;
        }
        Pins { files: self.clone(), ids }
    }

    /// Files of a shard with a number below `first`, the lowest of this start.
    pub(crate) fn older(&self, shard: i64, first: i64) -> io::Result<Vec<i64>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.root.join(format!("data/{shard:02x}")))? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|n| i64::from_str_radix(n, 16).ok());
            // Files of this start may belong to a body that is still being received, or to an uncommitted transaction.
            found.extend(id.filter(|id| *id < first));
        }
        Ok(found)
    }

    pub(crate) fn shards() -> std::ops::Range<i64> {
        0..SHARDS
    }
}

/// Keeps files readable while it exists.
pub(crate) struct Pins {
    files: Arc<Files>,
    ids: Vec<i64>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut doomed = Vec::new();
        let mut pins = self.files.pins();
        for id in &self.ids {
            if let Some(entry) = pins.get_mut(id) {
                entry.0 -= 1;
                if entry.0 == 0 {
                    doomed.extend(entry.1.then_some(*id));
                    pins.remove(id);
                }
            }
        }
        drop(pins);
        // After the lock is released: removing a large file can take long.
        doomed.into_iter().for_each(|id| self.files.unlink(id));
    }
}

/// A file without a row yet; removed when dropped unless it is kept.
pub(crate) struct Staged {
    path: PathBuf,
    kept: bool,
}

impl Staged {
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // If this fails the sweep of the next start removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The requirements on a body.
pub(crate) struct Intake {
    pub(crate) size_bytes: Option<u64>,
    pub(crate) compute: Vec<Algorithm>,
    pub(crate) expect: Expected,
    pub(crate) trailer: Option<Trailer>,
    pub(crate) limit_bytes: u64,
    pub(crate) inline_bytes: usize,
}

/// A complete body that meets its requirements.
pub(crate) struct Received {
    pub(crate) size_bytes: u64,
    pub(crate) sums: Sums,
    pub(crate) stored: Stored,
}

pub(crate) enum Stored {
    Inline(Vec<u8>),
    File(Staged),
}

struct Sink {
    hasher: Hasher,
    output: Output,
}

/// Created at the first write, so that a short body never touches the disk.
struct Output {
    file: Option<(File, Staged)>,
    tmp: PathBuf,
}

impl Output {
    fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let (file, _) = match &mut self.file {
            Some(open) => open,
            closed => {
                let file = File::create_new(&self.tmp)?;
                closed.insert((file, Staged { path: self.tmp.clone(), kept: false }))
            }
        };
        for chunk in chunks {
            file.write_all(chunk)?;
        }
        Ok(())
    }
}

/// Receives a body into the file of number `id`, or into memory if it is short. One blocking thread hashes and another one
/// writes while the next bytes arrive: MD5 alone takes as long as everything else.
pub(crate) async fn receive(files: &Files, id: i64, mut body: Body, mut intake: Intake) -> Result<Received> {
    let algorithms = intake.compute.iter().copied().chain(intake.expect.iter().map(|(a, _)| *a));
    let tmp = files.root.join(format!("tmp/{id:016x}"));
    let mut writing =
        Writing::Idle(Sink { hasher: Hasher::new(algorithms), output: Output { file: None, tmp } });
    let (mut waiting, mut waiting_bytes, mut size_bytes) = (Vec::new(), 0, 0u64);
    while let Some(chunk) = body.next().await {
        let checked = chunk.map_err(Error::Body).and_then(|chunk| {
            size_bytes += chunk.len() as u64;
            // Checked at every chunk: a body that is too long must not fill the disk first.
            check_size(size_bytes, &intake).map(|()| chunk)
        });
        let chunk = match checked {
            Ok(chunk) => chunk,
            Err(e) => {
                // Waited for, so that the file is gone before the sender gets the error.
                drop(writing.ended(&files.root).await);
                return Err(e);
            }
        };
        waiting_bytes += chunk.len();
        waiting.push(chunk);
        if waiting_bytes >= CHUNK {
            writing = writing.then(&files.root, std::mem::take(&mut waiting)).await?;
            waiting_bytes = 0;
        }
    }
    let expect = match ended_well(size_bytes, &mut intake) {
        Ok(expect) => expect,
        Err(e) => {
            drop(writing.ended(&files.root).await);
            return Err(e);
        }
    };
    if size_bytes <= intake.inline_bytes as u64
        && let Writing::Idle(Sink { mut hasher, output: Output { file: None, .. } }) = writing
    {
        let bytes = waiting.concat();
        hasher.update(&bytes);
        let sums = hasher.finish();
        sums.verify(&expect)?;
        return Ok(Received { size_bytes, sums, stored: Stored::Inline(bytes) });
    }
    let mut sink = writing.ended(&files.root).await?;
    let (path, durability) = (files.path(id), files.durability);
    let finish = move || -> Result<Received> {
        let place = || format!("write the object file {}", path.display());
        sink.output.write(&waiting).on_disk(&path, place)?;
        waiting.iter().for_each(|chunk| sink.hasher.update(chunk));
        let sums = sink.hasher.finish();
        sums.verify(&expect)?;
        let (file, mut staged) =
            sink.output.file.take().ok_or_else(|| PlaneError::plane(format!("cannot {}", place())))?;
        // Bytes, then name, then directory: after a power failure the index must not name a file that is missing or torn.
        if durability == Durability::Power {
            file.sync_all().on_disk(&path, place)?;
        }
        std::fs::rename(&staged.path, &path).on_disk(&path, place)?;
        staged.path.clone_from(&path);
        if let (Durability::Power, Some(shard)) = (durability, path.parent()) {
            File::open(shard).and_then(|dir| dir.sync_all()).machine(place)?;
        }
        Ok(Received { size_bytes, sums, stored: Stored::File(staged) })
    };
    spawn_blocking(finish).await.plane(|| "write an object".into())?
}

/// The checksums that the complete body must have.
fn ended_well(size_bytes: u64, intake: &mut Intake) -> Result<Expected> {
    if let Some(expected) = intake.size_bytes.filter(|expected| size_bytes != *expected) {
        return Err(Error::SizeMismatch { expected, received: size_bytes });
    }
    let mut expect = std::mem::take(&mut intake.expect);
    if let Some(trailer) = intake.trailer.take() {
        expect.extend(trailer().map_err(Error::Body)?);
    }
    Ok(expect)
}

fn check_size(size_bytes: u64, intake: &Intake) -> Result<()> {
    if size_bytes > intake.limit_bytes {
        return Err(Error::TooLarge { size_bytes, limit_bytes: intake.limit_bytes });
    }
    match intake.size_bytes.filter(|expected| size_bytes > *expected) {
        Some(expected) => Err(Error::SizeMismatch { expected, received: size_bytes }),
        None => Ok(()),
    }
}

enum Writing {
    Idle(Sink),
    Busy { hashing: JoinHandle<Hasher>, writing: JoinHandle<io::Result<Output>> },
}

impl Writing {
    /// Waits for both, also after an error: the file is gone then.
    async fn ended(self, path: &Path) -> Result<Sink> {
        let what = || "write the bytes of an object".to_owned();
        match self {
            Writing::Idle(sink) => Ok(sink),
            Writing::Busy { hashing, writing } => {
                let (hasher, output) = (hashing.await, writing.await);
                Ok(Sink { output: output.plane(what)?.on_disk(path, what)?, hasher: hasher.plane(what)? })
            }
        }
    }

    /// Starts the next write once the previous one is done.
    async fn then(self, path: &Path, chunks: Vec<Bytes>) -> Result<Writing> {
        let Sink { mut hasher, mut output } = self.ended(path).await?;
        let hashed = chunks.clone();
        let hashing = spawn_blocking(move || {
            hashed.iter().for_each(|chunk| hasher.update(chunk));
            hasher
        });
        let writing = spawn_blocking(move || output.write(&chunks).map(|()| output));
        Ok(Writing::Busy { hashing, writing })
    }
}

/// A piece of an object, in order.
pub(crate) enum Segment {
    Bytes(Bytes),
    File { id: i64, range: Range<u64> },
}

struct Chunk {
    file: Arc<(PathBuf, OnceLock<File>)>,
    at: u64,
    len: usize,
}

impl Chunk {
    fn read(&self) -> io::Result<Bytes> {
        let (path, open) = &*self.file;
        let file = match open.get() {
            Some(file) => file,
            None => {
                let file = File::open(path)?;
                open.get_or_init(|| file)
            }
        };
        let mut bytes = vec![0; self.len];
        file.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes.into())
    }
}

/// The bytes of the segments, with one chunk read ahead.
pub(crate) fn stream(pins: Pins, segments: Vec<Segment>) -> Body {
    let files = pins.files.clone();
    let pieces = segments.into_iter().flat_map(move |segment| {
        let (bytes, file) = match segment {
            Segment::Bytes(bytes) => (Some(Ok(bytes)), None),
            Segment::File { id, range } => (None, Some((Arc::new((files.path(id), OnceLock::new())), range))),
        };
        let chunks = file.into_iter().flat_map(|(file, range)| {
            let end = range.end;
            // All chunks of a file share one handle, which the first read opens.
            range.step_by(CHUNK).map(move |at| {
                Err(Chunk { file: file.clone(), at, len: (end - at).min(CHUNK as u64) as usize })
            })
        });
        bytes.into_iter().chain(chunks)
    });
    let pins = Arc::new(pins);
    let read = move |piece| {
        let pins = pins.clone();
        async move {
            match piece {
                Ok(bytes) => Ok(bytes),
                Err(chunk) => {
                    let task = spawn_blocking(move || {
                        let bytes = Chunk::read(&chunk);
                        drop(pins);
                        bytes
                    });
                    Ok(task.await??)
                }
            }
        }
    };
    // Two in flight: one is sent while the next is read.
    stream::iter(pieces).map(read).buffered(2).boxed()
}
