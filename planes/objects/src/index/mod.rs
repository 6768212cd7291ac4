//! The index in SQLite: which objects exist and which files hold their bytes.
//!
//! One thread writes. It runs all queued jobs as one transaction, each job in a savepoint of its
//! own, so that many small puts share one commit. Readers have their own connections (WAL).

mod list;
mod rows;
mod uploads;

pub(crate) use list::{list, list_uploads, list_versions};
pub(crate) use rows::*;
pub(crate) use uploads::*;

use crate::files::{Files, Staged};
use crate::{Durability, Error, Result};
use escale_base::{PlaneError, error::Context};
use escale_files::disk::OnDisk;
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Reader connections, and so concurrent reads of the index. More than the cores would only queue for them.
const READERS: usize = 8;
/// Jobs per transaction. Bounds how many jobs a failed commit affects, and how long the first one waits.
const BATCH: usize = 128;
/// Jobs that may wait for the writing thread; further senders wait.
const QUEUE: usize = 1024;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS buckets(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, versioning TEXT NOT NULL);
-- The newest version of a key has the lowest rank.
CREATE TABLE IF NOT EXISTS objects(
  bucket INTEGER NOT NULL, key TEXT NOT NULL, rank INTEGER NOT NULL, version TEXT NOT NULL,
  marker INTEGER NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
  modified INTEGER NOT NULL, sums TEXT NOT NULL, parts INTEGER, tags TEXT NOT NULL, meta TEXT NOT NULL,
  PRIMARY KEY(bucket, key, rank)) WITHOUT ROWID;
-- kind 0: bytes are here. 1: bytes are the file of this id. 2: a list of other contents, (id, size) each.
CREATE TABLE IF NOT EXISTS contents(
  id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, size INTEGER NOT NULL, kind INTEGER NOT NULL, bytes BLOB);
