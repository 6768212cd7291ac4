//! Subscriptions to changed rows.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::Notify;

/// A row that was written or deleted. It has no data: read the image again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub table: &'static str,
    pub key: String,
}

/// Changes of some tables, collected until the subscriber takes them. A row that changed several times is one change.
pub struct Subscription(Arc<Mailbox>);

struct Mailbox {
    tables: &'static [&'static str],
    changes: Mutex<BTreeSet<Change>>,
    wake: Notify,
}

impl Mailbox {
    fn wants(&self, table: &str) -> bool {
        self.tables == ALL_TABLES || self.tables.contains(&table)
    }
}

/// Subscribes to every table.
pub const ALL_TABLES: &[&str] = &["*"];

impl Subscription {
    /// Waits for at least one change and takes all pending changes. Cancel-safe.
    pub async fn changed(&mut self) -> BTreeSet<Change> {
        loop {
            let taken = std::mem::take(&mut *self.0.changes.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken;
            }
            // `notify_one` stores a permit, so a change between the check above and this wait is not missed.
            self.0.wake.notified().await;
        }
    }
}

#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Weak<Mailbox>>>);

impl Watchers {
    pub(crate) fn subscribe(&self, tables: &'static [&'static str]) -> Subscription {
        let mailbox = Arc::new(Mailbox { tables, changes: Mutex::default(), wake: Notify::new() });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&mailbox));
        Subscription(mailbox)
    }

    pub(crate) fn notify<'a>(&self, changes: impl Iterator<Item = &'a Change> + Clone) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|watcher| {
            // A dropped subscription leaves a dead pointer, which is removed here.
            let Some(mailbox) = watcher.upgrade() else { return false };
            let mut wanted = changes.clone().filter(|c| mailbox.wants(c.table)).peekable();
            if wanted.peek().is_some() {
                mailbox.changes.lock().unwrap_or_else(PoisonError::into_inner).extend(wanted.cloned());
                mailbox.wake.notify_one();
            }
            true
        });
    }
}
