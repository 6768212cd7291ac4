//! The engine of record: typed rows in one SQLite file, read from memory, written in transactions, watched.
//!
//! - [`Store::read`] gives an [`Image`]: an immutable picture of all tables. It costs no disk and no lock.
//! - [`Store::write`] runs a closure on a [`Tx`]; what it wrote becomes durable and visible at once, or not
//!   at all. One writer at a time.
//! - [`Store::subscribe`] tells which rows changed since the last look.
//!
//! It knows no AWS. It never calls back into who wrote, and never waits for a watcher. Start at [`Row`].

mod disk;
mod image;
mod row;
mod tx;
mod watch;

pub use image::Image;
pub use row::{Row, TableDef};
pub use tx::Tx;
pub use watch::{ALL_TABLES, Change, Subscription};

use arc_swap::ArcSwap;
use disk::Disk;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What goes wrong below a transaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("state file {path}: {source}", path = path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("state file {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("row '{key}' of table '{table}' cannot be read: {why}")]
    Row { table: String, key: String, why: String },
    #[error(
        "the state file has a table '{table}' that this version of escale does not know: it was written by a newer \
         one; install that version again, or use another ESCALE_HOME"
    )]
    UnknownTable { table: String },
}

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    image: ArcSwap<Image>,
    /// Held for the length of a transaction: there is one writer.
    disk: Mutex<Disk>,
    watchers: watch::Watchers,
}

impl Store {
    /// Opens or creates the file at `path` and loads the tables.
    pub fn open(path: &Path, tables: &[TableDef]) -> Result<Store, StoreError> {
        let disk = Disk::open(path, tables)?;
        let image = disk.load(tables)?;
        Ok(Store(Arc::new(Inner {
            image: ArcSwap::from_pointee(image),
            disk: Mutex::new(disk),
            watchers: watch::Watchers::default(),
        })))
    }

    /// The state as of the last commit.
    pub fn read(&self) -> Arc<Image> {
        self.0.image.load_full()
    }

    /// Runs `work` as the one writer. `Err` leaves everything as it was.
    ///
    /// `work` must not wait: every other writer waits for it.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let mut disk = self.lock();
        let mut tx = Tx::new((**self.0.image.load()).clone());
        let value = work(&mut tx)?;
        let (image, written) = tx.finish();
        if !written.is_empty() {
            disk.commit(&written)?;
            self.0.image.store(Arc::new(image));
            self.0.watchers.tell(written.iter().map(|w| &w.change));
        }
        Ok(value)
    }

    /// Runs `work` on a copy that is thrown away, without waiting for the writer: for what only reads. `None` when
    /// `work` wrote after all: run it again under [`Store::write`].
    pub fn peek<T, E>(&self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Option<Result<T, E>> {
        let mut tx = Tx::new((**self.0.image.load()).clone());
        let value = work(&mut tx);
        tx.is_clean().then_some(value)
    }

    /// Follows the rows of `tables` from now on.
    pub fn subscribe(&self, tables: &'static [&'static str]) -> Subscription {
        self.0.watchers.subscribe(tables)
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        // A panic inside `work` dropped its Tx whole: nothing half-written can be behind the lock.
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