CREATE TABLE IF NOT EXISTS uploads(
  bucket INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, started INTEGER NOT NULL,
  tags TEXT NOT NULL, meta TEXT NOT NULL, checksum TEXT NOT NULL,
  PRIMARY KEY(bucket, key, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts(
  upload TEXT NOT NULL, number INTEGER NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, modified INTEGER NOT NULL, sums TEXT NOT NULL,
  PRIMARY KEY(upload, number)) WITHOUT ROWID;
";

/// Numbers that always increase, also across restarts: the count of starts in the high bits, a counter in the low ones. A
/// file with the count of an earlier start and without a row is an orphan.
#[derive(Debug)]
pub(crate) struct Ids {
    next: AtomicI64,
    pub(crate) first: i64,
}

impl Ids {
    fn of_start(count: i64) -> Ids {
        Ids { next: AtomicI64::new(count << 40), first: count << 40 }
    }
    pub(crate) fn next(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// One job's view of a write transaction.
pub(crate) struct Tx<'a> {
    pub(crate) sql: &'a Connection,
    pub(crate) ids: &'a Ids,
    /// Files to remove once this is committed.
    pub(crate) dead: &'a mut Vec<i64>,
}

type Done = Box<dyn FnOnce(Result<(), &str>)>;
type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Done + Send>;

pub(crate) struct Index {
    path: PathBuf,
    pub(crate) ids: Arc<Ids>,
    commits: Arc<AtomicU64>,
    jobs: mpsc::Sender<Job>,
    readers: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Index {
    pub(crate) fn open(path: &Path, durability: Durability, files: Arc<Files>) -> Result<Index, PlaneError> {
        let conn =
            connect(path, durability).on_disk(path, || format!("open the index {}", path.display()))?;
        let start = begin(&conn).on_disk(path, || format!("prepare the index {}", path.display()))?;
        let ids = Arc::new(Ids::of_start(start));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let (thread_ids, thread_commits) = (ids.clone(), commits.clone());
        std::thread::Builder::new()
            .name("object-index".into())
            // A thread of its own, not tokio's: SQLite blocks, and the writer lives as long as the index.
            .spawn(move || write_loop(&conn, queue, (&thread_ids, &thread_commits), &files))
            .machine(|| "start the index's thread".into())?;
        let (readers, turns) = (Mutex::new(Vec::new()), Semaphore::new(READERS));
        Ok(Index { path: path.to_owned(), ids, commits, jobs, readers, turns })
    }

    /// How many transactions have ended. A writer gets its result after its own was counted.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Runs `job` in a transaction and returns once that is committed. `staged` is kept if it succeeds, and
    /// removed if not; both hold even if the caller is cancelled meanwhile.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        staged: Option<Staged>,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = in_savepoint(tx, job);
            Box::new(move |committed| {
                let result = match committed {
                    Err(why) => {
                        Err(PlaneError::machine("cannot commit to the object index").because(why).into())
                    }
                    Ok(()) => result,
                };
                // In the writer's thread after the commit, since the caller may be cancelled at any time.
                if let (Ok(_), Some(staged)) = (&result, staged) {
                    staged.keep();
                }
                // A cancelled caller has dropped the receiver.
                let _ = sender.send(result);
            })
        });
        let gone = || Error::Plane(PlaneError::plane("the object index's thread has ended"));
        self.jobs.send(job).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    /// Runs `job` on a reader connection, on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // Waits here rather than on a blocking thread, which other work needs.
        let _turn = self.turns.acquire().await.plane(|| "wait for the object index".into())?;
        let index = self.clone();
        let run = move || {
            let idle = index.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match idle {
                Some(conn) => conn,
                None => connect(&index.path, Durability::Process)?,
            };
            let result = job(&conn);
            index.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            result
        };
        tokio::task::spawn_blocking(run).await.plane(|| "read the object index".into())?
    }
}

fn connect(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(64);
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", synchronous)?;
    Ok(conn)
}

/// Creates missing tables and returns the count of this start.
fn begin(conn: &Connection) -> rusqlite::Result<i64> {
    conn.execute_batch(SCHEMA)?;
    conn.query_row(
        "INSERT INTO state VALUES('starts', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value",
        [],
        |row| row.get(0),
    )
}

fn in_savepoint<T>(tx: &mut Tx<'_>, job: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    let dead = tx.dead.len();
    tx.sql.execute_batch("SAVEPOINT job")?;
    let result = job(tx);
    if result.is_err() {
        // The files of this job's rows are still referenced after its rollback.
        tx.dead.truncate(dead);
        tx.sql.execute_batch("ROLLBACK TO job")?;
    }
    tx.sql.execute_batch("RELEASE job")?;
    result
}

fn write_loop(
    sql: &Connection,
    mut queue: mpsc::Receiver<Job>,
    (ids, commits): (&Ids, &AtomicU64),
    files: &Files,
) {
    while let Some(first) = queue.blocking_recv() {
        // IMMEDIATE takes the write lock now, so that no statement inside the batch can fail because another has it.
        if let Err(e) = sql.execute_batch("BEGIN IMMEDIATE") {
            // The job is dropped, which reports the failure to its caller.
            tracing::error!("the object index cannot begin a transaction: {e}");
            continue;
        }
        let (mut done, mut dead, mut next) = (Vec::new(), Vec::new(), Some(first));
        while let Some(job) = next {
            done.push(job(&mut Tx { sql, ids, dead: &mut dead }));
            // Takes only what is queued already: a job never waits for others to fill the batch.
            next = if done.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        let committed = sql.execute_batch("COMMIT").map_err(|e| e.to_string());
        match &committed {
            // Only after the commit: a crash in between leaves files without rows, which the sweep removes.
            Ok(()) => files.remove(dead),
            Err(e) => {
                tracing::error!("the object index cannot commit; the waiting writes fail: {e}");
                // SQLite may have rolled back by itself; then this fails harmlessly.
                let _ = sql.execute_batch("ROLLBACK");
            }
        }
        commits.fetch_add(1, Ordering::Release);
        for finish in done {
            finish(match &committed {
                Ok(()) => Ok(()),
                Err(why) => Err(why),
            });
        }
    }
}
