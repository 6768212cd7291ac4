//! The real store: files for the bytes, an index for the objects.

use crate::files::{self, Files, Intake, Segment, Stored};
use crate::hot::{Hot, Small};
use crate::index::{self, Index, NewObject, ObjectRow, Tx};
use crate::{
    Body, Bucket, Complete, Copy, Delete, Deleted, Error, Got, Labels, List, ListUploads, ListVersions,
    Listing, NewUpload, Object, Objects, Part, PartListing, Put, PutPart, Read, Result, Settings, UploadAt,
    UploadId, UploadListing, VersionId, VersionListing, Versioning, rules,
};
use async_trait::async_trait;
use bytes::Bytes;
use escale_base::{PlaneError, error::Context};
use rusqlite::{Connection, OptionalExtension};
use std::{fs::File, ops::Range, path::Path, sync::Arc};
use tokio::sync::Semaphore;

/// Buckets and objects under one directory, which only one store at a time may have open.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    settings: Settings,
    index: Arc<Index>,
    files: Arc<Files>,
    hot: Hot,
    receiving: Semaphore,
    /// Locked for as long as the store exists; the lock ends with the process.
    lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Explicit: a process that is being forked elsewhere has a copy of the file until it executes,
        // and would hold the lock until then. If this fails the lock is released with the file.
        let _ = self.lock.unlock();
    }
}

impl Store {
    /// Opens an existing store or creates one. Blocks for a few file operations; leftovers of a crash
    /// are removed in the background if a tokio runtime is running.
    pub fn open(settings: Settings) -> Result<Store, PlaneError> {
        let root = &settings.root;
        std::fs::create_dir_all(root).machine(|| format!("create the directory {}", root.display()))?;
        let lock =
            File::create(root.join("lock")).machine(|| format!("create the lock in {}", root.display()))?;
        lock.try_lock().machine(|| {
            format!("lock {} (another store has it open; stop that one first)", root.display())
        })?;
        let files = Arc::new(Files::open(root, settings.durability)?);
        let index = Index::open(&root.join("index.sqlite"), settings.durability, files.clone())?;
        let receiving = Semaphore::new(settings.limits.bodies);
        let store = Store(Arc::new(Inner {
            settings,
            index: Arc::new(index),
            files,
            hot: Hot::default(),
            receiving,
            lock,
        }));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let store = store.clone();
            runtime.spawn(async move {
                if let Err(e) = store.sweep().await {
                    tracing::warn!("cannot look for files without an object: {e}");
                }
            });
        }
        Ok(store)
    }

    /// Removes files of earlier starts without an object; returns their number. Safe at any time.
    pub async fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        for shard in Files::shards() {
            let (files, first) = (self.0.files.clone(), self.0.index.ids.first);
            let unnamed = move |sql: &Connection| {
                let old = files
                    .older(shard, first)
                    .machine(|| format!("list the object files of shard {shard}"))?;
                let mut find = sql.prepare_cached("SELECT 1 FROM contents WHERE id = ?1 AND kind = 1")?;
                let mut unnamed = Vec::new();
                for id in old {
                    // Such a file was renamed into place, but its transaction never committed.
                    if !find.exists([id])? {
                        unnamed.push(id);
                    }
                }
                let removed = unnamed.len();
                files.remove(unnamed);
                Ok(removed)
            };
            removed += self.0.index.read(unnamed).await?;
        }
        Ok(removed)
    }

    /// Removes everything that a store made under this directory. The store must not be open.
    pub fn wipe(root: &Path) -> Result<(), PlaneError> {
        match std::fs::remove_dir_all(root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.machine(|| format!("remove the directory {}", root.display())),
        }
    }

    fn now(&self) -> escale_base::Timestamp {
        self.0.settings.clock.now()
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.index.read(job).await
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.index.write(None, job).await
    }

    /// Receives a body and, in one transaction, counts it as a content and runs `job` with it.
    async fn receive<T: Send + 'static>(
        &self,
        body: Body,
        intake: Intake,
        job: impl FnOnce(&mut Tx<'_>, NewBody) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _turn =
            self.0.receiving.acquire().await.plane(|| "wait until the store can receive an object".into())?;
        let content = self.0.index.ids.next();
        let received = files::receive(&self.0.files, content, body, intake).await?;
        let size_bytes = received.size_bytes;
        let etag = received.sums.etag();
        let new = NewBody { content, size_bytes, etag, checksums: received.sums.kept() };
        let (inline, staged) = match received.stored {
            Stored::Inline(bytes) => (Some(bytes), None),
            Stored::File(staged) => (None, Some(staged)),
        };
        let count = move |tx: &mut Tx<'_>| {
            let kind = if inline.is_some() { index::INLINE } else { index::FILE };
            index::add_content(tx, content, size_bytes, kind, inline.as_deref())?;
            job(tx, new)
        };
        // The file is complete and in its place before the row that names it is committed.
        self.0.index.write(staged, count).await
    }

    fn intake(&self, spec: PutPart) -> Intake {
        Intake {
            size_bytes: spec.size_bytes,
            compute: spec.compute,
            expect: spec.expect,
            trailer: spec.trailer,
            limit_bytes: self.0.settings.limits.put_bytes,
            inline_bytes: self.0.settings.limits.inline_bytes,
        }
    }
}

