//! The size limit of a log group.
//!
//! AWS has no such limit and charges for storage, but the disk of one machine is limited. A group is trimmed again after it
//! received a sixteenth of its limit, so it exceeds the limit by that at most.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// The most bytes of all events of a group: weeks of an ordinary web application. A disk has room for dozens of groups.
pub(crate) const GROUP_BYTES: u64 = 1 << 30;

/// The event that replaces dropped events.
pub(crate) const NOTE: &str =
    "[escale] Older events of this log group were dropped: Escale keeps the newest 1 GiB of a group";

/// The bytes that each group received since it was last trimmed.
#[derive(Default)]
pub(crate) struct Bound(Mutex<HashMap<String, u64>>);

impl Bound {
    /// Adds to the bytes of a group, and returns whether to trim it now. This is always true for the first bytes, since an
    /// earlier process may have filled the group.
    pub(crate) fn is_due(&self, group: &str, bytes: u64) -> bool {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match received.get_mut(group) {
            Some(since) if *since + bytes < GROUP_BYTES / 16 => {
                *since += bytes;
                false
            }
            Some(since) => {
                *since = 0;
                true
            }
            None => {
                received.insert(group.to_owned(), 0);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_trimmed_at_first_and_after_each_sixteenth() {
        let bound = Bound::default();
        assert!(bound.is_due("a", 1), "it may be full already");
        assert!(!bound.is_due("a", GROUP_BYTES / 16 - 1));
        assert!(bound.is_due("b", 1));
        assert!(bound.is_due("a", 1));
        assert!(!bound.is_due("a", 1), "the count starts again after a trim");
    }
}
