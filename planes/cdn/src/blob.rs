//! The bytes of one answer: written once by the task that fetches them, read by many concurrently while they arrive and
//! afterwards; in memory while small, in a file when large or when memory is short.

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::watch;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer to a viewer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Bodies up to this size start in memory.
const MEMORY_BYTES: u64 = 1024 * 1024;
const READ_BYTES: u64 = 256 * 1024;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A directory for cache files. Only one `Directory` may use a path.
pub(crate) struct Directory {
    path: PathBuf,
    next: AtomicU64,
}

impl Directory {
    /// Deletes the files of an earlier process.
    pub(crate) fn open(path: &Path) -> io::Result<Directory> {
        match std::fs::remove_dir_all(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => std::fs::create_dir_all(path)?,
        }
        Ok(Directory { path: path.to_owned(), next: AtomicU64::new(0) })
    }

    fn create(&self) -> io::Result<OnDisk> {
        let path = self.path.join(self.next.fetch_add(1, Relaxed).to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(OnDisk { path, file })
    }
}

struct OnDisk {
    path: PathBuf,
    file: File,
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a cache file could not be removed");
        }
    }
}

pub(crate) struct Blob {
    place: Mutex<Place>,
    progress: watch::Sender<Progress>,
}

enum Place {
    Memory(Vec<Bytes>),
    Disk(Arc<OnDisk>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Progress {
    len: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Coming,
    Whole,
    Broken,
}

impl Blob {
    pub(crate) fn new() -> Arc<Blob> {
        Arc::new(Blob {
            place: Mutex::new(Place::Memory(Vec::new())),
            progress: watch::Sender::new(Progress { len: 0, state: State::Coming }),
        })
    }

    /// Complete from the start.
    pub(crate) fn filled(bytes: impl Into<Bytes>) -> Arc<Blob> {
        let bytes = bytes.into();
        let progress = Progress { len: bytes.len() as u64, state: State::Whole };
        Arc::new(Blob {
            place: Mutex::new(Place::Memory(vec![bytes])),
            progress: watch::Sender::new(progress),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.progress.borrow().len
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.progress.borrow().state == State::Whole
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(*self.place(), Place::Memory(_))
    }

    /// Appends; there is one writer.
    pub(crate) async fn write(self: &Arc<Blob>, bytes: Bytes, directory: &Arc<Directory>) -> io::Result<()> {
        let at = self.len();
        let len = at + bytes.len() as u64;
        if self.is_in_memory() && len > MEMORY_BYTES {
            self.to_disk(directory).await?;
        }
        let disk = match &mut *self.place() {
            Place::Memory(chunks) => {
                chunks.push(bytes.clone());
                None
            }
            Place::Disk(disk) => Some(disk.clone()),
        };
        if let Some(disk) = disk {
            blocking(move || disk.file.write_all_at(&bytes, at)).await?;
        }
        self.progress.send_modify(|p| p.len = len);
        Ok(())
    }

    pub(crate) fn finish(&self, whole: bool) {
        self.progress.send_modify(|p| p.state = if whole { State::Whole } else { State::Broken });
    }

    /// Moves the bytes in memory to a file; readers continue there.
    pub(crate) async fn to_disk(self: &Arc<Blob>, directory: &Arc<Directory>) -> io::Result<()> {
        let (blob, directory) = (self.clone(), directory.clone());
        blocking(move || {
            let chunks = match &*blob.place() {
                Place::Memory(chunks) => chunks.clone(),
                Place::Disk(_) => return Ok(()),
            };
            let disk = directory.create()?;
            let mut at = 0;
            for chunk in &chunks {
                disk.file.write_all_at(chunk, at)?;
                at += chunk.len() as u64;
            }
            *blob.place() = Place::Disk(Arc::new(disk));
            Ok(())
        })
        .await
    }

    /// Reads from `start` up to, not including, `end` (or to the end), and waits for bytes that have not arrived yet.
    pub(crate) fn read(self: &Arc<Blob>, start: u64, end: Option<u64>) -> Body {
        if let Some(bytes) = self.only_chunk() {
            let len = bytes.len() as u64;
            let (start, end) = (start.min(len), end.unwrap_or(len).min(len));
            return full(bytes.slice(start as usize..end.max(start) as usize));
        }
        let reader = Reader { progress: self.progress.subscribe(), blob: self.clone(), at: start, end };
        let frames = stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(None) => None,
                Ok(Some(bytes)) => Some((Ok(Frame::data(bytes)), Some(reader))),
                Err(e) => Some((Err(e), None)),
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Everything, if it is one piece in memory: then nothing has to be waited for. This is the most frequent case.
    fn only_chunk(&self) -> Option<Bytes> {
        match &*self.place() {
            Place::Memory(chunks) if chunks.len() == 1 && self.is_whole() => Some(chunks[0].clone()),
            _ => None,
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    blob: Arc<Blob>,
    progress: watch::Receiver<Progress>,
    at: u64,
    end: Option<u64>,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.end.is_some_and(|end| self.at >= end) {
            return Ok(None);
        }
        let at = self.at;
        let now = *self.progress.wait_for(|p| p.len > at || p.state != State::Coming).await?;
        let until = self.end.unwrap_or(u64::MAX).min(now.len);
        if until <= at {
            return if now.state == State::Whole {
                Ok(None)
            } else {
                Err("the origin ended the answer early".into())
            };
        }
        let disk = match &*self.blob.place() {
            Place::Memory(chunks) => {
                let bytes = chunk_at(chunks, at, until);
                self.at += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            Place::Disk(disk) => disk.clone(),
        };
        let want = (until - at).min(READ_BYTES) as usize;
        let bytes = blocking(move || {
            let mut buf = vec![0; want];
            disk.file.read_exact_at(&mut buf, at)?;
            Ok(buf)
        })
        .await?;
        self.at += want as u64;
        Ok(Some(bytes.into()))
    }
}

/// The bytes before `until` of the chunk that contains `at`.
fn chunk_at(chunks: &[Bytes], at: u64, until: u64) -> Bytes {
    let mut start = 0;
    for chunk in chunks {
        let end = start + chunk.len() as u64;
        if at < end {
            return chunk.slice((at - start) as usize..(until.min(end) - start) as usize);
        }
        start = end;
    }
    Bytes::new()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn readers_follow_a_writer_into_the_file() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(&temp.path().join("cache")).unwrap());
        let blob = Blob::new();
        let collect = |start, end| {
            let body = blob.read(start, end);
            tokio::spawn(async move { body.collect().await.map(|c| c.to_bytes()) })
        };
        let (all, part) = (collect(0, None), collect(1_000_000, Some(1_100_000)));
        let piece = Bytes::from(vec![7; 100_000]);
        for _ in 0..20 {
            blob.write(piece.clone(), &directory).await.unwrap();
        }
        assert!(!blob.is_in_memory());
        blob.finish(true);
        assert_eq!(all.await.unwrap().unwrap().len(), 2_000_000);
        assert_eq!(part.await.unwrap().unwrap().len(), 100_000);
        assert_eq!(std::fs::read_dir(temp.path().join("cache")).unwrap().count(), 1);
        drop(blob);
        assert_eq!(std::fs::read_dir(temp.path().join("cache")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn failed_writer_fails_its_readers() {
        let blob = Blob::new();
        let body = blob.read(0, None);
        blob.finish(false);
        assert!(body.collect().await.is_err());
    }
}
