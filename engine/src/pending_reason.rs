//! Why objects have not reached their desired state yet.

use escale_base::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// One object that differs from its desired state, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingReason {
    pub reconciler: &'static str,
    pub key: String,
    /// The condition that the object waits for, or the last error.
    pub why: String,
    /// Failed attempts in a row; 0 while the object only waits.
    pub failures: u32,
    pub since: Timestamp,
}

/// The current reasons of all objects. Kept in memory only: after a restart, the first plans and steps fill the list again.
#[derive(Clone, Default)]
pub struct PendingReasons(Arc<Mutex<BTreeMap<(&'static str, String), PendingReason>>>);

impl PendingReasons {
    pub fn list(&self) -> Vec<PendingReason> {
        self.lock().values().cloned().collect()
    }

    /// The reason for one object.
    pub fn of(&self, reconciler: &'static str, key: &str) -> Option<PendingReason> {
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
        let since = all.get(&(reconciler, key.to_owned())).map_or(now, |reason| reason.since);
        let reason = PendingReason { reconciler, key: key.to_owned(), why, failures, since };
        all.insert((reconciler, key.to_owned()), reason);
    }

    pub(crate) fn clear(&self, reconciler: &'static str, key: &str) {
        self.lock().remove(&(reconciler, key.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), PendingReason>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
