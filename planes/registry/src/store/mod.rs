//! The real registry: files for blobs, manifests and uploads in progress; an index for repositories and their contents.

mod cache;
mod rows;
mod upload;

use crate::{
    BLOB_BYTES, Body, CACHE_GRACE_MS, COLLECTED_AT_ONCE, Collected, Descriptor, Digest, Error, Fetch, Image,
    MANIFEST_BYTES, Manifest, Pushed, PutImage, Reference, Registry, RepositorySpec, Result, Settings,
    UploadId, manifest,
};
use async_trait::async_trait;
use bytes::Bytes;
use escale_base::{PlaneError, error::Context, ids::random_uuid, limits::PLANE_EVENTS};
use escale_files::disk::OnDisk;
use futures_util::stream::{self, StreamExt};
use rusqlite::Connection;
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::broadcast, task::spawn_blocking};
use upload::Session;

/// Bytes that one call on a blocking thread writes or reads.
const CHUNK: usize = 512 << 10;

/// Repositories under one directory, which only one store at a time may have open.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// Also held while a file is added to or removed from `blobs/`, so that the index always matches the files.
    sql: Mutex<Connection>,
    sessions: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Session>>>>,
    /// One call at a time caches a blob; others that need it wait.
    caching: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    pushes: broadcast::Sender<Pushed>,
    lock: File,
}

impl Inner {
    fn blob(&self, digest: &Digest) -> PathBuf {
        self.settings.root.join("blobs/sha256").join(digest.hex())
    }
    fn upload(&self, id: &str) -> PathBuf {
        self.settings.root.join("registry/uploads").join(id)
    }
    fn partial(&self, digest: &Digest) -> PathBuf {
        self.settings.root.join("registry/partial").join(digest.hex())
    }
    fn now_ms(&self) -> i64 {
        self.settings.clock.now().0
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Explicit: a process that is being forked elsewhere has a copy of the file until it executes,
        // and would hold the lock until then. If this fails the lock is released with the file.
        let _ = self.lock.unlock();
    }
}

impl Store {
    /// Opens an existing registry or creates one. Uploads in progress can continue.
    pub fn open(settings: Settings) -> Result<Store, PlaneError> {
        let root = &settings.root;
        for dir in ["blobs/sha256", "registry/uploads", "registry/partial", "registry/tmp"] {
            std::fs::create_dir_all(root.join(dir))
                .machine(|| format!("create {dir} in {}", root.display()))?;
        }
        let place = || format!("open the registry in {}", root.display());
        let lock = File::create(root.join("registry/lock")).machine(place)?;
        lock.try_lock().machine(|| {
            format!("lock {} (another registry has it open; stop that one first)", root.display())
        })?;
        let sql = Connection::open(root.join("registry/index.sqlite")).machine(place)?;
        rows::prepare(&sql).machine(place)?;
        drop_strays(&sql, root).map_err(|e| PlaneError::machine(format!("cannot {}", place())).because(e))?;
        // Without an initial receiver; each subscriber gets the pushes after its subscription.
        let (pushes, _) = broadcast::channel(PLANE_EVENTS);
        let (sql, sessions, caching) = (Mutex::new(sql), Mutex::default(), Mutex::default());
        Ok(Store(Arc::new(Inner { settings, sql, sessions, caching, pushes, lock })))
    }