/// A complete, counted body.
struct NewBody {
    content: i64,
    size_bytes: u64,
    etag: String,
    checksums: crate::Checksums,
}

/// The segments that contain `range` of a content.
fn segments(sql: &Connection, content: i64, range: Range<u64>, out: &mut Vec<Segment>) -> Result<()> {
    let mut find = sql.prepare_cached("SELECT kind, bytes FROM contents WHERE id = ?1")?;
    let found = find.query_row([content], |row| {
        let kind: i64 = row.get(0)?;
        // A list of parts is read below, piece by piece.
        let bytes: Option<Vec<u8>> = if kind == index::INLINE { row.get(1)? } else { None };
        Ok((kind, bytes))
    });
    let missing = || PlaneError::plane(format!("the index has no content {content}"));
    match found.optional()?.ok_or_else(missing)? {
        (index::FILE, _) => out.push(Segment::File { id: content, range }),
        (index::LIST, _) => {
            let mut start = 0;
            for (child, size) in index::children(sql, content)? {
                let (from, to) = (range.start.max(start), range.end.min(start + size));
                if from < to {
                    segments(sql, child, from - start..to - start, out)?;
                }
                start += size;
            }
        }
        (_, bytes) => {
            let bytes = Bytes::from(bytes.unwrap_or_default());
            out.push(Segment::Bytes(bytes.slice(range.start as usize..range.end as usize)));
        }
    }
    Ok(())
}

fn range_of(sql: &Connection, row: &ObjectRow, read: &Read) -> Result<Range<u64>> {
    let size = row.object.entry.size_bytes;
    match (read.range, read.part) {
        (Some(_), Some(_)) => Err(Error::RangeAndPart),
        (range, None) => rules::resolve_range(range, size),
        (None, Some(part)) => {
            // A single put is its own part 1.
            let sizes = match row.object.parts {
                Some(_) => index::children(sql, row.content)?.into_iter().map(|(_, size)| size).collect(),
                None => vec![size],
            };
            rules::part_range(part, &sizes)
        }
    }
}

fn owned(bucket: &str, key: &str) -> (String, String) {
    (bucket.to_owned(), key.to_owned())
}

#[async_trait]
impl Objects for Store {
    async fn create_bucket(&self, name: &str) -> Result<Bucket> {
        let (name, now) = (name.to_owned(), self.now());
        self.write(move |tx| index::create_bucket(tx, &name, now)).await
    }

    async fn bucket(&self, name: &str) -> Result<Bucket> {
        let name = name.to_owned();
        self.read(move |sql| Ok(index::bucket(sql, &name)?.bucket)).await
    }

