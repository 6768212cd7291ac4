//! Why things are not done yet.

use escale_base::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// One thing that is not as wished, and what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub reconciler: &'static str,
    pub key: String,
    /// What is waited for, or the last error.
    pub why: String,
    /// Failed tries in a row; 0 while it only waits.
    pub failures: u32,
    pub since: Timestamp,
}

/// All troubles of the moment. Lives in memory: it is made anew by trying.
#[derive(Clone, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<(&'static str, String), Trouble>>>);

impl Troubles {
    pub fn list(&self) -> Vec<Trouble> {
        self.lock().values().cloned().collect()
    }

    /// What stands in the way of one thing.
    pub fn of(&self, reconciler: &'static str, key: &str) -> Option<Trouble> {
        self.lock().get(&(reconciler, key.to_owned())).cloned()
    }

    pub(crate) fn set(
        &self,
        reconciler: &'static str,
        key: &str,
        why: String,
        failures: u32,
        now: Timestamp,
    ) {
        let mut all = self.lock();
        let since = all.get(&(reconciler, key.to_owned())).map_or(now, |t| t.since);
        let trouble = Trouble { reconciler, key: key.to_owned(), why, failures, since };
        all.insert((reconciler, key.to_owned()), trouble);
    }

    pub(crate) fn clear(&self, reconciler: &'static str, key: &str) {
        self.lock().remove(&(reconciler, key.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