    /// Removes everything that a registry made under this directory, and all blobs. It must not be open.
    pub fn wipe(root: &Path) -> Result<(), PlaneError> {
        for dir in ["blobs", "registry"] {
            match std::fs::remove_dir_all(root.join(dir)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(e).machine(|| format!("remove {dir} in {}", root.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The file of a blob or manifest, for the program that runs the image. It exists as long as a repository has it.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.0.blob(digest)
    }

    /// Runs `job` alone on the index, in a transaction, on a thread that may block.
    async fn index<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection, &Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.0.clone();
        let run = move || {
            let mut sql = inner.sql.lock().unwrap_or_else(PoisonError::into_inner);
            let tx = sql.transaction()?;
            let done = job(&tx, &inner)?;
            tx.commit()?;
            Ok(done)
        };
        spawn_blocking(run).await.plane(|| "use the registry's index".into())?
    }

    async fn session(&self, repository: &str, id: &UploadId) -> Result<Arc<tokio::sync::Mutex<Session>>> {
        let (name, upload) = (repository.to_owned(), id.0.clone());
        // The row decides which uploads exist: the map is empty after a restart.
        self.index(move |sql, _| rows::upload(sql, &name, &upload)).await?;
        let mut sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.0.upload(&id.0);
        Ok(sessions.entry(id.0.clone()).or_insert_with(|| Arc::new(Session::at(path).into())).clone())
    }

    fn forget_session(&self, id: &UploadId) {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
    }
}

/// Removes upload files without a row: a crash came between the end of their upload and the file's removal.
fn drop_strays(sql: &Connection, root: &Path) -> Result<()> {
    let place = || format!("list the uploads in {}", root.display());
    for entry in std::fs::read_dir(root.join("registry/uploads")).machine(place)? {
        let entry = entry.machine(place)?;
        if !rows::has_upload(sql, &entry.file_name().to_string_lossy())? {
            std::fs::remove_file(entry.path()).machine(place)?;
        }
    }
    // Also removes rows without a file: a crash came between the file's rename and the commit.
    rows::drop_uploads(sql, |id| !root.join("registry/uploads").join(id).exists())?;
    for entry in std::fs::read_dir(root.join("registry/tmp")).machine(place)? {
        std::fs::remove_file(entry.machine(place)?.path()).machine(place)?;
    }
    Ok(())
}

/// Moves a finished file to its place among the blobs. The caller holds the index.
fn place_blob(inner: &Inner, from: &Path, digest: &Digest) -> Result<()> {
    let to = inner.blob(digest);
    let place = || format!("move the blob {digest} to its place");
    std::fs::rename(from, &to).on_disk(&to, place)?;
    // The name as well must survive a power failure before the index refers to it.
    let dir = File::open(inner.settings.root.join("blobs/sha256")).machine(place)?;
    Ok(dir.sync_all().on_disk(&to, place)?)
}

#[async_trait]
impl Registry for Store {
    async fn create_repository(&self, name: &str, spec: RepositorySpec) -> Result<()> {
        manifest::check_name(name)?;
        let name = name.to_owned();
        self.index(move |sql, _| rows::create_repository(sql, &name, spec)).await
    }

    async fn set_repository(&self, name: &str, spec: RepositorySpec) -> Result<()> {
        let name = name.to_owned();
        self.index(move |sql, _| rows::set_repository(sql, &name, spec)).await
    }

    async fn delete_repository(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        // Rows first: a crash in between leaves upload files without rows, which the next start removes.
        let uploads = self.index(move |sql, _| rows::delete_repository(sql, &name)).await?;
        for upload in uploads {
            // If this fails the next start removes it.
            let _ = std::fs::remove_file(self.0.upload(&upload));
            self.forget_session(&UploadId(upload));
        }
        Ok(())
    }

    async fn repositories(&self) -> Result<Vec<String>> {
        self.index(|sql, _| rows::repositories(sql)).await
    }

    async fn blob_size(&self, repository: &str, digest: &Digest) -> Result<u64> {
        let (name, digest) = (repository.to_owned(), digest.clone());
        self.index(move |sql, _| rows::blob_size(sql, &name, &digest)).await
    }

    async fn read_blob(&self, repository: &str, digest: &Digest, range: Range<u64>) -> Result<Body> {
        let (name, digest) = (repository.to_owned(), digest.clone());
        let open = move |sql: &Connection, inner: &Inner| {
            rows::blob_size(sql, &name, &digest)?;
            // An open file outlives its deletion.
            Ok(File::open(inner.blob(&digest)).machine(|| format!("open the blob {digest}"))?)
        };
        Ok(stream_file(Arc::new(self.index(open).await?), range))
    }

    async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<()> {
        let (name, digest) = (repository.to_owned(), digest.clone());
        // A running container may use the file: only collect(), which knows those, removes it.
        self.index(move |sql, _| rows::delete_blob(sql, &name, &digest)).await
    }

    async fn mount_blob(&self, repository: &str, from: &str, digest: &Digest) -> Result<bool> {
        let (name, from, digest) = (repository.to_owned(), from.to_owned(), digest.clone());
        let mount = move |sql: &Connection, inner: &Inner| {
            rows::repository(sql, &name)?;
            // A missing source is no error: the client then uploads the blob.
            match rows::blob_size(sql, &from, &digest) {
                Ok(size) => rows::link(sql, &name, &digest, size, inner.now_ms()).map(|()| true),
                Err(Error::NoSuchBlob { .. } | Error::NoSuchRepository(_)) => Ok(false),
                Err(e) => Err(e),
            }
        };
        self.index(mount).await
    }

    async fn start_upload(&self, repository: &str) -> Result<UploadId> {
        let (name, id) = (repository.to_owned(), random_uuid());
        let start = move |sql: &Connection, inner: &Inner| {
            rows::start_upload(sql, &name, &id, inner.now_ms())?;
            let path = inner.upload(&id);
            File::create_new(&path).on_disk(&path, || format!("create the upload {}", path.display()))?;
            Ok(UploadId(id))
        };
        self.index(start).await
    }

    async fn upload_size(&self, repository: &str, id: &UploadId) -> Result<u64> {
        let session = self.session(repository, id).await?;
        let session = session.lock().await;
        session.size()
    }

    async fn append(&self, repository: &str, id: &UploadId, at: Option<u64>, body: Body) -> Result<u64> {
        let session = self.session(repository, id).await?;
        let session = session.try_lock_owned().map_err(|_| Error::UploadBusy)?;
        upload::append(session, at, body, BLOB_BYTES).await
    }

    async fn finish_upload(&self, repository: &str, id: &UploadId, digest: &Digest) -> Result<()> {
        let session = self.session(repository, id).await?;
        let mut session = session.try_lock_owned().map_err(|_| Error::UploadBusy)?;
        let hash = move || session.finish().map(|found| (found, session));
        // Held to the end: nothing may be appended between hashing and placing the blob.
        let ((computed, size), mut session) =
            spawn_blocking(hash).await.plane(|| "hash an upload".into())??;
        if computed != *digest {
            self.cancel_upload(repository, id).await?;
            return Err(Error::DigestMismatch { expected: digest.clone(), computed });
        }
        // Recorded before the file is placed, so that a crash in between leaves nothing that collect() does not know.
        let known = computed.clone();
        self.index(move |sql, _| rows::add_file(sql, &known, size)).await?;
        let (name, upload) = (repository.to_owned(), id.0.clone());
        let link = move |sql: &Connection, inner: &Inner| {
            rows::end_upload(sql, &name, &upload)?;
            // The file before the row: a row never refers to a missing file.
            place_blob(inner, &inner.upload(&upload), &computed)?;
            rows::link(sql, &name, &computed, size, inner.now_ms())
        };
        self.index(link).await?;
        // A request that already has this session must not append to the blob.
        session.close();
        self.forget_session(id);
        Ok(())
    }

    async fn cancel_upload(&self, repository: &str, id: &UploadId) -> Result<()> {
        let (name, upload) = (repository.to_owned(), id.0.clone());
        self.index(move |sql, _| rows::end_upload(sql, &name, &upload)).await?;
        // If this fails the next start removes it.
        let _ = std::fs::remove_file(self.0.upload(&id.0));
        self.forget_session(id);
        Ok(())
    }

    async fn put_image(
        &self,
        repository: &str,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<PutImage> {
        let parsed = manifest::parse(media_type, bytes)?;
        manifest::check_reference(reference, &parsed.digest)?;
        let answer = PutImage { digest: parsed.digest.clone(), subject: parsed.subject.clone() };
        let (known, size) = (parsed.digest.clone(), parsed.descriptor.size);
        self.index(move |sql, _| rows::add_file(sql, &known, size)).await?;
        let (name, reference, bytes) = (repository.to_owned(), reference.clone(), bytes.to_vec());
        let put = move |sql: &Connection, inner: &Inner| {
            // Checks everything before the file is written; the rows become visible with the commit, after the file.
            let moved = rows::put_image(sql, &name, &reference, &parsed, inner.now_ms())?;
            let tmp = inner.settings.root.join("registry/tmp").join(parsed.digest.hex());
            let write = || -> io::Result<()> {
                let mut file = File::create(&tmp)?;
                file.write_all(&bytes)?;
                file.sync_all()
            };
            write().on_disk(&tmp, || format!("write the manifest {}", parsed.digest))?;
            place_blob(inner, &tmp, &parsed.digest)?;
            Ok(match reference {
                Reference::Tag(tag) if moved => Some(Pushed { repository: name, tag, digest: parsed.digest }),
                _ => None,
            })
        };
        if let Some(pushed) = self.index(put).await? {
            // Without a subscriber the event is dropped.
            let _ = self.0.pushes.send(pushed);
        }
        Ok(answer)
    }

    async fn resolve(&self, repository: &str, reference: &Reference) -> Result<Digest> {
        let (name, reference) = (repository.to_owned(), reference.clone());
        self.index(move |sql, _| Ok(rows::resolve(sql, &name, &reference)?.0)).await
    }

    async fn manifest(&self, repository: &str, reference: &Reference) -> Result<Manifest> {
        let (name, reference) = (repository.to_owned(), reference.clone());
        let read = move |sql: &Connection, inner: &Inner| {
            let (digest, media_type) = rows::resolve(sql, &name, &reference)?;
            let bytes =
                std::fs::read(inner.blob(&digest)).machine(|| format!("read the manifest {digest}"))?;
            Ok(Manifest { digest, media_type, bytes: bytes.into() })
        };
        self.index(read).await
    }

    async fn delete_image(&self, repository: &str, reference: &Reference) -> Result<()> {
        let (name, reference) = (repository.to_owned(), reference.clone());
        self.index(move |sql, _| rows::delete_image(sql, &name, &reference)).await
    }

    async fn tags(&self, repository: &str, after: &str, limit: usize) -> Result<(Vec<String>, bool)> {
        let (name, after) = (repository.to_owned(), after.to_owned());
        self.index(move |sql, _| rows::tags(sql, &name, &after, limit)).await
    }

    async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Descriptor>> {
        let (name, subject) = (repository.to_owned(), subject.clone());
        self.index(move |sql, _| rows::referrers(sql, &name, &subject)).await
    }

    async fn images(&self, repository: &str) -> Result<Vec<Image>> {
        let name = repository.to_owned();
        self.index(move |sql, _| rows::images(sql, &name)).await
    }

    fn pushes(&self) -> broadcast::Receiver<Pushed> {
        self.0.pushes.subscribe()
    }

    async fn cache(&self, digest: &Digest, size_bytes: u64, fetch: Fetch<'_>) -> Result<()> {
        cache::cache(self, digest, size_bytes, fetch).await
    }

    async fn admit(&self, source: &str, digest: &Digest) -> Result<()> {
        let (source, digest) = (source.to_owned(), digest.clone());
        self.index(move |sql, _| rows::admit(sql, &source, &digest)).await
    }

    async fn admitted(&self, source: &str, digest: &Digest) -> Result<Option<Bytes>> {
        let (source, digest) = (source.to_owned(), digest.clone());
        let read = move |sql: &Connection, inner: &Inner| {
            if !rows::is_admitted(sql, &source, &digest)? {
                return Ok(None);
            }
            rows::mark_cached(sql, &digest, inner.now_ms())?;
            Ok(read_manifest(&inner.blob(&digest)).map(Bytes::from))
        };
        self.index(read).await
    }

    async fn collect(&self, keep: HashSet<Digest>, grace_ms: i64) -> Result<Collected> {
        let before = self.0.now_ms().saturating_sub(grace_ms);
        cache::drop_partial(&self.0, before)?;
        let old = self.index(move |sql, _| rows::drop_unnamed(sql, before)).await?;
        for upload in old {
            // If this fails the next start removes it.
            let _ = std::fs::remove_file(self.0.upload(&upload));
            self.forget_session(&UploadId(upload));
        }
        // After all of that is committed: no repository may get a file back that is being removed.
        self.index(move |sql, inner| {
            let unused = inner.now_ms().saturating_sub(CACHE_GRACE_MS);
            rows::drop_cached(sql, inner.settings.cache_bytes, unused)?;
            let keep = manifest::with_named(keep, |digest| read_manifest(&inner.blob(digest)));
            drop_files(inner, rows::unlinked(sql, &keep, COLLECTED_AT_ONCE)?)
        })
        .await
    }
}

/// A blob that is too large for a manifest is a layer, and is not read.
fn read_manifest(path: &Path) -> Option<Vec<u8>> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > MANIFEST_BYTES as u64 {
        return None;
    }
    std::fs::read(path).ok()
}

/// Removes the files of blobs whose rows are gone. A crash before the commit leaves the row without a file,
/// which is harmless: no repository has the blob, and a new push stores the file again.
fn drop_files(inner: &Inner, gone: Vec<(Digest, u64)>) -> Result<Collected> {
    let mut collected = Collected::default();
    for (digest, size) in gone {
        match std::fs::remove_file(inner.blob(&digest)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(PlaneError::machine(format!("cannot remove the blob {digest}"))
                    .because(e)
                    .into());
            }
            _ => {}
        }
        collected.files += 1;
        collected.size_bytes += size;
    }
    Ok(collected)
}

/// The bytes of a file, with one chunk read ahead.
fn stream_file(file: Arc<File>, range: Range<u64>) -> Body {
    let end = range.end;
    let read = move |at: u64| {
        let file = file.clone();
        async move {
            let task = spawn_blocking(move || {
                let mut bytes = vec![0; (end - at).min(CHUNK as u64) as usize];
                file.read_exact_at(&mut bytes, at).map(|()| Bytes::from(bytes))
            });
            Ok(task.await??)
        }
    };
    stream::iter(range.step_by(CHUNK)).map(read).buffered(2).boxed()
}
