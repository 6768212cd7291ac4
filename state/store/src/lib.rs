//! The state store: typed rows in one SQLite file, read from memory, written in transactions, with subscriptions.
//!
//! - [`Store::read`] returns a [`View`] of an [`Image`]: an immutable snapshot of all tables. It needs neither disk nor lock.
//! - [`Store::write`] runs a closure on a [`Tx`]; its writes become durable and visible together, or not
//!   at all. There is one writer at a time.
//! - [`Store::subscribe`] reports which rows changed since the last call.
//!
//! It knows no AWS. It never calls back into a writer, and never waits for a subscriber. Start at [`Row`].

mod disk;
mod image;
mod reads;
mod row;
mod tx;
mod watch;

pub use image::Image;
pub use reads::Reads;
pub use row::{Row, TableDef};
pub use tx::Tx;
pub use watch::{ALL_TABLES, Change, Subscription};

use arc_swap::ArcSwap;
use disk::Disk;
use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Failures of the state file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot use the state file {path}: {source}", path = path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("cannot use the state file {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("nothing was changed, because the state cannot be written to {path}: {why}", path = path.display())]
    Full { path: PathBuf, why: String },
    #[error(
        "another version of escale wrote the state file: row '{key}' of table '{table}' cannot be read ({why}). Run that \
         version again, use another ESCALE_HOME, or remove this installation and its data with `escale reset --yes`."
    )]
    Row { table: String, key: String, why: String },
    #[error(
        "a newer version of escale wrote the state file: this one does not know the table '{table}'. Install the newer version \
         again, or use another ESCALE_HOME."
    )]
    UnknownTable { table: String },
    #[error("the simulated crash has happened: the store accepts no further commit")]
    Cut,
}

/// The state as of one commit, from [`Store::read`].
///
/// It keeps that whole state in memory, so it must not be held across an `await`; a clippy rule forbids that.
#[must_use]
pub struct View(Arc<Image>);

impl Deref for View {
    type Target = Image;

    fn deref(&self) -> &Image {
        &self.0
    }
}

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    image: ArcSwap<Image>,
    /// Locked during a transaction: there is one writer at a time.
    disk: Mutex<Disk>,
    watchers: watch::Watchers,
    /// The number of further commits that succeed: see [`Store::cut_after`].
    left: AtomicU64,
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
            left: AtomicU64::new(u64::MAX),
        })))
    }

    /// The state as of the last commit.
    pub fn read(&self) -> View {
        View(self.0.image.load_full())
    }

    /// Runs `work` as the only writer. An error leaves the state unchanged.
    ///
    /// `work` must not wait, since all other writers wait for it.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let mut disk = self.lock();
        let mut tx = Tx::new((**self.0.image.load()).clone());
        let value = work(&mut tx)?;
        let (image, written) = tx.finish();
        if !written.is_empty() {
            // Checked under the writer's lock, so that two writers cannot both take the last commit.
            let left = self.0.left.load(Ordering::Relaxed).checked_sub(1).ok_or(StoreError::Cut)?;
            self.0.left.store(left, Ordering::Relaxed);
            // Disk first: readers must never see a row that a crash would lose. Subscribers last, since they read the image.
            disk.commit(&written)?;
            self.0.image.store(Arc::new(image));
            self.0.watchers.notify(written.iter().map(|w| &w.change));
        }
        Ok(value)
    }

    /// Runs `work` on a copy without waiting for the writer, and drops the copy: for read-only operations. `None` if `work`
    /// has written; the caller then runs it again in [`Store::write`].
    pub fn peek<T, E>(&self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Option<Result<T, E>> {
        let mut tx = Tx::new((**self.0.image.load()).clone());
        let value = work(&mut tx);
        tx.is_clean().then_some(value)
    }

    /// Lets `commits` more commits succeed and fails each later one, as if the process had died in between. For simulations,
    /// which then open a new store on the same file.
    pub fn cut_after(&self, commits: u64) {
        self.0.left.store(commits, Ordering::Relaxed);
    }

    /// Whether [`Store::cut_after`] has taken effect.
    pub fn is_cut(&self) -> bool {
        self.0.left.load(Ordering::Relaxed) == 0
    }

    /// Reports changes to rows of `tables` from now on.
    pub fn subscribe(&self, tables: &'static [&'static str]) -> Subscription {
        self.0.watchers.subscribe(tables)
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        // A panic in `work` dropped its transaction, so a poisoned lock hides no partial write.
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