    async fn delete_bucket(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| index::delete_bucket(tx, &name)).await
    }

    async fn list_buckets(&self) -> Result<Vec<Bucket>> {
        self.read(index::buckets).await
    }

    async fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| index::set_versioning(tx, &name, versioning)).await
    }

    async fn put(&self, bucket: &str, key: &str, spec: Put, body: Body) -> Result<Object> {
        rules::check_key(key)?;
        // Before the body is read: 5 GiB must not be received for a bucket that does not exist.
        self.bucket(bucket).await?;
        let (bucket, key) = owned(bucket, key);
        let Put { meta, tags, size_bytes, compute, expect, trailer, condition } = spec;
        let intake = self.intake(PutPart { size_bytes, compute, expect, trailer });
        let now = self.now();
        let finish = move |tx: &mut Tx<'_>, new: NewBody| {
            let NewBody { content, size_bytes, etag, checksums } = new;
            let new =
                NewObject { content, size_bytes, etag, checksums, parts: None, meta, tags, modified: now };
            index::put_object(tx, (&bucket, &key), new, &condition)
        };
        self.receive(body, intake, finish).await
    }

    async fn head(&self, bucket: &str, key: &str, version: Option<&VersionId>) -> Result<Object> {
        if version.is_none()
            && let Some(small) = self.0.hot.get(bucket, key, self.0.index.commits())
        {
            return Ok(small.object.clone());
        }
        let ((bucket, key), version) = (owned(bucket, key), version.cloned());
        self.read(move |sql| Ok(index::object(sql, &bucket, &key, version.as_ref())?.object)).await
    }

    async fn get(&self, bucket: &str, key: &str, read: Read) -> Result<Got> {
        // Before the index is read: a commit meanwhile makes the entry old.
        let commits = self.0.index.commits();
        let is_newest = read.version.is_none() && read.part.is_none();
        if let Some(small) = self.0.hot.get(bucket, key, commits).filter(|_| is_newest) {
            let range = rules::resolve_range(read.range, small.object.entry.size_bytes)?;
            let bytes = small.bytes.slice(range.start as usize..range.end as usize);
            return Ok(Got { object: small.object.clone(), range, body: crate::body(bytes) });
        }
        let ((bucket, key), files) = (owned(bucket, key), self.0.files.clone());
        let name = owned(&bucket, &key);
        let look = move |sql: &Connection| {
            let _look = files.look();
            // One snapshot: a row and its content must not be read on different sides of a commit.
            let sql = sql.unchecked_transaction()?;
            let row = index::object(&sql, &bucket, &key, read.version.as_ref())?;
            let range = range_of(&sql, &row, &read)?;
            let mut pieces = Vec::new();
            segments(&sql, row.content, range.clone(), &mut pieces)?;
            let named = |s: &Segment| match s {
                Segment::File { id, .. } => Some(*id),
                Segment::Bytes(_) => None,
            };
            let pins = files.pin(pieces.iter().filter_map(named).collect());
            Ok((row.object, range, pieces, pins))
        };
        let (object, range, pieces, pins) = self.read(look).await?;
        if let ([Segment::Bytes(bytes)], true) = (&pieces[..], is_newest && object.parts.is_none())
            && bytes.len() as u64 == object.entry.size_bytes
        {
            self.0.hot.keep(name, commits, Small { object: object.clone(), bytes: bytes.clone() });
        }
        Ok(Got { object, range, body: files::stream(pins, pieces) })
    }

    async fn delete(&self, bucket: &str, key: &str, spec: Delete) -> Result<Deleted> {
        rules::check_key(key)?;
        let ((bucket, key), now) = (owned(bucket, key), self.now());
        self.write(move |tx| index::delete_object(tx, (&bucket, &key), &spec, now)).await
    }

    async fn copy(&self, spec: Copy) -> Result<Object> {
        rules::check_key(&spec.to_key)?;
        let source = self.head(&spec.from_bucket, &spec.from_key, spec.from_version.as_ref()).await?;
        let (size_bytes, limit_bytes) = (source.entry.size_bytes, self.0.settings.limits.put_bytes);
        if size_bytes > limit_bytes {
            return Err(Error::TooLarge { size_bytes, limit_bytes });
        }
        let has =
            |a: &crate::Algorithm| source.entry.checksums.contains_key(a) || *a == crate::Algorithm::Md5;
        // The copy of a multipart object is one put with an etag of its own, and a missing checksum needs the bytes.
        if source.parts.is_some() || !spec.compute.iter().all(has) {
            let read = Read { version: spec.from_version, ..Read::default() };
            let got = self.get(&spec.from_bucket, &spec.from_key, read).await?;
            let put = Put {
                meta: spec.meta.unwrap_or(got.object.meta),
                tags: spec.tags.unwrap_or(got.object.tags),
                size_bytes: Some(got.object.entry.size_bytes),
                compute: spec.compute,
                condition: spec.condition,
                ..Put::default()
            };
            return self.put(&spec.to_bucket, &spec.to_key, put, got.body).await;
        }
        let now = self.now();
        let by_reference = move |tx: &mut Tx<'_>| {
            let row = index::object(tx.sql, &spec.from_bucket, &spec.from_key, spec.from_version.as_ref())?;
            // Read again in the transaction: the source may have been replaced or deleted since.
            index::share(tx, row.content)?;
            let Object { entry, meta, tags, parts } = row.object;
            let new = NewObject {
                content: row.content,
                size_bytes: entry.size_bytes,
                etag: entry.etag,
                checksums: entry.checksums,
                parts,
                meta: spec.meta.unwrap_or(meta),
                tags: spec.tags.unwrap_or(tags),
                modified: now,
            };
            index::put_object(tx, (&spec.to_bucket, &spec.to_key), new, &spec.condition)
        };
        self.write(by_reference).await
    }

    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&VersionId>,
        tags: Labels,
    ) -> Result<VersionId> {
        let ((bucket, key), version) = (owned(bucket, key), version.cloned());
        self.write(move |tx| index::set_tags(tx, (&bucket, &key), version.as_ref(), &tags)).await
    }

    async fn list(&self, bucket: &str, spec: &List) -> Result<Listing> {
        let (bucket, spec) = (bucket.to_owned(), spec.clone());
        self.read(move |sql| index::list(sql, &bucket, &spec)).await
    }

    async fn list_versions(&self, bucket: &str, spec: &ListVersions) -> Result<VersionListing> {
        let (bucket, spec) = (bucket.to_owned(), spec.clone());
        self.read(move |sql| index::list_versions(sql, &bucket, &spec)).await
    }

    async fn create_upload(&self, bucket: &str, key: &str, spec: NewUpload) -> Result<UploadId> {
        rules::check_key(key)?;
        spec.checksum.map_or(Ok(()), |(algorithm, kind)| algorithm.check_kind(kind))?;
        let ((bucket, key), now) = (owned(bucket, key), self.now());
        self.write(move |tx| index::create_upload(tx, (&bucket, &key), &spec, now)).await
    }

    async fn upload_part(&self, at: &UploadAt, number: u32, mut spec: PutPart, body: Body) -> Result<Part> {
        rules::check_part_number(number)?;
        let at = at.clone();
        let find = at.clone();
        let upload = self.read(move |sql| index::upload(sql, &find)).await?;
        spec.compute.extend(upload.checksum.map(|(algorithm, _)| algorithm));
        let (intake, modified) = (self.intake(spec), self.now());
        let finish = move |tx: &mut Tx<'_>, new: NewBody| {
            let NewBody { content, size_bytes, etag, checksums } = new;
            let part = Part { number, size_bytes, etag, modified, checksums };
            index::put_part(tx, &at, &part, content)?;
            Ok(part)
        };
        self.receive(body, intake, finish).await
    }

    async fn list_parts(&self, at: &UploadAt, after: u32, limit: usize) -> Result<PartListing> {
        let (at, limit) = (at.clone(), limit.min(crate::PAGE));
        let look = move |sql: &Connection| {
            let upload = index::upload(sql, &at)?;
            let mut parts: Vec<Part> =
                // One more than the page shows whether there is a next one.
                index::parts(sql, &at.id.0, after, limit + 1)?.into_iter().map(|(part, _)| part).collect();
            let more = parts.len() > limit;
            parts.truncate(limit);
            let next = parts.last().filter(|_| more).map(|part| part.number);
            Ok(PartListing { upload, parts, next })
        };
        self.read(look).await
    }

    async fn list_uploads(&self, bucket: &str, spec: &ListUploads) -> Result<UploadListing> {
        let (bucket, spec) = (bucket.to_owned(), spec.clone());
        self.read(move |sql| index::list_uploads(sql, &bucket, &spec)).await
    }

    async fn complete_upload(&self, at: &UploadAt, spec: Complete) -> Result<Object> {
        let (at, limits, now) = (at.clone(), self.0.settings.limits, self.now());
        self.write(move |tx| index::complete_upload(tx, &at, &spec, &limits, now)).await
    }

    async fn abort_upload(&self, at: &UploadAt) -> Result<()> {
        let at = at.clone();
        self.write(move |tx| index::abort_upload(tx, &at)).await
    }
}
